/* SPDX-License-Identifier: Apache-2.0 */
#include "json_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

static const char *const stream_names[] = { "stdout", "stderr" };

static int open_file(struct json_log *log, bool truncate)
{
	struct stat info;
	int fd = openat(log->dir_fd, log->name,
			O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (truncate ? O_TRUNC : 0), 0640);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &info) < 0) {
		int code = errno;

		close(fd);
		return -code;
	}
	if (log->fd >= 0)
		close(log->fd);
	log->fd = fd;
	log->size = info.st_size;
	return 0;
}

int json_log_open(struct json_log *log, const char *path, int64_t max_bytes, unsigned max_files)
{
	const char *slash;
	char dir[4096];

	memset(log, 0, sizeof(*log));
	log->fd = -1;
	log->dir_fd = -1;
	log->max_bytes = max_bytes;
	log->max_files = max_files ? max_files : 1;
	if (!path)
		return 0;

	slash = strrchr(path, '/');
	if (!slash || !slash[1] || (size_t)(slash - path) + 1 >= sizeof(dir))
		return -EINVAL;
	/* Room for ".4294967295" when it is rotated. */
	if (strlen(slash + 1) + 12 >= sizeof(log->name))
		return -ENAMETOOLONG;
	memcpy(dir, path, (size_t)(slash - path) + 1);
	dir[slash - path + 1] = '\0';
	memcpy(log->name, slash + 1, strlen(slash + 1));

	log->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->dir_fd < 0)
		return -errno;
	return open_file(log, false);
}

static void rotated_name(const struct json_log *log, unsigned number, char *out)
{
	size_t length = strlen(log->name);

	memcpy(out, log->name, length);
	out[length] = '.';
	out[length + 1 + text_from_u64(number, out + length + 1)] = '\0';
}

/* On failure the present file goes on: a log that is too long is better than none. */
static void rotate(struct json_log *log)
{
	char from[JSON_LOG_NAME_MAX], to[JSON_LOG_NAME_MAX];

	for (unsigned number = log->max_files - 1; number > 1; number--) {
		rotated_name(log, number - 1, from);
		rotated_name(log, number, to);
		renameat(log->dir_fd, from, log->dir_fd, to);
	}
	if (log->max_files > 1) {
		rotated_name(log, 1, to);
		renameat(log->dir_fd, log->name, log->dir_fd, to);
	}
	open_file(log, true);
}

static void out_flush(struct json_log *log)
{
	size_t done = 0;

	while (!log->failed && done < log->out_length) {
		ssize_t wrote = write(log->fd, log->out + done, log->out_length - done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			log->failed = wrote < 0 ? errno : ENOSPC;
			break;
		}
		done += (size_t)wrote;
		log->written += wrote;
	}
	log->out_length = 0;
}

static void out_add(struct json_log *log, const char *data, size_t size)
{
	while (size) {
		size_t room = sizeof(log->out) - log->out_length;
		size_t part = size < room ? size : room;

		memcpy(log->out + log->out_length, data, part);
		log->out_length += part;
		data += part;
		size -= part;
		if (log->out_length == sizeof(log->out))
			out_flush(log);
	}
}

static void out_text(struct json_log *log, const char *text)
{
	out_add(log, text, strlen(text));
}

static void out_unicode(struct json_log *log, unsigned code)
{
	static const char digits[] = "0123456789abcdef";
	const char escape[6] = { '\\',
				 'u',
				 digits[code >> 12 & 15],
				 digits[code >> 8 & 15],
				 digits[code >> 4 & 15],
				 digits[code & 15] };

	out_add(log, escape, sizeof(escape));
}

/* As Go's encoder does it: <, > and & too, so that what reads Docker's logs reads these byte for
 * byte. */
