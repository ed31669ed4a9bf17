/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/reporter.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_control_plane.h"

#define SUBMIT        "SubmitTaskStateChange"
#define FAILURE(name) "{\"__type\":\"" name "\",\"message\":\"m\"}"

struct outcome {
	char arn[64];
	uint64_t serial;
	bool accepted;
};

struct fixture {
	struct fake fake;
	struct reporter *reporter;
	struct outcome outcomes[64];
	size_t count;
	size_t wanted;
};

static void keep(void *data, const char *task_arn, uint64_t serial, bool accepted)
{
	struct fixture *f = data;
	struct outcome *outcome = &f->outcomes[f->count++];

	snprintf(outcome->arn, sizeof(outcome->arn), "%s", task_arn);
	outcome->serial = serial;
	outcome->accepted = accepted;
}

static void set_up(struct fixture *f, char *scale)
{
	static const struct host_resources host = { 0 };

	memset(f, 0, sizeof(*f));
	fake_start(&f->fake, (char *[]){ scale, NULL });
	f->reporter = reporter_new(f->fake.loop, f->fake.client, f->fake.config, &host,
				   &f->fake.instance, keep, f);
}

static void tear_down(struct fixture *f)
{
	reporter_free(f->reporter);
	fake_stop(&f->fake);
}

static void submit(struct fixture *f, const char *arn, uint64_t serial, enum task_status status)
{
	reporter_submit(f->reporter, &(struct engine_report){ .serial = serial,
							      .task_arn = arn,
							      .status = status,
							      .reason = "" });
}

static bool enough(void *data)
{
	struct fixture *f = data;

	return f->count >= f->wanted;
}

static void run_until_outcomes(struct fixture *f, size_t count)
{
	f->wanted = count;
	fake_run_until(&f->fake, enough, f);
}

#define FAST "BERTH_TIME_SCALE=1000"

static void a_report_has_the_form_of_the_protocol(void **state)
{
	static const struct engine_report_container containers[] = {
		{ .name = "app",
		  .status = CONTAINER_STATUS_STOPPED,
		  .runtime_id = "r1",
		  .image_digest = "sha256:d",
		  .has_exit_code = true,
		  .exit_code = 0,
		  .reason = NULL },
	};
	struct fixture f;

	set_up(&f, FAST);
	reporter_submit(f.reporter,
			&(struct engine_report){ .serial = 9,
						 .task_arn = "arn:t1",
						 .status = TASK_STATUS_STOPPED,
						 .reason = "",
						 .containers = containers,
						 .container_count = 1,
						 .pull_started_at_ms = 1700000000123,
						 .execution_stopped_at_ms = 1700000001000 });
	assert_int_equal(reporter_pending(f.reporter), 1);
	run_until_outcomes(&f, 1);
	assert_int_equal(reporter_pending(f.reporter), 0);
	assert_true(f.outcomes[0].accepted);
	assert_int_equal(f.outcomes[0].serial, 9);
	assert_string_equal(f.outcomes[0].arn, "arn:t1");
	assert_string_equal(
		fake_nth(&f.fake, SUBMIT, 0)->body,
		"{\"cluster\":\"demo\",\"containers\":[{\"containerName\":\"app\",\"exitCode\":0,"
		"\"imageDigest\":\"sha256:d\",\"runtimeId\":\"r1\",\"status\":\"STOPPED\"}],"
		"\"executionStoppedAt\":1700000001,\"pullStartedAt\":1700000000.123,\"reason\":"
		"\"\","
		"\"status\":\"STOPPED\",\"task\":\"arn:t1\"}");
	tear_down(&f);
}

