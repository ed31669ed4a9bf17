/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net-T71: ecs-tunnel with real geneve links, by the program, between two hosts. It needs a kernel
 * that has such links, and says so where there are none. It needs nothing but root and the programs
 * beside it: `unit-cni-plugins-live_geneve` may be carried into a virtual machine (BERTH_BINARY_DIR
 * is compiled in).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "netns/namespace.h"
#include "traffic.h"
#include "tunnel_scenes.h"

static struct tunnel_scene scene;

/* By making one, in a namespace that goes with it. */
static void need_geneve(void)
{
	struct geneve_spec probe = { .vni = 1, .port = 1 };
	struct task task = task_new("probe");
	struct netlink *netlink = NULL;
	int r;

	if (netlink_open(&netlink, NULL) < 0)
		exit(1);
	ip_parse("192.0.2.1", &probe.remote, NULL);
	r = geneve_create(netlink, "probe", task.netns, 1500, &probe, NULL);
	netlink_close(netlink);
	task_free(&task);
	if (r < 0) {
		printf("skipped: not on this kernel: make a geneve link: %s\n", strerror(-r));
		live_leave();
		exit(77);
	}
}

static void a_tunnel_is_the_tasks_interface(void **state)
{
	tunnel_scene_shape(&scene);
}

static void two_tasks_talk_by_a_tunnel(void **state)
{
	tunnel_scene_both_ends(&scene);
}

static void one_that_is_not_primary_has_no_addresses(void **state)
{
	tunnel_scene_not_primary(&scene);
}

static void an_answer_is_of_the_configurations_version(void **state)
{
	tunnel_scene_versions(&scene);
}

static void a_second_add_is_an_error_and_harms_nothing(void **state)
{
	tunnel_scene_add_twice(&scene);
}

static void an_attachment_takes_nothing_from_another(void **state)
{
	tunnel_scene_two_attachments(&scene, "");
	tunnel_scene_two_attachments(&scene,
				     ",\"interfaceType\":\"tap\",\"uid\":\"0\",\"gid\":\"0\"");
}

static void a_del_succeeds_in_any_state(void **state)
{
	tunnel_scene_del_in_any_state(&scene);
}

static void a_failed_add_leaves_nothing(void **state)
{
	tunnel_scene_failures(&scene);
}

static void a_check_sees_what_is_missing(void **state)
{
	tunnel_scene_check(&scene);
}

static void arguments_go_before_the_configuration(void **state)
{
	tunnel_scene_args(&scene);
}

static void a_tap_is_its_owners(void **state)
{
	tunnel_scene_tap(&scene);
}

static void a_tap_takes_a_tunnel_that_is_there(void **state)
{
	tunnel_scene_tap_takes_the_tunnel(&scene);
}

static struct run run_program(const char *command, const struct task *task, const char *config)
{
	struct run run = run_of(command, task, config);

	run.program = "ecs-tunnel";
	return run;
}

/* Other tunnels between the same hosts, by their number and by their port, are not one's own; and a
 * namespace takes its tunnel with it. */
static void a_tunnel_is_its_own_network(void **state)
{
	static const char *const others[] = { ",\"vni\":\"1a2b3d\"",
					      ",\"destinationPort\":\"6082\"" };
	struct task task = task_new("own");
	char *config = tunnel_config_of("");

	for (size_t i = 0; i < 2; i++) {
		struct task other = task_new("other");
		char *elsewhere = tunnel_config_of(others[i]);

		json_decref(run_good(run_program("ADD", &other, elsewhere)));
		assert_false(tunnel_reaches_far(&scene, &other));
		task_free(&other);
		free(elsewhere);
	}
	json_decref(run_good(run_program("ADD", &task, config)));
	assert_true(tunnel_reaches_far(&scene, &task));
	task_free(&task);
	/* The kernel drops a namespace some time after its last user. */
	task = task_new("again");
	for (int try = 0;; try++) {
		struct run run = run_program("ADD", &task, config);
		int status;

		run_execute(&run);
		status = run.status;
		run_free(&run);
		if (status == 0)
			break;
		assert_true(try < 200);
		usleep(20000);
	}
	assert_true(tunnel_reaches_far(&scene, &task));
	task_free(&task);
	free(config);
}

