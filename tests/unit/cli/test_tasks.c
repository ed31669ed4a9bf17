/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tasks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARN "arn:aws:ecs:us-west-2:1:task/default/"

static const char two[] =
	"{\"Tasks\":[{\"Arn\":\"" ARN
	"aa11\",\"DesiredStatus\":\"RUNNING\",\"KnownStatus\":\"RUNNING\","
	"\"Family\":\"web\",\"Version\":\"3\",\"Containers\":[{\"DockerId\":\"aa11-77\","
	"\"DockerName\":\"n\","
	"\"Name\":\"app\",\"Image\":\"r/web:1\",\"StartedAt\":\"2026-01-02T03:04:05.5Z\","
	"\"Networks\":[{\"NetworkMode\":\"awsvpc\",\"IPv4Addresses\":[\"10.0.0.9\"]}]},"
	"{\"DockerId\":\"\",\"Name\":\"side\",\"Image\":\"\",\"Ports\":["
	"{\"ContainerPort\":80,\"Protocol\":\"tcp\",\"HostPort\":49153},"
	"{\"ContainerPort\":53,\"Protocol\":\"udp\",\"HostPort\":53}]}]},"
	"{\"Arn\":\"" ARN "aa22\",\"KnownStatus\":\"PENDING\",\"Family\":\"\",\"Version\":\"\","
	"\"Containers\":[{\"Name\":\"only\"}]}]}";

static struct cli_tasks decoded(void)
{
	struct cli_tasks tasks;
	struct error err;

	if (tasks_decode(two, strlen(two), &tasks, &err) < 0)
		fail_msg("%s", err.text);
	return tasks;
}

static void an_answer_is_read(void **state)
{
	struct cli_tasks tasks = decoded();
	const struct cli_task *task = &tasks.items[0];

	assert_int_equal(tasks.count, 2);
	assert_string_equal(task->id, "aa11");
	assert_string_equal(task->known, "RUNNING");
	assert_int_equal(task->container_count, 2);
	assert_string_equal(task->containers[0].runtime_id, "aa11-77");
	assert_string_equal(task->containers[0].address, "10.0.0.9");
	assert_true(task->containers[0].started_ms == 1767323045500);
	assert_string_equal(task->containers[1].address, "");
	assert_string_equal(task->containers[0].ports, "");
	assert_string_equal(task->containers[1].ports, "49153->80/tcp, 53/udp");
	assert_true(task->containers[1].started_ms == 0);
	assert_string_equal(tasks.items[1].desired, "");
	tasks_free(&tasks);
}

static void what_is_no_answer_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
		{ "[]", "must be an object" },
		{ "{}", "Tasks" },
		{ "{\"Tasks\":[{\"KnownStatus\":\"RUNNING\"}]}", "Tasks[0].Arn" },
		{ "{\"Tasks\":[{\"Arn\":\"a\",\"KnownStatus\":\"RUNNING\",\"Containers\":[{}]}]}",
		  "Tasks[0].Containers[0].Name" },
		{ "{\"Tasks\":[{\"Arn\":\"a\",\"KnownStatus\":\"RUNNING\","
		  "\"Containers\":[{\"Name\":\"n\",\"StartedAt\":\"soon\"}]}]}",
		  "StartedAt must be a time, not \"soon\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cli_tasks tasks;
		struct error err;

		assert_int_equal(tasks_decode(cases[i].text, strlen(cases[i].text), &tasks, &err),
				 -EINVAL);
		if (!strstr(err.text, cases[i].why))
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].why);
	}
}

static void a_task_is_found_by_arn_id_or_beginning(void **state)
{
	struct cli_tasks tasks = decoded();
	const struct cli_task *task = NULL;
	struct error err;

	assert_int_equal(tasks_find(&tasks, ARN "aa22", &task, NULL), 0);
	assert_ptr_equal(task, &tasks.items[1]);
	assert_int_equal(tasks_find(&tasks, "aa11", &task, NULL), 0);
	assert_ptr_equal(task, &tasks.items[0]);
	assert_int_equal(tasks_find(&tasks, "aa2", &task, NULL), 0);
	assert_ptr_equal(task, &tasks.items[1]);
	assert_int_equal(tasks_find(&tasks, "aa", &task, &err), -EEXIST);
	assert_non_null(strstr(err.text, "2 tasks begin with \"aa\""));
	assert_int_equal(tasks_find(&tasks, "bb", &task, &err), -ENOENT);
	assert_int_equal(tasks_find(&tasks, "", &task, &err), -ENOENT);
	tasks_free(&tasks);
}

static void a_container_must_be_named_when_there_are_two(void **state)
{
	struct cli_tasks tasks = decoded();
	const struct cli_container *container = NULL;
	struct error err;

	assert_int_equal(task_find_container(&tasks.items[0], NULL, &container, &err), -EEXIST);
	assert_non_null(strstr(err.text, "app, side"));
	assert_int_equal(task_find_container(&tasks.items[0], "db", &container, &err), -ENOENT);
	assert_non_null(strstr(err.text, "app, side"));
	assert_int_equal(task_find_container(&tasks.items[0], "side", &container, NULL), 0);
	assert_string_equal(container->name, "side");
	assert_int_equal(task_find_container(&tasks.items[1], NULL, &container, NULL), 0);
	assert_string_equal(container->name, "only");
	tasks_free(&tasks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_read),
		cmocka_unit_test(what_is_no_answer_is_refused),
		cmocka_unit_test(a_task_is_found_by_arn_id_or_beginning),
		cmocka_unit_test(a_container_must_be_named_when_there_are_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
