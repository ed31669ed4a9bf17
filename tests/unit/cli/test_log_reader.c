/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"

struct place {
	char path[64];
	int fd;
};

static int make(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));

	strcpy(place->path, "/tmp/berth-log-XXXXXX");
	if (!mkdtemp(place->path))
		return -1;
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return 0;
}

static int clear(void **state)
{
	struct place *place = *state;

	close(place->fd);
	file_remove_tree(AT_FDCWD, place->path, NULL);
	free(place);
	return 0;
}

static void append(const struct place *place, const char *name, const char *text)
{
	_cleanup_close_ int fd =
		openat(place->fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static struct log_reader *opened(const struct place *place)
{
	struct log_reader *reader = NULL;

	assert_int_equal(log_reader_open(place->path, &reader, NULL), 0);
	return reader;
}

static void expect(struct log_reader *reader, const char *text)
{
	const char *line;
	size_t size;

	assert_int_equal(log_reader_next(reader, &line, &size, NULL), 1);
	assert_int_equal(size, strlen(text));
	assert_memory_equal(line, text, size);
}

static void expect_end(struct log_reader *reader)
{
	const char *line;
	size_t size;

	assert_int_equal(log_reader_next(reader, &line, &size, NULL), 0);
}

/* By number, not by name: .10 is older than .9; what is no file of the log is left alone. */
static void rotated_files_are_read_oldest_first(void **state)
{
	const struct place *place = *state;
	struct log_reader *reader;

	append(place, "json.log", "6\n");
	append(place, "json.log.1", "4\n5\n");
	append(place, "json.log.9", "2\n3\n");
	append(place, "json.log.10", "1\n");
	append(place, "json.log.x", "not\n");
	reader = opened(place);
	expect(reader, "1");
	expect(reader, "2");
	expect(reader, "3");
	expect(reader, "4");
	expect(reader, "5");
	expect(reader, "6");
	expect_end(reader);
	log_reader_free(reader);
}

static void a_line_is_given_when_it_is_whole(void **state)
{
	const struct place *place = *state;
	struct log_reader *reader;

	append(place, "json.log", "one\ntw");
	reader = opened(place);
	expect(reader, "one");
	expect_end(reader);
	append(place, "json.log", "o\nthree\n");
	expect(reader, "two");
	expect(reader, "three");
	expect_end(reader);
	log_reader_free(reader);
}

static void rotation_while_reading_loses_nothing(void **state)
{
	const struct place *place = *state;
	struct log_reader *reader;

	append(place, "json.log", "1\n");
	reader = opened(place);
	expect(reader, "1");
	expect_end(reader);
	/* More is written, then rotated twice before it is read. */
	append(place, "json.log", "2\n");
	assert_int_equal(renameat(place->fd, "json.log", place->fd, "json.log.2"), 0);
	append(place, "json.log.1", "3\n");
	expect(reader, "2");
	expect(reader, "3");
	/* The second step of the rotation, which makes json.log, has not come yet. */
	expect_end(reader);
	append(place, "json.log", "4\n");
	expect(reader, "4");
	expect_end(reader);
	log_reader_free(reader);
}

static void a_file_that_is_gone_is_followed_by_the_oldest(void **state)
{
	const struct place *place = *state;
	struct log_reader *reader;

	append(place, "json.log", "1\n");
	reader = opened(place);
	expect(reader, "1");
	assert_int_equal(unlinkat(place->fd, "json.log", 0), 0);
	append(place, "json.log.1", "8\n");
	append(place, "json.log", "9\n");
	expect(reader, "8");
	expect(reader, "9");
	expect_end(reader);
	log_reader_free(reader);
}

static void a_line_has_a_bound(void **state)
{
	const struct place *place = *state;
	struct log_reader *reader;
	struct error err;
	const char *line;
	size_t size;
	char *text = xmalloc(64 * 1024 + 1);

	memset(text, 'x', 64 * 1024);
	text[64 * 1024] = '\0';
	for (size_t i = 0; i < 20; i++)
		append(place, "json.log", text);
	reader = opened(place);
	assert_int_equal(log_reader_next(reader, &line, &size, &err), -EFBIG);
	assert_non_null(strstr(err.text, "longer than 1048576 bytes"));
	log_reader_free(reader);
	free(text);
}

static void no_log_is_an_error(void **state)
{
	const struct place *place = *state;
	struct log_reader *reader = NULL;
	struct error err;

	assert_int_equal(log_reader_open(place->path, &reader, &err), -ENOENT);
	assert_non_null(strstr(err.text, "there is no log in /tmp/berth-log-"));
	assert_int_equal(log_reader_open("/nowhere/at/all", &reader, &err), -ENOENT);
	assert_null(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rotated_files_are_read_oldest_first, make, clear),
		cmocka_unit_test_setup_teardown(a_line_is_given_when_it_is_whole, make, clear),
		cmocka_unit_test_setup_teardown(rotation_while_reading_loses_nothing, make, clear),
		cmocka_unit_test_setup_teardown(a_file_that_is_gone_is_followed_by_the_oldest, make,
						clear),
		cmocka_unit_test_setup_teardown(a_line_has_a_bound, make, clear),
		cmocka_unit_test_setup_teardown(no_log_is_an_error, make, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
