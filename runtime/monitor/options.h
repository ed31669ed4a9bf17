/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RUNTIME_MONITOR_OPTIONS_H
#define BERTH_RUNTIME_MONITOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* berth-monitor create --runtime P --root D --bundle D --id I --state D --notify S --timeout MS
 * [...] */
struct options {
	const char *runtime;
	const char *root;
	const char *bundle;
	const char *id;
	const char *state;
	const char *notify;
	int64_t timeout_ms;
	const char *log; /* NULL: output is thrown away */
	int64_t log_max_bytes;
	unsigned log_max_files;
	const char *oom_events; /* NULL: OOM kills are not recognised */
	bool stdin_open;
	bool without_unified; /* run the runtime where /sys/fs/cgroup/unified is not mounted */
};

/* `argv` after "create". NULL, or the argument that is wrong or missing. */
const char *options_parse(char **argv, struct options *ret);

#endif
