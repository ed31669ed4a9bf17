/* SPDX-License-Identifier: Apache-2.0 */
#include "init/forwarding.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/sysctl.h"

#define IP_FORWARD "net/ipv4/ip_forward"
#define VALUE_MAX  64

static char *record_path(const struct init_settings *settings)
{
	return xasprintf("%s/ip_forward", settings->run_dir);
}

int forwarding_on(const struct init_settings *settings, struct error *err)
{
	_cleanup_free_ char *record = record_path(settings);
	_cleanup_free_ char *found = NULL;
	int r = sysctl_get(IP_FORWARD, &found, err);

	/* When it is on already there is nothing to take back, or it is written down. */
	if (r < 0 || str_eq(found, "1"))
		return r;
	r = file_write_atomic(AT_FDCWD, record, found, strlen(found), 0644, false, err);
	return r < 0 ? r : sysctl_set(IP_FORWARD, "1", err);
}

/* The namespace of a task is a file in <run dir>/netns, as long as the task is there. */
static bool has_task_network(const struct init_settings *settings)
{
	_cleanup_free_ char *path = xasprintf("%s/netns", settings->run_dir);
	const struct dirent *entry;
	bool found = false;
	DIR *directory = opendir(path);

	if (!directory)
		return errno != ENOENT;
	while (!found && (entry = readdir(directory)))
		found = entry->d_name[0] != '.';
	closedir(directory);
	return found;
}

int forwarding_restore(const struct init_settings *settings, struct error *err)
{
	_cleanup_free_ char *record = record_path(settings);
	_cleanup_free_ char *found = NULL;
	int r = file_read(AT_FDCWD, record, VALUE_MAX, &found, NULL, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (has_task_network(settings)) {
		log_info("net.ipv4.ip_forward stays on: there are tasks that need it");
		return 0;
	}
	r = sysctl_set(IP_FORWARD, found, err);
	if (r == 0)
		unlink(record);
	return r;
}
