/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of tasks, for how long, and through restarts and a store that fails. */
#include "control-plane/services/services.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/db.h"
#include "control-plane/services/delivery.h"
#include "control-plane/services/report.h"
#include "control-plane/store/container_instances.h"
#include "fixture.h"

/* api-107: retention is by time ... */
static void stopped_tasks_are_forgotten_after_a_while(void **state)
{
	struct fixture *fixture = *state;
	char arn[256];
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	fixture_submit_state(fixture, task, "STOPPED");
	strcpy(arn, task->arn);
	fixture->config.time_scale = 0.00001;
	fixture->config.stopped_retention_ms = 3600 * 1000;
	fixture_turn(fixture);
	fixture_restart(fixture);
	task = services_find_task(fixture->services, arn);
	assert_non_null(task);
	for (int i = 0; i < 3; i++)
		loop_run_once(fixture->loop, true);
	assert_non_null(services_find_task(fixture->services, arn));

	fixture->config.stopped_retention_ms = 1;
	fixture_restart(fixture);
	while (services_find_task(fixture->services, arn))
		loop_run_once(fixture->loop, true);
	fixture_restart(fixture);
	assert_null(services_find_task(fixture->services, arn));
}

/* ... and by number: the oldest go first. */
static void stopped_tasks_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	char arns[3][256];

	fixture->config.time_scale = 0.00001;
	fixture->config.stopped_tasks_max = 1;
	fixture_restart(fixture);
	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	for (int i = 0; i < 3; i++) {
		struct task *task = fixture_task(fixture, "web", NULL, NULL);

		fixture_submit_state(fixture, task, "STOPPED");
		strcpy(arns[i], task->arn);
	}
	while (services_find_task(fixture->services, arns[1]))
		loop_run_once(fixture->loop, true);
	assert_null(services_find_task(fixture->services, arns[0]));
	assert_non_null(services_find_task(fixture->services, arns[2]));
}

static void live_tasks_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	struct run_result result = { 0 };
	struct error err = ERROR_INIT;

	fixture->config.live_tasks_max = 3;
	fixture_restart(fixture);
	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	fixture_must(fixture_run(fixture, "web", 2, NULL, NULL, &result, &err), &err);
	run_result_clear(&result);
	assert_int_equal(fixture_run(fixture, "web", 2, NULL, NULL, &result, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most 3 tasks"));
}

static void everything_survives_a_restart(void **state)
{
	struct fixture *fixture = *state;
	struct report_container container = { .name = "web",
					      .status = "RUNNING",
					      .runtime_id = "r",
					      .has_bindings = true,
					      .bindings =
						      &(struct task_binding){ .bind_ip = "0.0.0.0",
									      .container_port = 80,
									      .host_port = 32768,
									      .protocol = "tcp" },
					      .binding_count = 1 };
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;
	struct task *task, *other;
	char arn[256];

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc", VPC);
	task = fixture_task(fixture, "vpc", "subnet-a",
			    "{'containerOverrides':[{'name':'web','command':['x']}]}");
	delivery_sent(fixture->services, task);
	delivery_acknowledged(fixture->services, task, DELIVERY_RUN);
	fixture_submit(fixture, task,
		       (struct report){ .status = "RUNNING",
					.containers = &container,
					.container_count = 1 });
	fixture_turn(fixture);
	strcpy(arn, task->arn);
	before = task_to_document(task);
	fixture_restart(fixture);
	task = services_find_task(fixture->services, arn);
	assert_non_null(task);
	after = task_to_document(task);
	assert_string_equal(before, after);
	assert_int_equal(task->containers[0].bindings[0].host_port, 32768);
	/* Its address is still its own. */
	services_agent_up(fixture->services, task->instance_arn);
	other = fixture_task(fixture, "vpc", "subnet-a", NULL);
	assert_string_not_equal(other->eni->private_ip, task->eni->private_ip);
}

/* A call that fails after tasks were made leaves nothing of them, in the store or in memory. */
static void a_rolled_back_call_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	struct run_result result;
	struct services_usage usage;
	struct error err = ERROR_INIT;
	struct task *kept;
	char arn[256], kept_arn[256];

	fixture_definition(fixture, "vpc", VPC);
	kept = fixture_task(fixture, "vpc", "subnet-a", NULL);
	strcpy(kept_arn, kept->arn);
	fixture_turn(fixture);
	services_begin(fixture->services);
	fixture_must(store_begin(fixture->store, &err), &err);
	fixture_must(fixture_run(fixture, "vpc", 1, "subnet-a", NULL, &result, &err), &err);
	strcpy(arn, result.tasks[0]->arn);
	run_result_clear(&result);
	store_rollback(fixture->store);
	services_rolled_back(fixture->services);
	assert_null(services_find_task(fixture->services, arn));
	assert_non_null(services_find_task(fixture->services, kept_arn));
	services_instance_usage(fixture->services, host, &usage);
	assert_int_equal(usage.live_tasks, 1);
	services_usage_free(&usage);
	fixture_turn(fixture);
	/* All eleven addresses but the kept task's are there. */
	fixture_must(fixture_run(fixture, "vpc", 10, "subnet-a", NULL, &result, &err), &err);
	assert_int_equal(result.task_count, 10);
	run_result_clear(&result);
}

