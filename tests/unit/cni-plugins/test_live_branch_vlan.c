/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net-T70: ecs-branch-eni with real tags of 802.1Q, by the program. It needs a kernel that has such
 * links (8021q), and says so where there are none. It needs nothing but root and the programs
 * beside it: `unit-cni-plugins-live_branch_vlan` may be carried into a virtual machine
 * (BERTH_BINARY_DIR is compiled in).
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
#include "branch_scenes.h"
#include "netns/stacked_link.h"
#include "traffic.h"

static struct branch_scene scene;

/* By making one, on the uplink of the test's host. */
static void need_tags(void)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct stacked_link probe = { .name = "probe", .netns_fd = -1 };
	struct link link;
	int r;

	if (netlink_open(&netlink, NULL) < 0 || link_by_name(netlink, "up0", &link, NULL) < 0)
		exit(1);
	probe.below = link.index;
	r = vlan_create(netlink, &probe, 1, NULL);
	if (r < 0) {
		printf("skipped: not on this kernel: make a link of 802.1Q: %s\n", strerror(-r));
		live_leave();
		exit(77);
	}
	if (link_by_name(netlink, "probe", &link, NULL) == 0)
		link_delete(batch, link.index, link.name);
	(void)netlink_run(netlink, batch, NULL);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

static void a_branch_is_the_tasks_interface(void **state)
{
	branch_scene_shape(&scene);
}

static void the_way_out_by_ipv6_is_a_routers(void **state)
{
	branch_scene_router(&scene);
}

static void without_ipv4_the_gateway_is_given(void **state)
{
	branch_scene_ipv6_only(&scene);
}

static void an_answer_is_of_the_configurations_version(void **state)
{
	branch_scene_versions(&scene);
}

static void a_second_add_is_an_error_and_harms_nothing(void **state)
{
	branch_scene_add_twice(&scene);
}

static void an_attachment_takes_nothing_from_another(void **state)
{
	static const char *const types[] = {
		"", ",\"interfaceType\":\"tap\",\"uid\":\"0\",\"gid\":\"0\"",
		",\"interfaceType\":\"macvtap\""
	};

	for (size_t type = 0; type < 3; type++)
		branch_scene_two_attachments(&scene, types[type],
					     "VLAN 101 of trunk trunk0 is in use already");
}

static void a_del_succeeds_in_any_state(void **state)
{
	branch_scene_del_in_any_state(&scene);
}

static void a_failed_add_leaves_nothing(void **state)
{
	branch_scene_failures(&scene);
}

static void a_check_sees_what_is_missing(void **state)
{
	branch_scene_check(&scene);
}

static void arguments_go_before_the_configuration(void **state)
{
	branch_scene_args(&scene);
}

static void a_tap_is_its_owners(void **state)
{
	branch_scene_tap(&scene, scene.vpc, "wire101");
}

static void a_macvtap_gives_and_takes_the_branchs_frames(void **state)
{
	branch_scene_macvtap(&scene, scene.vpc, "wire101");
}

/* The kernel drops a namespace some time after its last user. */
static void add_when_free(const struct task *task, const char *config)
{
	for (int try = 0;; try++) {
		struct run run = run_of("ADD", task, config);
		int status;

		run.program = "ecs-branch-eni";
		run_execute(&run);
		status = run.status;
		run_free(&run);
		if (status == 0)
			return;
		assert_true(try < 200);
		usleep(20000);
	}
}

/* One tag is one attachment's, and what has another tag is not seen. */
static void a_tag_is_its_own_network(void **state)
{
	struct task task = task_new("tag"), other = task_new("tag-other");
	char *config = branch_config_of("");
	char *elsewhere = branch_config_of(",\"branchVlanID\":\"102\",\"branchMACAddress\":"
					   "\"02:1f:00:a0:b1:c3\"");

	json_decref(branch_good(&scene, "ADD", &task, config, NULL));
	branch_refused(&scene, "ADD", &other, config, NULL, 100,
		       "VLAN 101 of trunk trunk0 is in use already");
	json_decref(branch_good(&scene, "ADD", &other, elsewhere, NULL));
	assert_true(talks(task.netns, scene.vpc, "10.0.1.1", 80));
	assert_false(talks(other.netns, scene.vpc, "10.0.1.1", 80));
	branch_good(&scene, "DEL", &other, elsewhere, NULL);
	/* A namespace takes its branch with it, and the tag is free. */
	task_free(&task);
	add_when_free(&other, config);
	assert_true(talks(other.netns, scene.vpc, "10.0.1.1", 80));
	branch_good(&scene, "DEL", &other, config, NULL);
	task_free(&other);
	free(config);
	free(elsewhere);
}

/* Conformance C15. */
static void whenever_it_is_killed_a_del_cleans_up(void **state)
{
	static const char *const types[] = {
		"", ",\"interfaceType\":\"tap\",\"uid\":\"0\",\"gid\":\"0\"",
		",\"interfaceType\":\"macvtap\""
	};
	struct task task = task_new("killed");
	struct census inside = census_of(task.netns), after;

	for (size_t type = 0; type < 3; type++) {
		char *config = branch_config_of(types[type]);

		for (int64_t us = 0; us < 12000; us += 300) {
			struct run run = run_of("ADD", &task, config);

			run.program = "ecs-branch-eni";
			run.kill_after_us = us;
			run_execute(&run);
			run_free(&run);
			branch_good(&scene, "DEL", &task, config, NULL);
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
		cmocka_unit_test(a_branch_is_the_tasks_interface),
		cmocka_unit_test(the_way_out_by_ipv6_is_a_routers),
		cmocka_unit_test(without_ipv4_the_gateway_is_given),
		cmocka_unit_test(an_answer_is_of_the_configurations_version),
		cmocka_unit_test(a_second_add_is_an_error_and_harms_nothing),
		cmocka_unit_test(an_attachment_takes_nothing_from_another),
		cmocka_unit_test(a_del_succeeds_in_any_state),
		cmocka_unit_test(a_failed_add_leaves_nothing),
		cmocka_unit_test(a_check_sees_what_is_missing),
		cmocka_unit_test(arguments_go_before_the_configuration),
		cmocka_unit_test(a_tap_is_its_owners),
		cmocka_unit_test(a_macvtap_gives_and_takes_the_branchs_frames),
		cmocka_unit_test(a_tag_is_its_own_network),
		cmocka_unit_test(whenever_it_is_killed_a_del_cleans_up),
	};
	int failed;

	live_enter("ecs-branch-eni");
	need_tags();
	branch_scene_begin(&scene, NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	branch_scene_end(&scene);
	live_leave();
	return failed;
}
