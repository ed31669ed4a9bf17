/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"

#define MOUNTS_MAX 64
/* mount(2) takes one page of options. */
#define OPTIONS_MAX 4095

/* The kernel explains itself in the context's log: "e overlay: ...". */
static int context_error(int context, int code, const char *what, struct error *err)
{
	char message[512];
	ssize_t got = read(context, message, sizeof(message) - 1);

	if (got > 2) {
		message[got] = '\0';
		message[strcspn(message, "\n")] = '\0';
		return error_say(err, code, "%s: %s: %s", what, message + 2, strerror(code));
	}
	return error_set(err, code, "%s", what);
}

/*
 * Before 6.5 a context takes any option and only looks at them when the file system is made. One
 * that is not known is then a line of the kernel's log for each container, so it must not come to
 * that: a context that has taken this one is of no more use, and closed.
 */
static bool knows_its_options(int context)
{
	char message[512];

	if (fsconfig(context, FSCONFIG_SET_STRING, "nosuchoption", "1", 0) == 0)
		return false;
	/* What it says of that is not why something else fails. */
	while (read(context, message, sizeof(message)) > 0)
		;
	return true;
}

/* -ENOSYS: this kernel cannot do it this way. */
static int mount_by_context(const struct str_list *layers, const char *upper, const char *work,
			    const char *target, struct error *err)
{
	_cleanup_close_ int context = fsopen("overlay", FSOPEN_CLOEXEC), mount_fd = -1;

	if (context < 0)
		return error_set(err, errno == EPERM ? EPERM : ENOSYS, "fsopen overlay");
	if (!knows_its_options(context))
		return -ENOSYS;
	for (size_t i = 0; i < layers->count; i++) {
		if (fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", layers->items[i], 0) < 0) {
			/* Kernels before 6.7 do not know the option; values have a limit of 256
			 * bytes. */
			if (errno == EINVAL || strlen(layers->items[i]) > 255)
				return -ENOSYS;
			return context_error(context, errno, layers->items[i], err);
		}
	}
	if (fsconfig(context, FSCONFIG_SET_STRING, "upperdir", upper, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "workdir", work, 0) < 0) {
		if (strlen(upper) > 255 || strlen(work) > 255)
			return -ENOSYS;
		return context_error(context, errno, upper, err);
	}
	/* The layers are shared by all containers of the image: no index of them may be kept in one
	 * upper. */
	fsconfig(context, FSCONFIG_SET_STRING, "index", "off", 0);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return context_error(context, errno, "create the overlay", err);
	mount_fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (mount_fd < 0)
		return context_error(context, errno, "create the overlay's mount", err);
	if (move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_set(err, errno, "attach the overlay");
	return 0;
}

/* The longest directory that all layers are below, with its last slash. */
static size_t common_length(const struct str_list *layers)
{
	size_t length = strlen(layers->items[0]);

	for (size_t i = 1; i < layers->count; i++) {
		size_t same = 0;

		while (same < length && layers->items[i][same] == layers->items[0][same])
			same++;
		length = same;
	}
	while (length && layers->items[0][length - 1] != '/')
		length--;
	return length;
}

/* In the list of layers ':' separates, in options ',' does; both are escaped by '\'. */
static void append_escaped(struct strbuf *sb, const char *path)
{
	for (; *path; path++) {
		if (*path == ':' || *path == ',' || *path == '\\')
			strbuf_append_char(sb, '\\');
		strbuf_append_char(sb, *path);
	}
}

static void classic_options(struct strbuf *options, const struct str_list *layers,
			    const char *prefix, size_t skip, const char *upper, const char *work,
			    bool index_off)
{
	strbuf_reset(options);
	strbuf_append(options, index_off ? "index=off,lowerdir=" : "lowerdir=");
	for (size_t i = 0; i < layers->count; i++) {
		strbuf_append(options, i ? ":" : "");
		strbuf_append(options, prefix);
		append_escaped(options, layers->items[i] + skip);
	}
	strbuf_append(options, ",upperdir=");
	append_escaped(options, upper);
	strbuf_append(options, ",workdir=");
	append_escaped(options, work);
}

/* mount(2) does not say which of its directories is not there. */
static int classic_error(const struct str_list *layers, int code, struct error *err)
{
	for (size_t i = 0; code == ENOENT && i < layers->count; i++) {
		if (access(layers->items[i], F_OK) < 0)
			return error_set(err, code, "mount the overlay: %s", layers->items[i]);
	}
	return error_set(err, code, "mount the overlay");
}

int bundle_mount_overlay_classic(const struct str_list *layers, const char *upper, const char *work,
				 const char *target, struct error *err)
{
	_cleanup_strbuf_ struct strbuf options = STRBUF_INIT;
	_cleanup_close_ int common_fd = -1;
	_cleanup_free_ char *prefix = xstrdup("");
	size_t skip = 0;

	classic_options(&options, layers, "", 0, upper, work, true);
	if (options.length > OPTIONS_MAX) {
		_cleanup_free_ char *common = NULL;

		skip = common_length(layers);
		common = xstrndup(layers->items[0], skip);
		common_fd = open(common, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (common_fd < 0)
			return error_set(err, errno, "open the layers' directory %s", common);
		free(prefix);
		prefix = xasprintf("/proc/self/fd/%d/", common_fd);
		classic_options(&options, layers, prefix, skip, upper, work, true);
	}
	if (options.length > OPTIONS_MAX)
		return error_say(err, E2BIG,
				 "mount the overlay: %zu layers do not fit in one page of options; "
				 "this kernel has no "
				 "other way (Linux 6.7 has)",
				 layers->count);
	if (mount("overlay", target, "overlay", 0, options.data) == 0)
		return 0;
	if (errno == EINVAL) {
		/* Built without the index feature? */
		classic_options(&options, layers, prefix, skip, upper, work, false);
		if (mount("overlay", target, "overlay", 0, options.data) == 0)
			return 0;
	}
	return classic_error(layers, errno, err);
}

int bundle_mount_overlay(const struct str_list *layers, const char *upper, const char *work,
			 const char *target, struct error *err)
{
	int result = mount_by_context(layers, upper, work, target, err);

	if (result == -ENOSYS)
		result = bundle_mount_overlay_classic(layers, upper, work, target, err);
	if (result < 0)
		error_prefix(err, "mount %s", target);
	return result;
}

int bundle_unmount(const char *target, struct error *err)
{
	for (int count = 0; count < MOUNTS_MAX; count++) {
		if (umount2(target, UMOUNT_NOFOLLOW) == 0)
			continue;
		/* EINVAL: no mount point (any more) */
		if (errno == EINVAL || errno == ENOENT || errno == ENOTDIR)
			return 0;
		if (errno == EBUSY && umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
			continue;
		return error_set(err, errno, "unmount %s", target);
	}
	return error_say(err, EBUSY, "unmount %s: more than %d mounts on top of each other", target,
			 MOUNTS_MAX);
}
