/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds files to a fuzz target, without a fuzzer: so that what was once found is tried by every
 * build.
 *
 * usage: fuzz_<target> FILE-OR-DIRECTORY...
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat info;
	uint8_t *data;
	ssize_t got;

	if (fd < 0 || fstat(fd, &info) < 0) {
		fprintf(stderr, "open %s: %s\n", name, strerror(errno));
		return -1;
	}
	/* Exactly the size, so that a sanitizer sees the byte beyond. */
	data = malloc((size_t)info.st_size > 0 ? (size_t)info.st_size : 1);
	got = data ? read(fd, data, (size_t)info.st_size) : -1;
	close(fd);
	if (got != info.st_size) {
		fprintf(stderr, "read %s: not the whole file\n", name);
		free(data);
		return -1;
	}
	LLVMFuzzerTestOneInput(data, (size_t)got);
	free(data);
	return 1;
}

/* How many files were replayed, or -1. */
static int replay_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!dir) {
		fprintf(stderr, "open %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (count >= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		count = replay_file(dirfd(dir), entry->d_name) < 0 ? -1 : count + 1;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		struct stat info;
		int count = stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode)
				    ? replay_directory(argv[i])
				    : replay_file(AT_FDCWD, argv[i]);

		if (count < 0)
			return 1;
		total += count;
	}
	if (total == 0) {
		fprintf(stderr, "no files to replay\n");
		return 1;
	}
	printf("%d inputs replayed\n", total);
	return 0;
}
