/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's own files, which belong to no library. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/monitor/json_log.c"
#include "runtime/monitor/text.c"

/* 2026-01-02T03:04:05.12Z */
#define WHEN INT64_C(1767323045120000000)

static char dir[] = "/tmp/berth-log-XXXXXX";
static char path[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/berth-log-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/c.log", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static struct json_log *open_log(int64_t max_bytes, unsigned max_files)
{
	struct json_log *log = xmalloc(sizeof(*log));

	assert_int_equal(json_log_open(log, path, max_bytes, max_files), 0);
	return log;
}

static void close_log(struct json_log *log)
{
	close(log->fd);
	close(log->dir_fd);
	free(log);
}

static void feed(struct json_log *log, enum json_log_stream stream, const char *text)
{
	json_log_feed(log, stream, text, strlen(text), WHEN);
}

static char *read_log(const char *suffix)
{
	_cleanup_free_ char *name = xasprintf("%s%s", path, suffix);
	char *text = NULL;

	return file_read(AT_FDCWD, name, 64 << 20, &text, NULL, NULL) < 0 ? NULL : text;
}

static void lines_are_as_docker_writes_them(void **state)
{
	(void)state;
	struct json_log *log = open_log(0, 1);
	_cleanup_free_ char *text = NULL;

	feed(log, JSON_LOG_STDOUT, "one\ntw");
	feed(log, JSON_LOG_STDERR, "other\n");
	feed(log, JSON_LOG_STDOUT, "o\n");
	text = read_log("");
	assert_string_equal(
		text,
		"{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.12Z\"}\n"
		"{\"log\":\"other\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-02T03:04:05.12Z\"}"
		"\n"
		"{\"log\":\"two\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.12Z\"}"
		"\n");
	close_log(log);
}

static void characters_are_escaped_as_go_does(void **state)
{
	(void)state;
	struct json_log *log = open_log(0, 1);
	_cleanup_free_ char *text = NULL;

	feed(log, JSON_LOG_STDOUT,
	     "\"\\<>&\r\t\x01 \xc3\xa9 \xe2\x80\xa8 \xff\xc3( \xed\xa0\x80 \xf0\x9f\x9a\xa2\n");
	text = read_log("");
	assert_string_equal(
		text,
		"{\"log\":\"\\\"\\\\\\u003c\\u003e\\u0026\\r\\u0009\\u0001 \xc3\xa9 \\u2028 "
		"\\ufffd\\ufffd( \\ufffd\\ufffd\\ufffd \xf0\x9f\x9a\xa2\\n\",\"stream\":\"stdout\","
		"\"time\":\"2026-01-02T03:04:05.12Z\"}\n");
	close_log(log);
}

static void an_unfinished_line_is_written_at_the_end(void **state)
{
	(void)state;
	struct json_log *log = open_log(0, 1);
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;

	feed(log, JSON_LOG_STDOUT, "partial");
	before = read_log("");
	assert_string_equal(before, "");
	json_log_finish(log, JSON_LOG_STDOUT, WHEN);
	json_log_finish(log, JSON_LOG_STDOUT, WHEN);
	after = read_log("");
	assert_string_equal(after, "{\"log\":\"partial\",\"stream\":\"stdout\",\"time\":\"2026-01-"
				   "02T03:04:05.12Z\"}\n");
	close_log(log);
}

/* Long lines are cut at 16 KiB, but not within a character, and put together they are what was
 * written. */
static void long_lines_are_cut_between_characters(void **state)
{
	(void)state;
	struct json_log *log = open_log(0, 1);
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT, back = STRBUF_INIT;
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;
	_cleanup_free_ char *text = NULL;

	strbuf_append_char(&line, 'a');
	while (line.length < 50000)
		strbuf_append(&line, "\xe2\x82\xac");
	strbuf_append_char(&line, '\n');
	for (size_t at = 0; at < line.length; at += 1000)
		json_log_feed(log, JSON_LOG_STDOUT, line.data + at,
			      line.length - at < 1000 ? line.length - at : 1000, WHEN);
	text = read_log("");
	str_list_split(&lines, text, '\n', false);
	assert_int_equal(lines.count, 4);
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_json_ json_t *value = NULL;
		const char *part;

		assert_int_equal(
			json_parse(lines.items[i], strlen(lines.items[i]), NULL, &value, NULL), 0);
		part = json_string_value(json_object_get(value, "log"));
		assert_true(strlen(part) <= JSON_LOG_LINE_MAX);
		assert_null(strstr(part, "\xef\xbf\xbd"));
		strbuf_append(&back, part);
	}
	assert_string_equal(back.data, line.data);
	close_log(log);
}

