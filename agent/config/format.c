/* SPDX-License-Identifier: Apache-2.0 */
/* Settings for people: what is allowed, what is set, and the reference. */
#include <inttypes.h>
#include <string.h>

#include "agent/config/settings.h"

void config_duration_format(int64_t ms, struct strbuf *out)
{
	if (ms == 0) {
		strbuf_append(out, "0s");
		return;
	}
	if (ms >= 3600000)
		strbuf_appendf(out, "%" PRId64 "h", ms / 3600000);
	if (ms % 3600000 >= 60000)
		strbuf_appendf(out, "%" PRId64 "m", ms % 3600000 / 60000);
	if (ms % 60000 >= 1000)
		strbuf_appendf(out, "%" PRId64 "s", ms % 60000 / 1000);
	if (ms % 1000 > 0)
		strbuf_appendf(out, "%" PRId64 "ms", ms % 1000);
}

static void choices_format(const struct setting *setting, struct strbuf *out)
{
	const char *separator = "";

	for (size_t i = 0; setting->choices[i]; i++) {
		if (*setting->choices[i] == '\0')
			continue;
		strbuf_appendf(out, "%s%s", separator, setting->choices[i]);
		separator = ", ";
	}
}

void config_value_allowed(const struct setting *setting, struct strbuf *out)
{
	switch (setting->type) {
	case SETTING_STRING:
	case SETTING_TRIMMED:
		strbuf_append(out, "any text");
		return;
	case SETTING_BOOL:
		strbuf_append(out, "true or false");
		return;
	case SETTING_DURATION:
		strbuf_append(out, "a duration such as 90s, 10m or 1h30m");
		if (setting->min > 1) {
			strbuf_append(out, " of at least ");
			config_duration_format(setting->min, out);
		}
		if (setting->max > 0) {
			strbuf_append(out, " and at most ");
			config_duration_format(setting->max, out);
		}
		return;
	case SETTING_INTEGER:
		strbuf_appendf(out, "a whole number from %" PRId64 " to %" PRId64, setting->min,
			       setting->max);
		return;
	case SETTING_NUMBER:
		strbuf_appendf(out, "a number from %" PRId64 " to %" PRId64, setting->min,
			       setting->max);
		return;
	case SETTING_CHOICE:
		strbuf_append(out, "one of ");
		choices_format(setting, out);
		return;
	case SETTING_PORTS:
		strbuf_append(out, "a JSON array of ports from 0 to 65535, such as [22,8080]");
		return;
	case SETTING_NAMES:
		strbuf_append(out, "a JSON array of strings");
		if (setting->choices) {
			strbuf_append(out, " from ");
			choices_format(setting, out);
		}
		return;
	case SETTING_MAP:
		strbuf_append(out, "a JSON object of strings, such as {\"stack\":\"prod\"}");
		return;
	case SETTING_COMMA_LIST:
		strbuf_append(out, "names with commas between them");
		return;
	case SETTING_RATE:
		strbuf_append(out, "two whole numbers above 0, such as 40,60");
		return;
	case SETTING_PORT_RANGE:
		strbuf_append(out, "two ports, such as 49153-65535");
		return;
	}
}

static void strings_format(const struct str_list *list, struct strbuf *out)
{
	strbuf_append_char(out, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			strbuf_append_char(out, ',');
		strbuf_append_json(out, list->items[i]);
	}
	strbuf_append_char(out, ']');
}

void config_value_format(const struct setting *setting, const struct agent_config *config,
			 struct strbuf *out)
{
	const void *place = (const char *)config + setting->offset;

	switch (setting->type) {
	case SETTING_STRING:
	case SETTING_TRIMMED:
		if (setting->secret)
			strbuf_append(out, **(char *const *)place ? "(set)" : "");
		else
			strbuf_append(out, *(char *const *)place);
		return;
	case SETTING_BOOL:
		strbuf_append(out, *(const bool *)place ? "true" : "false");
		return;
	case SETTING_DURATION:
		config_duration_format(*(const int64_t *)place, out);
		return;
	case SETTING_INTEGER:
		if (*(const int64_t *)place != 0 || *setting->fallback)
			strbuf_appendf(out, "%" PRId64, *(const int64_t *)place);
		return;
	case SETTING_NUMBER:
		strbuf_append_json_double(out, *(const double *)place);
		return;
	case SETTING_CHOICE:
		strbuf_append(out, setting->choices[*(const int *)place]);
		return;
	case SETTING_PORTS: {
		const struct config_ports *ports = place;

		strbuf_append_char(out, '[');
		for (size_t i = 0; i < ports->count; i++)
			strbuf_appendf(out, "%s%u", i > 0 ? "," : "", ports->items[i]);
		strbuf_append_char(out, ']');
		return;
	}
	case SETTING_NAMES:
		strings_format(place, out);
		return;
	case SETTING_COMMA_LIST: {
		const struct str_list *list = place;

		for (size_t i = 0; i < list->count; i++)
			strbuf_appendf(out, "%s%s", i > 0 ? "," : "", list->items[i]);
		return;
	}
	case SETTING_MAP: {
		const struct config_map *map = place;

		strbuf_append_char(out, '{');
		for (size_t i = 0; i < map->count; i++) {
			strbuf_append(out, i > 0 ? "," : "");
			strbuf_append_json(out, map->items[i].name);
			strbuf_append_char(out, ':');
			strbuf_append_json(out, map->items[i].value);
		}
		strbuf_append_char(out, '}');
		return;
	}
	case SETTING_RATE: {
		const int64_t *rate = place;

		strbuf_appendf(out, "%" PRId64 ",%" PRId64, rate[0], rate[1]);
		return;
	}
	case SETTING_PORT_RANGE: {
		const int64_t *range = place;

		if (range[0] != 0)
			strbuf_appendf(out, "%" PRId64 "-%" PRId64, range[0], range[1]);
		return;
	}
	}
}

