/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "base/str.h"

#define KNOB_LIMIT (1 << 20)
#define DEPTH_MAX  16

static bool has_controller(const struct cgroup_hierarchy *hierarchy, const char *controller)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;

	str_list_split(&list, hierarchy->controllers, ',', false);
	return str_list_has(&list, controller);
}

static const struct cgroup_hierarchy *find_hierarchy(const struct cgroup_host *host,
						     const char *controller)
{
	for (size_t i = 0; i < host->count; i++) {
		if (host->v2 ? host->hierarchies[i].unified
			     : has_controller(&host->hierarchies[i], controller))
			return &host->hierarchies[i];
	}
	return NULL;
}

/* Paths come from our own code, but a slip here would be a slip in the host's own groups. */
static int check_path(const char *path, struct error *err)
{
	if (path[0] != '/' || !path[1] || strstr(path, "/../") || str_ends_with(path, "/..") ||
	    strchr(path, '\n'))
		return error_say(err, EINVAL,
				 "cgroup path %s: must be absolute, not the top, without ..", path);
	return 0;
}

char *cgroup_file_path(const struct cgroup_host *host, const char *controller, const char *path,
		       const char *file)
{
	const struct cgroup_hierarchy *hierarchy = find_hierarchy(host, controller);

	return hierarchy ? xasprintf("%s%s/%s", hierarchy->mount_point, path, file) : NULL;
}

char *cgroup_oom_events_path(const struct cgroup_host *host, const char *path)
{
	return cgroup_file_path(host, "memory", path,
				host->v2 ? "memory.events" : "memory.oom_control");
}

uint64_t cgroup_weight_from_shares(uint64_t shares)
{
	if (shares < 2)
		shares = 2;
	if (shares > 262144)
		shares = 262144;
	return 1 + (shares - 2) * 9999 / 262142;
}

/* ---- making */

static int write_knob(const char *dir, const char *file, const char *text, struct error *err)
{
	_cleanup_free_ char *name = xasprintf("%s/%s", dir, file);

	return file_write_knob(AT_FDCWD, name, text, err);
}

static int write_number(const char *dir, const char *file, int64_t number, struct error *err)
{
	_cleanup_free_ char *text = xasprintf("%" PRId64, number);

	return write_knob(dir, file, text, err);
}

static char *read_knob(const char *dir, const char *file)
{
	_cleanup_free_ char *name = xasprintf("%s/%s", dir, file);
	char *text;

	return file_read(AT_FDCWD, name, KNOB_LIMIT, &text, NULL, NULL) == 0 ? text : NULL;
}

/*
 * A new cpuset has no CPUs and no memory, and no process may enter it: take the parent's. One that
 * is there may be as new: its maker was cut off, or is a thread that has not come so far.
 */
static void inherit_cpuset(const char *parent, const char *dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *own = read_knob(dir, files[i]);
		_cleanup_free_ char *text = NULL;

		if (!own || (own[0] != '\0' && own[0] != '\n'))
			continue;
		text = read_knob(parent, files[i]);
		if (text)
			write_knob(dir, files[i], text, NULL);
	}
}

static void enable_controllers(const char *dir)
{
	static const char *const controllers[] = { "+cpu", "+memory", "+pids", "+io", "+cpuset" };

	/* One by one: a controller that is not there must not keep the others away. What a limit
	 * needs is checked by its writing. */
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
		write_knob(dir, "cgroup.subtree_control", controllers[i], NULL);
}

/* Makes `path` and its parents; *ret_existed tells whether the last was there before. */
static int make_group(const struct cgroup_host *host, const struct cgroup_hierarchy *hierarchy,
		      const char *path, bool *ret_existed, struct error *err)
{
	_cleanup_free_ char *parent = xstrdup(hierarchy->mount_point);
	bool is_cpuset = !hierarchy->unified && has_controller(hierarchy, "cpuset");
	const char *at = path;

	*ret_existed = false;
	while (*at) {
		size_t length = strcspn(at + 1, "/") + 1;
		_cleanup_free_ char *dir = xasprintf("%s%.*s", parent, (int)length, at);

		if (hierarchy->unified && host->v2)
			enable_controllers(parent);
		*ret_existed = false;
		if (mkdir(dir, 0755) < 0) {
			if (errno != EEXIST)
				return error_set(err, errno, "make cgroup %s", dir);
			*ret_existed = true;
		}
		if (is_cpuset)
			inherit_cpuset(parent, dir);
		at += length;
		free(parent);
		parent = TAKE(dir);
	}
	/* Not in the group itself: version 2 lets no process into a group that hands controllers
	 * on. */
	return 0;
}

