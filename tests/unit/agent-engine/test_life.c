/* SPDX-License-Identifier: Apache-2.0 */
/* From payload to STOPPED. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "world.h"

static char *one(void)
{
	return container_json("app", true, "");
}

static char *two(char *first, char *second)
{
	char *both = xasprintf("%s,%s", first, second);

	free(first);
	free(second);
	return both;
}

/* eng-1, acs-S1: PENDING with the digest, RUNNING with id and pull times, no exit code. */
static void a_task_is_reported_pending_running_and_stopped(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_run(world, "t", "", one());
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_MANIFEST_PULLED);
	assert_int_equal(report->report.container_count, 1);
	assert_string_equal(report->report.containers[0].image_digest, "sha256:d");
	assert_null(report->report.containers[0].runtime_id);
	assert_int_equal(report->report.pull_started_at_ms, WORLD_START_MS);
	world_step(world, &(struct engine_event){ .type = EVENT_REPORT_ACCEPTED,
						  .task_id = "t",
						  .report = report->report.serial });
	engine_effect_free(report);

	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_RUNNING);
	assert_string_equal(report->report.containers[0].runtime_id, "t-app-1");
	assert_string_equal(report->report.containers[0].image_digest, "sha256:d");
	assert_false(report->report.containers[0].has_exit_code);
	assert_string_equal(report->report.reason, "");
	assert_int_equal(report->report.pull_stopped_at_ms, WORLD_START_MS);
	world_step(world, &(struct engine_event){ .type = EVENT_REPORT_ACCEPTED,
						  .task_id = "t",
						  .report = report->report.serial });
	engine_effect_free(report);

	world_exited_with(world, "t", "app", 0);
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_true(report->report.containers[0].has_exit_code);
	assert_int_equal(report->report.containers[0].exit_code, 0);
	assert_int_equal(report->report.execution_stopped_at_ms, WORLD_START_MS);
	assert_string_equal(report->report.reason, "");
	assert_null(report->report.containers[0].reason);
	engine_effect_free(report);
	world_free(world);
}

/* eng-6, eng-7: RUNNING comes before STOPPED even when the process ends before anybody heard that
 * it had started. */
static void a_quick_exit_is_reported_running_then_stopped(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_exited_with(world, "t", "app", 3);
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	expect_report(world, "t", "PENDING", "app=PENDING");
	expect_report(world, "t", "RUNNING", "app=RUNNING");
	expect_report(world, "t", "STOPPED", "app=STOPPED(3)");
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_free(world);
}

/* eng-8: a reference with a digest gives no PENDING, but carries the digest. */
static void a_digest_reference_is_not_reported_pending(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_run(world, "t", "",
		  xstrdup("{\"name\":\"app\",\"image\":\"img@sha256:d\",\"essential\":true}"));
	world_start(world, "t", "app");
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_RUNNING);
	assert_string_equal(report->report.containers[0].image_digest, "sha256:d");
	engine_effect_free(report);
	world_free(world);
}

/* eng-9, acs-S3: the end of a non-essential container is told soon, while the task runs on. */
static void a_non_essential_exit_is_flushed_while_the_task_runs(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "",
		  two(container_json("a", true, ""), container_json("b", false, "")));
	world_start(world, "t", "a");
	world_start(world, "t", "b");
	world_accept_all(world);
	world_exited_with(world, "t", "b", 1);
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_wait(world, 99);
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_wait(world, 1);
	expect_report(world, "t", "RUNNING", "b=STOPPED(1)");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	assert_int_equal(world_task(world, "t")->desired, TASK_STATUS_RUNNING);
	world_wait(world, 60000);
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_free(world);
}

