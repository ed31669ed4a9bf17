/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a task, without agents and without sockets. */
#include "control-plane/services/services.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/db.h"
#include "control-plane/services/delivery.h"
#include "control-plane/services/report.h"
#include "control-plane/store/container_instances.h"
#include "fixture.h"

#define TWO                                                                                        \
	"{'containerDefinitions':["                                                                \
	"{'name':'a','image':'i','cpu':1,'memory':6,'healthCheck':{'command':['CMD','x']}},"       \
	"{'name':'b','image':'i','cpu':1,'memory':6,'healthCheck':{'command':['CMD','x']}},"       \
	"{'name':'side','image':'i','cpu':1,'memory':6,'essential':false,"                         \
	"'healthCheck':{'command':['CMD','x']}}]}"

/* api-77 */
static void a_new_task_waits_for_its_agent(void **state)
{
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	struct run_result result;
	struct error err = ERROR_INIT;

	fixture_definition(fixture, "web", WEB);
	fixture_must(fixture_run(fixture, "web", 2, NULL, NULL, &result, &err), &err);
	assert_int_equal(result.task_count, 2);
	assert_int_equal(result.failure_count, 0);
	for (size_t i = 0; i < 2; i++) {
		const struct task *task = result.tasks[i];

		assert_int_equal(task->state, TASK_PENDING);
		assert_int_equal(task->desired, TASK_RUNNING);
		assert_int_equal(task->version, 1);
		assert_string_equal(task->group, "family:web");
		assert_string_equal(task->cpu, "128");
		assert_string_equal(task->memory, "128");
		assert_string_equal(task->instance_arn, host);
		assert_int_equal(task->container_count, 1);
		assert_string_equal(task->containers[0].cpu, "128");
		assert_int_equal(delivery_need(task), DELIVERY_RUN);
	}
	run_result_clear(&result);
	/* Agents are told once the turn is over: after the commit. */
	assert_int_equal(fixture->told, 0);
	fixture_turn(fixture);
	assert_int_equal(fixture->told, 2);
}

/* api-76 */
static void without_instances_nothing_can_run(void **state)
{
	struct fixture *fixture = *state;
	struct run_result result = { 0 };
	struct error err = ERROR_INIT;

	fixture_definition(fixture, "web", WEB);
	assert_int_equal(fixture_run(fixture, "web", 1, NULL, NULL, &result, &err), -EINVAL);
	assert_string_equal(err.text, "No Container Instances were found in your cluster.");
}

/* api-83: what a task held is there again once it is STOPPED, and not before. */
static void resources_come_back_at_the_end(void **state)
{
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	struct services_usage usage;
	struct error err = ERROR_INIT;
	struct task *task;

	fixture_definition(fixture, "web",
			   "{'containerDefinitions':[{'name':'web','image':'i','cpu':100,"
			   "'memory':200,'memoryReservation':50,'portMappings':["
			   "{'containerPort':80,'hostPort':8080,'protocol':'tcp'},"
			   "{'containerPort':53,'hostPort':5353,'protocol':'udp'},"
			   "{'containerPort':81,'hostPort':0}]}]}");
	task = fixture_task(fixture, "web", NULL, NULL);
	delivery_sent(fixture->services, task);
	fixture_must(services_stop(fixture->services, task, NULL, &err), &err);
	services_instance_usage(fixture->services, host, &usage);
	assert_int_equal(usage.cpu, 100);
	assert_int_equal(usage.memory, 50);
	assert_int_equal(usage.tcp_count, 1);
	assert_int_equal(usage.tcp[0], 8080);
	assert_int_equal(usage.udp_count, 1);
	assert_int_equal(usage.udp[0], 5353);
	assert_int_equal(usage.live_tasks, 1);
	services_usage_free(&usage);

	fixture_submit_state(fixture, task, "STOPPED");
	services_instance_usage(fixture->services, host, &usage);
	assert_int_equal(usage.cpu, 0);
	assert_int_equal(usage.memory, 0);
	assert_int_equal(usage.tcp_count, 0);
	assert_int_equal(usage.live_tasks, 0);
	services_usage_free(&usage);
}