/* What is told of the ports of a container that has both families, or IPv4 alone. */
static void expect_bindings(bool excludes, bool ipv6_only, bool has_ipv6, const char *expected)
{
	static const struct port_binding bindings[] = {
		{ .container_port = 80, .host_port = 49153, .count = 1 },
		{ TRANSPORT_UDP, 8000, 50000, 3, true },
	};
	const struct engine_report_container container = {
		.name = "app",
		.status = CONTAINER_STATUS_RUNNING,
		.bindings = bindings,
		.binding_count = 2,
		.has_ipv6 = has_ipv6,
	};
	const struct host_resources host = { .ipv6_only = ipv6_only };
	struct fixture f;
	const char *body;

	memset(&f, 0, sizeof(f));
	fake_start(&f.fake, (char *[]){ FAST,
					excludes ? "ECS_EXCLUDE_IPV6_PORTBINDING=true"
						 : "ECS_EXCLUDE_IPV6_PORTBINDING=false",
					NULL });
	f.reporter = reporter_new(f.fake.loop, f.fake.client, f.fake.config, &host,
				  &f.fake.instance, keep, &f);
	reporter_submit(f.reporter, &(struct engine_report){ .serial = 1,
							     .task_arn = "arn:t1",
							     .status = TASK_STATUS_RUNNING,
							     .reason = "",
							     .containers = &container,
							     .container_count = 1 });
	run_until_outcomes(&f, 1);
	body = fake_nth(&f.fake, SUBMIT, 0)->body;
	if (!strstr(body, expected))
		fail_msg("%s\n%s", body, expected);
	tear_down(&f);
}

#define PORT(ip)                                                                                   \
	"{\"bindIP\":\"" ip "\",\"containerPort\":80,\"hostPort\":49153,\"protocol\":\"tcp\"}"
#define RANGE(ip)                                                                                  \
	"{\"bindIP\":\"" ip "\",\"containerPortRange\":\"8000-8002\","                             \
	"\"hostPortRange\":\"50000-50002\",\"protocol\":\"udp\"}"

/* acs-S10, net-T55 */
static void bindings_of_ipv6_are_left_out_unless_asked_for(void **state)
{
	const char *ipv4 = "\"networkBindings\":[" PORT("0.0.0.0") "," RANGE("0.0.0.0") "]";
	const char *both = "\"networkBindings\":[" PORT("0.0.0.0") "," PORT("::") "," RANGE(
		"0.0.0.0") "," RANGE("::") "]";
	const char *ipv6 = "\"networkBindings\":[" PORT("::") "," RANGE("::") "]";

	expect_bindings(true, false, true, ipv4);
	expect_bindings(false, false, true, both);
	expect_bindings(false, false, false, ipv4);
	/* A host that nobody reaches by IPv4. */
	expect_bindings(true, true, true, ipv6);
	expect_bindings(false, true, true, ipv6);
	/* A port is not hidden for want of another way to it. */
	expect_bindings(true, true, false, ipv4);
}