/* eng-10, acs-S4: the last message carries what was not sent yet, and nothing follows it. */
static void an_essential_exit_stops_the_others(void **state)
{
	struct world *world = world_new();
	struct engine_effect *stop;

	world_run(world, "t", "",
		  two(container_json("a", true, ""),
		      container_json("b", false, ",\"stopTimeout\":2")));
	world_start(world, "t", "a");
	world_start(world, "t", "b");
	world_accept_all(world);
	world_exited_with(world, "t", "a", 0);
	stop = world_take(world, EFFECT_STOP_CONTAINER, "t", "b");
	assert_int_equal(stop->stop.grace_ms, 2000);
	assert_int_equal(stop->stop.signal, 15);
	engine_effect_free(stop);
	world_exited(world, "t", "b", (struct engine_exit){ .code_known = true, .signal = 9 });
	expect_report(world, "t", "STOPPED", "a=STOPPED(0) b=STOPPED(137)");
	world_wait(world, 60000);
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_free(world);
}

/* eng-11: never RUNNING when the essential container is gone before the rest is up. */
static void an_early_essential_crash_goes_straight_to_stopped(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_run(world, "t", "",
		  two(container_json("a", true, ""), container_json("b", false, "")));
	world_start(world, "t", "a");
	world_exited_with(world, "t", "a", 1);
	assert_int_equal(world_container(world, "t", "b")->known, CONTAINER_STATUS_STOPPED);
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_int_equal(report->report.container_count, 2);
	assert_false(report->report.containers[1].has_exit_code);
	assert_null(report->report.containers[1].runtime_id);
	engine_effect_free(report);
	/* The pull that nobody needs any more changes nothing. */
	world_done(world, EFFECT_PULL_IMAGE, "t", "b");
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "b"));
	world_free(world);
}

/* eng-12, acs-S15 */
static void oom_is_the_reason(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_run(world, "t", "", one());
	world_start(world, "t", "app");
	world_accept_all(world);
	world_exited(world, "t", "app",
		     (struct engine_exit){ .code_known = true, .signal = 9, .oom = true });
	report = world_report(world, "t");
	assert_int_equal(report->report.containers[0].exit_code, 137);
	assert_string_equal(report->report.containers[0].reason,
			    "OutOfMemoryError: Container killed due to memory usage");
	engine_effect_free(report);
	world_free(world);
}

/* eng-13: no RUNNING, no exit code; what the runtime made of it is removed at once. */
static void a_failed_start_stops_the_task_and_is_removed(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_run(world, "t", "", one());
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_accept_all(world);
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_failed(world, EFFECT_START_CONTAINER, "t", "app", NULL,
		     "exec: \"nosuchbinary\": not found");
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_string_equal(report->report.containers[0].reason,
			    "CannotStartContainerError: exec: \"nosuchbinary\": not found");
	assert_false(report->report.containers[0].has_exit_code);
	assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "app"));
	assert_non_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	engine_effect_free(report);
	world_free(world);
}

/* eng-14, acs-S13: the first error stays the reason. */
static void a_failed_pull_stops_the_container(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_run(world, "t", "", one());
	world_failed(world, EFFECT_PULL_IMAGE, "t", "app", "CannotPullImageManifestError",
		     "not found");
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_string_equal(report->report.containers[0].reason,
			    "CannotPullImageManifestError: not found");
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "app"));
	assert_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	engine_effect_free(report);
	world_free(world);
}

/* It is pulled like any other, and refused by whoever looks for what it names. */
static void a_container_without_an_image_is_no_danger(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_run(world, "t", "", xstrdup("{\"name\":\"app\",\"essential\":true}"));
	assert_string_equal(world_find(world, EFFECT_PULL_IMAGE, "t", "app")->pull.reference, "");
	world_failed(world, EFFECT_PULL_IMAGE, "t", "app", "CannotPullImageManifestError",
		     "it is empty");
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	engine_effect_free(report);
	world_free(world);
}

/* eng-15: the registry's error stays with a container that runs from a local image. */
static void a_tolerated_pull_error_is_told_while_it_runs(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_run(world, "t", "", one());
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_PULL_IMAGE,
					   .error_name = "CannotPullImageManifestError",
					   .error_text = "registry is down",
					   .image = { .id = "sha256:i" } });
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	/* eng-20: no digest, no PENDING. */
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_RUNNING);
	assert_null(report->report.containers[0].image_digest);
	assert_string_equal(report->report.containers[0].reason,
			    "CannotPullImageManifestError: registry is down");
	engine_effect_free(report);
	world_free(world);
}