/* max-size, max-file: a full file is renamed before the next line; the oldest goes. */
static void full_files_are_renamed_and_the_oldest_goes(void **state)
{
	(void)state;
	struct json_log *log = open_log(200, 3);
	_cleanup_free_ char *now = NULL;
	_cleanup_free_ char *first = NULL;
	_cleanup_free_ char *second = NULL;
	_cleanup_free_ char *third = NULL;

	for (int i = 0; i < 20; i++) {
		char text[16];

		snprintf(text, sizeof(text), "line %02d\n", i);
		feed(log, JSON_LOG_STDOUT, text);
	}
	now = read_log("");
	first = read_log(".1");
	second = read_log(".2");
	third = read_log(".3");
	/* 75 bytes a line: three in each file */
	assert_non_null(strstr(now, "line 18"));
	assert_non_null(strstr(now, "line 19"));
	assert_null(strstr(now, "line 17"));
	assert_non_null(strstr(first, "line 15"));
	assert_non_null(strstr(first, "line 17"));
	assert_non_null(strstr(second, "line 12"));
	assert_null(third);
	close_log(log);
}

static void a_single_full_file_starts_over(void **state)
{
	(void)state;
	struct json_log *log = open_log(100, 1);
	_cleanup_free_ char *now = NULL;
	_cleanup_free_ char *first = NULL;

	for (int i = 0; i < 5; i++)
		feed(log, JSON_LOG_STDOUT, i < 4 ? "old\n" : "new\n");
	now = read_log("");
	first = read_log(".1");
	assert_non_null(strstr(now, "new"));
	assert_null(strstr(now, "old\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05."
				"12Z\"}\n{\"log\":\"old"));
	assert_null(first);
	close_log(log);
}

/* A file that is there (the same container again) is continued, and its size counts. */
static void an_existing_file_is_continued(void **state)
{
	(void)state;
	struct json_log *log = open_log(0, 1);
	_cleanup_free_ char *text = NULL;

	feed(log, JSON_LOG_STDOUT, "before\n");
	close_log(log);
	log = open_log(10, 2);
	feed(log, JSON_LOG_STDOUT, "after\n");
	close_log(log);
	text = read_log(".1");
	assert_non_null(strstr(text, "before"));
}

/* No room: the container goes on, lines are whole or missing, and what is missing is said later. */
static void lost_output_is_counted_and_told(void **state)
{
	(void)state;
	struct json_log *log = open_log(0, 1);
	_cleanup_free_ char *text = NULL;
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;
	struct rlimit old, limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	/* Room for one line and a half. */
	limit.rlim_cur = 110;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	feed(log, JSON_LOG_STDOUT, "first\n");
	feed(log, JSON_LOG_STDOUT, "second\n");
	feed(log, JSON_LOG_STDOUT, "third\n");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(log->lost_bytes, strlen("second\nthird\n"));
	feed(log, JSON_LOG_STDOUT, "fourth\n");
	text = read_log("");
	str_list_split(&lines, text, '\n', false);
	assert_int_equal(lines.count, 3);
	assert_non_null(strstr(lines.items[0], "first"));
	assert_non_null(strstr(lines.items[1], "13 bytes of output were lost here"));
	assert_non_null(strstr(lines.items[2], "fourth"));
	close_log(log);
}

static void without_a_path_output_is_thrown_away(void **state)
{
	(void)state;
	struct json_log *log = xmalloc(sizeof(*log));

	assert_int_equal(json_log_open(log, NULL, 0, 1), 0);
	feed(log, JSON_LOG_STDOUT, "nobody reads this\n");
	json_log_finish(log, JSON_LOG_STDOUT, WHEN);
	free(log);
	log = xmalloc(sizeof(*log));
	assert_int_equal(json_log_open(log, "/nonexistent/dir/c.log", 0, 1), -ENOENT);
	assert_int_equal(json_log_open(log, "relative", 0, 1), -EINVAL);
	free(log);
}

static void times_are_utc_with_the_fraction_that_there_is(void **state)
{
	(void)state;
	static const struct {
		int64_t ns;
		const char *text;
	} times[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 951782400000000001, "2000-02-29T00:00:00.000000001Z" },
		{ 4102444799999999999, "2099-12-31T23:59:59.999999999Z" },
		{ 1709164800500000000, "2024-02-29T00:00:00.5Z" },
		{ 1740787199000000000, "2025-02-28T23:59:59Z" },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char text[TEXT_TIME_SIZE];

		text_from_time(times[i].ns, text);
		assert_string_equal(text, times[i].text);
	}
}

static void a_line_that_does_not_fit_is_marked(void **state)
{
	(void)state;
	char data[8];
	struct text_line line;

	text_line_init(&line, data, sizeof(data));
	text_add(&line, "1234");
	text_add_i64(&line, -12);
	assert_string_equal(data, "1234-12");
	assert_false(line.cut);
	text_add(&line, "x");
	assert_true(line.cut);
	assert_string_equal(data, "1234-12");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_are_as_docker_writes_them),
		TEST(characters_are_escaped_as_go_does),
		TEST(an_unfinished_line_is_written_at_the_end),
		TEST(long_lines_are_cut_between_characters),
		TEST(full_files_are_renamed_and_the_oldest_goes),
		TEST(a_single_full_file_starts_over),
		TEST(an_existing_file_is_continued),
		TEST(lost_output_is_counted_and_told),
		TEST(without_a_path_output_is_thrown_away),
		TEST(times_are_utc_with_the_fraction_that_there_is),
		TEST(a_line_that_does_not_fit_is_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