static void a_task_is_reported_in_order_and_one_at_a_time(void **state)
{
	struct fixture f;

	set_up(&f, FAST);
	f.fake.stalled = true;
	submit(&f, "arn:t1", 1, TASK_STATUS_MANIFEST_PULLED);
	submit(&f, "arn:t1", 2, TASK_STATUS_RUNNING);
	submit(&f, "arn:t1", 3, TASK_STATUS_STOPPED);
	fake_run_until_count(&f.fake, SUBMIT, 1);
	fake_run_for(&f.fake, 30);
	assert_int_equal(fake_count(&f.fake, SUBMIT), 1);
	f.fake.stalled = false;
	web_respond_text(f.fake.waiting[--f.fake.waiting_count], 200, NULL, "{}");
	run_until_outcomes(&f, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(f.outcomes[i].serial, i + 1);
	assert_non_null(strstr(fake_nth(&f.fake, SUBMIT, 0)->body, "PENDING"));
	assert_non_null(strstr(fake_nth(&f.fake, SUBMIT, 1)->body, "RUNNING"));
	assert_non_null(strstr(fake_nth(&f.fake, SUBMIT, 2)->body, "STOPPED"));
	tear_down(&f);
}

/* acs-S12 */
static void at_most_ten_calls_are_under_way(void **state)
{
	struct fixture f;

	set_up(&f, "BERTH_TIME_SCALE=1");
	f.fake.stalled = true;
	for (uint64_t i = 0; i < 12; i++) {
		char arn[32];

		snprintf(arn, sizeof(arn), "arn:t%" PRIu64, i);
		submit(&f, arn, i, TASK_STATUS_RUNNING);
	}
	fake_run_until_count(&f.fake, SUBMIT, 10);
	fake_run_for(&f.fake, 50);
	assert_int_equal(fake_count(&f.fake, SUBMIT), 10);
	f.fake.stalled = false;
	while (f.fake.waiting_count > 0)
		web_respond_text(f.fake.waiting[--f.fake.waiting_count], 200, NULL, "{}");
	run_until_outcomes(&f, 12);
	assert_int_equal(fake_count(&f.fake, SUBMIT), 12);
	tear_down(&f);
}

/* acs-S5 */
static void an_invalid_report_is_left_out_and_the_next_one_sent(void **state)
{
	struct fixture f;

	set_up(&f, FAST);
	fake_answer(&f.fake, SUBMIT, 400, FAILURE("InvalidParameterException"));
	submit(&f, "arn:t1", 1, TASK_STATUS_RUNNING);
	submit(&f, "arn:t1", 2, TASK_STATUS_STOPPED);
	run_until_outcomes(&f, 2);
	assert_false(f.outcomes[0].accepted);
	assert_int_equal(f.outcomes[0].serial, 1);
	assert_true(f.outcomes[1].accepted);
	assert_int_equal(fake_count(&f.fake, SUBMIT), 2);
	assert_non_null(strstr(fake_nth(&f.fake, SUBMIT, 1)->body, "STOPPED"));
	tear_down(&f);
}

/* acs-S6 */
static void a_denied_report_is_repeated_and_holds_up_its_own_task_only(void **state)
{
	struct fixture f;

	set_up(&f, "BERTH_TIME_SCALE=10");
	for (int i = 0; i < 5; i++)
		fake_answer(&f.fake, SUBMIT, 400, FAILURE("AccessDeniedException"));
	submit(&f, "arn:t1", 1, TASK_STATUS_RUNNING);
	submit(&f, "arn:t1", 2, TASK_STATUS_STOPPED);
	fake_run_until_count(&f.fake, SUBMIT, 5);
	submit(&f, "arn:t2", 3, TASK_STATUS_RUNNING);
	run_until_outcomes(&f, 3);
	assert_string_equal(f.outcomes[0].arn, "arn:t2");
	assert_int_equal(f.outcomes[1].serial, 1);
	assert_int_equal(f.outcomes[2].serial, 2);
	/* The waits: 1-1.2 s, then 1.3-1.56 s, by the scale of ten; only what is above 1 s is
	 * scaled. */
	assert_true(fake_nth(&f.fake, SUBMIT, 2)->at_ms - fake_nth(&f.fake, SUBMIT, 1)->at_ms >=
		    130);
	assert_true(fake_nth(&f.fake, SUBMIT, 3)->at_ms - fake_nth(&f.fake, SUBMIT, 2)->at_ms >=
		    169);
	for (size_t i = 0; i < 5; i++)
		assert_non_null(strstr(fake_nth(&f.fake, SUBMIT, i)->body, "RUNNING"));
	tear_down(&f);
}

/* acs-S7, acs-S8: within the call, in the same place of the queue. */
static void a_failing_control_plane_is_asked_again_within_the_call(void **state)
{
	struct fixture f;

	set_up(&f, "BERTH_TIME_SCALE=1");
	for (int i = 0; i < 2; i++)
		fake_answer(&f.fake, SUBMIT, 500, FAILURE("ServerException"));
	submit(&f, "arn:t1", 1, TASK_STATUS_RUNNING);
	run_until_outcomes(&f, 1);
	assert_true(f.outcomes[0].accepted);
	assert_int_equal(fake_count(&f.fake, SUBMIT), 3);
	assert_true(fake_nth(&f.fake, SUBMIT, 1)->at_ms - fake_nth(&f.fake, SUBMIT, 0)->at_ms >=
		    60);
	assert_true(fake_nth(&f.fake, SUBMIT, 2)->at_ms - fake_nth(&f.fake, SUBMIT, 1)->at_ms >=
		    120);
	assert_string_equal(fake_nth(&f.fake, SUBMIT, 2)->body, fake_nth(&f.fake, SUBMIT, 0)->body);
	tear_down(&f);
}

/* After so many failures the next attempt is minutes away: not when the control plane is heard of.
 */
static void what_waits_is_tried_when_the_control_plane_is_heard_of(void **state)
{
	struct fixture f;

	set_up(&f, "BERTH_TIME_SCALE=1");
	for (int i = 0; i < 6; i++)
		fake_answer(&f.fake, SUBMIT, 500, FAILURE("ServerException"));
	submit(&f, "arn:t1", 1, TASK_STATUS_RUNNING);
	fake_run_until_count(&f.fake, SUBMIT, 6);
	fake_run_for(&f.fake, 100);
	reporter_hurry(f.reporter);
	run_until_outcomes(&f, 1);
	assert_true(f.outcomes[0].accepted);
	assert_int_equal(fake_count(&f.fake, SUBMIT), 7);
	/* else it would be 2^6 * 30 ms or more after the sixth */
	assert_true(fake_nth(&f.fake, SUBMIT, 6)->at_ms - fake_nth(&f.fake, SUBMIT, 5)->at_ms <
		    1920);

	/* Once in 30 s. */
	assert_false(ecs_client_hurry(f.fake.client));
	tear_down(&f);
}

/* What could not be sent at all is cut to what can, and blocks nothing. */
static void a_range_among_too_many_ports_is_cut(void **state)
{
	struct port_binding bindings[101];
	const struct engine_report_container container = {
		.name = "app",
		.status = CONTAINER_STATUS_RUNNING,
		.bindings = bindings,
		.binding_count = 101,
	};
	struct fixture f;
	size_t count = 0;

	for (size_t i = 0; i < 101; i++)
		bindings[i] = (struct port_binding){ .container_port = (uint16_t)(i + 1),
						     .host_port = (uint16_t)(50000 + 2 * i),
						     .count = 1 };
	for (int range = 0; range < 2; range++) {
		bindings[0].is_range = range == 1;
		set_up(&f, FAST);
		reporter_submit(f.reporter, &(struct engine_report){ .serial = 1,
								     .task_arn = "arn:t1",
								     .status = TASK_STATUS_RUNNING,
								     .reason = "",
								     .containers = &container,
								     .container_count = 1 });
		run_until_outcomes(&f, 1);
		count = 0;
		for (const char *at = fake_nth(&f.fake, SUBMIT, 0)->body;
		     (at = strstr(at, "bindIP")); at++)
			count++;
		assert_int_equal(count, range ? 100 : 101);
		tear_down(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_has_the_form_of_the_protocol),
		cmocka_unit_test(what_waits_is_tried_when_the_control_plane_is_heard_of),
		cmocka_unit_test(a_range_among_too_many_ports_is_cut),
		cmocka_unit_test(bindings_of_ipv6_are_left_out_unless_asked_for),
		cmocka_unit_test(a_task_is_reported_in_order_and_one_at_a_time),
		cmocka_unit_test(at_most_ten_calls_are_under_way),
		cmocka_unit_test(an_invalid_report_is_left_out_and_the_next_one_sent),
		cmocka_unit_test(a_denied_report_is_repeated_and_holds_up_its_own_task_only),
		cmocka_unit_test(a_failing_control_plane_is_asked_again_within_the_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
