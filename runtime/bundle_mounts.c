/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle_mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/json_text.h"

#define SHM_SIZE_DEFAULT (64 << 20)

struct default_mount {
	const char *destination;
	const char *type;
	const char *source;
	const char *options;            /* separated by commas */
	const char *privileged_options; /* NULL: the same */
};

static const struct default_mount defaults[] = {
	{ "/proc", "proc", "proc", "nosuid,noexec,nodev", NULL },
	{ "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", NULL },
	{ "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
	  NULL },
	{ "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro", "nosuid,noexec,nodev,rw" },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev",
	  "rw,nosuid,noexec,nodev" },
	{ "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev", NULL },
};

static void append_options(struct strbuf *sb, const char *options)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;

	str_list_split(&list, options, ',', false);
	json_text_open(sb, "options", '[');
	for (size_t i = 0; i < list.count; i++)
		json_text_string(sb, NULL, list.items[i]);
	json_text_close(sb, ']');
}

static void append_mount(struct strbuf *sb, const char *destination, const char *type,
			 const char *source, const char *options)
{
	json_text_open(sb, NULL, '{');
	json_text_string(sb, "destination", destination);
	json_text_string(sb, "type", type);
	json_text_string(sb, "source", source);
	append_options(sb, options);
	json_text_close(sb, '}');
}

static size_t tmpfs_path_length(const char *tmpfs)
{
	return strcspn(tmpfs, ":");
}

/* Whether the caller mounts something of its own there. */
static bool is_replaced(const struct container_config *config, const char *destination)
{
	for (size_t i = 0; i < config->mount_count; i++) {
		if (str_eq(config->mounts[i].destination, destination))
			return true;
	}
	for (const char *const *tmpfs = config->tmpfs; tmpfs && *tmpfs; tmpfs++) {
		if (tmpfs_path_length(*tmpfs) == strlen(destination) &&
		    str_starts_with(*tmpfs, destination))
			return true;
	}
	return false;
}

static void append_defaults(struct strbuf *sb, const struct container_config *config)
{
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		const struct default_mount *mount = &defaults[i];

		if (!is_replaced(config, mount->destination))
			append_mount(sb, mount->destination, mount->type, mount->source,
				     config->privileged && mount->privileged_options
					     ? mount->privileged_options
					     : mount->options);
	}
	if (config->shm_size < 0 || is_replaced(config, "/dev/shm"))
		return;
	if (config->shm_source) {
		append_mount(sb, "/dev/shm", "bind", config->shm_source,
			     "rbind,rprivate,nosuid,noexec,nodev");
	} else {
		_cleanup_free_ char *options =
			xasprintf("nosuid,noexec,nodev,mode=1777,size=%" PRId64,
				  config->shm_size ? config->shm_size : SHM_SIZE_DEFAULT);

		append_mount(sb, "/dev/shm", "tmpfs", "shm", options);
	}
}

static bool has_option(const struct str_list *options, const char *on, const char *off)
{
	return str_list_has(options, on) || str_list_has(options, off);
}

static int append_tmpfs(struct strbuf *sb, const char *tmpfs, struct error *err)
{
	static const char *const pairs[][2] = { { "noexec", "exec" },
						{ "nosuid", "suid" },
						{ "nodev", "dev" } };
	size_t length = tmpfs_path_length(tmpfs);
	_cleanup_free_ char *path = xstrndup(tmpfs, length);
	_cleanup_str_list_ struct str_list options = STR_LIST_INIT;
	_cleanup_free_ char *joined = NULL;

	if (path[0] != '/')
		return error_say(err, EINVAL, "tmpfs %s: its path must be absolute", tmpfs);
	if (tmpfs[length])
		str_list_split(&options, tmpfs + length + 1, ',', false);
	for (size_t i = 0; i < 3; i++) {
		if (!has_option(&options, pairs[i][0], pairs[i][1]))
			str_list_add(&options, pairs[i][0]);
	}
	joined = str_list_join(&options, ",");
	append_mount(sb, path, "tmpfs", "tmpfs", joined);
	return 0;
}

static int append_bind(struct strbuf *sb, const struct container_mount *mount, struct error *err)
{
	static const char *const propagation[] = { "private",    "rprivate",   "slave",
						   "rslave",     "shared",     "rshared",
						   "unbindable", "runbindable" };
	_cleanup_str_list_ struct str_list options = STR_LIST_INIT;
	bool is_bind = !mount->type || str_eq(mount->type, "bind");
	bool has_propagation = false;
	struct stat info;

	if (mount->destination[0] != '/')
		return error_say(err, EINVAL,
				 "mount at %s: the path in the container must be absolute",
				 mount->destination);
	if (is_bind && (!mount->source || mount->source[0] != '/'))
		return error_say(err, EINVAL, "mount at %s: the host's path must be absolute",
				 mount->destination);
	if (is_bind && stat(mount->source, &info) < 0)
		return error_set(err, errno, "bind source path %s for %s", mount->source,
				 mount->destination);

	for (const char *const *option = mount->options; option && *option; option++)
		str_list_add(&options, *option);
	for (size_t i = 0; i < sizeof(propagation) / sizeof(propagation[0]); i++)
		has_propagation |= str_list_has(&options, propagation[i]);
	if (is_bind && !has_option(&options, "bind", "rbind"))
		str_list_add(&options, "rbind");
	if (is_bind && !has_propagation)
		str_list_add(&options, "rprivate");
	if (mount->read_only && !str_list_has(&options, "ro"))
		str_list_add(&options, "ro");

	json_text_open(sb, NULL, '{');
	json_text_string(sb, "destination", mount->destination);
	json_text_string(sb, "type", is_bind ? "bind" : mount->type);
	json_text_string(sb, "source", mount->source ? mount->source : mount->type);
	json_text_strings(sb, "options", (const char *const *)options.items);
	json_text_close(sb, '}');
	return 0;
}

int bundle_mounts_append(struct strbuf *sb, const struct container_config *config,
			 struct error *err)
{
	json_text_open(sb, "mounts", '[');
	append_defaults(sb, config);
	for (const char *const *tmpfs = config->tmpfs; tmpfs && *tmpfs; tmpfs++) {
		int result = append_tmpfs(sb, *tmpfs, err);

		if (result < 0)
			return result;
	}
	for (size_t i = 0; i < config->mount_count; i++) {
		int result = append_bind(sb, &config->mounts[i], err);

		if (result < 0)
			return result;
	}
	json_text_close(sb, ']');
	return 0;
}
