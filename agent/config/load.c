/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/ip.h"

#define FILE_LIMIT  (1024 * 1024)
#define POLL_MIN_MS 5000
#define POLL_MAX_MS 20000

enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT };

const char *const config_origin_names[] = { "default", "file", "environment" };

static const char *environment_get(char *const *environment, const char *name)
{
	size_t length = strlen(name);

	for (; *environment; environment++)
		if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

static void mistake(struct config_report *report, const struct error *err)
{
	str_list_add(&report->mistakes, err->text);
}

static void read_file(const char *file, struct config_map *ret, struct config_report *report)
{
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	struct stat info;
	int result;

	result = file_read(AT_FDCWD, file, FILE_LIMIT, &text, NULL, &err);
	if (result == -ENOENT)
		return;
	if (result < 0) {
		error_prefix(&err, "read the configuration");
		mistake(report, &err);
		return;
	}
	config_file_parse(text, file, ret, &report->warnings);
	explicit_bzero(text, strlen(text));
	if (stat(file, &info) < 0 || !(info.st_mode & S_IROTH))
		return;
	for (size_t i = 0; i < config_setting_count; i++)
		if (config_settings[i].secret && config_map_get(ret, config_settings[i].name))
			str_list_add_owned(&report->warnings,
					   xasprintf("%s holds %s and everybody on this host can "
						     "read it: chmod 600 %s",
						     file, config_settings[i].name, file));
}

/* A misspelt name does nothing, silently: say so, for the names that look like ours. */
static void report_unknown(const struct config_map *file_values, const char *file,
			   char *const *environment, struct config_report *report)
{
	for (size_t i = 0; i < file_values->count; i++) {
		const char *name = file_values->items[i].name;

		if ((str_starts_with(name, "ECS_") || str_starts_with(name, "BERTH_")) &&
		    !config_setting_find(name))
			str_list_add_owned(&report->warnings,
					   xasprintf("%s: this version has no setting %s; it is "
						     "ignored",
						     file, name));
	}
	for (; *environment; environment++) {
		_cleanup_free_ char *name = xstrndup(*environment, strcspn(*environment, "="));

		if (str_starts_with(name, "BERTH_") && !config_setting_find(name))
			str_list_add_owned(&report->warnings,
					   xasprintf("environment: this version has no setting %s; "
						     "it is ignored",
						     name));
	}
}

/* The text of a setting and where it comes from. An empty one counts as absent. */
static const char *find_text(const struct setting *setting, char *const *environment,
			     const struct config_map *values, enum origin *ret_origin)
{
	const char *const names[] = { setting->name, setting->other_name };

	*ret_origin = ORIGIN_ENVIRONMENT;
	for (size_t i = 0; i < 2 && names[i]; i++) {
		const char *text = environment_get(environment, names[i]);

		if (text && *text)
			return text;
	}
	*ret_origin = ORIGIN_FILE;
	for (size_t i = 0; i < 2 && names[i]; i++) {
		const char *text = config_map_get(values, names[i]);

		if (text && *text)
			return text;
	}
	*ret_origin = ORIGIN_DEFAULT;
	return setting->fallback;
}

/* [] and {} are the same as absent: an empty list cannot be configured, as in the reference. */
static bool is_empty_list(const struct setting *setting, const struct agent_config *config)
{
	const void *place = (const char *)config + setting->offset;

	switch (setting->type) {
	case SETTING_PORTS:
		return ((const struct config_ports *)place)->count == 0;
	case SETTING_NAMES:
		return ((const struct str_list *)place)->count == 0;
	case SETTING_MAP:
		return ((const struct config_map *)place)->count == 0;
	default:
		return false;
	}
}

static void load_setting(size_t index, char *const *environment, const struct config_map *values,
			 struct agent_config *config, struct config_report *report)
{
	const struct setting *setting = &config_settings[index];
	struct error err = ERROR_INIT;
	_cleanup_free_ char *note = NULL;
	enum origin origin;
	const char *text = find_text(setting, environment, values, &origin);
	int result = config_value_parse(setting, text, config, &note, &err);

	if (note)
		str_list_add(&report->warnings, note);
	if (result < 0 && (setting->fatal || result == -ENOENT)) {
		mistake(report, &err);
	} else if (result < 0) {
		str_list_add_owned(&report->warnings, xasprintf("%s; the default \"%s\" is used",
								err.text, setting->fallback));
	}
	if (origin != ORIGIN_DEFAULT && (result < 0 || is_empty_list(setting, config))) {
		config_value_free(setting, config);
		config_value_parse(setting, setting->fallback, config, NULL, NULL);
		origin = ORIGIN_DEFAULT;
	}
	config->origins[index] = (unsigned char)origin;
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

static void check_network_address(const struct agent_config *config, struct config_report *report)
{
	struct ip_address address;

	if (config->network_address[0] == '\0')
		return;
	if (ip_parse(config->network_address, &address, NULL) < 0 || !ip_is_unicast(&address))
		str_list_add_owned(
			&report->mistakes,
			xasprintf("BERTH_NETWORK_ADDRESS is \"%.64s\", which is no IP address of a "
				  "host: give the one by which other hosts reach this one, such as "
				  "192.0.2.10",
				  config->network_address));
}

static void check_bridge(const struct agent_config *config, struct config_report *report)
{
	struct ip_prefix subnet;

	if (!ifname_is_valid(config->bridge))
		str_list_add_owned(
			&report->mistakes,
			xasprintf("BERTH_BRIDGE is \"%.64s\", which is no name of a link: "
				  "give one of 1 to %d characters, such as berth0",
				  config->bridge, IFNAMSIZ - 1));
	if (ip_prefix_parse(config->bridge_subnet, &subnet, NULL) < 0 ||
	    subnet.address.family != AF_INET || subnet.length < 8 || subnet.length > 30)
		str_list_add_owned(
			&report->mistakes,
			xasprintf("BERTH_BRIDGE_SUBNET is \"%.64s\", which is no subnet for "
				  "containers: give an IPv4 one of 8 to 30 bits, such as "
				  "172.29.0.0/16",
				  config->bridge_subnet));
	if (*config->bridge_subnet_ipv6 != '\0' &&
	    (ip_prefix_parse(config->bridge_subnet_ipv6, &subnet, NULL) < 0 ||
	     subnet.address.family != AF_INET6 || subnet.length < 16 || subnet.length > 112))
		str_list_add_owned(
			&report->mistakes,
			xasprintf("BERTH_BRIDGE_SUBNET_IPV6 is \"%.64s\", which is no subnet for "
				  "containers: give an IPv6 one of 16 to 112 bits, such as "
				  "fd00:172:29::/64",
				  config->bridge_subnet_ipv6));
}

static void check_local_routes(const struct agent_config *config, struct config_report *report)
{
	struct ip_prefix prefix;

	for (size_t i = 0; i < config->local_routes.count; i++)
		if (ip_prefix_parse(config->local_routes.items[i], &prefix, NULL) < 0 ||
		    prefix.address.family != AF_INET)
			str_list_add_owned(
				&report->mistakes,
				xasprintf("ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES has \"%.64s\", which "
					  "is no IPv4 prefix such as 10.1.0.0/16",
					  config->local_routes.items[i]));
	if (config->local_routes.count > CONFIG_MAX_LOCAL_ROUTES)
		str_list_add_owned(
			&report->mistakes,
			xasprintf("ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES has %zu prefixes: at most %d "
				  "are taken",
				  config->local_routes.count, CONFIG_MAX_LOCAL_ROUTES));
}

static void check_whole(struct agent_config *config, struct config_report *report)
{
	for (size_t i = 0; i < config_setting_count; i++) {
		const struct setting *setting = &config_settings[i];

		if (setting->required && **(char **)((char *)config + setting->offset) == '\0')
			str_list_add_owned(
				&report->mistakes,
				xasprintf("%s is not set: give the region, such as eu-central-1",
					  setting->name));
	}
	if (config->access_key_id[0] && !config->secret_access_key[0])
		str_list_add(
			&report->mistakes,
			"AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: give both or "
			"neither");
	if (config->secret_access_key[0] && !config->access_key_id[0])
		str_list_add(
			&report->mistakes,
			"AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not: give both or "
			"neither");
	if (config->poll_metrics && config->polling_metrics_wait_ms < POLL_MIN_MS) {
		config->polling_metrics_wait_ms = POLL_MIN_MS;
		str_list_add(&report->warnings,
			     "ECS_POLLING_METRICS_WAIT_DURATION is below 5s; 5s is used");
	}
	if (config->poll_metrics && config->polling_metrics_wait_ms > POLL_MAX_MS) {
		config->polling_metrics_wait_ms = POLL_MAX_MS;
		str_list_add(&report->warnings,
			     "ECS_POLLING_METRICS_WAIT_DURATION is above 20s; 20s is used");
	}
	check_network_address(config, report);
	check_bridge(config, report);
	check_local_routes(config, report);
	if (config->cni_plugins_path[0] == '\0')
		str_replace(&config->cni_plugins_path, config->libexec_dir);
}

int config_load(char *const *environment, const char *file, struct agent_config **ret,
		struct config_report *ret_report, struct error *err)
{
	struct config_report report = { .mistakes = STR_LIST_INIT, .warnings = STR_LIST_INIT };
	_cleanup_(config_free_cleanup) struct agent_config *config = xcalloc(1, sizeof(*config));
	struct config_map values = { 0 };
	int result = 0;

	config->origins = xcalloc(config_setting_count, 1);
	if (!str_is_empty(file))
		read_file(file, &values, &report);
	for (size_t i = 0; i < config_setting_count; i++)
		load_setting(i, environment, &values, config, &report);
	resolve_program(&config->ctr, environment);
	resolve_program(&config->runtime, environment);
	report_unknown(&values, file, environment, &report);
	config_map_free(&values);
	check_whole(config, &report);

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

void config_free(struct agent_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config_setting_count; i++)
		config_value_free(&config_settings[i], config);
	free(config->origins);
	free(config);
}

void config_report_free(struct config_report *report)
{
	str_list_free(&report->mistakes);
	str_list_free(&report->warnings);
}
