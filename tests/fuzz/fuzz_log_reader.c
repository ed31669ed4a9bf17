/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's log with its rotated files: the first byte says after how much of the rest the log
 * was rotated. Every line comes once and in order, and each is looked at as a record.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "cli/log_line.h"
#include "cli/log_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[] = "/dev/shm/berth-fuzz-log-XXXXXX";
static int directory_fd = -1;

static void clear_away(void)
{
	unlinkat(directory_fd, "json.log", 0);
	unlinkat(directory_fd, "json.log.1", 0);
	rmdir(directory);
}

static void write_file(const char *name, const uint8_t *data, size_t size)
{
	int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void look_at(const char *line, size_t size)
{
	struct log_line record;

	if (log_line_parse(line, size, &record, NULL) < 0)
		return;
	if (!record.text || !record.time || record.size > size)
		abort();
	log_line_free(&record);
}

/* The lines of one file, as the reader must give them: what has no newline yet is not there. */
static void expect(struct strbuf *text, const uint8_t *data, size_t size)
{
	const uint8_t *last = memrchr(data, '\n', size);

	if (last)
		strbuf_append_n(text, data, (size_t)(last - data) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf expected = STRBUF_INIT, got = STRBUF_INIT;
	struct log_reader *reader = NULL;
	size_t rotated = size > 0 ? data[0] : 0;
	const char *line;
	size_t length;
	int r;

	if (size == 0 || size > (1 << 20))
		return 0;
	if (directory_fd < 0) {
		if (!mkdtemp(directory))
			abort();
		directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		atexit(clear_away);
	}
	data++;
	size--;
	rotated = rotated < size ? rotated : size;
	write_file("json.log.1", data, rotated);
	write_file("json.log", data + rotated, size - rotated);
	expect(&expected, data, rotated);
	expect(&expected, data + rotated, size - rotated);
	if (log_reader_open(directory, &reader, NULL) < 0)
		abort();
	while ((r = log_reader_next(reader, &line, &length, NULL)) == 1) {
		look_at(line, length);
		strbuf_append_n(&got, line, length);
		strbuf_append_char(&got, '\n');
	}
	if (r < 0 || got.length != expected.length ||
	    (got.length > 0 && memcmp(got.data, expected.data, got.length) != 0))
		abort();
	log_reader_free(reader);
	return 0;
}
