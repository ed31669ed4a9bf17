/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON file of settings, whose fields are the reference agent's own names for them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"

#define USER_DATA_MEMBER "ECSAgentConfiguration"

struct reading {
	const char *where;
	struct config_map *texts;
	struct str_list *mistakes, *warnings, *ignored;
};

static int bool_text(const struct setting *setting, const struct json_at *at, struct strbuf *out,
		     struct error *err)
{
	int64_t number = 0;
	bool value = false;
	int r;

	if (json_is_integer(at->value) && !setting->plain) {
		r = json_as_i64(at, 0, 1, &number, err);
		value = number != 0;
	} else {
		r = json_as_bool(at, &value, err);
	}
	if (r == 0)
		strbuf_append(out, value ? "true" : "false");
	return r;
}

static int string_text(const struct json_at *at, struct strbuf *out, struct error *err)
{
	const char *text;
	int r = json_as_string(at, &text, err);

	if (r == 0)
		strbuf_append(out, text);
	return r;
}

static int number_text(const struct json_at *at, const char *unit, struct strbuf *out,
		       struct error *err)
{
	int64_t number;
	int r = json_as_i64(at, INT64_MIN, INT64_MAX, &number, err);

	if (r == 0)
		strbuf_appendf(out, "%" PRId64 "%s", number, unit);
	return r;
}

/* Choices are numbers there, in the order of ours; where they have no number, words. */
static int choice_text(const struct setting *setting, const struct json_at *at, struct strbuf *out,
		       struct error *err)
{
	int64_t count = 0, number;
	int r;

	if (!json_is_integer(at->value))
		return string_text(at, out, err);
	while (setting->choices[count])
		count++;
	r = json_as_i64(at, 0, count - 1, &number, err);
	if (r == 0 && number > 0) /* the first one is as good as none */
		strbuf_append(out, setting->choices[number]);
	return r;
}

static int raw_text(const struct json_at *at, struct strbuf *out)
{
	char *text = json_dumps(at->value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text) {
		strbuf_append(out, text);
		explicit_bzero(text, strlen(text));
	}
	free(text);
	return 0;
}

static int names_text(const struct setting *setting, const struct json_at *at, struct strbuf *out,
		      struct error *err)
{
	if (!json_is_array(at->value))
		return json_fail(at, err, "must be an array of strings");
	for (size_t i = 0; i < json_count(at); i++) {
		struct json_at item = json_item(at, i);
		const char *text;
		int r = json_as_string(&item, &text, err);

		if (r < 0)
			return r;
		if (setting->type == SETTING_COMMA_LIST)
			strbuf_appendf(out, "%s%s", i > 0 ? "," : "", text);
	}
	return setting->type == SETTING_COMMA_LIST ? 0 : raw_text(at, out);
}

static int ports_text(const struct json_at *at, struct strbuf *out, struct error *err)
{
	if (!json_is_array(at->value))
		return json_fail(at, err, "must be an array of ports");
	for (size_t i = 0; i < json_count(at); i++) {
		struct json_at item = json_item(at, i);
		int64_t port;
		int r = json_as_i64(&item, 0, UINT16_MAX, &port, err);

		if (r < 0)
			return r;
	}
	return raw_text(at, out);
}

static int map_text(const struct json_at *at, struct strbuf *out, struct error *err)
{
	const char *name;
	json_t *value;
	int r = json_expect_object(at, err);

	if (r < 0)
		return r;
	json_object_foreach (at->value, name, value) {
		const struct json_at member = { .value = value, .parent = at, .key = name };
		const char *text;

		if (!json_is_null(value) && json_as_string(&member, &text, err) < 0)
			return -EINVAL;
	}
	return raw_text(at, out);
}

/* The value as it would be written in the environment; "" where that cannot say it: absent. */
static int value_text(const struct setting *setting, const struct json_at *at, struct strbuf *out,
		      struct error *err)
{
	if (json_is_null(at->value))
		return 0;
	if (setting->json_any)
		return raw_text(at, out);
	switch (setting->type) {
	case SETTING_STRING:
	case SETTING_TRIMMED:
	case SETTING_PORT_RANGE:
		return string_text(at, out, err);
	case SETTING_BOOL:
		return bool_text(setting, at, out, err);
	case SETTING_DURATION:
		return number_text(at, "ns", out, err);
	case SETTING_INTEGER:
	case SETTING_NUMBER:
	case SETTING_RATE: /* half of it */
		return number_text(at, "", out, err);
	case SETTING_CHOICE:
		return choice_text(setting, at, out, err);
	case SETTING_PORTS:
		return ports_text(at, out, err);
	case SETTING_NAMES:
	case SETTING_COMMA_LIST:
		return names_text(setting, at, out, err);
	case SETTING_MAP:
		return map_text(at, out, err);
	}
	return json_fail(at, err, "cannot be set here");
}

