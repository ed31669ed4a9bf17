/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by container*.c alone. */
#ifndef BERTH_RUNTIME_CONTAINER_INTERNAL_H
#define BERTH_RUNTIME_CONTAINER_INTERNAL_H

#include "base/process.h"
#include "base/str.h"
#include "runtime/container.h"

struct container_job;

/* One container that on_exit is promised for. */
struct container_watch {
	struct container_watch *next;
	struct container_runtime *runtime;
	char *id;
	char *state_dir;
	int pidfd; /* -1: not open */
	struct loop_fd *ready;
	struct loop_timer *timer; /* looks at the record: when the message does not come */
	unsigned looks;
	bool told; /* on_exit was called */
};

/* A start that waits for its monitor's answer. */
struct container_start_job {
	struct container_start_job *next;
	struct container_runtime *runtime;
	char *id;
	char *state_dir;
	struct loop_timer *timeout;
	struct process *process; /* the runtime's own start command, when the monitor cannot */
	container_started *on_done;
	void *data;
};

struct container_runtime {
	struct loop *loop;
	char *monitor_path;
	char *runtime_path;
	char *runtime_root;
	char *socket_path;
	int64_t create_timeout_ms;
	int64_t start_timeout_ms;
	bool without_unified; /* crun on a hybrid host */
	void (*on_exit)(void *data, const char *id, const struct container_exit *exit);
	void *data;

	int socket;
	struct loop_fd *socket_ready;
	struct container_watch *watches;
	struct container_start_job *starts;
	struct container_job *jobs; /* create, exec, delete under way */
};

/* A step under way that must be forgotten when the runtime is freed. */
struct container_job {
	struct container_job *next;
	struct container_runtime *runtime;
	void (*abandon)(struct container_job *job); /* frees it without a word to its owner */
};
void container_job_add(struct container_runtime *runtime, struct container_job *job,
		       void (*abandon)(struct container_job *job));
void container_job_remove(struct container_job *job);

/* The runtime's program with its global options: the begin of every command line. */
void container_runtime_command(const struct container_runtime *runtime, struct str_list *argv);
/* The environment of all that we start. */
extern const char *const container_environment[];

/* A datagram to the container's monitor. -ECONNREFUSED, -ENOENT: it has none. */
int container_tell_monitor(const char *state_dir, const char *command);

struct container_watch *container_find_watch(struct container_runtime *runtime, const char *id);
/* From the notification socket, or from the record. */
void container_watch_exited(struct container_watch *watch, const struct container_exit *exit);
void container_watch_free(struct container_watch *watch);
/* Open pidfd of the process that the record names, or -ESRCH. */
int container_open_process(const char *state_dir, struct container_observation *ret_observation,
			   int *ret_pidfd, struct error *err);

/* A message of event "started" or "start_failed" for a start that waits. */
void container_start_answered(struct container_start_job *job, int64_t started_ms,
			      const char *failure);
/* The container ended: a start that still waits is over; it failed when `started_ms` is 0. */
void container_start_ended(struct container_runtime *runtime, const char *id, int64_t started_ms);
void container_start_free(struct container_start_job *job);

#endif
