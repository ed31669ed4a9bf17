/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/file.h"

#define FILE_LIMIT      (1024 * 1024)
#define JSON_FILE       "ECS_AGENT_CONFIG_FILE_PATH"
#define REGION          "AWS_DEFAULT_REGION"
#define PROMETHEUS_PORT 51680

static void mistake(struct config_report *report, const struct error *err)
{
	str_list_add(&report->mistakes, err->text);
}

/* NULL: there is none, or it cannot be read, which is a mistake. */
static char *read_text(const char *file, struct config_report *report)
{
	struct error err = ERROR_INIT;
	char *text = NULL;
	int r = str_is_empty(file) ? -ENOENT
				   : file_read(AT_FDCWD, file, FILE_LIMIT, &text, NULL, &err);

	if (r < 0 && r != -ENOENT) {
		error_prefix(&err, "read the configuration");
		mistake(report, &err);
	}
	return text;
}

static void warn_of_open_secrets(const char *file, const struct config_map *texts,
				 struct config_report *report)
{
	struct stat info;

	if (stat(file, &info) < 0 || !(info.st_mode & S_IROTH))
		return;
	for (size_t i = 0; i < config_setting_count(); i++) {
		const struct setting *setting = config_setting_at(i);
		const char *const names[] = { setting->name, setting->other_name };

		for (size_t n = 0; setting->secret && n < 2 && names[n]; n++)
			if (config_map_get(texts, names[n]))
				str_list_add_owned(
					&report->warnings,
					xasprintf("%s holds %s and everybody on this host can "
						  "read it: chmod 600 %s",
						  file, names[n], file));
	}
}

static void read_env_file(const char *file, struct config_map *ret, struct config_report *report)
{
	char *text = read_text(file, report);

	if (!text)
		return;
	config_file_parse(text, file, ret, &report->warnings);
	explicit_bzero(text, strlen(text));
	free(text);
	warn_of_open_secrets(file, ret, report);
}

static void read_json_file(const char *file, struct config_map *ret, struct config_report *report)
{
	struct error err = ERROR_INIT;
	char *text = read_text(file, report);

	if (!text)
		return;
	if (config_json_read(text, strlen(text), file, ret, &report->mistakes, &report->warnings,
			     &report->ignored, &err) < 0)
		str_list_add_owned(&report->mistakes, xasprintf("%s: %s", file, err.text));
	explicit_bzero(text, strlen(text));
	free(text);
	warn_of_open_secrets(file, ret, report);
}

static void report_ignored(const char *name, const char *where, struct config_report *report)
{
	const struct ignored_setting *ignored = config_ignored_setting_find(name);

	if (ignored && ignored->why)
		str_list_add_owned(&report->ignored, xasprintf("%s (%s) has no effect: %s", name,
							       where, ignored->why));
}

static bool is_known(const char *name)
{
	return config_setting_find(name) || config_ignored_setting_find(name);
}

/* A misspelt name does nothing, silently: say so, for the names that look like ours. */
static void report_names_of_file(const struct config_map *texts, const char *file,
				 struct config_report *report)
{
	for (size_t i = 0; i < texts->count; i++) {
		const char *name = texts->items[i].name;

		if (*texts->items[i].value)
			report_ignored(name, file, report);
		if ((str_starts_with(name, "ECS_") || str_starts_with(name, "BERTH_")) &&
		    !is_known(name))
			str_list_add_owned(&report->warnings,
					   xasprintf("%s: this version has no setting %s; it is "
						     "ignored",
						     file, name));
	}
}

static void report_names_of_environment(char *const *environment, struct config_report *report)
{
	for (; *environment; environment++) {
		size_t length = strcspn(*environment, "=");
		_cleanup_free_ char *name = xstrndup(*environment, length);

		if ((*environment)[length] && (*environment)[length + 1])
			report_ignored(name, "environment", report);
		if (str_starts_with(name, "BERTH_") && !is_known(name))
			str_list_add_owned(&report->warnings,
					   xasprintf("environment: this version has no setting %s; "
						     "it is ignored",
						     name));
	}
}

/* The value of one source; -EAGAIN: it gives way to the source below, *ret_refusal (NULL or a
 * sentence) says why. */
static int take_text(const struct setting *setting, const char *text, unsigned origin,
		     struct agent_config *config, struct config_report *report, char **ret_refusal)
{
	bool strict =
		setting->json_strict && (origin == ORIGIN_JSON_FILE || origin == ORIGIN_USER_DATA);
	struct setting rule = *setting;
	_cleanup_free_ char *note = NULL;
	struct error err = ERROR_INIT;
	int r;

