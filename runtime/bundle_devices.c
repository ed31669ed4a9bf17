/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle_devices.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/json_text.h"

#define DEPTH_MAX   4
#define DEVICES_MAX 4096

struct walk {
	struct strbuf *nodes;
	struct strbuf *rules;
	const char *permissions;
	size_t count;
};

static void append_node(struct walk *walk, const char *path, const struct stat *info)
{
	const char *type = S_ISBLK(info->st_mode) ? "b" : "c";

	json_text_open(walk->nodes, NULL, '{');
	json_text_string(walk->nodes, "path", path);
	json_text_string(walk->nodes, "type", type);
	json_text_number(walk->nodes, "major", major(info->st_rdev));
	json_text_number(walk->nodes, "minor", minor(info->st_rdev));
	json_text_number(walk->nodes, "fileMode", info->st_mode & 07777);
	json_text_number(walk->nodes, "uid", info->st_uid);
	json_text_number(walk->nodes, "gid", info->st_gid);
	json_text_close(walk->nodes, '}');

	if (!walk->rules)
		return;
	json_text_open(walk->rules, NULL, '{');
	json_text_bool(walk->rules, "allow", true);
	json_text_string(walk->rules, "type", type);
	json_text_number(walk->rules, "major", major(info->st_rdev));
	json_text_number(walk->rules, "minor", minor(info->st_rdev));
	json_text_string(walk->rules, "access", walk->permissions);
	json_text_close(walk->rules, '}');
}

/* What the runtime makes by itself below /dev, or mounts there. */
static bool is_runtimes_own(const char *path)
{
	static const char *const own[] = { "/dev/null",    "/dev/zero",    "/dev/full",
					   "/dev/random",  "/dev/urandom", "/dev/tty",
					   "/dev/console", "/dev/ptmx",    "/dev/pts",
					   "/dev/shm",     "/dev/mqueue",  "/dev/fd" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (str_eq(path, own[i]))
			return true;
	}
	return false;
}

static int walk_directory(struct walk *walk, int parent_fd, const char *name, const char *path,
			  int depth, struct error *err)
{
	_cleanup_close_ int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	int dir_fd;

	if (fd < 0)
		return error_set(err, errno, "open the device directory %s", name);
	dir = fdopendir(fd);
	if (!dir)
		return error_set(err, errno, "list the device directory %s", name);
	dir_fd = TAKE_FD(fd);
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *below = NULL;
		struct stat info;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		below = xasprintf("%s/%s", path, entry->d_name);
		if (is_runtimes_own(below) ||
		    fstatat(dir_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX) {
			int result =
				walk_directory(walk, dir_fd, entry->d_name, below, depth + 1, err);

			if (result < 0)
				return result;
		} else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
			if (++walk->count > DEVICES_MAX)
				return error_say(err, E2BIG, "more than %d devices", DEVICES_MAX);
			append_node(walk, below, &info);
		}
	}
	return 0;
}

static int append_one(struct walk *walk, const struct container_device *device, struct error *err)
{
	const char *path = device->path && *device->path ? device->path : device->host_path;
	struct stat info;

	walk->permissions =
		device->permissions && *device->permissions ? device->permissions : "rwm";
	if (strspn(walk->permissions, "rwm") != strlen(walk->permissions))
		return error_say(err, EINVAL,
				 "device %s: permissions \"%s\": only r, w and m are known",
				 device->host_path, walk->permissions);
	if (path[0] != '/')
		return error_say(err, EINVAL,
				 "device %s: the path in the container, %s, must be absolute",
				 device->host_path, path);
	if (stat(device->host_path, &info) < 0)
		return error_set(
			err, errno,
			"error gathering device information while adding custom device \"%s\"",
			device->host_path);
	if (S_ISDIR(info.st_mode))
		return walk_directory(walk, AT_FDCWD, device->host_path, path, 0, err);
	if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))
		return error_say(err, EINVAL, "device %s: it is not a device node",
				 device->host_path);
	append_node(walk, path, &info);
	return 0;
}

int bundle_devices_append(struct strbuf *nodes, struct strbuf *rules,
			  const struct container_config *config, struct error *err)
{
	struct walk walk = { .nodes = nodes, .rules = rules };

	if (config->privileged) {
		struct walk all = { .nodes =
					    nodes }; /* one rule for all: "everything is allowed" */
		int result = walk_directory(&all, AT_FDCWD, "/dev", "/dev", 0, err);

		if (result < 0)
			return result;
		json_text_open(rules, NULL, '{');
		json_text_bool(rules, "allow", true);
		json_text_string(rules, "access", "rwm");
		json_text_close(rules, '}');
	} else {
		json_text_open(rules, NULL, '{');
		json_text_bool(rules, "allow", false);
		json_text_string(rules, "access", "rwm");
		json_text_close(rules, '}');
	}
	for (size_t i = 0; i < config->device_count; i++) {
		int result = append_one(&walk, &config->devices[i], err);

		if (result < 0)
			return result;
	}
	return 0;
}
