/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"

static struct checks some(enum check_state second)
{
	struct checks checks = { 0 };

	checks_add(&checks, "agent", CHECK_OK, xstrdup("answers"), "");
	checks_add(&checks, "disk", second, xstrdup("\"full\""), "make room");
	return checks;
}

static void each_failure_says_what_to_do(void **state)
{
	struct checks checks = some(CHECK_FAILED);
	_cleanup_free_ char *text = checks_text(&checks, false);

	assert_string_equal(text, "ok       agent         answers\n"
				  "failed   disk          \"full\"\n"
				  "                       -> make room\n");
	assert_true(checks_failed(&checks));
	checks_free(&checks);
}

static void json_for_programs(void **state)
{
	struct checks checks = some(CHECK_FAILED);
	_cleanup_free_ char *text = checks_json(&checks);

	assert_string_equal(
		text,
		"{\"healthy\":false,\"checks\":["
		"{\"name\":\"agent\",\"status\":\"ok\",\"found\":\"answers\",\"advice\":\"\"},"
		"{\"name\":\"disk\",\"status\":\"failed\",\"found\":\"\\\"full\\\"\",\"advice\":"
		"\"make room\"}"
		"]}");
	checks_free(&checks);
}

static void what_is_skipped_is_no_failure(void **state)
{
	struct checks checks = some(CHECK_SKIPPED);
	_cleanup_free_ char *text = checks_json(&checks);

	assert_false(checks_failed(&checks));
	assert_non_null(strstr(text, "\"healthy\":true"));
	assert_non_null(strstr(text, "\"status\":\"skipped\""));
	checks_free(&checks);
}

static void colours_only_when_wanted(void **state)
{
	struct checks checks = some(CHECK_FAILED);
	_cleanup_free_ char *text = checks_text(&checks, true);

	assert_non_null(strstr(text, "\033[32mok     \033[0m"));
	assert_non_null(strstr(text, "\033[31mfailed \033[0m"));
	checks_free(&checks);
}

static void room_is_half_a_gibibyte_and_five_percent(void **state)
{
	const uint64_t mib = 1 << 20, gib = 1 << 30;

	assert_true(disk_has_room(10 * gib, 512 * mib));
	assert_false(disk_has_room(gib, 512 * mib - 1));
	assert_false(disk_has_room(100 * gib, 4 * gib));
	assert_true(disk_has_room(100 * gib, 5 * gib));
}

static void sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0.0 KiB" },           { 1536, "1.5 KiB" },
		{ 1 << 20, "1.0 MiB" },     { (uint64_t)5 << 30, "5.0 GiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = size_text(cases[i].bytes);

		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_says_what_to_do),
		cmocka_unit_test(json_for_programs),
		cmocka_unit_test(what_is_skipped_is_no_failure),
		cmocka_unit_test(colours_only_when_wanted),
		cmocka_unit_test(room_is_half_a_gibibyte_and_five_percent),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
