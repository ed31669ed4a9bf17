/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RUNTIME_MONITOR_MONITOR_H
#define BERTH_RUNTIME_MONITOR_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "create.h"
#include "json_log.h"
#include "options.h"
#include "record.h"

struct monitor {
	struct options options;
	int state_fd;
	pid_t pid;
	struct streams streams;
	struct json_log log;
	int oom_fd;     /* -1: not known */
	int signal_fd;  /* SIGCHLD */
	int control_fd; /* datagrams from the agent: "start", "started", "end" */
	struct record_state state;

	bool exited;
	struct record_exit exit;
	bool recorded; /* exit.json is on the disk, or can never be */
	bool told;     /* the agent has it, or there is no agent */
	bool ended;    /* the agent wants us gone */
	int64_t retry_ms;
};

/* Creates the container and what belongs to watching it. 0, or -errno and `reason`. */
int monitor_create(struct monitor *monitor, char *reason, size_t reason_size);

/* Until the container has ended, its output is written, its exit is on the disk, and the agent
 * knows. */
void monitor_run(struct monitor *monitor);

#endif
