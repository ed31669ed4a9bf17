/* SPDX-License-Identifier: Apache-2.0 */
/* ecs-serviceconnect on the real kernel: three namespaces, where the application calls, where the
 * relay is, and a client from outside. */
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

#define PREVIOUS                                                                                   \
	"{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/x\"}],"       \
	"\"ips\":[{\"address\":\"10.77.0.2/24\",\"gateway\":\"10.77.0.1\",\"interface\":0}],"      \
	"\"dns\":{\"nameservers\":[\"10.0.0.2\"]}}"

#define CONFIG(version, more)                                                                      \
	"{\"cniVersion\":\"" version "\",\"name\":\"sc\",\"type\":\"ecs-serviceconnect\"," more    \
	",\"prevResult\":" PREVIOUS "}"
#define BOTH "\"enableIPv4\":true,\"enableIPv6\":true"

#define INGRESS                                                                                    \
	"\"ingressConfig\":[{\"interceptPort\":8080,\"listenerPort\":15000},{\"interceptPort\":"   \
	"8081,\"listenerPort\":15010},{\"listenerPort\":15020}]"

#define VIP4    "127.255.0.0/16"
#define VIP(v4) "\"vip\":{\"ipv4Cidr\":\"" v4 "\",\"ipv6Cidr\":\"fd00:ec2:f0::/48\"}"

static const char nat[] =
	CONFIG("1.1.0", BOTH "," INGRESS ",\"egressConfig\":{\"listenerPort\":15001,\"redirectIP\":"
			     "null,\"redirectMode\":\"nat\"," VIP(VIP4) "}");
static const char tproxy[] =
	CONFIG("1.0.0", BOTH "," INGRESS ",\"egressConfig\":{\"listenerPort\":15001,"
			     "\"redirectMode\":\"tproxy\"," VIP("10.255.0.0/16") "}");
static const char route[] = CONFIG(
	"0.4.0", BOTH ",\"egressConfig\":{\"redirectIP\":{\"ipv4\":\"10.77.0.1\",\"ipv6\":"
		      "\"fd00:77::1\"},\"redirectMode\":\"tproxy\"," VIP("10.255.0.0/16") "}");

static const char leaving[] =
	CONFIG("1.1.0", BOTH "," INGRESS ",\"runtimeConfig\":{\"leaveToNetns\":true}");

/* 10.77.0.2 and 10.77.0.1. */
static struct task app, relay;

static struct run connect_service(const char *command, const struct task *of, const char *with)
{
	struct run run = run_of(command, of, with);

	run.program = "ecs-serviceconnect";
	run.ifname = "ecs-sc";
	return run;
}

static void add(const struct task *of, const char *with)
{
	json_decref(run_good(connect_service("ADD", of, with)));
	assert_null(run_good(connect_service("CHECK", of, with)));
}

static void del(const struct task *of, const char *with)
{
	assert_null(run_good(connect_service("DEL", of, with)));
}

static int set_up(void **state)
{
	app = task_new("app");
	relay = task_new("relay");
	pair_new(&(struct pair_end){ relay.netns, "eth0", "10.77.0.1/24", "fd00:77::1/64" },
		 &(struct pair_end){ app.netns, "eth0", "10.77.0.2/24", "fd00:77::2/64" });
	return 0;
}

static int tear_down(void **state)
{
	task_free(&app);
	task_free(&relay);
	return 0;
}

static void expect_no_rules(const struct task *of)
{
	char *rules = ruleset_of(of->netns);

	assert_string_equal(rules, "");
	free(rules);
}

/* What is left of routes and rules, by a program of others. */
static void expect_policy(const struct task *of, bool there)
{
	char *const rules[2][8] = {
		{ "sh", "-c",
		  there ? "ip -4 rule | grep -q 'fwmark 0x1.* lookup 100'"
			: "! ip -4 rule | grep -q 'lookup 100'" },
		{ "sh", "-c",
		  there ? "ip -6 rule | grep -q 'fwmark 0x1.* lookup 100'"
			: "! ip -6 rule | grep -q 'lookup 100'" },
	};
	char *const routes[2][8] = {
		{ "sh", "-c",
		  there ? "ip -4 route show table 100 | grep -q 'local default dev lo'"
			: "test -z \"$(ip -4 route show table 100 2>/dev/null)\"" },
		{ "sh", "-c",
		  there ? "ip -6 route show table 100 | grep -q 'local default dev lo'"
			: "test -z \"$(ip -6 route show table 100 2>/dev/null)\"" },
	};

	for (size_t i = 0; i < 2; i++) {
		run_program_in(of->netns, rules[i]);
		run_program_in(of->netns, routes[i]);
	}
}

static bool arrives(int from, const char *to, uint16_t port, int server, uint16_t server_port)
{
	struct passage passage = {
		.from = from, .to = to, .port = port, .server = server, .server_port = server_port
	};

	return pass(&passage);
}