/* api-101 api-108 acs-S1: the walk of a task that ends by itself, and the order of its times. */
static void a_task_that_exits(void **state)
{
	struct fixture *fixture = *state;
	struct report_container container = { .name = "web",
					      .status = "PENDING",
					      .image_digest = "sha256:1" };
	struct task *task;
	int64_t before;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	fixture_submit(fixture, task,
		       (struct report){ .status = "PENDING",
					.reason = "",
					.containers = &container,
					.container_count = 1 });
	assert_int_equal(task->state, TASK_PENDING);
	assert_string_equal(task->containers[0].image_digest, "sha256:1");
	assert_int_equal(task->version, 2);

	container.status = "RUNNING";
	container.runtime_id = "r1";
	fixture_submit(fixture, task,
		       (struct report){ .status = "RUNNING",
					.containers = &container,
					.container_count = 1,
					.pull_started_ms = 1000,
					.pull_stopped_ms = 2000 });
	assert_int_equal(task->state, TASK_RUNNING);
	assert_true(task->started_ms > 0);
	assert_int_equal(task->pull_started_ms, 1000);
	before = task->version;
	assert_int_equal(before, 3);
	/* acs-S8: the same call once more changes nothing. */
	fixture_submit(fixture, task,
		       (struct report){ .status = "RUNNING",
					.containers = &container,
					.container_count = 1,
					.pull_started_ms = 9000,
					.pull_stopped_ms = 9000 });
	assert_int_equal(task->version, before);
	assert_int_equal(task->pull_started_ms, 1000);

	container = fixture_exited("web", 0);
	fixture_submit(fixture, task,
		       (struct report){ .status = "STOPPED",
					.reason = "",
					.containers = &container,
					.container_count = 1,
					.execution_stopped_ms = task->started_ms - 5000 });
	assert_int_equal(task->state, TASK_STOPPED);
	assert_int_equal(task->desired, TASK_STOPPED);
	assert_int_equal(task->stop_code, TASK_STOP_ESSENTIAL_EXITED);
	assert_string_equal(task->stopped_reason, "Essential container in task exited");
	assert_true(task->containers[0].has_exit_code);
	assert_int_equal(task->containers[0].exit_code, 0);
	assert_true(task->started_ms < task->stopping_ms);
	assert_true(task->stopping_ms <= task->execution_stopped_ms);
	assert_true(task->execution_stopped_ms <= task->stopped_ms);
	assert_true(task->version > before);

	/* Late reports find a task that is over. */
	before = task->version;
	container = fixture_exited("web", 7);
	container.reason = "late";
	fixture_submit(fixture, task,
		       (struct report){ .status = "RUNNING",
					.containers = &container,
					.container_count = 1 });
	assert_int_equal(task->state, TASK_STOPPED);
	assert_int_equal(task->containers[0].exit_code, 0);
	assert_null(task->containers[0].reason);
	assert_int_equal(task->version, before);
}

/* api-102 */
static void a_task_that_cannot_start(void **state)
{
	struct fixture *fixture = *state;
	struct report_container container = { .name = "web",
					      .status = "STOPPED",
					      .reason = "CannotPullContainerError: no such image" };
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	fixture_submit(fixture, task,
		       (struct report){ .status = "STOPPED",
					.containers = &container,
					.container_count = 1 });
	assert_int_equal(task->state, TASK_STOPPED);
	assert_int_equal(task->stop_code, TASK_STOP_FAILED_TO_START);
	assert_string_equal(task->stopped_reason, "CannotPullContainerError: no such image");
	assert_int_equal(task->started_ms, 0);
	assert_false(task->containers[0].has_exit_code);

	task = fixture_task(fixture, "web", NULL, NULL);
	fixture_submit(fixture, task,
		       (struct report){ .status = "STOPPED", .reason = "UnrecogniedTaskError: x" });
	assert_string_equal(task->stopped_reason, "UnrecogniedTaskError: x");

	task = fixture_task(fixture, "web", NULL, NULL);
	fixture_submit_state(fixture, task, "STOPPED");
	assert_string_equal(task->stopped_reason, "Task failed to start");
}

