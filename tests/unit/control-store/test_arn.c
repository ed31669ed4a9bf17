/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/arn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const struct arn_scope scope = { .region = "us-west-2", .account = "123456789012" };

#define PREFIX "arn:aws:ecs:us-west-2:123456789012:"

static void long_format_is_built(void **state)
{
	_cleanup_free_ char *cluster = arn_cluster(&scope, "c1");
	_cleanup_free_ char *task = arn_task(&scope, "c1", "0123456789abcdef0123456789abcdef");
	_cleanup_free_ char *instance = arn_container_instance(&scope, "c1", "f00");
	_cleanup_free_ char *container = arn_container(&scope, "c1", "t", "u-u-i-d");
	_cleanup_free_ char *definition = arn_task_definition(&scope, "web", 12);
	_cleanup_free_ char *attachment = arn_attachment(&scope, "c1", "a");
	_cleanup_free_ char *service = arn_service(&scope, "c1", "s");

	assert_string_equal(cluster, PREFIX "cluster/c1");
	assert_string_equal(task, PREFIX "task/c1/0123456789abcdef0123456789abcdef");
	assert_string_equal(instance, PREFIX "container-instance/c1/f00");
	assert_string_equal(container, PREFIX "container/c1/t/u-u-i-d");
	assert_string_equal(definition, PREFIX "task-definition/web:12");
	assert_string_equal(attachment, PREFIX "attachment/c1/a");
	assert_string_equal(service, PREFIX "service/c1/s");
}

static void parsing_takes_both_formats(void **state)
{
	static const struct {
		const char *text;
		enum arn_type type;
		const char *cluster, *id, *rest;
		int64_t revision;
	} cases[] = {
		{ PREFIX "cluster/c1", ARN_CLUSTER, "c1", "c1", NULL, -1 },
		{ PREFIX "task/c1/t1", ARN_TASK, "c1", "t1", NULL, -1 },
		{ PREFIX "task/t1", ARN_TASK, NULL, "t1", NULL, -1 },
		{ PREFIX "container-instance/c1/i1", ARN_CONTAINER_INSTANCE, "c1", "i1", NULL, -1 },
		{ PREFIX "container/c1/t1/u", ARN_CONTAINER, "c1", "t1", "u", -1 },
		{ PREFIX "task-definition/web:3", ARN_TASK_DEFINITION, NULL, "web", NULL, 3 },
		{ PREFIX "task-definition/web", ARN_TASK_DEFINITION, NULL, "web", NULL, -1 },
		{ PREFIX "task-set/c/s/ecs-svc/1", ARN_TASK_SET, "c", "s", "ecs-svc/1", -1 },
		{ "arn:aws-cn:ecs:cn-north-1:1:service/c/s", ARN_SERVICE, "c", "s", NULL, -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(arn_clear) struct arn arn = { .revision = -1 };

		assert_int_equal(arn_parse(cases[i].text, &arn, NULL), 0);
		assert_int_equal(arn.type, cases[i].type);
		assert_string_equal(arn.id, cases[i].id);
		assert_int_equal(arn.revision, cases[i].revision);
		if (cases[i].cluster)
			assert_string_equal(arn.cluster, cases[i].cluster);
		else
			assert_null(arn.cluster);
		if (cases[i].rest)
			assert_string_equal(arn.rest, cases[i].rest);
		else
			assert_null(arn.rest);
	}
}

static void what_is_no_arn_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "", "The ARN provided is invalid." },
		{ "arn:aws:ecs", "The ARN provided is invalid." },
		{ "arn:aws:s3:::bucket/x", "The ARN provided is invalid." },
		{ PREFIX "unknown/x", "The ARN provided is invalid." },
		{ PREFIX "cluster", "The ARN provided is invalid." },
		{ PREFIX "cluster/", "Unexpected number of separators" },
		{ PREFIX "cluster/a/b", "Unexpected number of separators" },
		{ PREFIX "task/a/b/c", "Unexpected number of separators" },
		{ PREFIX "task//c", "Unexpected number of separators" },
		{ PREFIX "task-definition/web:x", "Invalid revision number. Number: x" },
		{ PREFIX "task-definition/web:0", "Invalid revision number. Number: 0" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arn arn = { .revision = -1 };
		struct error err = ERROR_INIT;

		assert_true(arn_parse(cases[i].text, &arn, &err) < 0);
		assert_string_equal(err.text, cases[i].reason);
		assert_null(arn.id);
	}
}

static void scope_is_region_and_account(void **state)
{
	_cleanup_(arn_clear) struct arn own = { .revision = -1 };
	_cleanup_(arn_clear) struct arn region = { .revision = -1 };
	_cleanup_(arn_clear) struct arn account = { .revision = -1 };

	arn_parse(PREFIX "cluster/c", &own, NULL);
	arn_parse("arn:aws:ecs:eu-west-1:123456789012:cluster/c", &region, NULL);
	arn_parse("arn:aws:ecs:us-west-2:999999999999:cluster/c", &account, NULL);
	assert_true(arn_in_scope(&own, &scope));
	assert_false(arn_in_scope(&region, &scope));
	assert_false(arn_in_scope(&account, &scope));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_format_is_built),
		cmocka_unit_test(parsing_takes_both_formats),
		cmocka_unit_test(what_is_no_arn_is_refused_with_the_reason),
		cmocka_unit_test(scope_is_region_and_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
