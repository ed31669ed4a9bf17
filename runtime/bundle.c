/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/bundle_mount.h"
#include "runtime/bundle_user.h"

static int make_dir(const char *path, mode_t mode, bool *ret_existed, struct error *err)
{
	if (mkdir(path, mode) == 0) {
		*ret_existed = false;
		/* The umask is not ours to trust: upper's mode is that of the container's "/". */
		return chmod(path, mode) < 0 ? error_set(err, errno, "set the mode of %s", path)
					     : 0;
	}
	if (errno != EEXIST)
		return error_set(err, errno, "make %s", path);
	*ret_existed = true;
	return 0;
}

/* Version 1 without swap accounting has no such file, and the runtime would fail to write it. */
static bool host_limits_swap(void)
{
	return access("/sys/fs/cgroup/memory", F_OK) < 0 ||
	       access("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", F_OK) == 0;
}

static int write_config(int dir_fd, const char *rootfs, const struct container_config *config,
			struct error *err)
{
	_cleanup_close_ int root_fd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *json = NULL;
	_cleanup_free_ char *process = NULL;
	struct container_config changed = *config;
	struct bundle_user user;
	int result;

	if (root_fd < 0)
		return error_set(err, errno, "open %s", rootfs);
	result = bundle_user_resolve_in(root_fd, config->user, config->additional_groups, &user,
					err);
	if (result < 0)
		return result;
	if (!host_limits_swap())
		changed.memory_swap = -2;
	result = bundle_config_json(&changed, &user, "rootfs", &json, err);
	if (result < 0)
		return result;
	result = file_write_atomic(dir_fd, "config.json", json, strlen(json), 0600, false, err);
	if (result == 0)
		result = bundle_process_json(&changed, &user, &process, err);
	if (result == 0)
		result = file_write_atomic(dir_fd, "process.json", process, strlen(process), 0600,
					   false, err);
	return result;
}

static int mount_root(const char *dir, const struct container_config *config, const char *rootfs,
		      bool *ret_upper_existed, struct error *err)
{
	_cleanup_free_ char *upper = xasprintf("%s/upper", dir);
	_cleanup_free_ char *work = xasprintf("%s/work", dir);
	_cleanup_str_list_ struct str_list empty = STR_LIST_INIT;
	const struct str_list *layers = config->layers;
	bool existed;
	int result = make_dir(upper, 0755, ret_upper_existed, err);

	/* What a work directory holds belongs to one mount. */
	if (result == 0)
		result = file_remove_tree(AT_FDCWD, work, err);
	if (result == 0)
		result = make_dir(work, 0700, &existed, err);
	if (result == 0)
		result = make_dir(rootfs, 0755, &existed, err);
	if (result < 0)
		return result;
	if (!layers || !layers->count) {
		_cleanup_free_ char *lower = xasprintf("%s/empty", dir);

		result = make_dir(lower, 0755, &existed, err);
		if (result < 0)
			return result;
		str_list_add(&empty, lower);
		layers = &empty;
	}
	return bundle_mount_overlay(layers, upper, work, rootfs, err);
}

int bundle_create(const char *dir, const struct container_config *config, struct error *err)
{
	_cleanup_free_ char *rootfs = xasprintf("%s/rootfs", dir);
	_cleanup_close_ int dir_fd = -1;
	bool upper_existed = false;
	int result;

	result = file_mkdirs(dir, 0700, err);
	if (result == 0)
		result = bundle_unmount(rootfs, err);
	if (result < 0)
		goto fail;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0) {
		result = error_set(err, errno, "open %s", dir);
		goto fail;
	}
	result = mount_root(dir, config, rootfs, &upper_existed, err);
	if (result == 0)
		result = write_config(dir_fd, rootfs, config, err);
	if (result == 0)
		return 0;

	if (upper_existed)
		bundle_unmount(rootfs, NULL);
	else
		bundle_remove(dir, NULL);
fail:
	error_prefix(err, "prepare container %s", config->id ? config->id : "");
	return result;
}

int bundle_remove(const char *dir, struct error *err)
{
	_cleanup_free_ char *rootfs = xasprintf("%s/rootfs", dir);
	int result = bundle_unmount(rootfs, err);

	return result < 0 ? result : file_remove_tree(AT_FDCWD, dir, err);
}
