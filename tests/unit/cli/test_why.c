/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/why.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define ARN "arn:aws:ecs:us-west-2:1:task/default/"

static const char answer[] =
	"{\"Tasks\":["
	"{\"Arn\":\"" ARN
	"aa11\",\"Containers\":[{\"Desired\":\"RUNNING\",\"Known\":\"PULLED\",\"Name\":\"app\","
	"\"Since\":\"2026-01-02T03:04:05Z\",\"WaitsFor\":[\"container db to start: it is "
	"NONE\",\"the task's network\"]},"
	"{\"Desired\":\"STOPPED\",\"ExitCode\":3,\"Known\":\"STOPPED\",\"Name\":\"db\",\"Reason\":"
	"\"Some\\u001bError: x\"}],"
	"\"Desired\":\"RUNNING\",\"Known\":\"MANIFEST_PULLED\",\"Reported\":\"NONE\",\"Since\":"
	"\"2026-01-02T03:04:06Z\"},"
	"{\"Arn\":\"" ARN "aa22\",\"Containers\":[],\"Desired\":\"RUNNING\",\"Known\":\"RUNNING\","
	"\"Reported\":\"RUNNING\"},"
	"{\"Arn\":\"" ARN "bb33\",\"Containers\":[],\"Desired\":\"STOPPED\",\"Known\":\"STOPPED\","
	"\"Reported\":\"STOPPED\","
	"\"WaitsFor\":[\"its clean-up, in 5 s\"]}]}";

static int text_of(const char *name, struct strbuf *out, struct error *err)
{
	int64_t now_ms = 0;

	assert_int_equal(parse_iso8601("2026-01-02T03:04:10Z", &now_ms, NULL), 0);
	return why_text(answer, strlen(answer), name, now_ms, out, err);
}

/* Without a name: what is not where it should be. Control characters do not reach a terminal. */
static void what_is_not_where_it_should_be_is_told(void **state)
{
	struct strbuf out = STRBUF_INIT;

	assert_int_equal(text_of(NULL, &out, NULL), 0);
	assert_string_equal(strbuf_text(&out), "task aa11: MANIFEST_PULLED for 4s, wanted RUNNING\n"
					       "  container app: PULLED for 5s, wanted RUNNING\n"
					       "    waits for container db to start: it is NONE\n"
					       "    waits for the task's network\n"
					       "  container db: STOPPED, exit code 3\n"
					       "    reason: Some?Error: x\n");
	strbuf_free(&out);
}

static void one_task_is_told_about_by_the_beginning_of_its_id(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct error err;

	assert_int_equal(text_of("bb", &out, &err), 0);
	assert_string_equal(strbuf_text(&out),
			    "task bb33: STOPPED\n  waits for its clean-up, in 5 s\n");
	strbuf_reset(&out);
	assert_int_equal(text_of(ARN "aa22", &out, &err), 0);
	assert_string_equal(strbuf_text(&out), "task aa22: RUNNING\n");
	assert_int_equal(text_of("aa", &out, &err), -EEXIST);
	assert_string_equal(err.text, "more than one task begins with aa: give more of its id");
	assert_int_equal(text_of("zz", &out, &err), -ENOENT);
	assert_string_equal(err.text, "this agent knows no task zz");
	strbuf_free(&out);
}

static void what_is_no_such_answer_is_refused(void **state)
{
	static const char *const bodies[] = {
		"",
		"[]",
		"{}",
		"{\"Tasks\":[7]}",
		"{\"Tasks\":[{\"Arn\":7}]}",
		"{\"Tasks\":[{\"Arn\":\"a\"}]}",
		"{\"Tasks\":[{\"Arn\":\"a\",\"Known\":\"x\",\"Desired\":\"y\",\"Containers\":[{}]}]"
		"}",
		"{\"Tasks\":[{\"Arn\":\"a\",\"Known\":\"x\",\"Desired\":\"y\",\"WaitsFor\":[7]}]}",
	};
	struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		assert_int_equal(why_text(bodies[i], strlen(bodies[i]), NULL, 0, &out, NULL),
				 -EINVAL);
	strbuf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_where_it_should_be_is_told),
		cmocka_unit_test(one_task_is_told_about_by_the_beginning_of_its_id),
		cmocka_unit_test(what_is_no_such_answer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
