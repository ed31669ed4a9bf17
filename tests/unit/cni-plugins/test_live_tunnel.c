/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ecs-tunnel on any kernel: all but geneve itself, for which VXLAN stands in (see tunnel_scenes.h).
 * With geneve: test_live_geneve.c.
 */
#include <arpa/inet.h>
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
#include "base/str.h"
#include "tunnel_scenes.h"

static struct tunnel_scene scene;

static int create_vxlan(struct netlink *netlink, const char *name, int netns_fd, uint32_t mtu,
			const struct geneve_spec *spec, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
						  "create VXLAN link %s", name);
	struct nlattr *info, *data;
	int r;

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	mnl_attr_put_u32(header, IFLA_MTU, mtu);
	info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, "vxlan");
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u32(header, IFLA_VXLAN_ID, spec->vni);
	mnl_attr_put(header, IFLA_VXLAN_GROUP, ip_size(&spec->remote), spec->remote.bytes);
	mnl_attr_put_u16(header, IFLA_VXLAN_PORT, htons(spec->port));
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	return r == -EEXIST ? -EBUSY : r;
}

/* There is one in a namespace. */
static int find_vxlan(struct netlink *netlink, const struct geneve_spec *spec, struct link *ret,
		      struct error *err)
{
	struct link_list list = { 0 };
	int r = link_list(netlink, 0, &list, err);

	(void)spec;
	if (r < 0)
		return r;
	r = -ENODEV;
	for (size_t i = 0; i < list.count; i++)
		if (str_eq(list.items[i].kind, "vxlan")) {
			*ret = list.items[i];
			r = 0;
		}
	link_list_free(&list);
	return r == 0 ? 0 : error_say(err, ENODEV, "no VXLAN link");
}

static const struct task_tunnel_maker vxlan = { "vxlan", create_vxlan, find_vxlan };

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

/* ---- the kernel refuses ---- */

#define MESSAGES_MAX 200 /* of one ADD */

/* One ADD of which the message with this number is refused, and a DEL where it succeeds all the
 * same: some may fail. False: there were fewer messages. */
static bool add_with_refusal(struct tunnel_step step, int number, const struct census *before)
{
	char *log = xasprintf("%s/refused", live_directory()), *text = xasprintf("%d", number);
	struct census after;
	json_t *answer;
	bool happened;

	setenv("REFUSE_NETLINK_LOG", log, 1);
	setenv("REFUSE_NETLINK", text, 1);
	answer = tunnel_any(&scene, step);
	unsetenv("REFUSE_NETLINK");
	happened = unlink(log) == 0;
	if (text_at(answer, "interfaces.0.mac")) {
		step.command = "DEL";
		tunnel_good(&scene, step);
	} else {
		assert_int_equal(json_integer_value(json_object_get(answer, "code")), 100);
		after = census_of(step.task->netns);
		if (after.links != before->links || after.routes != before->routes)
			print_message("message %d: %s\n", number, text_at(answer, "msg"));
		census_assert_equal(before, &after);
	}
	json_decref(answer);
	free(log);
	free(text);
	return happened;
}

#define TAP ",\"interfaceType\":\"tap\",\"uid\":\"0\",\"gid\":\"0\""

/* Conformance C10, at every message. */
static void whatever_the_kernel_refuses_nothing_is_left(void **state)
{
	static const char *const types[] = { "", TAP };
	struct task task = task_new("refuses");
	struct census inside = census_of(task.netns), after;
	int number;

	for (size_t i = 0; i < 2; i++) {
		char *config = tunnel_config_of(types[i]);
		struct tunnel_step step = { .command = "ADD", .task = &task, .config = config };

		for (number = 0; add_with_refusal(step, number, &inside); number++)
			assert_true(number < MESSAGES_MAX);
		assert_true(number >= 8);
		after = census_of(task.netns);
		census_assert_equal(&inside, &after);
		free(config);
	}
	task_free(&task);
}

/* Nor is the tunnel harmed that a tap would have taken. */
static void whatever_the_kernel_refuses_a_tunnel_stays(void **state)
{
	struct task task = task_new("stays");
	char *config = tunnel_config_of(""), *as_tap = tunnel_config_of(TAP);
	struct tunnel_step first = {
		.command = "ADD", .task = &task, .config = config, .ifname = "tunnel0"
	};
	struct tunnel_step tap = { .command = "ADD", .task = &task, .config = as_tap };
	json_t *answer = tunnel_good(&scene, first);
	struct census inside = census_of(task.netns);

	for (int number = 0;; number++) {
		bool happened = add_with_refusal(tap, number, &inside);

		if (!happened) {
			assert_true(number >= 8);
			break;
		}
		assert_true(number < MESSAGES_MAX);
		/* A DEL took it where the tap was made all the same. */
		if (census_of(task.netns).links < inside.links) {
			json_decref(answer);
			answer = tunnel_good(&scene, first);
		}
		assert_true(tunnel_reaches_far(&scene, &task));
	}
	json_decref(answer);
	task_free(&task);
	free(config);
	free(as_tap);
}

/* The program, whatever the kernel has: what it says of itself, and of a kernel without geneve. */
static void the_program_speaks_the_protocol(void **state)
{
	struct task task = task_new("program");
	struct census inside = census_of(task.netns), host = census_of(-1), after;
	char *config = tunnel_config_of(",\"vni\":\"77\"");
	char *nowhere = tunnel_config_of(",\"destinationIPAddress\":\"203.0.113.9\"");
	struct run run = run_of("ADD", &task, config);
	struct run status = run_of("STATUS", &task, config);

	run.program = status.program = "ecs-tunnel";
	run_execute(&run);
	if (run.status != 0) {
		assert_int_equal(json_integer_value(json_object_get(run.answer, "code")), 100);
		assert_non_null(strstr(text_at(run.answer, "msg"), "no geneve links"));
		after = census_of(task.netns);
		census_assert_equal(&inside, &after);
		after = census_of(-1);
		census_assert_equal(&host, &after);
	}
	run_free(&run);
	run = run_of("DEL", &task, config);
	run.program = "ecs-tunnel";
	json_decref(run_good(run));
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	run = run_of("ADD", &task, config);
	run.program = "vpc-tunnel";
	run.netns = "/proc/self/ns/net";
	run_refused(run, 8, "should not be the same");
	run = run_of("VERSION", &task, "");
	run.program = "vpc-tunnel";
	run_execute(&run);
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(run.out, "\"0.3.0\""));
	run_free(&run);
	json_decref(run_good(status));
	status.config = nowhere;
	run_refused(status, 50, "203.0.113.9");
	task_free(&task);
	free(config);
	free(nowhere);
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
		cmocka_unit_test(whatever_the_kernel_refuses_nothing_is_left),
		cmocka_unit_test(whatever_the_kernel_refuses_a_tunnel_stays),
		cmocka_unit_test(the_program_speaks_the_protocol),
	};
	int failed;

	live_enter("ecs-tunnel");
	tunnel_scene_begin(&scene, &vxlan, true);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tunnel_scene_end(&scene);
	live_leave();
	return failed;
}