/* A CHECK sees that a link of the right kind and name is another tunnel. */
static void a_check_knows_the_tunnel(void **state)
{
	struct task task = task_new("check-other");
	char *config = tunnel_config_of(",\"vni\":\"b0b\"");
	json_t *answer = run_good(run_program("ADD", &task, config));
	char *other = tunnel_config_of(",\"vni\":\"b0c\"");
	char *changed = with_previous(other, answer);

	run_refused(run_program("CHECK", &task, changed), 100,
		    "no link is the tunnel b0c to 192.168.88.2, port 6081");
	json_decref(run_good(run_program("DEL", &task, config)));
	json_decref(answer);
	free(other);
	free(changed);
	task_free(&task);
	free(config);
}

/* The outer addresses may be IPv6 ones. */
static void hosts_may_speak_ipv6(void **state)
{
	struct task here = task_new("six-here"), there = task_new("six-there");
	char *at_here = tunnel_config_of(",\"destinationIPAddress\":\"fd00:88::2\",\"vni\":\"6\","
					 "\"ipAddresses\":[\"10.60.0.1/24\"],"
					 "\"gatewayIPAddress\":\"10.60.0.254\"");
	char *at_there = tunnel_config_of(",\"destinationIPAddress\":\"fd00:88::1\",\"vni\":\"6\","
					  "\"ipAddresses\":[\"10.60.0.2/24\"],"
					  "\"gatewayIPAddress\":\"10.60.0.254\"");
	struct tunnel_step first = { .command = "ADD", .task = &here, .config = at_here },
			   second = { .command = "ADD",
				      .task = &there,
				      .config = at_there,
				      .on_far = true };
	json_t *answer = tunnel_good(&scene, first);
	char *previous = with_previous(at_here, answer);

	json_decref(tunnel_good(&scene, second));
	assert_true(talks(here.netns, there.netns, "10.60.0.2", 80));
	json_decref(run_good(run_program("CHECK", &here, previous)));
	first.command = second.command = "DEL";
	tunnel_good(&scene, first);
	tunnel_good(&scene, second);
	json_decref(answer);
	free(previous);
	free(at_here);
	free(at_there);
	task_free(&here);
	task_free(&there);
}

static int64_t add_takes_us(const struct task *task, const char *config)
{
	int64_t began = clock_monotonic_ns() / 1000;

	json_decref(run_good(run_program("ADD", task, config)));
	return clock_monotonic_ns() / 1000 - began;
}

/* Conformance C15. */
static void whenever_it_is_killed_a_del_cleans_up(void **state)
{
	static const char *const types[] = {
		"", ",\"interfaceType\":\"tap\",\"uid\":\"0\",\"gid\":\"0\""
	};
	struct task task = task_new("killed");
	struct census inside = census_of(task.netns), after;

	for (size_t type = 0; type < 2; type++) {
		char *config = tunnel_config_of(types[type]);
		int64_t whole = add_takes_us(&task, config);

		json_decref(run_good(run_program("DEL", &task, config)));
		for (int64_t us = 0; us < whole; us += whole / 30 + 1) {
			struct run run = run_program("ADD", &task, config);

			run.kill_after_us = us;
			run_execute(&run);
			run_free(&run);
			json_decref(run_good(run_program("DEL", &task, config)));
			after = census_of(task.netns);
			census_assert_equal(&inside, &after);
		}
		free(config);
	}
	task_free(&task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_is_the_tasks_interface),
		cmocka_unit_test(two_tasks_talk_by_a_tunnel),
		cmocka_unit_test(one_that_is_not_primary_has_no_addresses),
		cmocka_unit_test(an_answer_is_of_the_configurations_version),
		cmocka_unit_test(a_second_add_is_an_error_and_harms_nothing),
		cmocka_unit_test(an_attachment_takes_nothing_from_another),
		cmocka_unit_test(a_del_succeeds_in_any_state),
		cmocka_unit_test(a_failed_add_leaves_nothing),
		cmocka_unit_test(a_check_sees_what_is_missing),
		cmocka_unit_test(arguments_go_before_the_configuration),
		cmocka_unit_test(a_tap_is_its_owners),
		cmocka_unit_test(a_tap_takes_a_tunnel_that_is_there),
		cmocka_unit_test(a_tunnel_is_its_own_network),
		cmocka_unit_test(a_check_knows_the_tunnel),
		cmocka_unit_test(hosts_may_speak_ipv6),
		cmocka_unit_test(whenever_it_is_killed_a_del_cleans_up),
	};
	int failed;

	live_enter("ecs-tunnel");
	need_geneve();
	tunnel_scene_begin(&scene, &task_tunnel_geneve_maker, false);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tunnel_scene_end(&scene);
	live_leave();
	return failed;
}
