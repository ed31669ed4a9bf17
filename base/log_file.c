/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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

#define DEFAULT_MAX_SIZE 5000000

struct log_file {
	char *path;
	char *directory;
	const char *name; /* within path */
	enum log_rotation rotation;
	int64_t max_size;
	int max_roll_count;
	int fd; /* -1: could not be opened again */
	int64_t size;
	int64_t hour_start; /* wall seconds, of the hour of the records in it */
};

/* Start of the local hour that a time is in. Zones are whole quarters of an hour off. */
static int64_t hour_of(int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&time, &tm))
		return seconds - seconds % 3600;
	return seconds - tm.tm_min * 60L - tm.tm_sec;
}

static int open_file(struct log_file *file)
{
	struct stat info;

	file->fd = open(file->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	if (file->fd < 0)
		return -errno;
	file->size = 0;
	file->hour_start = hour_of(clock_wall_ms() / 1000);
	if (fstat(file->fd, &info) == 0) {
		file->size = info.st_size;
		if (info.st_size > 0)
			file->hour_start = hour_of(info.st_mtime);
	}
	return 0;
}

int log_file_open(const struct log_config *config, struct log_file **ret, struct error *err)
{
	struct log_file *file;
	const char *slash = strrchr(config->file, '/');
	int result;

	file = xcalloc(1, sizeof(*file));
	file->path = xstrdup(config->file);
	file->directory =
		!slash ? xstrdup(".")
		       : xstrndup(config->file,
				  slash == config->file ? 1 : (size_t)(slash - config->file));
	file->name = slash ? file->path + (slash - config->file) + 1 : file->path;
	file->rotation = config->rotation;
	file->max_size = config->max_file_size > 0 ? config->max_file_size : DEFAULT_MAX_SIZE;
	file->max_roll_count = config->max_roll_count;
	file->fd = -1;

	result = file_mkdirs(file->directory, 0767, err);
	if (result == 0) {
		result = open_file(file);
		if (result < 0)
			error_set(err, -result, "open the log file %s", file->path);
	}
	if (result < 0) {
		log_file_close(file);
		return result;
	}
	*ret = file;
	return 0;
}

/* The n of "<name>.<n>"; false for other names. */
static bool suffix_of(const struct log_file *file, const char *entry, uint64_t *ret)
{
	size_t length = strlen(file->name);

	return strncmp(entry, file->name, length) == 0 && entry[length] == '.' &&
	       number_parse_u64(entry + length + 1, 0, UINT64_MAX - 1, ret, NULL) == 0;
}

/* Whether the entry is one that this rotation made. */
static bool is_rolled(const struct log_file *file, const char *entry)
{
	size_t length = strlen(file->name);
	uint64_t n;

	if (file->rotation == LOG_ROTATE_SIZE)
		return suffix_of(file, entry, &n);
	return strncmp(entry, file->name, length) == 0 && entry[length] == '.' &&
	       strlen(entry + length + 1) == strlen("YYYY-MM-DD-HH") &&
	       strspn(entry + length + 1, "0123456789-") == strlen("YYYY-MM-DD-HH");
}

static void list_rolled(const struct log_file *file, struct str_list *ret)
{
	_cleanup_closedir_ DIR *dir = opendir(file->directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_rolled(file, entry->d_name))
			str_list_add(ret, entry->d_name);
}

/* Oldest first: shorter numbers are smaller, and dates have all one length. */
static int by_age(const void *a, const void *b)
{
	const char *one = *(const char *const *)a, *other = *(const char *const *)b;
	size_t one_length = strlen(one), other_length = strlen(other);

	if (one_length != other_length)
		return one_length < other_length ? -1 : 1;
	return strcmp(one, other);
}

static void remove_oldest(const struct log_file *file)
{
	_cleanup_str_list_ struct str_list rolled = STR_LIST_INIT;

	if (file->max_roll_count <= 0)
		return;
	list_rolled(file, &rolled);
	if (rolled.count <= (size_t)file->max_roll_count)
		return;
	qsort(rolled.items, rolled.count, sizeof(*rolled.items), by_age);
	for (size_t i = 0; i < rolled.count - (size_t)file->max_roll_count; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", file->directory, rolled.items[i]);

		unlink(path);
	}
}

static char *next_name(const struct log_file *file)
{
	_cleanup_str_list_ struct str_list rolled = STR_LIST_INIT;
	uint64_t highest = 0, n;

	if (file->rotation == LOG_ROTATE_HOURLY) {
		time_t time = (time_t)file->hour_start;
		char hour[32] = "";
		struct tm tm;

		if (localtime_r(&time, &tm))
			strftime(hour, sizeof(hour), "%Y-%m-%d-%H", &tm);
		return xasprintf("%s.%s", file->path, hour);
	}
	list_rolled(file, &rolled);
	for (size_t i = 0; i < rolled.count; i++)
		if (suffix_of(file, rolled.items[i], &n) && n > highest)
			highest = n;
	return xasprintf("%s.%llu", file->path, (unsigned long long)highest + 1);
}

static void rotate(struct log_file *file)
{
	_cleanup_free_ char *name = next_name(file);

	if (rename(file->path, name) < 0)
		return; /* goes on in the same file */
	close(file->fd);
	file->fd = -1;
	remove_oldest(file);
}

static bool is_due(const struct log_file *file)
{
	switch (file->rotation) {
	case LOG_ROTATE_SIZE:
		return file->size >= file->max_size;
	case LOG_ROTATE_HOURLY:
		return file->size > 0 && hour_of(clock_wall_ms() / 1000) != file->hour_start;
	case LOG_ROTATE_NEVER:
		return false;
	}
	return false;
}

void log_file_write(struct log_file *file, const char *record, size_t size)
{
	if (file->fd >= 0 && is_due(file))
		rotate(file);
	if (file->fd < 0 && open_file(file) < 0)
		return;
	if (file_write_all(file->fd, record, size) == 0)
		file->size += (int64_t)size;
}

void log_file_close(struct log_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file->directory);
	free(file);
}