/* eng-15's other half: it is no reason of the container's end, and hides none. */
static void a_tolerated_pull_error_is_not_the_reason_of_an_end(void **state)
{
	static const struct engine_exit ends[] = {
		{ .code_known = true, .exit_code = 0 },
		{ .code_known = true, .signal = 9, .oom = true },
	};
	static const char *const reasons[] = {
		NULL, "OutOfMemoryError: Container killed due to memory usage"
	};

	for (size_t i = 0; i < 2; i++) {
		struct world *world = world_new();
		const char *reason;

		world_run(world, "t", "", one());
		world_answer(world, "t", "app",
			     (struct engine_done){ .type = EFFECT_PULL_IMAGE,
						   .error_name = "CannotPullImageManifestError",
						   .error_text = "registry is down" });
		world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
		world_done(world, EFFECT_START_CONTAINER, "t", "app");
		world_accept_all(world);
		world_exited(world, "t", "app", ends[i]);
		reason = world_find(world, EFFECT_REPORT, "t", NULL)->report.containers[0].reason;
		if (reasons[i])
			assert_string_equal(reason, reasons[i]);
		else
			assert_null(reason);
		world_free(world);
	}
}

static size_t place_of(const struct engine_effects *effects, enum engine_effect_type type)
{
	for (size_t i = 0; i < effects->count; i++)
		if (effects->items[i].type == type)
			return i;
	fail_msg("no %s", engine_effect_name(type));
	return 0;
}

/* Were the agent killed in between, and the host with it, it would be started a second time. */
static void a_start_is_saved_before_it_is_made(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_wait(world, 1000);
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	assert_true(world_container(world, "t", "app")->start_intended);
	assert_true(place_of(&world->last, EFFECT_PERSIST_CONTAINER) <
		    place_of(&world->last, EFFECT_START_CONTAINER));
	world_free(world);
}

/* RUNNING and STOPPED are told only when they cannot be forgotten any more. */
static void a_status_is_saved_before_it_is_told(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_accept_all(world);
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	assert_true(place_of(&world->last, EFFECT_PERSIST_TASK) <
		    place_of(&world->last, EFFECT_REPORT));
	world_accept_all(world);
	world_exited_with(world, "t", "app", 0);
	assert_true(place_of(&world->last, EFFECT_PERSIST_TASK) <
		    place_of(&world->last, EFFECT_REPORT));
	world_free(world);
}

/* What can be learned again from the host or the registry does not cost a commit of its own, but is
 * saved soon. */
static void what_can_be_learned_again_is_saved_soon(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	for (size_t i = 0; i < world->last.count; i++)
		assert_int_not_equal(world->last.items[i].type, EFFECT_PERSIST_CONTAINER);
	world_drop(world, EFFECT_PERSIST_CONTAINER);
	world_wait(world, 50);
	assert_non_null(world_find(world, EFFECT_PERSIST_CONTAINER, "t", "app"));
	world_free(world);
}

static void pulls_always(struct engine_config *config)
{
	config->pull_failure_stops_task = true;
}

/* eng-16, eng-22 */
static void with_always_a_failed_pull_of_any_container_stops_the_task(void **state)
{
	struct world *world = world_new_with(pulls_always);

	world_run(world, "t", "",
		  two(container_json("a", true, ""), container_json("b", false, "")));
	world_start(world, "t", "a");
	world_failed(world, EFFECT_PULL_IMAGE, "t", "b", NULL, "gone");
	assert_int_equal(world_task(world, "t")->desired, TASK_STATUS_STOPPED);
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "a"));
	assert_string_equal(world_container(world, "t", "b")->reason,
			    "CannotPullContainerError: gone");
	world_free(world);
}