static int limit_v1(const struct cgroup_hierarchy *hierarchy, const char *dir,
		    const struct cgroup_limits *limits, struct error *err)
{
	int result = 0;

	if (has_controller(hierarchy, "cpu")) {
		if (limits->cpu_shares)
			result = write_number(dir, "cpu.shares", (int64_t)limits->cpu_shares, err);
		if (result == 0 && limits->cpu_quota_us > 0) {
			result = write_number(dir, "cpu.cfs_period_us",
					      limits->cpu_period_us ? (int64_t)limits->cpu_period_us
								    : 100000,
					      err);
			if (result == 0)
				result = write_number(dir, "cpu.cfs_quota_us", limits->cpu_quota_us,
						      err);
		}
	}
	if (result == 0 && has_controller(hierarchy, "memory")) {
		write_knob(dir, "memory.use_hierarchy", "1",
			   NULL); /* kernels since 5.11 always do */
		if (limits->memory_limit > 0)
			result = write_number(dir, "memory.limit_in_bytes", limits->memory_limit,
					      err);
	}
	if (result == 0 && limits->pids_limit > 0 && has_controller(hierarchy, "pids"))
		result = write_number(dir, "pids.max", limits->pids_limit, err);
	return result;
}

static int limit_v2(const char *dir, const struct cgroup_limits *limits, struct error *err)
{
	int result = 0;

	if (limits->cpu_shares)
		result = write_number(dir, "cpu.weight",
				      (int64_t)cgroup_weight_from_shares(limits->cpu_shares), err);
	if (result == 0 && limits->cpu_quota_us > 0) {
		_cleanup_free_ char *text =
			xasprintf("%" PRId64 " %" PRIu64, limits->cpu_quota_us,
				  limits->cpu_period_us ? limits->cpu_period_us : 100000);

		result = write_knob(dir, "cpu.max", text, err);
	}
	if (result == 0 && limits->memory_limit > 0)
		result = write_number(dir, "memory.max", limits->memory_limit, err);
	if (result == 0 && limits->pids_limit > 0)
		result = write_number(dir, "pids.max", limits->pids_limit, err);
	return result;
}

/* No group below and no process: perhaps its maker was cut off before it set the limits. */
static bool is_unused(const char *dir)
{
	_cleanup_closedir_ DIR *entries = opendir(dir);
	_cleanup_free_ char *processes = read_knob(dir, "cgroup.procs");
	const struct dirent *entry;

	if (processes && processes[0] != '\0')
		return false;
	while (entries && (entry = readdir(entries))) {
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return false;
	}
	return true;
}

int cgroup_create(const struct cgroup_host *host, const char *path,
		  const struct cgroup_limits *limits, struct error *err)
{
	static const struct cgroup_limits none = { 0 };
	int result = check_path(path, err);

	if (!limits)
		limits = &none;
	for (size_t i = 0; result == 0 && i < host->count; i++) {
		const struct cgroup_hierarchy *hierarchy = &host->hierarchies[i];
		_cleanup_free_ char *dir = xasprintf("%s%s", hierarchy->mount_point, path);
		bool existed;

		result = make_group(host, hierarchy, path, &existed, err);
		if (result < 0 || (existed && !is_unused(dir)))
			continue;
		if (!hierarchy->unified)
			result = limit_v1(hierarchy, dir, limits, err);
		else if (host->v2)
			result = limit_v2(dir, limits, err);
	}
	if (result < 0) {
		error_prefix(err, "create cgroup %s", path);
		cgroup_remove(host, path, 0, NULL);
	}
	return result;
}

int cgroup_enter(const struct cgroup_host *host, const char *path, pid_t pid, struct error *err)
{
	for (size_t i = 0; i < host->count; i++) {
		_cleanup_free_ char *dir =
			xasprintf("%s%s", host->hierarchies[i].mount_point, path);
		int result = write_number(dir, "cgroup.procs", pid, err);

		if (result < 0)
			return result;
	}
	return 0;
}

/* ---- looking */

static int read_processes(int dir_fd, pid_t **pids, size_t *count)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest;
	int result = file_read(dir_fd, "cgroup.procs", KNOB_LIMIT, &text, NULL, NULL);

	if (result < 0)
		return result;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int64_t pid;

		/* 0: a process of a pid namespace that we do not see */
		if (number_parse_i64(line, 1, INT32_MAX, &pid, NULL) < 0)
			continue;
		*pids = xreallocarray(*pids, *count + 1, sizeof(**pids));
		(*pids)[(*count)++] = (pid_t)pid;
	}
	return 0;
}

