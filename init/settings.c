/* SPDX-License-Identifier: Apache-2.0 */
#include "init/settings.h"

#include <errno.h>
#include <stddef.h>

#include "base/log.h"
#include "base/number.h"
#include "base/str.h"

static const char *text(const char *(*get)(const char *name), const char *name,
			const char *otherwise)
{
	const char *value = get(name);

	return str_is_empty(value) ? otherwise : value;
}

static bool flag(const char *(*get)(const char *name), const char *name)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
	const char *value = get(name);

	if (str_is_empty(value))
		return false;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (str_eq(value, yes[i]))
			return true;
		if (str_eq(value, no[i]))
			return false;
	}
	log_error("a setting must be true or false, and counts as false", "setting", name, "value",
		  value);
	return false;
}

static int port(const char *(*get)(const char *name), const char *name, uint16_t otherwise,
		uint16_t *ret, struct error *err)
{
	const char *value = get(name);
	int64_t number = otherwise;

	if (!str_is_empty(value) && number_parse_i64(value, 1, 65535, &number, NULL) < 0)
		return error_say(err, EINVAL, "%s must be a port from 1 to 65535, not \"%s\"", name,
				 value);
	*ret = (uint16_t)number;
	return 0;
}

int init_settings_read(const char *(*get)(const char *name), struct init_settings *ret,
		       struct error *err)
{
	struct init_settings settings = {
		.data_dir = text(get, "ECS_DATADIR", "/var/lib/ecs/data"),
		.run_dir = text(get, "BERTH_RUN_DIR", "/run/berth"),
		.agent = text(get, "BERTH_AGENT", ""),
		.skip_localhost_filter = flag(get, "ECS_SKIP_LOCALHOST_TRAFFIC_FILTER"),
		.allow_offhost_introspection = flag(get, "ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS"),
	};
	int r;

	r = port(get, "BERTH_METADATA_PORT", 51679, &settings.metadata_port, err);
	if (r == 0)
		r = port(get, "BERTH_INTROSPECTION_PORT", 51678, &settings.introspection_port, err);
	if (r == 0)
		*ret = settings;
	return r;
}
