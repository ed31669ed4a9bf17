/* SPDX-License-Identifier: Apache-2.0 */
/* aws-appmesh on the real kernel: what goes through the proxy, what does not, and what is left. */
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
#include "live.h"
#include "netns/namespace.h"
#include "proxy.h"
#include "traffic.h"

#define PROXY_UID 1337
#define PROXY_GID 1338

/* 20 ports, more than the 15 that a rule of iptables takes. */
#define APP_PORTS                                                                                  \
	"\"8001\",\"8002\",\"8003\",\"8004\",\"8005\",\"8006\",\"8007\",\"8008\",\"8009\","        \
	"\"8010\",\"8011\",\"8012\",\"8013\",\"8014\",\"8015\",\"8016\",\"8017\",\"8018\","        \
	"\"8019\",\"8020\""
#define IGNORED_PORTS                                                                              \
	"\"9001\",\"9002\",\"9003\",\"9004\",\"9005\",\"9006\",\"9007\",\"9008\",\"9009\","        \
	"\"9010\",\"9011\",\"9012\",\"9013\",\"9014\",\"9015\",\"9016\",\"9017\""

#define PREVIOUS                                                                                   \
	"{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/x\"}],"       \
	"\"ips\":[{\"address\":\"10.77.0.2/24\",\"gateway\":\"10.77.0.1\",\"interface\":0}],"      \
	"\"dns\":{\"nameservers\":[\"10.0.0.2\"]}}"

#define CONFIG(version, more)                                                                      \
	"{\"cniVersion\":\"" version "\",\"name\":\"mesh\",\"type\":\"aws-appmesh\","              \
	"\"ignoredUID\":\"1337\",\"ignoredGID\":\"1338\",\"proxyIngressPort\":\"15000\","          \
	"\"proxyEgressPort\":\"15001\",\"appPorts\":[" APP_PORTS "],"                              \
	"\"egressIgnoredPorts\":[" IGNORED_PORTS "],\"egressIgnoredIPs\":["                        \
	"\"169.254.170.2\",\"169.254.169.254\",\" 10.9.8.0/24 \",\"fd00:9:8::/64\"]," more "}"

static const char config[] = CONFIG("1.1.0", "\"enableIPv6\":true,\"prevResult\":" PREVIOUS);
static const char config_v4[] = CONFIG("1.1.0", "\"unknown\":[1]");

/* The task, and what is outside of it: 10.77.0.1, and 10.9.8.7 and 10.9.9.9 behind it. */
static struct task task, outside;

static struct run mesh(const char *command, const struct task *of, const char *with)
{
	struct run run = run_of(command, of, with);

	run.program = "aws-appmesh";
	run.ifname = "aws-appmesh";
	return run;
}

static int set_up(void **state)
{
	task = task_new("task");
	outside = task_new("outside");
	pair_new(&(struct pair_end){ outside.netns, "in0", "10.77.0.1/24", "fd00:77::1/64" },
		 &(struct pair_end){ task.netns, "eth0", "10.77.0.2/24", "fd00:77::2/64" });
	give_loopback(outside.netns, "10.9.8.7/32");
	give_loopback(outside.netns, "10.9.9.9/32");
	give_loopback(outside.netns, "169.254.170.2/32");
	give_loopback(outside.netns, "169.254.169.254/32");
	give_loopback(outside.netns, "fd00:9:8::7/128");
	give_loopback(outside.netns, "fd00:9:9::9/128");
	give_route(task.netns, "0.0.0.0/0", "10.77.0.1");
	give_route(task.netns, "::/0", "fd00:77::1");
	return 0;
}

static int tear_down(void **state)
{
	task_free(&task);
	task_free(&outside);
	return 0;
}

static void add(void)
{
	json_decref(run_good(mesh("ADD", &task, config)));
}

static void del(void)
{
	assert_null(run_good(mesh("DEL", &task, config)));
}

static void expect_nothing_left(void)
{
	char *rules = ruleset_of(task.netns);

	assert_string_equal(rules, "");
	free(rules);
}

/* A connection of the task comes to the proxy, which learns where it was meant to go. */
static void expect_proxied(const char *to, uint16_t port, const char *original)
{
	struct passage passage = { .from = task.netns,
				   .to = to,
				   .port = port,
				   .server = task.netns,
				   .server_port = 15001 };

	if (!pass(&passage))
		fail_msg("%s port %u did not come to the proxy", to, port);
	assert_string_equal(passage.original, original);
}

static bool comes_outside(const char *to, uint16_t port, unsigned uid, unsigned gid)
{
	struct passage passage = { .from = task.netns,
				   .uid = uid,
				   .gid = gid,
				   .to = to,
				   .port = port,
				   .server = outside.netns,
				   .server_port = port };

	return pass(&passage);
}

