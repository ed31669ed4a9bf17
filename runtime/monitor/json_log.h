/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's output as Docker's json-file driver writes it, one object per line:
 *
 *	{"log":"hello\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}
 *
 * A line of more than 16 KiB becomes several objects, of which only the last one's "log" ends in
 *\n. Before an object is written to a file that has reached its limit, files are renamed: F -> F.1
 *-> F.2 ...
 *
 * No allocation, no library: it is part of berth-monitor.
 */
#ifndef BERTH_RUNTIME_MONITOR_JSON_LOG_H
#define BERTH_RUNTIME_MONITOR_JSON_LOG_H

#include <stddef.h>
#include <stdint.h>

#define JSON_LOG_LINE_MAX 16384
#define JSON_LOG_NAME_MAX 256

enum json_log_stream {
	JSON_LOG_STDOUT,
	JSON_LOG_STDERR,
};

struct json_log {
	int dir_fd;
	int fd; /* -1: closed, output is thrown away */
	char name[JSON_LOG_NAME_MAX];
	int64_t max_bytes;  /* 0: no limit */
	unsigned max_files; /* >= 1 */
	int64_t size;       /* of the file, whole objects only */

	char line[2][JSON_LOG_LINE_MAX]; /* what has come of each stream's unfinished line */
	size_t line_length[2];

	char out[8192];
	size_t out_length;
	int64_t written;     /* bytes of the present object that are in the file */
	int failed;          /* errno of the present object's writing; 0: none */
	uint64_t lost_bytes; /* of output, that no file has */
	uint64_t lost_told;  /* of these, how many the log itself speaks of */
};

/* `path` NULL: output is thrown away. 0 or -errno. Continues a file that exists. */
int json_log_open(struct json_log *log, const char *path, int64_t max_bytes, unsigned max_files);

/* Output as it was read, at this wall time. Errors of writing are counted, never returned: the
 * container must not suffer. */
void json_log_feed(struct json_log *log, enum json_log_stream stream, const char *data, size_t size,
		   int64_t wall_ns);

/* The stream has ended: writes its unfinished line. */
void json_log_finish(struct json_log *log, enum json_log_stream stream, int64_t wall_ns);

#endif
