/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI bundle: a directory with config.json, the container's writable layer, and its root file
 * system mounted as an overlay over the image's layers. Knows nothing of what runs in it.
 *
 * bundle_create() blocks for about a millisecond (mount, a few small files); it may be called on
 * the loop or on the pool, and keeps no state: different bundles may be made at the same time.
 */
#ifndef BERTH_RUNTIME_BUNDLE_H
#define BERTH_RUNTIME_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/* Strings are borrowed for the time of the call. NULL arrays are empty. */

struct container_mount {
	const char *source;         /* host path; NULL with a `type` of its own (tmpfs, ...) */
	const char *destination;    /* absolute path in the container */
	const char *type;           /* NULL: bind */
	const char *const *options; /* of the runtime, e.g. "ro", "nosuid", "size=64m";
				     * NULL-terminated; NULL: none. A bind is always recursive and
				     * rprivate unless options say otherwise. */
	bool read_only;
};

enum namespace_mode {
	NAMESPACE_NEW,  /* a private one */
	NAMESPACE_HOST, /* the host's */
	NAMESPACE_PATH, /* join the one at `path` */
};

struct container_namespace {
	enum namespace_mode mode;
	const char *path; /* with NAMESPACE_PATH: /run/netns/x, /proc/1/ns/ipc */
};

struct container_rlimit {
	const char *name; /* "nofile" or "RLIMIT_NOFILE" */
	uint64_t soft;    /* UINT64_MAX: unlimited */
	uint64_t hard;
};

struct container_device {
	const char *host_path;
	const char *path;        /* in the container; NULL: the same */
	const char *permissions; /* of "rwm"; NULL: all */
};

struct container_sysctl {
	const char *name;
	const char *value;
};

enum seccomp_mode {
	SECCOMP_DEFAULT,    /* the default list of what is allowed */
	SECCOMP_UNCONFINED, /* none */
};

struct container_config {
	const char *id; /* [A-Za-z0-9_+.-]+ */

	const struct str_list
		*layers; /* struct image.layers: topmost first; empty or NULL: an empty root */
	bool read_only_root;

	const char *const *args; /* entry point and command; NULL-terminated; at least one */
	const char *const *env;  /* complete, NAME=value, NULL-terminated */
	const char *cwd;         /* NULL or "": / ; made when missing */
	const char *user; /* "", "uid", "name", each with ":group" or ":gid"; resolved inside the
			     image */
	const char *const *additional_groups; /* names or gids, NULL-terminated */
	const char *hostname; /* NULL: the runtime sets none; needs a new uts namespace */

	const struct container_mount
		*mounts; /* over the defaults; the same destination replaces a default */
	size_t mount_count;
	const char *const *tmpfs; /* "/path" or "/path:opt,opt,size=1m", NULL-terminated */
	int64_t shm_size;       /* of /dev/shm, bytes; 0: 64 MiB; < 0: not mounted (ipcMode none) */
	const char *shm_source; /* a directory to bind there instead (shared ipc), NULL: none */

	struct container_namespace net, pid, ipc, uts, cgroup;

	const char *cgroup_path;    /* "/ecs/<task>/<container>" */
	uint64_t cpu_shares;        /* 0: not set */
	int64_t cpu_quota_us;       /* <= 0: none */
	uint64_t cpu_period_us;     /* 0: 100000 when there is a quota */
	int64_t memory_limit;       /* bytes; 0: none */
	int64_t memory_reservation; /* bytes; 0: none */
	int64_t memory_swap; /* memory + swap, bytes; 0: twice the limit; -1: unlimited; -2: alone
			      */
	int64_t memory_swappiness; /* -1: not set */
	int64_t pids_limit;        /* <= 0: none */
	const char *cpuset_cpus;   /* NULL: not set */

	const char *const
		*capabilities_add; /* "NET_ADMIN", "CAP_NET_ADMIN", "ALL"; NULL-terminated */
	const char *const *capabilities_drop;
	bool privileged;
	bool no_new_privileges;
	enum seccomp_mode seccomp;
	bool seccomp_all_architectures; /* also 32-bit programs of this machine's family (7-9 ms per
					   launch) */

	const struct container_rlimit *rlimits;
	size_t rlimit_count;
	const struct container_device *devices;
	size_t device_count;
	const struct container_sysctl *sysctls;
	size_t sysctl_count;

	bool has_oom_score_adj;
	int oom_score_adj;

	const struct container_sysctl *annotations; /* name and value */
	size_t annotation_count;
};

/* A container_config with every number at "not set" (swappiness -1, ...). */
void container_config_init(struct container_config *config);

/*
 * Makes `dir` (0700; must not hold a bundle in use): <dir>/rootfs mounted, <dir>/upper, <dir>/work,
 * <dir>/config.json (0600). When <dir>/upper is already there (a restart of the same container), it
 * is used again. On failure nothing of it is left, but an upper that was there before.
 *
 * Errors, each with a sentence: -EINVAL (unknown capability, rlimit, device, option), -ENOENT (user
 * or group not in the image: "unable to find user x: no matching entries in passwd file"; a device
 * or a mount source that is not there), -EPERM (a capability that this host cannot give), -ENOSPC.
 */
int bundle_create(const char *dir, const struct container_config *config, struct error *err);

/* config.json alone, for tests and for people: the user is taken as resolved. The caller frees. */
struct bundle_user;
int bundle_config_json(const struct container_config *config, const struct bundle_user *user,
		       const char *root_path, char **ret_json, struct error *err);

/*
 * The "process" of config.json without its "args": what another process in the same container runs
 * with (process.json in the bundle). The caller frees.
 */
int bundle_process_json(const struct container_config *config, const struct bundle_user *user,
			char **ret_json, struct error *err);

/* Unmounts <dir>/rootfs (also when mounted twice), then removes the directory; 0 also when it is
 * not there. */
int bundle_remove(const char *dir, struct error *err);

#endif