	*ret_refusal = NULL;
	rule.below = strict ? BELOW_IS_BAD : rule.below;
	r = config_value_parse(&rule, text, config, &note, &err);
	if (note)
		str_list_add(&report->warnings, note);
	if (r < 0 && (setting->fatal || strict || r == -ENOENT)) {
		mistake(report, &err);
		return -EINVAL;
	}
	if (r < 0) {
		*ret_refusal = xstrdup(err.text);
		return -EAGAIN;
	}
	if (config_value_is_absent(setting, text, config)) {
		config_value_free(setting, config);
		return -EAGAIN;
	}
	return 0;
}

static void load_setting(size_t index, const struct config_layers *layers,
			 struct agent_config *config, struct config_report *report)
{
	const struct setting *setting = config_setting_at(index);
	_cleanup_str_list_ struct str_list refusals = STR_LIST_INIT;
	unsigned origin = ORIGIN_COUNT;
	const char *text;
	int r = -EAGAIN;

	while (r == -EAGAIN && (text = config_layers_next(layers, setting, &origin))) {
		char *refusal = NULL;

		r = take_text(setting, text, origin, config, report, &refusal);
		if (refusal)
			str_list_add_owned(&refusals, refusal);
	}
	if (r < 0) {
		origin = ORIGIN_DEFAULT;
		config_value_parse(setting, setting->fallback, config, NULL, NULL);
	}
	config->origins[index] = (unsigned char)origin;
	for (size_t i = 0; i < refusals.count; i++) {
		_cleanup_strbuf_ struct strbuf used = STRBUF_INIT;

		config_value_format(setting, config, &used);
		str_list_add_owned(&report->warnings,
				   origin == ORIGIN_DEFAULT
					   ? xasprintf("%s; the default \"%s\" is used",
						       refusals.items[i], setting->fallback)
					   : xasprintf("%s; \"%s\" of %s is used",
						       refusals.items[i], strbuf_text(&used),
						       config_origin_name(config, origin)));
	}
}

static void load_settings(const struct config_layers *layers, struct agent_config *config,
			  struct config_report *report)
{
	for (size_t i = 0; i < config_setting_count(); i++) {
		config_value_free(config_setting_at(i), config);
		load_setting(i, layers, config, report);
	}
}

/* A bare name becomes the path under which PATH has it; what is not there stays as it is, for
 * whoever runs it to say so. */
static void resolve_program(char **program, char *const *environment)
{
	const char *path = environment_get(environment, "PATH");
	_cleanup_str_list_ struct str_list folders = STR_LIST_INIT;

	if (**program == '\0' || strchr(*program, '/'))
		return;
	str_list_split(&folders, path ? path : "", ':', false);
	/* As root one expects these, whatever PATH a supervisor gives. */
	str_list_split(&folders, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		       ':', false);
	for (size_t i = 0; i < folders.count; i++) {
		_cleanup_free_ char *file = xasprintf("%s/%s", folders.items[i], *program);

		if (*file == '/' && access(file, X_OK) == 0) {
			str_replace(program, file);
			return;
		}
	}
}

static unsigned origin_of(const char *name, const struct agent_config *config)
{
	for (size_t i = 0; i < config_setting_count(); i++)
		if (strcmp(config_setting_at(i)->name, name) == 0)
			return config->origins[i];
	return ORIGIN_DEFAULT;
}

static void ask_host(const struct config_sources *sources, const struct agent_config *config,
		     struct config_layers *layers, struct config_report *report)
{
	struct config_host_facts facts = { 0 };
	bool lacks_region = origin_of(REGION, config) == ORIGIN_DEFAULT;

	sources->ask_host(sources->data, config, lacks_region, &facts, &report->warnings);
	if (facts.user_data)
		config_user_data_read(facts.user_data, strlen(facts.user_data),
				      &layers->texts[ORIGIN_USER_DATA], &report->warnings,
				      &report->ignored);
	if (facts.region)
		config_map_set(&layers->texts[ORIGIN_INSTANCE_METADATA], REGION, facts.region);
	free(facts.user_data);
	free(facts.region);
}

static bool has_port(const struct config_ports *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->items[i] == port)
			return true;
	return false;
}

/* What follows from other settings. */
static void finish(struct agent_config *config, char *const *environment)
{
	struct config_ports *ports = &config->reserved_ports;

	resolve_program(&config->ctr, environment);
	resolve_program(&config->runtime, environment);
	if (config->cni_plugins_path[0] == '\0')
		str_replace(&config->cni_plugins_path, config->libexec_dir);
	if (config->prometheus && !has_port(ports, PROMETHEUS_PORT)) {
		ports->items = xreallocarray(ports->items, ports->count + 1, sizeof(*ports->items));
		ports->items[ports->count++] = PROMETHEUS_PORT;
	}
}

