/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The place of started_ms in state.json is padded to this many characters (JSON allows the spaces).
 */
#define STARTED_WIDTH 20
static const char started_key[] = ",\"started_ms\":";

ssize_t record_read_file(int dir_fd, const char *name, char *out, size_t size)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t length = 0;

	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		ssize_t got = read(fd, out + length, size - 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int code = errno;

			close(fd);
			return -code;
		}
		if (got == 0)
			break;
		length += (size_t)got;
	}
	close(fd);
	out[length] = '\0';
	return (ssize_t)length;
}

uint64_t record_start_time(pid_t pid)
{
	char path[32] = "/proc/", text[1024];
	size_t length = 6;
	const char *at;

	length += text_from_u64((uint64_t)pid, path + length);
	memcpy(path + length, "/stat", sizeof("/stat"));
	if (record_read_file(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return 0;
	/* The name, field 2, is in parentheses and may hold anything. */
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at, ' ');
		if (at)
			at++;
	}
	return at ? text_to_u64(at) : 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t wrote = write(fd, data, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		data += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

static int replace_file(int dir_fd, const char *name, const char *temporary, const char *data,
			size_t size, bool durable)
{
	int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int result;

	if (fd < 0)
		return -errno;
	result = write_all(fd, data, size);
	if (result == 0 && durable && fdatasync(fd) < 0)
		result = -errno;
	if (close(fd) < 0 && result == 0)
		result = -errno;
	if (result == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		result = -errno;
	if (result < 0)
		unlinkat(dir_fd, temporary, 0);
	return result;
}

int record_write_state(int dir_fd, const struct record_state *state)
{
	char text[512];
	struct text_line line;
	size_t padded;

	text_line_init(&line, text, sizeof(text));
	text_add(&line, "{\"version\":1,\"boot\":");
	text_add_json(&line, state->boot_id, strlen(state->boot_id));
	text_add(&line, ",\"monitor\":");
	text_add_i64(&line, state->monitor);
	text_add(&line, ",\"monitor_start\":");
	text_add_i64(&line, (int64_t)state->monitor_start);
	text_add(&line, ",\"pid\":");
	text_add_i64(&line, state->pid);
	text_add(&line, ",\"pid_start\":");
	text_add_i64(&line, (int64_t)state->pid_start);
	text_add(&line, ",\"created_ms\":");
	text_add_i64(&line, state->created_ms);
	text_add(&line, started_key);
	padded = line.length + STARTED_WIDTH;
	text_add_i64(&line, state->started_ms);
	while (line.length < padded)
		text_add(&line, " ");
	text_add(&line, "}\n");
	return replace_file(dir_fd, "state.json", "state.json.tmp", text, line.length, false);
}

int record_write_started(int dir_fd, int64_t started_ms)
{
	char text[512], place[STARTED_WIDTH];
	ssize_t length = record_read_file(dir_fd, "state.json", text, sizeof(text));
	const char *key;
	int fd, result = 0;

	if (length < 0)
		return (int)length;
	key = strstr(text, started_key);
	if (!key)
		return -EINVAL;
	memset(place, ' ', sizeof(place));
	text_from_u64((uint64_t)started_ms, place);
	fd = openat(dir_fd, "state.json", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, place, sizeof(place), key - text + (off_t)strlen(started_key)) < 0)
		result = -errno;
	close(fd);
	return result;
}

void record_add_exit(struct text_line *line, const struct record_exit *exit)
{
	text_add(line, "\"version\":1,\"exit_code\":");
	text_add_i64(line, exit->exit_code);
	text_add(line, ",\"signal\":");
	text_add_i64(line, exit->signal);
	text_add(line, ",\"oom_killed\":");
	text_add(line, exit->oom_killed ? "true" : "false");
	text_add(line, ",\"started_ms\":");
	text_add_i64(line, exit->started_ms);
	text_add(line, ",\"finished_ms\":");
	text_add_i64(line, exit->finished_ms);
	text_add(line, ",\"log_bytes_lost\":");
	text_add_i64(line, (int64_t)exit->log_bytes_lost);
}

int record_write_exit(int dir_fd, const struct record_exit *exit)
{
	char text[512];
	struct text_line line;

	text_line_init(&line, text, sizeof(text));
	text_add(&line, "{");
	record_add_exit(&line, exit);
	text_add(&line, "}\n");
	return replace_file(dir_fd, "exit.json", "exit.json.tmp", text, line.length, true);
}