/* net-T46 */
static void egress_goes_through_the_proxy(void **state)
{
	struct passage local = { .from = task.netns,
				 .to = "10.77.0.2",
				 .port = 80,
				 .server = task.netns,
				 .server_port = 80 };

	assert_true(comes_outside("10.9.9.9", 80, 0, 0));
	add();
	expect_proxied("10.9.9.9", 80, "10.9.9.9:80");
	expect_proxied("10.77.0.1", 8001, "10.77.0.1:8001");
	expect_proxied("fd00:9:9::9", 80, "[fd00:9:9::9]:80");
	assert_false(comes_outside("10.9.9.9", 80, 0, 0));
	/* The proxy's own. */
	assert_true(comes_outside("10.9.9.9", 80, PROXY_UID, 0));
	assert_true(comes_outside("10.9.9.9", 80, 0, PROXY_GID));
	assert_true(comes_outside("fd00:9:9::9", 80, PROXY_UID, 0));
	assert_false(comes_outside("10.9.9.9", 80, PROXY_GID, PROXY_UID));
	/* Ports, the first and the 17th; the next one is none. */
	assert_true(comes_outside("10.9.9.9", 9001, 0, 0));
	assert_true(comes_outside("10.9.9.9", 9017, 0, 0));
	assert_true(comes_outside("fd00:9:9::9", 9017, 0, 0));
	expect_proxied("10.9.9.9", 9018, "10.9.9.9:9018");
	/* Addresses and networks. */
	assert_true(comes_outside("169.254.170.2", 80, 0, 0));
	assert_true(comes_outside("169.254.169.254", 80, 0, 0));
	assert_true(comes_outside("10.9.8.7", 80, 0, 0));
	assert_true(comes_outside("fd00:9:8::7", 80, 0, 0));
	/* What is local stays as it is, and is not translated. */
	assert_true(pass(&local));
	assert_string_equal(local.peer, local.client);
	assert_string_equal(local.local, "10.77.0.2:80");
	local.to = "127.0.0.1";
	assert_true(pass(&local));
	assert_string_equal(local.local, "127.0.0.1:80");
	local.to = "fd00:77::2";
	assert_true(pass(&local));
	assert_string_equal(local.local, "[fd00:77::2]:80");
	/* UDP is not concerned. */
	{
		struct talk question = { .protocol = 17,
					 .from = task.netns,
					 .to = "10.77.0.1",
					 .port = 53,
					 .server = outside.netns,
					 .server_port = 53 };

		assert_true(talk(&question));
	}
	del();
	assert_true(comes_outside("10.9.9.9", 80, 0, 0));
}

static bool comes_in(int from, const char *to, uint16_t port, uint16_t server_port)
{
	struct passage passage = { .from = from,
				   .to = to,
				   .port = port,
				   .server = task.netns,
				   .server_port = server_port };

	return pass(&passage);
}

/* net-T47 */
static void ingress_goes_through_the_proxy(void **state)
{
	struct passage passage = { .from = outside.netns,
				   .to = "10.77.0.2",
				   .port = 8020,
				   .server = task.netns,
				   .server_port = 15000 };

	add();
	/* The 20th port, as the first one. */
	assert_true(pass(&passage));
	assert_string_equal(passage.original, "10.77.0.2:8020");
	assert_string_equal(passage.peer, passage.client);
	assert_true(comes_in(outside.netns, "10.77.0.2", 8001, 15000));
	assert_true(comes_in(outside.netns, "fd00:77::2", 8020, 15000));
	assert_false(comes_in(outside.netns, "10.77.0.2", 8020, 8020));
	/* Other ports, and what the task sends to itself. */
	assert_true(comes_in(outside.netns, "10.77.0.2", 8021, 8021));
	assert_true(comes_in(task.netns, "10.77.0.2", 8020, 8020));
	assert_true(comes_in(task.netns, "127.0.0.1", 8020, 8020));
	assert_true(comes_in(task.netns, "fd00:77::2", 8020, 8020));
	assert_false(comes_in(task.netns, "10.77.0.2", 8020, 15000));
	del();
	assert_true(comes_in(outside.netns, "10.77.0.2", 8020, 8020));
}

/* net-T48 */
static void the_rules_are_removed_twice(void **state)
{
	struct run gone = mesh("DEL", &task, config);

	assert_null(run_good(gone));
	add();
	del();
	expect_nothing_left();
	del();
	/* Without the namespace, with none named, with what is no namespace. */
	gone.netns = "/nowhere/netns";
	assert_null(run_good(gone));
	gone.netns = "";
	assert_null(run_good(gone));
	gone.netns = "/etc/hostname";
	assert_null(run_good(gone));
	/* Nor does it need a configuration that can be used. */
	add();
	gone = mesh("DEL", &task, "{\"cniVersion\":\"1.0.0\",\"name\":\"mesh\",\"type\":\"x\"}");
	assert_null(run_good(gone));
	expect_nothing_left();
}