static void a_task_too_short_to_be_seen_running_did_run(void **state)
{
	struct fixture *fixture = *state;
	struct report_container container = fixture_exited("web", 3);
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	fixture_submit(fixture, task,
		       (struct report){ .status = "STOPPED",
					.containers = &container,
					.container_count = 1 });
	assert_int_equal(task->stop_code, TASK_STOP_ESSENTIAL_EXITED);
}

/* api-97 api-103 */
static void a_task_that_is_asked_to_stop(void **state)
{
	struct fixture *fixture = *state;
	struct report_container container = fixture_exited("web", 143);
	struct error err = ERROR_INIT;
	struct task *task;
	int64_t version;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	delivery_sent(fixture->services, task);
	delivery_acknowledged(fixture->services, task, DELIVERY_RUN);
	fixture_submit_state(fixture, task, "RUNNING");
	fixture_turn(fixture);
	assert_int_equal(delivery_need(task), DELIVERY_NOTHING);

	fixture_must(services_stop(fixture->services, task, NULL, &err), &err);
	assert_int_equal(task->state, TASK_RUNNING);
	assert_int_equal(task->desired, TASK_STOPPED);
	assert_int_equal(task->stop_code, TASK_STOP_USER_INITIATED);
	assert_string_equal(task->stopped_reason, "Task stopped by user");
	assert_true(task->stopping_ms > 0);
	assert_int_equal(delivery_need(task), DELIVERY_STOP);
	fixture->told = 0;
	fixture_turn(fixture);
	assert_int_equal(fixture->told, 1);
	version = task->version;
	fixture_must(services_stop(fixture->services, task, "again", &err), &err);
	assert_string_equal(task->stopped_reason, "Task stopped by user");
	assert_int_equal(task->version, version);

	delivery_sent(fixture->services, task);
	assert_int_equal(task->state, TASK_STOPPING);
	delivery_acknowledged(fixture->services, task, DELIVERY_STOP);
	assert_int_equal(delivery_need(task), DELIVERY_NOTHING);
	/* A flush of the agent still says RUNNING: a task never goes back. */
	fixture_submit_state(fixture, task, "RUNNING");
	assert_int_equal(task->state, TASK_STOPPING);
	fixture_submit(fixture, task,
		       (struct report){ .status = "STOPPED",
					.containers = &container,
					.container_count = 1 });
	assert_int_equal(task->state, TASK_STOPPED);
	assert_int_equal(task->stop_code, TASK_STOP_USER_INITIATED);
	assert_int_equal(task->containers[0].exit_code, 143);
}

static void a_task_no_agent_has_heard_of_stops_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	fixture_must(services_stop(fixture->services, task, "enough", &err), &err);
	assert_int_equal(task->state, TASK_STOPPED);
	assert_string_equal(task->stopped_reason, "enough");
	assert_int_equal(delivery_need(task), DELIVERY_NOTHING);
}

/* The control plane was killed between sending the task and writing that down. */
static void a_task_that_its_agent_speaks_of_is_stopped_by_it(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;
	struct task *task;
	char *arn;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	arn = xstrdup(task->arn);
	delivery_sent(fixture->services, task);
	fixture_restart(fixture);
	task = services_find_task(fixture->services, arn);
	assert_false(task->sent);
	fixture_submit_state(fixture, task, "RUNNING");
	fixture_must(services_stop(fixture->services, task, NULL, &err), &err);
	assert_int_equal(task->state, TASK_RUNNING);
	assert_int_equal(delivery_need(task), DELIVERY_STOP);
	free(arn);
}