const char *config_origin_name(const struct agent_config *config, unsigned origin)
{
	switch (origin) {
	case ORIGIN_FLAG:
		return "command line";
	case ORIGIN_ENVIRONMENT:
		return "environment";
	case ORIGIN_FILE:
		return config->files[0];
	case ORIGIN_VENDOR_FILE:
		return config->files[1];
	case ORIGIN_JSON_FILE:
		return config->files[2];
	case ORIGIN_USER_DATA:
		return "user data";
	case ORIGIN_INSTANCE_METADATA:
		return "instance metadata";
	default:
		return "default";
	}
}

void config_print(const struct agent_config *config, FILE *out)
{
	for (size_t i = 0; i < config_setting_count(); i++) {
		_cleanup_strbuf_ struct strbuf value = STRBUF_INIT;

		config_value_format(config_setting_at(i), config, &value);
		fprintf(out, "%s=%s (%s)\n", config_setting_at(i)->name, strbuf_text(&value),
			config_origin_name(config, config->origins[i]));
	}
}

static void append_sentences(struct strbuf *sb, const char *name, const struct str_list *list)
{
	strbuf_appendf(sb, ",\n \"%s\":", name);
	strings_format(list, sb);
}

void config_print_json(const struct agent_config *config, const struct config_report *report,
		       FILE *out)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_append(&sb, "{\"settings\":[");
	for (size_t i = 0; i < config_setting_count(); i++) {
		_cleanup_strbuf_ struct strbuf value = STRBUF_INIT;

		config_value_format(config_setting_at(i), config, &value);
		strbuf_append(&sb, i > 0 ? ",\n  {\"name\":" : "\n  {\"name\":");
		strbuf_append_json(&sb, config_setting_at(i)->name);
		strbuf_append(&sb, ",\"value\":");
		strbuf_append_json(&sb, strbuf_text(&value));
		strbuf_append(&sb, ",\"source\":");
		strbuf_append_json(&sb, config_origin_name(config, config->origins[i]));
		strbuf_append_char(&sb, '}');
	}
	strbuf_append_char(&sb, ']');
	append_sentences(&sb, "mistakes", &report->mistakes);
	append_sentences(&sb, "warnings", &report->warnings);
	append_sentences(&sb, "ignored", &report->ignored);
	strbuf_append(&sb, "}\n");
	fputs(strbuf_text(&sb), out);
}

/* In a cell of a Markdown table a bar would end the cell. */
static void cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_row(const struct setting *setting, FILE *out)
{
	_cleanup_strbuf_ struct strbuf allowed = STRBUF_INIT;

	config_value_allowed(setting, &allowed);
	fprintf(out, "| `%s` | ", setting->name);
	if (setting->json && setting->json_other && setting->type == SETTING_RATE)
		fprintf(out, "`%s`, `%s`", setting->json, setting->json_other);
	else if (setting->json)
		fprintf(out, "`%s`", setting->json);
	fputs(" | ", out);
	if (*setting->fallback) {
		fputc('`', out);
		cell(out, setting->fallback);
		fputc('`', out);
	} else {
		fputs(setting->required ? "(required)" : "(none)", out);
	}
	fputs(" | ", out);
	cell(out, strbuf_text(&allowed));
	fputs(" | ", out);
	cell(out, setting->doc);
	if (setting->fatal)
		fputs(" A value that is not allowed stops the agent.", out);
	if (setting->secret)
		fputs(" Secret: never logged or printed.", out);
	fprintf(out, " | %s | %s |\n", setting->reloads ? "yes" : "", setting->used_by);
}

static void print_name(const char *name, FILE *out)
{
	if (name)
		fprintf(out, " `%s`", name);
	fputs(" |", out);
}

static void print_ignored(FILE *out)
{
	fputs("\n## Accepted without effect\n\n"
	      "| Variable | JSON field | Why |\n"
	      "|---|---|---|\n",
	      out);
	for (size_t i = 0; i < config_ignored_setting_count; i++) {
		const struct ignored_setting *ignored = &config_ignored_settings[i];

		if (!ignored->why)
			continue;
		fputs("|", out);
		print_name(ignored->name, out);
		print_name(ignored->json, out);
		fputc(' ', out);
		cell(out, ignored->why);
		fputs(" |\n", out);
	}
}

void config_print_reference(FILE *out)
{
	const char *group = "";

	for (size_t i = 0; i < config_setting_count(); i++) {
		const struct setting *setting = config_setting_at(i);

		if (strcmp(group, setting->group) != 0) {
			group = setting->group;
			fprintf(out, "%s## %s\n\n", i > 0 ? "\n" : "", group);
			fputs("| Variable | JSON field | Default | Allowed | What it does | At "
			      "SIGHUP | Used by |\n"
			      "|---|---|---|---|---|---|---|\n",
			      out);
		}
		print_row(setting, out);
	}
	print_ignored(out);
}