/* Two fields make one setting; of the default is what is missing, or 0. */
static void keep_half(const struct setting *setting, bool second, const char *text,
		      struct config_map *texts)
{
	const char *given = config_map_get(texts, setting->name);
	_cleanup_str_list_ struct str_list halves = STR_LIST_INIT;
	_cleanup_free_ char *whole = NULL;

	if (*text == '\0' || str_eq(text, "0"))
		return;
	str_list_split(&halves, given ? given : setting->fallback, ',', true);
	str_replace(&halves.items[second], text);
	whole = str_list_join(&halves, ",");
	config_map_set(texts, setting->name, whole);
}

static void keep(const struct setting *setting, bool other, const char *text,
		 struct reading *reading)
{
	const char *given = config_map_get(reading->texts, setting->name);

	if (setting->type == SETTING_RATE) {
		keep_half(setting, other, text, reading->texts);
		return;
	}
	if (other)
		str_list_add_owned(reading->warnings,
				   xasprintf("%s: %s is an old name of %s", reading->where,
					     setting->json_other, setting->json));
	/* What says nothing leaves what the other name says. */
	if (str_is_empty(given) || (!other && (*text || setting->empty_counts)))
		config_map_set(reading->texts, setting->name, text);
}

static const struct setting *find_setting(const char *field, bool *ret_other)
{
	for (size_t i = 0; i < config_setting_count(); i++) {
		const struct setting *setting = config_setting_at(i);

		*ret_other = setting->json_other && str_eq_nocase(setting->json_other, field);
		if (*ret_other || (setting->json && str_eq_nocase(setting->json, field)))
			return setting;
	}
	return NULL;
}

static const struct ignored_setting *find_ignored(const char *field)
{
	for (size_t i = 0; i < config_ignored_setting_count; i++)
		if (config_ignored_settings[i].json &&
		    str_eq_nocase(config_ignored_settings[i].json, field))
			return &config_ignored_settings[i];
	return NULL;
}

static void read_field(const struct json_at *at, struct reading *reading)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	bool other = false;
	const struct setting *setting = find_setting(at->key, &other);
	const struct ignored_setting *ignored = setting ? NULL : find_ignored(at->key);

	if (!setting && !ignored) {
		str_list_add_owned(
			reading->warnings,
			xasprintf("%s: this version knows no field %.100s; it is ignored",
				  reading->where, at->key));
		return;
	}
	if (!setting) {
		str_list_add_owned(reading->ignored,
				   xasprintf("%s (%s) has no effect: %s", ignored->json,
					     reading->where, ignored->why));
		return;
	}
	if (value_text(setting, at, &text, &err) < 0)
		str_list_add_owned(reading->mistakes,
				   xasprintf("%s: %s", reading->where, err.text));
	else
		keep(setting, other, strbuf_text(&text), reading);
	if (setting->secret && text.data)
		explicit_bzero(text.data, text.length);
}

static int read_object(const struct json_at *object, struct reading *reading, struct error *err)
{
	const char *name;
	json_t *value;
	int r = json_expect_object(object, err);

	if (r < 0)
		return r;
	json_object_foreach (object->value, name, value) {
		const struct json_at field = { .value = value, .parent = object, .key = name };

		read_field(&field, reading);
	}
	return 0;
}

int config_json_read(const char *text, size_t size, const char *where, struct config_map *ret,
		     struct str_list *mistakes, struct str_list *warnings, struct str_list *ignored,
		     struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	struct reading reading = { .where = where,
				   .texts = ret,
				   .mistakes = mistakes,
				   .warnings = warnings,
				   .ignored = ignored };
	struct json_at root;
	int r;

	if (text[strspn(text, " \t\r\n")] == '\0')
		return 0;
	r = json_parse(text, size, NULL, &json, err);
	if (r < 0)
		return r;
	root = json_root(json);
	return read_object(&root, &reading, err);
}

void config_user_data_read(const char *text, size_t size, struct config_map *ret,
			   struct str_list *warnings, struct str_list *ignored)
{
	_cleanup_json_ json_t *json = NULL;
	struct reading reading = { .where = "user data",
				   .texts = ret,
				   .mistakes = warnings,
				   .warnings = warnings,
				   .ignored = ignored };
	struct json_at root, member;

	if (json_parse(text, size, NULL, &json, NULL) < 0)
		return;
	root = json_root(json);
	member = json_member(&root, USER_DATA_MEMBER, 0);
	(void)read_object(&member, &reading, NULL);
}