int cgroup_processes(const struct cgroup_host *host, const char *path, pid_t **ret_pids,
		     size_t *ret_count, struct error *err)
{
	const struct cgroup_hierarchy *hierarchy = find_hierarchy(host, "memory");
	_cleanup_free_ char *dir = NULL;
	_cleanup_close_ int fd = -1;
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0;

	if (!hierarchy)
		hierarchy = &host->hierarchies[0];
	dir = xasprintf("%s%s", hierarchy->mount_point, path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return error_set(err, errno, "open cgroup %s", dir);
	if (fd >= 0) {
		int result = read_processes(fd, &pids, &count);

		if (result < 0 && result != -ENODEV && result != -ENOENT)
			return error_set(err, -result, "read the processes of cgroup %s", dir);
	}
	*ret_pids = TAKE(pids);
	*ret_count = count;
	return 0;
}

/* Calls visit(dir_fd, name, ...) for each group directly below. */
static int each_child(int dir_fd, int (*visit)(int dir_fd, const char *name, void *data),
		      void *data)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)TAKE_FD(fd);
	while ((entry = readdir(dir))) {
		int result;

		if (entry->d_type != DT_DIR || str_eq(entry->d_name, ".") ||
		    str_eq(entry->d_name, ".."))
			continue;
		result = visit(dir_fd, entry->d_name, data);
		if (result < 0)
			return result;
	}
	return 0;
}

static int add_name(int dir_fd, const char *name, void *data)
{
	(void)dir_fd;
	str_list_add(data, name);
	return 0;
}

int cgroup_children(const struct cgroup_host *host, const char *path, struct str_list *ret,
		    struct error *err)
{
	for (size_t i = 0; i < host->count; i++) {
		_cleanup_free_ char *dir =
			xasprintf("%s%s", host->hierarchies[i].mount_point, path);
		_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		_cleanup_str_list_ struct str_list names = STR_LIST_INIT;
		int result;

		if (fd < 0)
			continue;
		result = each_child(fd, add_name, &names);
		if (result < 0)
			return error_set(err, -result, "list cgroup %s", dir);
		/* A sweep must also see what is left in one hierarchy only. */
		for (size_t n = 0; n < names.count; n++) {
			if (!str_list_has(ret, names.items[n]))
				str_list_add(ret, names.items[n]);
		}
	}
	return 0;
}

/* ---- ending */

struct descent {
	int depth;
	size_t killed;
};

static int kill_group(int parent_fd, const char *name, void *data)
{
	struct descent *descent = data;
	_cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0;
	int result;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	read_processes(fd, &pids, &count);
	for (size_t i = 0; i < count; i++) {
		if (kill(pids[i], SIGKILL) == 0)
			descent->killed++;
	}
	if (++descent->depth > DEPTH_MAX)
		return -ELOOP;
	result = each_child(fd, kill_group, descent);
	descent->depth--;
	return result;
}

int cgroup_kill(const struct cgroup_host *host, const char *path, struct error *err)
{
	int result = check_path(path, err);

	if (result < 0)
		return result;
	for (size_t i = 0; i < host->count; i++) {
		_cleanup_free_ char *dir =
			xasprintf("%s%s", host->hierarchies[i].mount_point, path);

		if (host->v2 && write_knob(dir, "cgroup.kill", "1", NULL) == 0)
			continue;
		/* A process may fork between our reading and its end: look again until there is
		 * nobody new. */
		for (int round = 0; round < 20; round++) {
			struct descent descent = { 0 };

			result = kill_group(AT_FDCWD, dir, &descent);
			if (result < 0)
				return error_set(err, -result, "kill the processes of cgroup %s",
						 dir);
			if (!descent.killed)
				break;
			nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
		}
	}
	return 0;
}

static int remove_group(int parent_fd, const char *name, void *data)
{
	struct descent *descent = data;
	_cleanup_close_ int fd = -1;
	int result;

	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (++descent->depth > DEPTH_MAX)
		return -ELOOP;
	result = each_child(fd, remove_group, descent);
	descent->depth--;
	if (result < 0)
		return result;
	return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int cgroup_remove(const struct cgroup_host *host, const char *path, int64_t wait_ms,
		  struct error *err)
{
	int64_t until = clock_monotonic_ms() + wait_ms;
	int result = check_path(path, err);

	if (result < 0)
		return result;
	for (size_t i = 0; i < host->count; i++) {
		_cleanup_free_ char *dir =
			xasprintf("%s%s", host->hierarchies[i].mount_point, path);

		for (;;) {
			struct descent descent = { 0 };

			result = remove_group(AT_FDCWD, dir, &descent);
			if (result != -EBUSY || clock_monotonic_ms() >= until)
				break;
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
		if (result < 0)
			return error_set(err, -result, "remove cgroup %s", dir);
	}
	return 0;
}