static void with_default_a_failed_pull_of_a_non_essential_container_does_not(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "",
		  two(container_json("a", true, ""), container_json("b", false, "")));
	world_start(world, "t", "a");
	world_failed(world, EFFECT_PULL_IMAGE, "t", "b", NULL, "gone");
	assert_int_equal(world_task(world, "t")->desired, TASK_STATUS_RUNNING);
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	world_free(world);
}

static struct world *start_timed_out(void)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_accept_all(world);
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_failed(world, EFFECT_START_CONTAINER, "t", "app", "DockerTimeoutError",
		     "Could not transition to started; timed out after waiting 3m0s");
	assert_int_equal(world_container(world, "t", "app")->known, CONTAINER_STATUS_CREATED);
	return world;
}

static void expect_timed_out(struct world *world, const char *containers)
{
	assert_string_equal(
		world_find(world, EFFECT_REPORT, "t", NULL)->report.containers[0].reason,
		"DockerTimeoutError: Could not transition to started; timed out after "
		"waiting 3m0s");
	expect_report(world, "t", "STOPPED", containers);
}

/* eng-95: nobody knows whether it runs, so it is really stopped. */
static void a_start_that_timed_out_is_stopped_in_earnest(void **state)
{
	struct world *world = start_timed_out();

	/* It never ran, says the host. */
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_STOP_CONTAINER, .has_exit = true });
	expect_timed_out(world, "app=STOPPED");
	world_free(world);
}

/* eng-95: it ran after all, and how it ended is told, whoever brings the news. */
static void what_ran_although_its_start_timed_out_has_its_exit_code(void **state)
{
	const struct engine_exit exit = { .code_known = true, .signal = 9, .started_at_ms = 5 };
	struct world *world = start_timed_out();

	world_answer(world, "t", "app",
		     (struct engine_done){
			     .type = EFFECT_STOP_CONTAINER, .has_exit = true, .exit = exit });
	expect_timed_out(world, "app=STOPPED(137)");
	assert_int_equal(world_container(world, "t", "app")->started_at_ms, 5);
	world_free(world);

	world = start_timed_out();
	world_exited(world, "t", "app", exit);
	expect_timed_out(world, "app=STOPPED(137)");
	world_free(world);

	/* The call that stopped it comes back before the news of the end does. */
	world = start_timed_out();
	world_done(world, EFFECT_STOP_CONTAINER, "t", "app");
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_exited(world, "t", "app", exit);
	expect_timed_out(world, "app=STOPPED(137)");
	world_free(world);
}

/* The news of the end overtakes that of the failed start. */
static void an_end_before_its_start_failed_is_not_lost(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_accept_all(world);
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_exited(
		world, "t", "app",
		(struct engine_exit){ .code_known = true, .exit_code = 7, .started_at_ms = 5 });
	world_failed(world, EFFECT_START_CONTAINER, "t", "app", "DockerTimeoutError", "late");
	expect_report(world, "t", "STOPPED", "app=STOPPED(7)");
	world_free(world);
}

/* acs-M43: an undecodable hostConfig fails the container alone, before anything is done for it. */
static void a_bad_docker_config_fails_before_the_pull(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "",
		  container_json("app", true, ",\"dockerConfig\":{\"hostConfig\":\"{nonsense\"}"));
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	assert_true(str_starts_with(world_container(world, "t", "app")->reason,
				    "HostConfigError: Unable to decode given host config: "));
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	world_free(world);
}

/* eng-97, acs-S9 */
static void a_long_reason_is_cut_at_1024_bytes(void **state)
{
	struct world *world = world_new();
	char text[5001];

	memset(text, 'x', 5000);
	text[5000] = '\0';
	world_run(world, "t", "", one());
	world_failed(world, EFFECT_PULL_IMAGE, "t", "app", NULL, text);
	assert_int_equal(strlen(world_container(world, "t", "app")->reason), 1024);
	world_free(world);
}