static void out_escaped(struct json_log *log, const char *data, size_t size)
{
	size_t plain = 0, at = 0;

	while (at < size) {
		unsigned char c = (unsigned char)data[at];
		size_t length = 1;
		unsigned code = c;

		if (c >= 0x80) {
			length = text_utf8_length(data + at, size - at, &code);
			if (length && code != 0x2028 && code != 0x2029) {
				at += length;
				continue;
			}
			if (!length) {
				length = 1;
				code = 0xfffd;
			}
		} else if (c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&') {
			at++;
			continue;
		}

		out_add(log, data + plain, at - plain);
		if (c == '"' || c == '\\') {
			const char escape[2] = { '\\', (char)c };

			out_add(log, escape, 2);
		} else if (c == '\n') {
			out_text(log, "\\n");
		} else if (c == '\r') {
			out_text(log, "\\r");
		} else {
			out_unicode(log, code);
		}
		at += length;
		plain = at;
	}
	out_add(log, data + plain, size - plain);
}

static void out_object(struct json_log *log, enum json_log_stream stream, const char *data,
		       size_t size, int64_t wall_ns)
{
	char time[TEXT_TIME_SIZE];

	if (log->max_bytes > 0 && log->size >= log->max_bytes)
		rotate(log);

	log->written = 0;
	log->failed = 0;
	out_text(log, "{\"log\":\"");
	out_escaped(log, data, size);
	out_text(log, "\",\"stream\":\"");
	out_text(log, stream_names[stream]);
	out_text(log, "\",\"time\":\"");
	text_from_time(wall_ns, time);
	out_text(log, time);
	out_text(log, "\"}\n");
	out_flush(log);

	if (!log->failed) {
		log->size += log->written;
		return;
	}
	/* Whole lines or nothing: readers parse each line by itself. */
	if (log->written > 0 && ftruncate(log->fd, log->size) < 0)
		log->size += log->written;
	log->lost_bytes += size;
}

static void write_object(struct json_log *log, enum json_log_stream stream, const char *data,
			 size_t size, int64_t wall_ns)
{
	if (log->fd < 0)
		return;
	if (log->lost_bytes > log->lost_told) {
		uint64_t before = log->lost_bytes;
		char text[128] = "[berth-monitor: ";
		size_t length = strlen(text);
		static const char rest[] =
			" bytes of output were lost here: the log could not be written]\n";

		length += text_from_u64(log->lost_bytes - log->lost_told, text + length);
		memcpy(text + length, rest, sizeof(rest) - 1);
		length += sizeof(rest) - 1;
		out_object(log, JSON_LOG_STDERR, text, length, wall_ns);
		if (log->failed)
			log->lost_bytes =
				before; /* the notice itself is no output of the container */
		else
			log->lost_told = log->lost_bytes;
	}
	out_object(log, stream, data, size, wall_ns);
}

void json_log_feed(struct json_log *log, enum json_log_stream stream, const char *data, size_t size,
		   int64_t wall_ns)
{
	char *line = log->line[stream];
	size_t *length = &log->line_length[stream];

	if (log->fd < 0)
		return;
	while (size) {
		const char *end = memchr(data, '\n', size);
		size_t part = end ? (size_t)(end - data) + 1 : size;
		size_t room = JSON_LOG_LINE_MAX - *length;

		/* The usual case: whole lines, straight from where they were read. */
		if (end && !*length && part <= room) {
			write_object(log, stream, data, part, wall_ns);
			data += part;
			size -= part;
			continue;
		}
		if (part > room)
			part = room;
		memcpy(line + *length, data, part);
		*length += part;
		data += part;
		size -= part;
		if (line[*length - 1] == '\n') {
			write_object(log, stream, line, *length, wall_ns);
			*length = 0;
		} else if (*length == JSON_LOG_LINE_MAX) {
			/* Not within a character, or both halves would become U+FFFD. */
			size_t whole = text_utf8_whole(line, *length);

			write_object(log, stream, line, whole, wall_ns);
			*length -= whole;
			memmove(line, line + whole, *length);
		}
	}
}

void json_log_finish(struct json_log *log, enum json_log_stream stream, int64_t wall_ns)
{
	if (!log->line_length[stream])
		return;
	write_object(log, stream, log->line[stream], log->line_length[stream], wall_ns);
	log->line_length[stream] = 0;
}