/* A task that its agent has been given is not stopped without it, and what the agent said counts.
 */
static void a_rolled_back_call_takes_nothing_back_of_others(void **state)
{
	struct fixture *fixture = *state;
	struct run_result result;
	struct error err = ERROR_INIT;
	struct task *task;
	char sent[256], acknowledged[256];

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	strcpy(sent, fixture_task(fixture, "web", NULL, NULL)->arn);
	strcpy(acknowledged, fixture_task(fixture, "web", NULL, NULL)->arn);
	fixture_turn(fixture);
	delivery_sent(fixture->services, services_find_task(fixture->services, sent));
	delivery_acknowledged(fixture->services,
			      services_find_task(fixture->services, acknowledged), DELIVERY_RUN);

	services_begin(fixture->services);
	fixture_must(store_begin(fixture->store, &err), &err);
	fixture_must(fixture_run(fixture, "web", 1, NULL, NULL, &result, &err), &err);
	run_result_clear(&result);
	store_rollback(fixture->store);
	services_rolled_back(fixture->services);

	assert_true(services_find_task(fixture->services, acknowledged)->run_acknowledged);
	task = services_find_task(fixture->services, sent);
	fixture_must(services_stop(fixture->services, task, "enough", &err), &err);
	assert_int_equal(task->state, TASK_PENDING);
	assert_int_equal(task->desired, TASK_STOPPED);
}

/* A store that cannot be written for a while: calls fail whole, what agents said is kept and
 * written later. */
static void a_store_that_fails_for_a_while(void **state)
{
	struct fixture *fixture = *state;
	struct run_result result = { 0 };
	struct error err = ERROR_INIT;
	struct task *task;
	size_t cursor = 0;
	char arn[256];

	fixture->config.time_scale = 0.00001;
	fixture_restart(fixture);
	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc", VPC);
	task = fixture_task(fixture, "vpc", "subnet-a", NULL);
	strcpy(arn, task->arn);
	fixture_turn(fixture);

	fixture_must(db_exec(store_db(fixture->store), "PRAGMA query_only = ON", &err), &err);
	delivery_acknowledged(fixture->services, task, DELIVERY_RUN);
	fixture_turn(fixture);
	fixture_must(db_exec(store_db(fixture->store), "PRAGMA query_only = OFF", &err), &err);
	for (int i = 0; i < 3; i++)
		loop_run_once(fixture->loop, true);
	fixture_restart(fixture);
	task = services_find_task(fixture->services, arn);
	assert_true(task->run_acknowledged);

	services_agent_up(fixture->services, task->instance_arn);
	fixture_must(store_begin(fixture->store, &err), &err);
	fixture_must(db_exec(store_db(fixture->store), "PRAGMA query_only = ON", &err), &err);
	assert_true(fixture_run(fixture, "vpc", 3, "subnet-a", NULL, &result, &err) < 0);
	run_result_clear(&result);
	fixture_must(db_exec(store_db(fixture->store), "PRAGMA query_only = OFF", &err), &err);
	store_rollback(fixture->store);
	assert_non_null(services_next_task(fixture->services, &cursor));
	assert_null(services_next_task(fixture->services, &cursor));
	fixture_must(fixture_run(fixture, "vpc", 10, "subnet-a", NULL, &result, &err), &err);
	assert_int_equal(result.task_count, 10);
	run_result_clear(&result);
}

/* api-94, the store's half: a token is found with its request, in its cluster only. */
static void tokens_are_kept_with_their_answer(void **state)
{
	struct fixture *fixture = *state;
	struct str_list arns = STR_LIST_INIT, found = STR_LIST_INIT;
	_cleanup_free_ char *request = NULL;
	struct error err = ERROR_INIT;

	str_list_add(&arns, "arn:1");
	str_list_add(&arns, "arn:2");
	assert_int_equal(services_token_find(fixture->services, "c", "t", &request, &found, &err),
			 -ENOENT);
	fixture_must(services_token_put(fixture->services, "c", "t", "{}", &arns, &err), &err);
	fixture_must(services_token_find(fixture->services, "c", "t", &request, &found, &err),
		     &err);
	assert_string_equal(request, "{}");
	assert_int_equal(found.count, 2);
	assert_string_equal(found.items[1], "arn:2");
	str_list_free(&found);
	free(request);
	request = NULL;
	assert_int_equal(services_token_find(fixture->services, "d", "t", &request, &found, &err),
			 -ENOENT);
	str_list_free(&arns);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(stopped_tasks_are_forgotten_after_a_while),
		TEST(stopped_tasks_are_bounded),
		TEST(live_tasks_are_bounded),
		TEST(everything_survives_a_restart),
		TEST(a_rolled_back_call_leaves_nothing),
		TEST(a_rolled_back_call_takes_nothing_back_of_others),
		TEST(a_store_that_fails_for_a_while),
		TEST(tokens_are_kept_with_their_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