/* api-90: the interface of an awsvpc task, from its making to its end. */
static void an_interface_lives_as_long_as_its_task(void **state)
{
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	struct report_attachment attached = { .status = "ATTACHED" };
	struct services_usage usage;
	struct task *task;

	fixture_definition(fixture, "vpc", VPC);
	task = fixture_task(fixture, "vpc", "subnet-a", NULL);
	assert_int_equal(task->state, TASK_PENDING);
	assert_int_equal(task->version, 2);
	assert_non_null(task->eni);
	assert_int_equal(task->eni->state, ATTACHMENT_ATTACHING);
	assert_string_equal(task->eni->private_ip, "10.1.0.4");
	assert_string_equal(task->eni->gateway, "10.1.0.1/28");
	assert_string_equal(task->eni->private_dns_name, "ip-10-1-0-4.us-west-2.compute.internal");
	assert_int_equal(strlen(task->eni->eni_id), strlen("eni-") + 17);
	assert_int_equal(strncmp(task->eni->mac, "0a:", 3), 0);
	assert_int_equal(strlen(task->eni->mac), 17);
	assert_true(delivery_needs_attach(task));
	/* The ports are those of its own interface: the host's stay free. */
	services_instance_usage(fixture->services, host, &usage);
	assert_int_equal(usage.tcp_count, 0);
	assert_int_equal(usage.enis, 1);
	services_usage_free(&usage);

	attached.arn = task->eni->arn;
	fixture_submit(fixture, task,
		       (struct report){ .attachments = &attached, .attachment_count = 1 });
	assert_int_equal(task->eni->state, ATTACHMENT_ATTACHED);
	assert_int_equal(task->version, 3);
	assert_false(delivery_needs_attach(task));
	fixture_submit(fixture, task,
		       (struct report){ .attachments = &attached, .attachment_count = 1 });
	assert_int_equal(task->version, 3);

	fixture_submit_state(fixture, task, "STOPPED");
	assert_int_equal(task->eni->state, ATTACHMENT_DELETED);
	assert_int_equal(task->state, TASK_STOPPED);
}

/* An agent that knows of an interface and never says more of it or of the task: the task is given
 * up, and stopped. */
static void an_interface_that_never_comes_is_given_up(void **state)
{
	static const char *const reason =
		"Timeout waiting for network interface provisioning to complete.";
	struct fixture *fixture = *state;
	struct task *silent, *heard, *unknown;

	fixture->config.time_scale = 0.00001;
	fixture_restart(fixture);
	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc", VPC);
	silent = fixture_task(fixture, "vpc", "subnet-a", NULL);
	heard = fixture_task(fixture, "vpc", "subnet-a", NULL);
	unknown = fixture_task(fixture, "vpc", "subnet-a", NULL);
	for (struct task **task = (struct task *[]){ silent, heard, NULL }; *task; task++) {
		delivery_attach_sent(fixture->services, *task);
		delivery_attach_acknowledged(fixture->services, *task);
		delivery_sent(fixture->services, *task);
		delivery_acknowledged(fixture->services, *task, DELIVERY_RUN);
	}
	fixture_submit(fixture, heard,
		       (struct report){ .status = "PENDING", .pull_started_ms = 1 });
	while (silent->desired == TASK_RUNNING)
		loop_run_once(fixture->loop, true);
	assert_int_equal(silent->stop_code, TASK_STOP_FAILED_TO_START);
	assert_string_equal(silent->stopped_reason, reason);
	assert_int_equal(delivery_need(silent), DELIVERY_STOP);
	assert_int_equal(heard->desired, TASK_RUNNING);
	assert_int_equal(unknown->desired, TASK_RUNNING);
	fixture_submit_state(fixture, silent, "STOPPED");
	assert_string_equal(silent->stopped_reason, reason);
}

static void an_exhausted_subnet_fails_with_a_sentence(void **state)
{
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	struct run_result result;
	struct error err = ERROR_INIT;
	struct task *first;

	fixture_definition(fixture, "vpc", VPC);
	fixture_must(fixture_run(fixture, "vpc", 10, "subnet-a", NULL, &result, &err), &err);
	assert_int_equal(result.task_count, 10);
	first = result.tasks[0];
	run_result_clear(&result);
	fixture_must(fixture_run(fixture, "vpc", 2, "subnet-a", NULL, &result, &err), &err);
	assert_int_equal(result.task_count, 1);
	assert_int_equal(result.failure_count, 1);
	assert_string_equal(result.failures[0].arn, host);
	assert_string_equal(result.failures[0].reason, "RESOURCE:ENI");
	assert_string_equal(result.failures[0].detail,
			    "No address is left in subnet subnet-a (10.1.0.0/28): stop a task, or "
			    "configure a larger subnet.");
	run_result_clear(&result);
	/* A task that ends makes room for one. */
	fixture_submit_state(fixture, first, "STOPPED");
	fixture_must(fixture_run(fixture, "vpc", 2, "subnet-a", NULL, &result, &err), &err);
	assert_int_equal(result.task_count, 1);
	assert_string_equal(result.tasks[0]->eni->private_ip, "10.1.0.4");
	run_result_clear(&result);
}

