/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ecs-branch-eni on any kernel: all but the tag itself, for which other links stand in (see
 * branch_scenes.h). With tags: test_live_branch_vlan.c.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
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

static struct branch_scene scene, pair_scene;

/* Where a tag would be. */
static uint32_t group_of(const struct link *link)
{
	return link->group;
}

static int create_macvlan(struct netlink *netlink, const struct stacked_link *spec,
			  uint16_t vlan_id, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
						  "create macvlan link %s", spec->name);
	struct nlattr *info, *data;
	int r;

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(header, IFLA_GROUP, vlan_id);
	mnl_attr_put_strz(header, IFLA_IFNAME, spec->name);
	mnl_attr_put_u32(header, IFLA_LINK, (uint32_t)spec->below);
	mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)spec->netns_fd);
	mnl_attr_put(header, IFLA_ADDRESS, MAC_SIZE, spec->mac->bytes);
	info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, "macvlan");
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u32(header, IFLA_MACVLAN_MODE, MACVLAN_MODE_VEPA);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	return r;
}

static const struct branch_maker macvlan = { "macvlan", create_macvlan, group_of };

/* The other end of the pair, "far", is what is behind the trunk. */
static int create_pair(struct netlink *netlink, const struct stacked_link *spec, uint16_t vlan_id,
		       struct error *err)
{
	struct veth_spec pair = { .host_name = "far",
				  .peer_name = spec->name,
				  .peer_netns_fd = spec->netns_fd };
	struct netlink_batch *batch;
	struct link far;
	int r;

	(void)vlan_id;
	mac_parse("02:1f:00:a0:b1:01", &pair.host_mac, NULL);
	mac_parse("02:1f:00:a0:b1:02", &pair.peer_mac, NULL);
	if (spec->mac)
		pair.peer_mac = *spec->mac;
	r = veth_create(netlink, &pair, &far, err);
	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_set_up(batch, far.index, far.name);
	r = netlink_run(netlink, batch, err);
	if (r < 0) {
		link_delete(batch, far.index, far.name);
		(void)netlink_run(netlink, batch, NULL);
	}
	netlink_batch_free(batch);
	return r;
}

static const struct branch_maker pair = { "veth", create_pair, group_of };

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
	static const char in_use[] = "VLAN 101 of trunk trunk0 is in use already";

	/* Two links of the stand-in may have one tag, but not one MAC address. */
	branch_scene_two_attachments(&scene, "", "Address already in use");
	branch_scene_two_attachments(
		&pair_scene, ",\"interfaceType\":\"tap\",\"uid\":\"0\",\"gid\":\"0\"", in_use);
	branch_scene_two_attachments(&pair_scene, ",\"interfaceType\":\"macvtap\"", in_use);
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
	branch_scene_tap(&pair_scene, -1, "far");
}

static void a_macvtap_gives_and_takes_the_branchs_frames(void **state)
{
	branch_scene_macvtap(&pair_scene, -1, "far");
}

/* ---- the kernel refuses ---- */

#define MESSAGES_MAX 200 /* of one ADD */

/* One ADD of which the message with this number is refused, and a DEL where it succeeds all the
 * same: some may fail. False: there were fewer messages. */
static bool add_with_refusal(const struct branch_scene *of, const struct task *task,
			     const char *config, int number, bool *ret_failed)
{
	char *log = xasprintf("%s/refused", live_directory()), *text = xasprintf("%d", number);
	json_t *answer;
	bool happened;

	setenv("REFUSE_NETLINK_LOG", log, 1);
	setenv("REFUSE_NETLINK", text, 1);
	answer = branch_any(of, "ADD", task, config);
	unsetenv("REFUSE_NETLINK");
	happened = unlink(log) == 0;
	*ret_failed = !text_at(answer, "interfaces.0.mac");
	if (*ret_failed)
		assert_int_equal(json_integer_value(json_object_get(answer, "code")), 100);
	else
		json_decref(branch_good(of, "DEL", task, config, NULL));
	json_decref(answer);
	free(log);
	free(text);
	return happened;
}

static void refuse_each(const struct branch_scene *of, const char *more)
{
	struct task task = task_new("refuses");
	char *config = branch_config_of(more);
	struct census host, inside, after;
	int number, failures = 0;
	bool happened = true, failed;

	/* The trunk is set up for all of them. */
	json_decref(branch_good(of, "ADD", &task, config, NULL));
	json_decref(branch_good(of, "DEL", &task, config, NULL));
	host = census_of(-1);
	inside = census_of(task.netns);
	for (number = 0; happened && number < MESSAGES_MAX; number++) {
		happened = add_with_refusal(of, &task, config, number, &failed);
		failures += failed;
		after = census_of(-1);
		if (after.links != host.links)
			print_message("message %d of \"%s\"\n", number, more);
		census_assert_equal(&host, &after);
		after = census_of(task.netns);
		if (after.links != inside.links)
			print_message("message %d of \"%s\"\n", number, more);
		census_assert_equal(&inside, &after);
	}
	assert_false(happened);
	assert_true(number > 8 && failures * 3 > number * 2 && failures < number);
	free(config);
	task_free(&task);
}

/* Conformance C10, net-T28, at every message. */
static void whatever_the_kernel_refuses_nothing_is_left(void **state)
{
	refuse_each(&scene, "");
	refuse_each(&pair_scene, ",\"interfaceType\":\"tap\",\"uid\":\"0\",\"gid\":\"0\"");
	refuse_each(&pair_scene, ",\"interfaceType\":\"macvtap\"");
}

/* The program, whatever the kernel has: what it says of itself, and of a kernel without tags. */
static void the_program_speaks_the_protocol(void **state)
{
	struct task task = task_new("program");
	struct census inside = census_of(task.netns), host = census_of(-1), after;
	char *config = branch_config_of(""),
	     *absent = branch_config_of(",\"trunkName\":\"absent0\"");
	struct run run = run_of("ADD", &task, config);
	struct run status = run_of("STATUS", &task, config);

	run.program = status.program = "ecs-branch-eni";
	run_execute(&run);
	if (run.status != 0) {
		assert_int_equal(json_integer_value(json_object_get(run.answer, "code")), 100);
		assert_non_null(strstr(text_at(run.answer, "msg"), "no 802.1Q links"));
		after = census_of(task.netns);
		census_assert_equal(&inside, &after);
		after = census_of(-1);
		census_assert_equal(&host, &after);
	}
	run_free(&run);
	run = run_of("DEL", &task, config);
	run.program = "ecs-branch-eni";
	json_decref(run_good(run));
	run = run_of("ADD", &task, config);
	run.program = "vpc-branch-eni";
	run.netns = "/proc/self/ns/net";
	run_refused(run, 8, "should not be the same");
	run = run_of("VERSION", &task, "");
	run.program = "vpc-branch-eni";
	run_execute(&run);
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(run.out, "\"0.3.0\""));
	run_free(&run);
	json_decref(run_good(status));
	status.config = absent;
	run_refused(status, 50, "find the trunk");
	task_free(&task);
	free(config);
	free(absent);
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
		cmocka_unit_test(whatever_the_kernel_refuses_nothing_is_left),
		cmocka_unit_test(the_program_speaks_the_protocol),
	};
	int failed;

	live_enter("ecs-branch-eni");
	branch_scene_begin(&scene, &macvlan);
	pair_scene = scene;
	pair_scene.stand_in = &pair;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	branch_scene_end(&scene);
	live_leave();
	return failed;
}