static void a_cut_reason_ends_between_characters(void **state)
{
	struct world *world = world_new();
	char text[3001];

	for (size_t i = 0; i < 3000; i += 3)
		memcpy(text + i, "\xE2\x80\x99", 3);
	text[3000] = '\0';
	world_run(world, "t", "", one());
	world_failed(world, EFFECT_PULL_IMAGE, "t", "app", "ABC",
		     text); /* "ABC: " and 339 characters */
	assert_int_equal(strlen(world_container(world, "t", "app")->reason), 5 + 3 * 339);
	world_free(world);
}

static void a_known_registry_refusal_gets_a_hint(void **state)
{
	static const struct {
		const char *name, *text, *reason;
	} cases[] = {
		{ "CannotPullContainerError",
		  "x: denied: requested access to the resource is denied",
		  "CannotPullContainerError: The task can’t pull the image. Check whether the "
		  "image exists. x: "
		  "denied: requested access to the resource is denied" },
		{ "CannotPullECRContainerError",
		  "denied: User: me is not authorized to perform: ecr:BatchGetImage on resource: r",
		  "CannotPullECRContainerError: The task can’t pull the image. Check that the role "
		  "has the "
		  "permissions to pull images from the registry. denied: User: me is not "
		  "authorized to perform: "
		  "ecr:BatchGetImage on resource: r" },
		{ "CannotPullContainerError", "request canceled while waiting for connection",
		  "CannotPullContainerError: The task can’t pull the image. Check your network "
		  "configuration. "
		  "request canceled while waiting for connection" },
		{ "CannotPullImageManifestError", "failed to resolve reference \"r\": r: not found",
		  "CannotPullImageManifestError: The task can’t pull the image. Check whether the "
		  "image "
		  "and its tag exist. failed to resolve reference \"r\": r: not found" },
		{ "CannotPullImageManifestError", "HEAD x: 401 Unauthorized",
		  "CannotPullImageManifestError: The task can’t pull the image. Check the "
		  "credentials for "
		  "this registry in ECS_ENGINE_AUTH_DATA. HEAD x: 401 Unauthorized" },
		{ "CannotPullImageManifestError", "dial tcp: connect: connection refused",
		  "CannotPullImageManifestError: The task can’t pull the image. Check that the "
		  "registry "
		  "runs and can be reached. dial tcp: connect: connection refused" },
		{ "CannotPullImageManifestError", "dial tcp: lookup x: no such host",
		  "CannotPullImageManifestError: The task can’t pull the image. Check the "
		  "registry’s "
		  "name and your network configuration. dial tcp: lookup x: no such host" },
		{ "CannotPullImageManifestError", "something else",
		  "CannotPullImageManifestError: something else" },
		{ "CannotCreateContainerError", "x: not found",
		  "CannotCreateContainerError: x: not found" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world *world = world_new();

		world_run(world, "t", "", one());
		world_failed(world, EFFECT_PULL_IMAGE, "t", "app", cases[i].name, cases[i].text);
		assert_string_equal(world_container(world, "t", "app")->reason, cases[i].reason);
		world_free(world);
	}
}

/* A pull that says its digest early is reported early; the end of the pull says it no second time.
 */
static void a_digest_found_during_the_pull_is_reported_at_once(void **state)
{
	struct world *world = world_new();
	struct engine_event event = { .type = EVENT_IMAGE_RESOLVED,
				      .task_id = "t",
				      .container = "app",
				      .attempt = 1,
				      .image = { .digest = "sha256:d" } };

	world_run(world, "t", "", one());
	world_step(world, &event);
	expect_report(world, "t", "PENDING", "app=PENDING");
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_free(world);
}

/* eng-87: once STOPPED is accepted and the wait is over, everything goes, and then the task itself.
 */
static void a_stopped_task_is_cleaned_up_after_the_wait(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_start(world, "t", "app");
	world_exited_with(world, "t", "app", 0);
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms - 1);
	assert_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	world_wait(world, 1);
	assert_null(world_find(world, EFFECT_CLEAN_UP_TASK, "t", NULL));
	world_done(world, EFFECT_REMOVE_CONTAINER, "t", "app");
	assert_null(world_find(world, EFFECT_FORGET_TASK, "t", NULL));
	world_done(world, EFFECT_CLEAN_UP_TASK, "t", NULL);
	assert_non_null(world_find(world, EFFECT_FORGET_TASK, "t", NULL));
	assert_null(engine_task(world->engine, "t"));
	assert_int_equal(engine_task_count(world->engine), 0);
	assert_true(world->wake_ms == ENGINE_NEVER);
	world_free(world);
}

