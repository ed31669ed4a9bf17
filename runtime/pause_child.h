/* SPDX-License-Identifier: Apache-2.0 */
/* What happens between clone3 and exec of a pause container: system calls only, as after any fork
 * of a threaded program. */
#ifndef BERTH_RUNTIME_PAUSE_CHILD_H
#define BERTH_RUNTIME_PAUSE_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "runtime/cgroup.h"

#define PAUSE_NAME "berth-pause" /* of the process, at most 15 characters */

enum pause_step {
	PAUSE_STEP_CGROUP,
	PAUSE_STEP_NETNS,
	PAUSE_STEP_HOSTNAME,
	PAUSE_STEP_ROOT,
	PAUSE_STEP_STDIO,
	PAUSE_STEP_PRIVILEGES,
	PAUSE_STEP_EXEC,
};
const char *pause_step_name(enum pause_step step);

/* Comes through status_fd when a step fails; the exec closes it. */
struct pause_failure {
	enum pause_step step;
	int code;
};

struct pause_child {
	int program_fd;
	int null_fd;
	int netns_fd; /* -1: a new network namespace */
	int status_fd;
	int cgroup_fds[CGROUP_HIERARCHIES_MAX]; /* cgroup.procs of each hierarchy */
	size_t cgroup_count;
	const char *hostname;
	int oom_score_adj; /* 0: as it is */
};

/* The new process, seen from us, and a pidfd of it; or -errno. */
pid_t pause_clone(const struct pause_child *child, int *ret_pidfd);

#endif
