/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pause container: berth-pause (static, no image) as first process of namespaces that a task's
 * containers share. Started by a clone3 of our own, without the OCI runtime, yet a container in
 * every other respect: namespaces and a cgroup of its own, an empty read-only root, no
 * capabilities, no_new_privs, a seccomp filter of five system calls.
 */
#ifndef BERTH_RUNTIME_PAUSE_H
#define BERTH_RUNTIME_PAUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"
#include "runtime/cgroup.h"

struct pause_spec {
	const char *program;    /* berth-pause */
	const char *hostname;   /* of its uts namespace; NULL: "pause" */
	const char *netns_path; /* joined: a named namespace; NULL: see netns_fd */
	int netns_fd;           /* joined when >= 0 and netns_path is NULL; neither: a new one */
	const struct cgroup_host *cgroup_host; /* NULL: no cgroup */
	const char *cgroup_path; /* "/ecs/<task>/pause"; made; its one process is found again by
				    pause_observe() */
	int oom_score_adj;       /* lowering is tried and may be refused; 0: as it is */
};

struct pause_process {
	pid_t pid;
	uint64_t start_time; /* field 22 of /proc/<pid>/stat: with pid, who it is */
	int pidfd;           /* close-on-exec; the owner closes it */
};

/*
 * Blocks for one or two milliseconds: for the pool, or for tests. Always has its own mount, pid,
 * ipc, uts namespaces (and net, unless joined): what is below /proc/<pid>/ns is what others join.
 */
int pause_start_now(const struct pause_spec *spec, struct pause_process *ret, struct error *err);

/* The same on the pool. `spec` is copied. On success the callee owns process->pidfd. */
int pause_start(struct loop *loop, const struct pause_spec *spec,
		void (*on_done)(void *data, int result, const struct pause_process *process,
				const struct error *err),
		void *data, struct error *err);

/*
 * What is true after a restart: the process in the group, if it is a pause. -ENOENT when there is
 * none.
 */
int pause_observe(const struct cgroup_host *host, const char *cgroup_path,
		  struct pause_process *ret, struct error *err);

/* Calls on_death once, also for a pause started by an earlier process of ours. Borrows
 * process->pidfd until pause_unwatch. */
struct pause_watch;
int pause_watch(struct loop *loop, const struct pause_process *process,
		void (*on_death)(void *data, pid_t pid), void *data, struct pause_watch **ret,
		struct error *err);
void pause_unwatch(struct pause_watch *watch);

/* SIGKILL (nothing in it needs a farewell), waits until it is dead and reaped, removes its cgroup.
 * Blocks about 1 ms (at most 2 s). 0 also when it is dead already. */
int pause_stop_now(const struct pause_process *process, const struct cgroup_host *host,
		   const char *cgroup_path, struct error *err);
/* The same on the pool. */
int pause_stop(struct loop *loop, const struct pause_process *process,
	       const struct cgroup_host *host, const char *cgroup_path,
	       void (*on_done)(void *data, int result, const struct error *err), void *data,
	       struct error *err);

/* Field 22 of /proc/<pid>/stat. -ESRCH: it is not there, or dead and not yet reaped. */
int process_start_time(pid_t pid, uint64_t *ret, struct error *err);

#endif
