/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static char directory[64];
static char paths[64][128];
static size_t path_count;

static void skip(const char *what)
{
	printf("skipped: not on this kernel: %s: %s\n", what, strerror(errno));
	exit(77);
}

void live_enter(void)
{
	if (geteuid() != 0) {
		printf("skipped: it needs root\n");
		exit(77);
	}
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		skip("make a network and a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip("make mounts private");
	strcpy(directory, "/tmp/berth-netns-test.XXXXXX");
	if (!mkdtemp(directory))
		skip("make a directory");
	if (mount("berth-netns-test", directory, "tmpfs", 0, NULL) < 0 ||
	    mount(NULL, directory, NULL, MS_SHARED, NULL) < 0)
		skip("mount a tmpfs");
}

const char *live_directory(void)
{
	return directory;
}

const char *live_path(const char *name)
{
	char *path = paths[path_count++ % 64];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

void live_leave(void)
{
	umount2(directory, MNT_DETACH);
	rmdir(directory);
}

size_t live_namespace_mounts(void)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[1024];
	size_t count = 0;

	while (mounts && fgets(line, sizeof(line), mounts))
		if (strstr(line, " - nsfs ") && strstr(line, directory))
			count++;
	if (mounts)
		fclose(mounts);
	return count;
}

size_t live_open_files(void)
{
	DIR *files = opendir("/proc/self/fd");
	size_t count = 0;

	while (files && readdir(files))
		count++;
	if (files)
		closedir(files);
	return count;
}
