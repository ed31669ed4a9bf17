/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/log_setup.h"

#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

static enum log_level level_of(enum config_log_level level, enum log_level otherwise)
{
	switch (level) {
	case CONFIG_LEVEL_UNSET:
		return otherwise;
	case CONFIG_LEVEL_DEBUG:
		return LOG_DEBUG;
	case CONFIG_LEVEL_INFO:
		return LOG_INFO;
	case CONFIG_LEVEL_WARN:
		return LOG_WARN;
	case CONFIG_LEVEL_ERROR:
		return LOG_ERROR;
	case CONFIG_LEVEL_CRITICAL:
		return LOG_CRITICAL;
	case CONFIG_LEVEL_NONE:
		return LOG_NONE;
	}
	return otherwise;
}

int log_setup(const struct agent_config *config, struct error *err)
{
	enum log_level level = level_of(config->log_level, LOG_INFO);
	/* Where somebody else takes the log, the file has what is asked for by name only. */
	enum log_level file_level = str_is_empty(config->log_driver) ? level : LOG_NONE;
	const struct log_config log = {
		.level = level,
		.file_level = level_of(config->log_level_on_instance, file_level),
		.format =
			config->log_format == CONFIG_LOG_JSON ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT,
		.console_fd = STDERR_FILENO,
		.file = config->log_file,
		.rotation = config->log_rollover == CONFIG_ROLLOVER_HOURLY ? LOG_ROTATE_HOURLY
			    : config->log_rollover == CONFIG_ROLLOVER_NONE ? LOG_ROTATE_NEVER
									   : LOG_ROTATE_SIZE,
		.max_file_size = (int64_t)(config->log_max_file_size_mb * 1000000),
		.max_roll_count = (int)config->log_max_roll_count,
	};

	return log_open(&log, err);
}