/* What iptables knows of a namespace is emptied: ours are tables of nftables, and stay. */
static void flush_iptables(const struct task *of)
{
	static const char *const programs[] = { "iptables", "ip6tables" };
	static const char *const tables[] = { "filter", "nat", "mangle" };

	for (size_t i = 0; i < 6; i++) {
		char *const flush[] = { (char *)programs[i % 2], "-t", (char *)tables[i / 2], "-F",
					NULL };
		char *const empty[] = { (char *)programs[i % 2], "-t", (char *)tables[i / 2], "-X",
					NULL };

		run_program_in(of->netns, flush);
		run_program_in(of->netns, empty);
	}
}

static void nat_leads_to_the_relay(void)
{
	struct passage passage = { .from = app.netns,
				   .to = "127.255.0.7",
				   .port = 9000,
				   .server = app.netns,
				   .server_port = 15001 };

	assert_true(pass(&passage));
	assert_string_equal(passage.original, "127.255.0.7:9000");
	passage.to = "fd00:ec2:f0::7";
	assert_true(pass(&passage));
	assert_string_equal(passage.original, "[fd00:ec2:f0::7]:9000");
	/* In from outside, by the ports that are intercepted. */
	assert_true(arrives(relay.netns, "10.77.0.2", 8080, app.netns, 15000));
	assert_true(arrives(relay.netns, "10.77.0.2", 8081, app.netns, 15010));
	assert_true(arrives(relay.netns, "fd00:77::2", 8081, app.netns, 15010));
	assert_false(arrives(relay.netns, "10.77.0.2", 8080, app.netns, 8080));
	/* Others, and what is sent to oneself or elsewhere, stay as they are. */
	assert_true(arrives(relay.netns, "10.77.0.2", 8082, app.netns, 8082));
	assert_true(arrives(app.netns, "10.77.0.2", 8080, app.netns, 8080));
	assert_true(arrives(app.netns, "127.0.0.1", 8080, app.netns, 8080));
	assert_true(arrives(app.netns, "10.77.0.1", 9000, relay.netns, 9000));
}

/* The relay sees who calls, and whom: it needs no SO_ORIGINAL_DST. */
static void tproxy_leads_to_the_relay(const char *to)
{
	struct passage passage = { .from = app.netns,
				   .to = to,
				   .port = 9000,
				   .server = relay.netns,
				   .server_port = 15001,
				   .transparent = true };
	char *expected =
		xasprintf(strchr(to, ':') ? "[%s]:%u" : "%s:%u", to, (unsigned)passage.port);

	if (!pass(&passage))
		fail_msg("%s did not come to the relay", to);
	assert_string_equal(passage.local, expected);
	assert_string_equal(passage.peer, passage.client);
	free(expected);
	/* It must be a transparent socket. */
	passage.transparent = false;
	assert_false(pass(&passage));
}

/* net-T49 */
static void every_way_leads_to_the_relay(void **state)
{
	give_route(app.netns, "fd00:ec2:f0::/48", "fd00:77::1");
	assert_false(arrives(app.netns, "127.255.0.7", 9000, app.netns, 15001));
	add(&app, nat);
	nat_leads_to_the_relay();
	flush_iptables(&app);
	nat_leads_to_the_relay();
	del(&app, nat);
	expect_no_rules(&app);
	assert_true(arrives(relay.netns, "10.77.0.2", 8080, app.netns, 8080));
	run_program_in(app.netns,
		       (char *const[]){ "ip", "-6", "route", "del", "fd00:ec2:f0::/48", NULL });

	/* The application's namespace has a route to the relay's, which has the rest. */
	add(&relay, tproxy);
	expect_policy(&relay, true);
	assert_false(arrives(app.netns, "10.255.0.7", 9000, relay.netns, 15001));
	add(&app, route);
	tproxy_leads_to_the_relay("10.255.0.7");
	tproxy_leads_to_the_relay("fd00:ec2:f0::7");
	flush_iptables(&app);
	flush_iptables(&relay);
	tproxy_leads_to_the_relay("10.255.255.254");
	/* What is for the relay's own host is not touched. */
	assert_true(arrives(app.netns, "10.77.0.1", 80, relay.netns, 80));
	assert_true(arrives(app.netns, "10.77.0.1", 8080, relay.netns, 15000));
	del(&app, route);
	del(&relay, tproxy);
	expect_no_rules(&app);
	expect_no_rules(&relay);
	expect_policy(&relay, false);
	assert_false(arrives(app.netns, "10.255.0.7", 9000, relay.netns, 15001));
}

