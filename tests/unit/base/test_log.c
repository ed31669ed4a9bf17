/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

struct place {
	char *directory;
	char *file;
	struct log_config config;
};

static int set_up(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));

	place->directory = make_test_directory();
	place->file = xasprintf("%s/made/agent.log", place->directory);
	place->config = (struct log_config){
		.level = LOG_NONE,
		.file_level = LOG_INFO,
		.console_fd = -1,
		.file = place->file,
	};
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	log_close();
	assert_ok(file_remove_tree(AT_FDCWD, place->directory, why));
	free(place->directory);
	free(place->file);
	free(place);
	return 0;
}

static char *content(const char *path)
{
	char *text = NULL;

	assert_ok(file_read(AT_FDCWD, path, 1 << 20, &text, NULL, why));
	return text;
}

/* The file's text without the times, which differ. */
static char *records(struct place *place)
{
	char *text = content(place->file);

	for (char *time = text; (time = strstr(time, "time=")); time += 5)
		memcpy(time + 5, "2026-01-02T03:04:05Z", 20);
	return text;
}

static void logfmt_records(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *text = NULL;

	assert_ok(log_open(&place->config, why));
	log_info("plain");
	log_warn("task \"x\" stopped", "task", "f0 0", "code", LOG_NUM(-137), "oom", LOG_BOOL(true),
		 NULL);
	log_error("two\nlines\x1b[2J", "why", "a\\b\"c", "none", NULL, "last",
		  "\x01"
		  "1;rm");
	log_critical("over");
	text = records(place);
	assert_string_equal(
		text, "level=info time=2026-01-02T03:04:05Z msg=\"plain\" module=test_log.c\n"
		      "level=warn time=2026-01-02T03:04:05Z msg=\"task \\\"x\\\" stopped\" "
		      "task=\"f0 0\" code=-137 oom=true\n"
		      "level=error time=2026-01-02T03:04:05Z msg=\"two\\nlines\\x1b[2J\" "
		      "why=\"a\\\\b\\\"c\" none=null last=\"\\x011;rm\"\n"
		      "level=critical time=2026-01-02T03:04:05Z msg=\"over\" module=test_log.c\n");
}

static void json_records_are_objects_with_sorted_fields(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *first = NULL;
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;

	place->config.format = LOG_FORMAT_JSON;
	assert_ok(log_open(&place->config, why));
	log_info("pulled", "size", LOG_NUM(5), "image", "a\"b\n", NULL);
	log_info("plain");
	text = content(place->file);
	str_list_split(&lines, text, '\n', false);
	assert_int_equal(lines.count, 2);
	assert_ok(json_parse(lines.items[0], strlen(lines.items[0]), NULL, &first, why));
	assert_string_equal(json_string_value(json_object_get(first, "image")), "a\"b\n");
	assert_int_equal(json_integer_value(json_object_get(first, "size")), 5);
	assert_true(strstr(lines.items[0], "\"image\"") < strstr(lines.items[0], "\"size\""));
	assert_true(str_starts_with(lines.items[0], "{\"level\":\"info\",\"time\":\"2"));
	assert_contains(lines.items[1], "\"msg\":\"plain\",\"module\":\"test_log.c\"}");
}

static void each_sink_has_its_level(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *text = NULL;
	char console[512] = "";
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	place->config.console_fd = ends[1];
	place->config.level = LOG_DEBUG;
	place->config.file_level = LOG_ERROR;
	assert_ok(log_open(&place->config, why));
	assert_true(log_wants(LOG_DEBUG));
	log_debug("small");
	log_error("big");
	assert_true(read(ends[0], console, sizeof(console) - 1) > 0);
	assert_contains(console, "msg=\"small\"");
	assert_contains(console, "msg=\"big\"");
	text = content(place->file);
	assert_null(strstr(text, "small"));
	assert_contains(text, "msg=\"big\"");

	place->config.level = LOG_NONE;
	assert_ok(log_open(&place->config, why));
	assert_false(log_wants(LOG_WARN));
	assert_true(log_wants(LOG_ERROR));
	close(ends[0]);
	close(ends[1]);
}

static bool exists(struct place *place, const char *suffix)
{
	_cleanup_free_ char *path = xasprintf("%s%s", place->file, suffix);

	return access(path, F_OK) == 0;
}

/* cfg 1.12: larger number = newer, the lowest beyond the count go; one record may exceed the size
 */
static void files_rotate_by_size_and_the_oldest_go(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *newest = xasprintf("%s.12", place->file);
	_cleanup_free_ char *text = NULL;

	place->config.max_file_size = 1;
	place->config.max_roll_count = 3;
	assert_ok(log_open(&place->config, why));
	for (int i = 0; i <= 12; i++)
		log_info("record", "n", LOG_NUM(i), NULL);
	assert_false(exists(place, ".9"));
	assert_true(exists(place, ".10"));
	assert_true(exists(place, ".11"));
	text = content(newest);
	assert_contains(text, "n=11\n");
	assert_false(exists(place, ".13"));
}

static void numbering_goes_on_after_a_restart(void **state)
{
	struct place *place = *state;

	place->config.max_file_size = 1;
	assert_ok(log_open(&place->config, why));
	log_info("one");
	log_info("two");
	log_close();
	assert_ok(log_open(&place->config, why));
	log_info("three");
	assert_true(exists(place, ".1"));
	assert_true(exists(place, ".2"));
	assert_false(exists(place, ".3"));
}

static void files_rotate_by_the_hour(void **state)
{
	struct place *place = *state;
	struct timespec times[2] = { { .tv_sec = 1767323045 }, { .tv_sec = 1767323045 } };
	_cleanup_free_ char *name = NULL;
	char hour[32];
	struct tm tm;

	place->config.rotation = LOG_ROTATE_HOURLY;
	assert_ok(log_open(&place->config, why));
	log_info("old");
	log_close();
	assert_int_equal(utimensat(AT_FDCWD, place->file, times, 0), 0);
	assert_ok(log_open(&place->config, why));
	log_info("new");
	localtime_r(&times[0].tv_sec, &tm);
	strftime(hour, sizeof(hour), ".%Y-%m-%d-%H", &tm);
	assert_true(exists(place, hour));
	name = content(place->file);
	assert_null(strstr(name, "old"));
	assert_contains(name, "new");
}

static void a_file_that_cannot_be_opened_is_told(void **state)
{
	struct place *place = *state;
	struct error err = ERROR_INIT;

	place->config.file = place->directory;
	assert_true(log_open(&place->config, &err) < 0);
	assert_contains(err.text, "open the log file");
}

/* cfg 1.12: names match in any case; crit is rendered critical */
static void levels_have_names(void **state)
{
	enum log_level level = LOG_DEBUG;

	assert_true(log_level_parse("CRIT", &level));
	assert_string_equal(log_level_name(level), "critical");
	assert_true(log_level_parse("None", &level));
	assert_int_equal(level, LOG_NONE);
	assert_false(log_level_parse("loud", &level));
	assert_false(log_level_parse("", &level));
	assert_int_equal(level, LOG_NONE);
}

int main(void)
{
#define in_a_directory(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		in_a_directory(logfmt_records),
		in_a_directory(json_records_are_objects_with_sorted_fields),
		in_a_directory(each_sink_has_its_level),
		in_a_directory(files_rotate_by_size_and_the_oldest_go),
		in_a_directory(numbering_goes_on_after_a_restart),
		in_a_directory(files_rotate_by_the_hour),
		in_a_directory(a_file_that_cannot_be_opened_is_told),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
