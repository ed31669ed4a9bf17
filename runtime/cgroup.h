/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups, version 1 (one hierarchy per controller, also the hybrid layout) and 2. Paths are
 * as in config.json:
 * "/ecs/<task>/<container>", relative to the top of each hierarchy.
 */
#ifndef BERTH_RUNTIME_CGROUP_H
#define BERTH_RUNTIME_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define CGROUP_HIERARCHIES_MAX 16

struct cgroup_hierarchy {
	char *controllers; /* "memory"; "cpu,cpuacct"; "name=systemd"; "" for version 2 */
	char *mount_point; /* "/sys/fs/cgroup/memory" */
	bool unified;      /* version 2 */
};

struct cgroup_host {
	bool v2;     /* the controllers are in version 2 */
	bool hybrid; /* version 1 with a version 2 hierarchy beside it (crun 1.8 refuses that) */
	struct cgroup_hierarchy hierarchies[CGROUP_HIERARCHIES_MAX];
	size_t count;
};

/* From /proc/self/mountinfo. -ENOENT when no cgroup file system is mounted. */
int cgroup_host_detect(struct cgroup_host *ret, struct error *err);
/* Pure: the same from the text of such a file. */
int cgroup_host_parse(const char *mountinfo, struct cgroup_host *ret, struct error *err);
void cgroup_host_free(struct cgroup_host *host);

struct cgroup_limits {
	int64_t cpu_quota_us;   /* <= 0: none */
	uint64_t cpu_period_us; /* 0: 100000 */
	uint64_t cpu_shares;    /* 0: not set; converted to cpu.weight for version 2 */
	int64_t memory_limit;   /* bytes; 0: none */
	int64_t pids_limit;     /* <= 0: none */
};

/* Shares 2..262144 to the weight 1..10000 of version 2, as runc does. Pure. */
uint64_t cgroup_weight_from_shares(uint64_t shares);

/*
 * Makes the group (and its parents) in every hierarchy and sets the limits. One that is in use is
 * left as it is, limits too; one that somebody began to make is finished. On failure what was made
 * is removed.
 */
int cgroup_create(const struct cgroup_host *host, const char *path,
		  const struct cgroup_limits *limits, struct error *err);

/* Moves the process in, in every hierarchy. */
int cgroup_enter(const struct cgroup_host *host, const char *path, pid_t pid, struct error *err);

/* SIGKILL to every process of the group and of those below. 0 also when there is none, or no group.
 */
int cgroup_kill(const struct cgroup_host *host, const char *path, struct error *err);

/*
 * Removes the group and those below, in every hierarchy. Processes that are just dying are waited
 * for, up to `wait_ms` (blocks: use the pool when > 0). 0 also when it is not there; -EBUSY when a
 * process lives in it.
 */
int cgroup_remove(const struct cgroup_host *host, const char *path, int64_t wait_ms,
		  struct error *err);

/* Process ids of the group itself (not below). *ret_pids is freed by the caller; 0 processes when
 * there is no group. */
int cgroup_processes(const struct cgroup_host *host, const char *path, pid_t **ret_pids,
		     size_t *ret_count, struct error *err);

/* Names of the groups directly below `path`, e.g. the tasks below "/ecs"; for sweeping. */
struct str_list;
int cgroup_children(const struct cgroup_host *host, const char *path, struct str_list *ret,
		    struct error *err);

/* "/sys/fs/cgroup/memory/ecs/t/c/memory.stat"; NULL when no hierarchy has the controller. The
 * caller frees. */
char *cgroup_file_path(const struct cgroup_host *host, const char *controller, const char *path,
		       const char *file);
/* The file whose "oom_kill" counts: memory.oom_control or memory.events. The caller frees; NULL:
 * none. */
char *cgroup_oom_events_path(const struct cgroup_host *host, const char *path);

#endif