static void an_unknown_subnet_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct run_result result = { 0 };
	struct error err = ERROR_INIT;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc", VPC);
	assert_int_equal(fixture_run(fixture, "vpc", 1, "subnet-x", NULL, &result, &err), -EINVAL);
	assert_non_null(strstr(
		err.text,
		"The subnet ID 'subnet-x' does not exist (ErrorCode: InvalidSubnetID.NotFound)"));
}

/* api-109 */
static void health_is_that_of_the_essential_containers(void **state)
{
	static const struct {
		enum health_status a, b, side, task;
	} table[] = {
		{ HEALTH_STATUS_HEALTHY, HEALTH_STATUS_UNKNOWN, HEALTH_STATUS_HEALTHY,
		  HEALTH_STATUS_UNKNOWN },
		{ HEALTH_STATUS_HEALTHY, HEALTH_STATUS_HEALTHY, HEALTH_STATUS_UNHEALTHY,
		  HEALTH_STATUS_HEALTHY },
		{ HEALTH_STATUS_UNHEALTHY, HEALTH_STATUS_UNKNOWN, HEALTH_STATUS_HEALTHY,
		  HEALTH_STATUS_UNHEALTHY },
		{ HEALTH_STATUS_UNKNOWN, HEALTH_STATUS_UNKNOWN, HEALTH_STATUS_HEALTHY,
		  HEALTH_STATUS_UNKNOWN },
	};
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	struct task *task;
	int64_t version;

	fixture_definition(fixture, "two", TWO);
	task = fixture_task(fixture, "two", NULL, NULL);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct tcs_container_health containers[] = {
			{ "a", table[i].a, 1 },
			{ "b", table[i].b, 1 },
			{ "side", table[i].side, 1 },
			{ "stranger", HEALTH_STATUS_UNHEALTHY, 1 },
		};
		const struct tcs_task_health tasks[] = {
			{ .task_arn = task->arn, .containers = containers, .container_count = 4 },
			{ .task_arn = "unknown" },
		};
		const struct tcs_health health = { .tasks = tasks, .task_count = 2 };

		services_report_health(fixture->services, host, &health);
		assert_int_equal(task->health, table[i].task);
		version = task->version;
		services_report_health(fixture->services, host, &health);
		assert_int_equal(task->version, version);
		/* Another instance has nothing to say of it. */
		services_report_health(fixture->services, "other", &health);
		assert_int_equal(task->version, version);
	}
}

static void a_forced_deregistration_ends_its_tasks(void **state)
{
	struct fixture *fixture = *state;
	const char *one = fixture_instance(fixture, ID1);
	const char *two = fixture_instance(fixture, ID2);
	struct error err = ERROR_INIT;
	struct task *tasks[4];

	fixture_definition(fixture, "vpc", VPC);
	for (int i = 0; i < 4; i++)
		tasks[i] = fixture_task(fixture, "vpc", "subnet-a", NULL);
	fixture_must(services_instance_deregistered(fixture->services, one, &err), &err);
	for (int i = 0; i < 4; i++) {
		if (strcmp(tasks[i]->instance_arn, two) == 0) {
			assert_int_equal(tasks[i]->state, TASK_PENDING);
			continue;
		}
		assert_int_equal(tasks[i]->state, TASK_STOPPED);
		assert_int_equal(tasks[i]->stop_code, TASK_STOP_USER_INITIATED);
		assert_string_equal(tasks[i]->stopped_reason,
				    "Container instance deregistration forced by user");
		assert_int_equal(tasks[i]->eni->state, ATTACHMENT_DELETED);
	}
}

