/* SPDX-License-Identifier: Apache-2.0 */
/* Which cgroup hierarchies this host has, from mountinfo (proc(5)). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup.h"

#define MOUNTINFO_LIMIT (16 << 20)

/* Spaces and the like are written as \040. */
static char *unescape(const char *text)
{
	char *out = xmalloc(strlen(text) + 1), *to = out;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
		    text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
	return out;
}

/* Of the super block's options "rw,cpu,cpuacct,release_agent=/x" those that name controllers. */
static char *controllers_of(const char *options)
{
	static const char *const known[] = { "cpu",     "cpuacct",  "cpuset",     "memory",
					     "devices", "freezer",  "blkio",      "pids",
					     "net_cls", "net_prio", "perf_event", "hugetlb",
					     "rdma",    "misc" };
	_cleanup_str_list_ struct str_list all = STR_LIST_INIT, found = STR_LIST_INIT;

	str_list_split(&all, options, ',', false);
	for (size_t i = 0; i < all.count; i++) {
		bool is_controller = str_starts_with(all.items[i], "name=");

		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			is_controller |= str_eq(all.items[i], known[k]);
		if (is_controller)
			str_list_add(&found, all.items[i]);
	}
	return found.count ? str_list_join(&found, ",") : NULL;
}

static void add(struct cgroup_host *host, char *controllers, char *mount_point, bool unified)
{
	bool known = host->count == CGROUP_HIERARCHIES_MAX;

	/* The same hierarchy may be mounted twice: the first is the usual place. */
	for (size_t i = 0; i < host->count; i++)
		known |= str_eq(host->hierarchies[i].controllers, controllers);
	if (known) {
		free(controllers);
		free(mount_point);
		return;
	}
	host->hierarchies[host->count++] = (struct cgroup_hierarchy){ .controllers = controllers,
								      .mount_point = mount_point,
								      .unified = unified };
}

static void parse_line(struct cgroup_host *host, const char *line)
{
	_cleanup_str_list_ struct str_list fields = STR_LIST_INIT;
	size_t dash = 6;

	str_list_split(&fields, line, ' ', false);
	while (dash < fields.count && !str_eq(fields.items[dash], "-"))
		dash++;
	if (dash + 3 >= fields.count)
		return;
	if (str_eq(fields.items[dash + 1], "cgroup2")) {
		add(host, xstrdup(""), unescape(fields.items[4]), true);
	} else if (str_eq(fields.items[dash + 1], "cgroup")) {
		char *controllers = controllers_of(fields.items[dash + 3]);

		if (controllers)
			add(host, controllers, unescape(fields.items[4]), false);
	}
}

int cgroup_host_parse(const char *mountinfo, struct cgroup_host *ret, struct error *err)
{
	struct cgroup_host host = { 0 };
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;
	bool has_unified = false, has_v1_controllers = false;

	str_list_split(&lines, mountinfo, '\n', false);
	for (size_t i = 0; i < lines.count; i++)
		parse_line(&host, lines.items[i]);
	for (size_t i = 0; i < host.count; i++) {
		has_unified |= host.hierarchies[i].unified;
		has_v1_controllers |= !host.hierarchies[i].unified &&
				      !str_starts_with(host.hierarchies[i].controllers, "name=");
	}
	if (!has_unified && !has_v1_controllers) {
		cgroup_host_free(&host);
		return error_say(err, ENOENT,
				 "no cgroup file system is mounted: mount one at /sys/fs/cgroup");
	}
	host.v2 = has_unified && !has_v1_controllers;
	host.hybrid = has_unified && has_v1_controllers;
	*ret = host;
	return 0;
}

int cgroup_host_detect(struct cgroup_host *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int result = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_LIMIT, &text, NULL, err);

	return result < 0 ? result : cgroup_host_parse(text, ret, err);
}

void cgroup_host_free(struct cgroup_host *host)
{
	for (size_t i = 0; i < host->count; i++) {
		free(host->hierarchies[i].controllers);
		free(host->hierarchies[i].mount_point);
	}
	*host = (struct cgroup_host){ 0 };
}
