/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define VALUE_LIMIT 4096

/* "net.ipv4.x" or "net/ipv4/x" -> "/proc/sys/net/ipv4/x" */
static int sysctl_path(const char *name, char **ret, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("/proc/sys/%s", name);
	bool good;

	if (!strchr(name, '/')) {
		for (char *p = path + strlen("/proc/sys/"); *p; p++)
			if (*p == '.')
				*p = '/';
	}
	good = str_starts_with(path, "/proc/sys/net/") && !strstr(path, "//") &&
	       !strstr(path, "/../") && !strstr(path, "/./") && !str_ends_with(path, "/..") &&
	       !str_ends_with(path, "/.") && !str_ends_with(path, "/");
	if (!good) {
		error_say(err, EINVAL,
			  "setting \"%.128s\": only settings below net belong to a network "
			  "namespace",
			  name);
		return -EINVAL;
	}
	*ret = TAKE(path);
	return 0;
}

int sysctl_set(const char *name, const char *value, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	int r = sysctl_path(name, &path, err);

	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "set %s to %s", name, value);
	r = file_write_all(fd, value, strlen(value));
	if (r < 0)
		return error_set(err, -r, "set %s to %s", name, value);
	return 0;
}

int sysctl_get(const char *name, char **ret_value, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *value = NULL;
	size_t size = 0;
	int r = sysctl_path(name, &path, err);

	if (r < 0)
		return r;
	r = file_read(AT_FDCWD, path, VALUE_LIMIT, &value, &size, err);
	if (r < 0)
		return r;
	while (size > 0 && value[size - 1] == '\n')
		value[--size] = '\0';
	*ret_value = TAKE(value);
	return 0;
}

char *sysctl_link_name(const char *family, const char *table, const char *link, const char *setting)
{
	return xasprintf("net/%s/%s/%s/%s", family, table, link, setting);
}

int sysctl_set_link(const char *family, const char *table, const char *link, const char *setting,
		    const char *value, struct error *err)
{
	_cleanup_free_ char *name = sysctl_link_name(family, table, link, setting);

	return sysctl_set(name, value, err);
}