/* Tasks of an agent that is away are DISCONNECTED, and keep their last state. */
static void connectivity_follows_the_agent(void **state)
{
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	struct container_instance_row row;
	struct error err = ERROR_INIT;
	struct task *task;

	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	assert_int_equal(task->connectivity_ms, 0);
	delivery_acknowledged(fixture->services, task, DELIVERY_RUN);
	assert_true(task->connected);
	assert_true(task->connectivity_ms > 0);
	fixture_submit_state(fixture, task, "RUNNING");
	services_agent_down(fixture->services, host);
	assert_false(task->connected);
	assert_int_equal(task->state, TASK_RUNNING);
	assert_false(services_agent_connected(fixture->services, host));
	fixture_must(container_instance_get(fixture->store, "c", ID1, &row, &err), &err);
	assert_false(row.agent_connected);
	container_instance_row_clear(&row);
	services_agent_up(fixture->services, host);
	assert_true(task->connected);
}

static void figures_of_known_tasks_are_kept(void **state)
{
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	const struct tcs_container_metric container = { .name = "web",
							.cpu = { 1.5, 0.5, 2, 2 },
							.memory = { 10, 10, 20, 2 } };
	struct tcs_task_metric tasks[2] = { { .containers = &container, .container_count = 1 },
					    { .task_arn = "unknown" } };
	const struct tcs_metrics metrics = { .tasks = tasks, .task_count = 2 };
	struct task *task;

	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	tasks[0].task_arn = task->arn;
	assert_null(services_task_metrics(fixture->services, task->arn));
	services_report_metrics(fixture->services, "another instance", &metrics);
	assert_null(services_task_metrics(fixture->services, task->arn));
	services_report_metrics(fixture->services, host, &metrics);
	assert_non_null(
		strstr(services_task_metrics(fixture->services, task->arn),
		       "\"cpuPercent\":{\"max\":1.5,\"min\":0.5,\"sampleCount\":2,\"sum\":2}"));
	assert_null(services_task_metrics(fixture->services, "unknown"));
}

/* Essential or not, a status that nobody knows is refused whole. */
static void unknown_statuses_are_refused(void **state)
{
	struct fixture *fixture = *state;
	const struct report_container container = { .name = "web", .status = "DANCING" };
	const struct report bad_task = { .status = "WHAT" };
	const struct report bad_container = { .status = "RUNNING",
					      .containers = &container,
					      .container_count = 1 };
	struct error err = ERROR_INIT;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "web", NULL, NULL);
	assert_int_equal(services_report(fixture->services, task, &bad_task, &err), -EINVAL);
	assert_int_equal(services_report(fixture->services, task, &bad_container, &err), -EINVAL);
	assert_non_null(strstr(err.text, "[PENDING,RUNNING,STOPPED], got 'DANCING'"));
	assert_int_equal(task->state, TASK_PENDING);
	assert_int_equal(task->version, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_new_task_waits_for_its_agent),
		TEST(without_instances_nothing_can_run),
		TEST(resources_come_back_at_the_end),
		TEST(a_task_that_exits),
		TEST(a_task_that_cannot_start),
		TEST(a_task_too_short_to_be_seen_running_did_run),
		TEST(a_task_that_is_asked_to_stop),
		TEST(a_task_no_agent_has_heard_of_stops_at_once),
		TEST(a_task_that_its_agent_speaks_of_is_stopped_by_it),
		TEST(an_interface_lives_as_long_as_its_task),
		TEST(an_interface_that_never_comes_is_given_up),
		TEST(an_exhausted_subnet_fails_with_a_sentence),
		TEST(an_unknown_subnet_is_refused),
		TEST(health_is_that_of_the_essential_containers),
		TEST(a_forced_deregistration_ends_its_tasks),
		TEST(connectivity_follows_the_agent),
		TEST(figures_of_known_tasks_are_kept),
		TEST(unknown_statuses_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