static void deletion_may_be_repeated(void **state)
{
	struct census before = census_of(app.netns), after;
	struct run gone = connect_service("DEL", &app, tproxy);

	assert_null(run_good(gone));
	for (int i = 0; i < 3; i++) {
		const char *config = i == 0 ? nat : i == 1 ? tproxy : route;

		add(&app, config);
		del(&app, config);
		del(&app, config);
		expect_no_rules(&app);
		expect_policy(&app, false);
		after = census_of(app.netns);
		census_assert_equal(&before, &after);
	}
	gone.netns = "/nowhere/netns";
	assert_null(run_good(gone));
	gone.netns = "";
	assert_null(run_good(gone));
	gone.netns = "/etc/hostname";
	assert_null(run_good(gone));
	/* Told that the namespace is dropped, it leaves the rules to it. */
	add(&app, nat);
	del(&app, leaving);
	assert_null(run_good(connect_service("CHECK", &app, nat)));
	assert_null(run_good(connect_service(
		"DEL", &app, "{\"cniVersion\":\"1.0.0\",\"name\":\"sc\",\"type\":\"x\"}")));
	expect_no_rules(&app);
}

static void a_second_add_takes_the_place_of_the_first(void **state)
{
	struct run other = connect_service("ADD", &app, nat);

	add(&app, tproxy);
	add(&app, tproxy);
	expect_policy(&app, true);
	add(&app, nat);
	expect_policy(&app, false);
	other.container_id = "another";
	run_refused(other, 100, "belongs to another attachment");
	other.command = "DEL";
	assert_null(run_good(other));
	assert_null(run_good(connect_service("CHECK", &app, nat)));
	del(&app, nat);
	expect_no_rules(&app);
}

/* What cannot be done whole is not done at all. */
static void a_failed_add_leaves_nothing(void **state)
{
	static const char no_way[] = CONFIG(
		"1.1.0", BOTH
		",\"egressConfig\":{\"redirectIP\":{\"ipv4\":\"10.77.0.1\","
		"\"ipv6\":\"fd00:99::1\"},\"redirectMode\":\"tproxy\"," VIP("10.255.0.0/16") "}");
	struct census before, after;

	/* A route of somebody else to the same addresses, which stays. */
	give_route(app.netns, "10.255.0.0/16", "10.77.0.9");
	before = census_of(app.netns);
	run_refused(connect_service("ADD", &app, route), 100, "add route 10.255.0.0/16");
	after = census_of(app.netns);
	census_assert_equal(&before, &after);
	expect_no_rules(&app);
	run_program_in(app.netns, (char *const[]){ "ip", "route", "del", "10.255.0.0/16", NULL });
	/* The second family fails. */
	before = census_of(app.netns);
	run_refused(connect_service("ADD", &app, no_way), 100, "add route fd00:ec2:f0::/48");
	after = census_of(app.netns);
	census_assert_equal(&before, &after);
	expect_no_rules(&app);
}

static void check_sees_what_was_changed(void **state)
{
	static const char *const changes[] = {
		"nft delete table ip berth-serviceconnect",
		"nft delete table ip6 berth-serviceconnect",
		"nft flush chain ip berth-serviceconnect ingress",
		"nft flush chain ip6 berth-serviceconnect egress",
		"nft delete element ip berth-serviceconnect listeners '{ 8081 : 15010 }'",
		"ip rule del fwmark 1/1",
		"ip -6 route flush table 100",
	};

	run_refused(connect_service("CHECK", &app, tproxy), 100, "is gone");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *const change[] = { "sh", "-c", (char *)changes[i], NULL };

		add(&app, tproxy);
		run_program_in(app.netns, change);
		run_refused(connect_service("CHECK", &app, tproxy), 100, "");
		del(&app, tproxy);
		expect_no_rules(&app);
		expect_policy(&app, false);
	}
	add(&app, route);
	run_program_in(app.netns, (char *const[]){ "ip", "route", "del", "10.255.0.0/16", NULL });
	run_refused(connect_service("CHECK", &app, route), 100, "route to the virtual addresses");
	del(&app, route);
}

static void earlier_results_are_handed_on(void **state)
{
	json_t *expected = json_loads(PREVIOUS, 0, NULL);
	json_t *answer = run_good(connect_service("ADD", &app, nat));

	assert_true(json_equal(answer, expected));
	json_decref(answer);
	json_decref(expected);
	answer = run_good(connect_service("ADD", &app, route));
	assert_string_equal(text_at(answer, "cniVersion"), "0.4.0");
	assert_string_equal(text_at(answer, "ips.0.address"), "10.77.0.2/24");
	json_decref(answer);
	del(&app, route);
}

static void a_killed_add_is_removed(void **state)
{
	for (int64_t after = 0; after < 4000; after += 250) {
		struct run run = connect_service("ADD", &app, tproxy);

		run.kill_after_us = after;
		run_execute(&run);
		run_free(&run);
		del(&app, tproxy);
		expect_no_rules(&app);
	}
	expect_policy(&app, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_way_leads_to_the_relay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deletion_may_be_repeated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_add_takes_the_place_of_the_first, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_failed_add_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_sees_what_was_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(earlier_results_are_handed_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_killed_add_is_removed, set_up, tear_down),
	};
	int result;

	live_enter("ecs-serviceconnect");
	result = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return result;
}