/* eng-83: no clean-up before the control plane knows. */
static void clean_up_waits_until_stopped_is_reported(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_start(world, "t", "app");
	world_exited_with(world, "t", "app", 0);
	world_wait(world, world->config.cleanup_wait_ms * 2);
	assert_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	world_accept_all(world);
	assert_non_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	world_free(world);
}

static void a_removal_that_fails_is_tried_again(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", one());
	world_start(world, "t", "app");
	world_exited_with(world, "t", "app", 0);
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms);
	world_failed(world, EFFECT_REMOVE_CONTAINER, "t", "app", NULL, "busy");
	assert_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	world_wait(world, 1000);
	world_done(world, EFFECT_REMOVE_CONTAINER, "t", "app");
	world_failed(world, EFFECT_CLEAN_UP_TASK, "t", NULL, NULL, "busy");
	assert_non_null(engine_task(world->engine, "t"));
	world_wait(world, 60000);
	world_done(world, EFFECT_CLEAN_UP_TASK, "t", NULL);
	assert_null(engine_task(world->engine, "t"));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_is_reported_pending_running_and_stopped),
		cmocka_unit_test(a_quick_exit_is_reported_running_then_stopped),
		cmocka_unit_test(a_digest_reference_is_not_reported_pending),
		cmocka_unit_test(a_non_essential_exit_is_flushed_while_the_task_runs),
		cmocka_unit_test(an_essential_exit_stops_the_others),
		cmocka_unit_test(an_early_essential_crash_goes_straight_to_stopped),
		cmocka_unit_test(oom_is_the_reason),
		cmocka_unit_test(a_failed_start_stops_the_task_and_is_removed),
		cmocka_unit_test(a_failed_pull_stops_the_container),
		cmocka_unit_test(a_container_without_an_image_is_no_danger),
		cmocka_unit_test(a_tolerated_pull_error_is_told_while_it_runs),
		cmocka_unit_test(a_tolerated_pull_error_is_not_the_reason_of_an_end),
		cmocka_unit_test(a_start_is_saved_before_it_is_made),
		cmocka_unit_test(a_status_is_saved_before_it_is_told),
		cmocka_unit_test(what_can_be_learned_again_is_saved_soon),
		cmocka_unit_test(with_always_a_failed_pull_of_any_container_stops_the_task),
		cmocka_unit_test(with_default_a_failed_pull_of_a_non_essential_container_does_not),
		cmocka_unit_test(a_start_that_timed_out_is_stopped_in_earnest),
		cmocka_unit_test(what_ran_although_its_start_timed_out_has_its_exit_code),
		cmocka_unit_test(an_end_before_its_start_failed_is_not_lost),
		cmocka_unit_test(a_bad_docker_config_fails_before_the_pull),
		cmocka_unit_test(a_long_reason_is_cut_at_1024_bytes),
		cmocka_unit_test(a_cut_reason_ends_between_characters),
		cmocka_unit_test(a_known_registry_refusal_gets_a_hint),
		cmocka_unit_test(a_digest_found_during_the_pull_is_reported_at_once),
		cmocka_unit_test(a_stopped_task_is_cleaned_up_after_the_wait),
		cmocka_unit_test(clean_up_waits_until_stopped_is_reported),
		cmocka_unit_test(a_removal_that_fails_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