/* As the agent says when it drops the namespace: each removal would wait for the kernel. */
static void what_dies_with_the_namespace_is_left_to_it(void **state)
{
	char *before, *after;

	add();
	before = ruleset_of(task.netns);
	assert_null(run_good(mesh(
		"DEL", &task,
		CONFIG("1.1.0", "\"enableIPv6\":true,\"runtimeConfig\":{\"leaveToNetns\":true}"))));
	after = ruleset_of(task.netns);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void a_second_add_takes_the_place_of_the_first(void **state)
{
	struct run other = mesh("ADD", &task, config);
	char *first, *second;

	add();
	first = ruleset_of(task.netns);
	add();
	second = ruleset_of(task.netns);
	assert_string_equal(first, second);
	/* Without IPv6 its table goes. */
	json_decref(run_good(mesh("ADD", &task, config_v4)));
	free(second);
	second = ruleset_of(task.netns);
	assert_non_null(strstr(second, "table ip berth-appmesh"));
	assert_null(strstr(second, "table ip6 berth-appmesh"));
	/* Another attachment's is left to it. */
	other.container_id = "another";
	run_refused(other, 100, "belongs to another attachment");
	other.command = "DEL";
	assert_null(run_good(other));
	free(first);
	first = ruleset_of(task.netns);
	assert_string_equal(first, second);
	free(first);
	free(second);
	del();
	expect_nothing_left();
	/* So is one of nobody, and what was begun beside it is undone. */
	nft_in(task.netns, "add table ip6 berth-appmesh");
	run_refused(mesh("ADD", &task, config), 100, "File exists");
	first = ruleset_of(task.netns);
	assert_null(strstr(first, "table ip berth-appmesh"));
	free(first);
	nft_in(task.netns, "delete table ip6 berth-appmesh");
}

static void check_sees_what_was_changed(void **state)
{
	static const char *const changes[] = {
		"delete table ip berth-appmesh",
		"delete table ip6 berth-appmesh",
		"flush chain ip berth-appmesh ingress",
		"flush chain ip6 berth-appmesh egress",
		"add rule ip berth-appmesh egress accept",
		"delete element ip berth-appmesh app-ports { 8020 }",
		"add element ip6 berth-appmesh ignored-ports { 1 }",
	};

	run_refused(mesh("CHECK", &task, config), 100, "is gone");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		add();
		assert_null(run_good(mesh("CHECK", &task, config)));
		nft_in(task.netns, changes[i]);
		run_refused(mesh("CHECK", &task, config), 100, "nftables");
		del();
		expect_nothing_left();
	}
}

static void earlier_results_are_handed_on(void **state)
{
	static const char *const versions[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" };
	json_t *expected = json_loads(PREVIOUS, 0, NULL), *answer;

	answer = run_good(mesh("ADD", &task, config));
	assert_true(json_equal(answer, expected));
	json_decref(answer);
	json_decref(expected);
	/* Alone: an empty one, in the configuration's version. */
	for (size_t i = 0; i < 5; i++) {
		char *text = xasprintf("{\"cniVersion\":\"%s\",\"name\":\"mesh\",\"type\":\"x\","
				       "\"ignoredUID\":1337,\"proxyEgressPort\":15001}",
				       versions[i]);

		answer = run_good(mesh("ADD", &task, text));
		assert_string_equal(text_at(answer, "cniVersion"), versions[i]);
		assert_null(json_object_get(answer, "ips"));
		json_decref(answer);
		free(text);
	}
	del();
	expect_nothing_left();
}

static void a_killed_add_is_removed(void **state)
{
	for (int64_t after = 0; after < 4000; after += 250) {
		struct run run = mesh("ADD", &task, config);

		run.kill_after_us = after;
		run_execute(&run);
		run_free(&run);
		del();
		expect_nothing_left();
	}
}

static void the_hosts_own_namespace_is_refused(void **state)
{
	struct run run = mesh("ADD", &task, config);

	run.netns = "/proc/self/ns/net";
	run_refused(run, 8, "");
	run.netns = "/nowhere/netns";
	run_refused(run, 8, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(egress_goes_through_the_proxy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ingress_goes_through_the_proxy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_rules_are_removed_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_dies_with_the_namespace_is_left_to_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_second_add_takes_the_place_of_the_first, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(check_sees_what_was_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(earlier_results_are_handed_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_killed_add_is_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_hosts_own_namespace_is_refused, set_up,
						tear_down),
	};
	int result;

	live_enter("aws-appmesh");
	result = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return result;
}