static void read_env_files(const struct config_sources *sources, struct config_layers *layers,
			   struct config_report *report)
{
	read_env_file(sources->file, &layers->texts[ORIGIN_FILE], report);
	read_env_file(sources->vendor_file, &layers->texts[ORIGIN_VENDOR_FILE], report);
}

/* Source by source, because the upper ones say where the lower ones are. What is said of settings
 * is said in the last round, of all. */
static void read_layers(const struct config_sources *sources, struct config_layers *layers,
			struct agent_config *config, struct config_report *report)
{
	struct config_report draft = { 0 };

	read_env_files(sources, layers, report);
	load_settings(layers, config, &draft);
	/* An external instance is told its region without a file below, or not at all. */
	if (!config->external || origin_of(REGION, config) != ORIGIN_DEFAULT) {
		str_replace(&config->files[2], origin_of(JSON_FILE, config) == ORIGIN_DEFAULT
						       ? sources->json_file
						       : config->json_file);
		read_json_file(config->files[2], &layers->texts[ORIGIN_JSON_FILE], report);
		load_settings(layers, config, &draft);
		if (sources->ask_host)
			ask_host(sources, config, layers, report);
	}
	load_settings(layers, config, report);
	config_report_free(&draft);
}

void config_read(const struct config_sources *sources, struct agent_config **ret,
		 struct config_report *ret_report)
{
	struct config_report report = { 0 };
	struct agent_config *config = xcalloc(1, sizeof(*config));
	struct config_layers layers = { .environment = sources->environment };

	config->origins = xcalloc(config_setting_count(), 1);
	str_replace(&config->files[0], sources->file);
	str_replace(&config->files[1], sources->vendor_file);
	for (size_t i = 0; sources->flags && i < sources->flags->count; i++)
		config_map_set(&layers.texts[ORIGIN_FLAG], sources->flags->items[i].name,
			       sources->flags->items[i].value);
	read_layers(sources, &layers, config, &report);
	report_names_of_environment(sources->environment, &report);
	report_names_of_file(&layers.texts[ORIGIN_FILE], sources->file, &report);
	report_names_of_file(&layers.texts[ORIGIN_VENDOR_FILE], sources->vendor_file, &report);
	config_layers_free(&layers);
	str_replace(&config->json_file, config->files[2] ? config->files[2] : "");
	finish(config, sources->environment);
	config_check(config, &report);
	*ret = config;
	*ret_report = report;
}

int config_load(char *const *environment, const char *file, struct agent_config **ret,
		struct config_report *ret_report, struct error *err)
{
	const struct config_sources sources = { .environment = environment, .file = file };
	_cleanup_(config_free_cleanup) struct agent_config *config = NULL;
	struct config_report report;
	int result = 0;

	config_read(&sources, &config, &report);
	if (report.mistakes.count > 0)
		result = error_say(err, EINVAL, "%s", report.mistakes.items[0]);
	else
		*ret = TAKE(config);
	if (ret_report)
		*ret_report = report;
	else
		config_report_free(&report);
	return result;
}

char **config_environment_own(char *const *environment, const char *file, const char *vendor_file)
{
	const struct config_sources sources = { .file = file, .vendor_file = vendor_file };
	struct config_layers layers = { 0 };
	struct config_report report = { 0 };
	size_t count = 0, kept = 0;
	char **own;

	while (environment[count])
		count++;
	own = xcalloc(count + 1, sizeof(*own));
	read_env_files(&sources, &layers, &report);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *name = xstrndup(environment[i], strcspn(environment[i], "="));
		const char *text = config_map_get(&layers.texts[ORIGIN_FILE], name);

		if (!text)
			text = config_map_get(&layers.texts[ORIGIN_VENDOR_FILE], name);
		if (!text || !str_eq(environment_get(environment, name), text))
			own[kept++] = environment[i];
	}
	config_layers_free(&layers);
	config_report_free(&report);
	return own;
}

void config_free(struct agent_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config_setting_count(); i++)
		config_value_free(config_setting_at(i), config);
	for (size_t i = 0; i < sizeof(config->files) / sizeof(config->files[0]); i++)
		free(config->files[i]);
	free(config->origins);
	free(config);
}

void config_report_free(struct config_report *report)
{
	str_list_free(&report->mistakes);
	str_list_free(&report->warnings);
	str_list_free(&report->ignored);
}
