/* SPDX-License-Identifier: Apache-2.0 */
/* ecs-portmap behind ecs-bridge: from where a published port is reached, and what is left of it. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
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
#include "base/str.h"
#include "live.h"
#include "netns/addr.h"
#include "netns/namespace.h"
#include "netns/nft.h"
#include "netns/portmap_table.h"
#include "netns/sysctl.h"
#include "traffic.h"

static int world;

static const char bridge_config[] =
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"ecs-bridge\",\"bridge\":\"berth0\","
	"\"isDefaultGateway\":true,\"ipMasq\":true,\"hairpinMode\":true,\"ipam\":{\"type\":"
	"\"ecs-ipam\",\"ipv4-subnet\":\"10.88.0.0/22\",\"ipv6-subnet\":\"fd00:10:88::/64\"}}";

/* A container on the bridge, and what its ADD answered. */
struct container {
	struct task task;
	char *result;
	char v4[64], v6[64];
};

static struct run run_program(const char *program, const char *command,
			      const struct container *container, const char *config)
{
	struct run run = run_of(command, &container->task, config);

	run.program = program;
	return run;
}

static struct container container_new(const char *id)
{
	struct container container = { .task = task_new(id) };
	struct run run = run_program("ecs-bridge", "ADD", &container, bridge_config);

	run_execute(&run);
	if (run.status != 0)
		print_message("%s\n", run.out);
	assert_int_equal(run.status, 0);
	snprintf(container.v4, sizeof(container.v4), "%s", text_at(run.answer, "ips.0.address"));
	snprintf(container.v6, sizeof(container.v6), "%s", text_at(run.answer, "ips.1.address"));
	*strchr(container.v4, '/') = '\0';
	*strchr(container.v6, '/') = '\0';
	container.result = xstrdup(run.out);
	run_free(&run);
	return container;
}

static void container_free(struct container *container)
{
	run_good(run_program("ecs-bridge", "DEL", container, bridge_config));
	task_free(&container->task);
	free(container->result);
}

/* The caller frees. */
static char *portmap_config(const struct container *container, const char *mappings,
			    const char *more)
{
	return xasprintf("{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"ecs-portmap\","
			 "\"capabilities\":{\"portMappings\":true},\"runtimeConfig\":{"
			 "\"portMappings\":[%s]},\"prevResult\":%s%s}",
			 mappings, container->result, more);
}

#define PORT(host, container, protocol)                                                            \
	"{\"hostPort\":" #host ",\"containerPort\":" #container ",\"protocol\":\"" #protocol "\"}"
#define PORT_AT(address, host, container, protocol)                                                \
	"{\"hostPort\":" #host ",\"containerPort\":" #container ",\"protocol\":\"" #protocol       \
	"\",\"hostIP\":\"" address "\"}"

static struct run run_portmap(const char *command, const struct container *container,
			      const char *config)
{
	return run_program("ecs-portmap", command, container, config);
}

static void map_ports(const struct container *container, const char *mappings)
{
	char *config = portmap_config(container, mappings, "");

	json_decref(run_good(run_portmap("ADD", container, config)));
	free(config);
}

static void unmap_ports(const struct container *container, const char *mappings)
{
	char *config = portmap_config(container, mappings, "");

	run_good(run_portmap("DEL", container, config));
	free(config);
}

static bool any_owner(void *data, const char *owner)
{
	++*(size_t *)data;
	return true;
}

static size_t elements(void)
{
	struct portmap_list none = { 0 };
	size_t count = 0;

	assert_int_equal(portmap_table_collect(any_owner, &count, &none, NULL), 0);
	portmap_list_free(&none);
	return count;
}

static void set_bridge_filter(bool on)
{
	set_sysctl(-1, "net/bridge/bridge-nf-call-iptables", on ? "1" : "0");
	set_sysctl(-1, "net/bridge/bridge-nf-call-ip6tables", on ? "1" : "0");
}

struct way {
	const char *what;
	int from;
	const char *to;
	const char *seen_as; /* NULL: no matter */
};

static void expect_ways(const struct way *ways, size_t count, int server, bool reached)
{
	static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

	for (size_t i = 0; i < 2 * count; i++) {
		const struct way *way = &ways[i / 2];
		struct talk question = { .protocol = protocols[i % 2],
					 .from = way->from,
					 .to = way->to,
					 .port = 8080,
					 .server = server,
					 .server_port = 80 };
		bool good = talk(&question);

		if (good != reached ||
		    (good && way->seen_as && !str_eq(way->seen_as, question.peer)))
			print_message("%s by %s to %s: %sreached, as %s\n", way->what,
				      i % 2 ? "UDP" : "TCP", way->to, good ? "" : "not ",
				      question.peer);
		assert_int_equal(good, reached);
		if (good && way->seen_as)
			assert_string_equal(question.peer, way->seen_as);
	}
}

/* net-T51 */
static void a_port_is_reached_from_everywhere(void **state)
{
	struct container a = container_new("a"), b = container_new("b");
	const struct way ways[] = {
		{ "from outside", world, "192.168.88.1", "192.168.88.2" },
		{ "from outside", world, "fd00:88::1", "fd00:88::2" },
		{ "from the host", -1, LIVE_HOST_ADDRESS, LIVE_HOST_ADDRESS },
		{ "from the host", -1, "192.168.88.1", NULL },
		{ "from the host", -1, "fd00:88::1", NULL },
		{ "from the host", -1, "127.0.0.1", "10.88.0.1" },
		{ "from the host", -1, "127.9.9.9", "10.88.0.1" },
		{ "from a neighbour", b.task.netns, "192.168.88.1", "10.88.0.1" },
		{ "from a neighbour", b.task.netns, "10.88.0.1", "10.88.0.1" },
		{ "from a neighbour", b.task.netns, "fd00:88::1", "fd00:10:88::1" },
		{ "from itself", a.task.netns, "192.168.88.1", "10.88.0.1" },
		{ "from itself", a.task.netns, "10.88.0.1", "10.88.0.1" },
		{ "from itself", a.task.netns, "fd00:88::1", "fd00:10:88::1" },
	};
	size_t count = sizeof(ways) / sizeof(ways[0]);

	/* 127.0.0.2 and the like are the host's own only with an address. */
	for (int filter = 0; filter < 2; filter++) {
		set_bridge_filter(filter);
		map_ports(&a, PORT(8080, 80, tcp) "," PORT(8080, 80, udp));
		expect_ways(ways, count, a.task.netns, true);
		/* The ports of others stay what they are. */
		assert_true(talks(world, -1, "192.168.88.1", 8081));
		assert_true(talks(a.task.netns, world, "192.168.88.2", 8080));
		unmap_ports(&a, PORT(8080, 80, tcp) "," PORT(8080, 80, udp));
		assert_int_equal(elements(), 0);
		expect_ways(ways, 1, a.task.netns, false);
	}
	container_free(&a);
	container_free(&b);
}

static void a_port_of_one_address_is_reached_by_that_one(void **state)
{
	struct container a = container_new("a");
	const struct way good[] = { { "by its address", world, "192.168.88.1", NULL },
				    { "by its address", -1, "192.168.88.1", NULL } };
	const struct way bad[] = { { "by another", -1, LIVE_HOST_ADDRESS, NULL },
				   { "by another", -1, "127.0.0.1", NULL },
				   { "by another", world, "fd00:88::1", NULL } };
	const struct way local[] = { { "from the host", -1, "127.0.0.1", NULL } };
	const char at[] =
		PORT_AT("192.168.88.1", 8080, 80, tcp) "," PORT_AT("192.168.88.1", 8080, 80, udp);
	const char loopback[] =
		PORT_AT("127.0.0.1", 8080, 80, tcp) "," PORT_AT("127.0.0.1", 8080, 80, udp);
	const char all_v4[] =
		PORT_AT("0.0.0.0", 8080, 80, TCP) "," PORT_AT("0.0.0.0", 8080, 80, UDP);

	map_ports(&a, at);
	expect_ways(good, 2, a.task.netns, true);
	expect_ways(bad, 3, a.task.netns, false);
	unmap_ports(&a, at);
	map_ports(&a, loopback);
	expect_ways(local, 1, a.task.netns, true);
	expect_ways(good, 2, a.task.netns, false);
	unmap_ports(&a, loopback);
	map_ports(&a, all_v4);
	expect_ways(good, 2, a.task.netns, true);
	expect_ways(local, 1, a.task.netns, true);
	expect_ways(&bad[2], 1, a.task.netns, false);
	unmap_ports(&a, all_v4);
	assert_int_equal(elements(), 0);
	container_free(&a);
}

/* Who is on the bridge could otherwise speak to what listens on the host's 127.0.0.1 only. */
static void loopback_is_opened_for_the_host_alone(void **state)
{
	struct container a = container_new("a");
	char *value = NULL;
	int receiver = udp_socket(-1, "127.0.0.1", 4444), sender;

	map_ports(&a, PORT(8080, 80, tcp));
	assert_int_equal(sysctl_get("net/ipv4/conf/berth0/route_localnet", &value, NULL), 0);
	assert_string_equal(value, "1");
	free(value);
	assert_int_equal(sysctl_get("net/ipv4/conf/toworld/route_localnet", &value, NULL), 0);
	assert_string_equal(value, "0");
	free(value);
	/* The container sends to 127.0.0.1 by way of its gateway. */
	set_sysctl(a.task.netns, "net/ipv4/conf/all/route_localnet", "1");
	{
		struct netlink *netlink = NULL;
		struct netlink_batch *batch = netlink_batch_new();
		struct ip_prefix address;

		assert_int_equal(netlink_open_in(a.task.netns, &netlink, NULL), 0);
		link_set_down(batch, 1, "lo");
		ip_prefix_parse("127.0.0.1/8", &address, NULL);
		address_delete(batch, 1, "lo", &address);
		assert_int_equal(netlink_run(netlink, batch, NULL), 0);
		netlink_batch_free(batch);
		netlink_close(netlink);
	}
	sender = udp_socket(a.task.netns, a.v4, 5555);
	assert_false(udp_arrives(sender, "127.0.0.1", 4444, receiver));
	/* That it would have come without the guard. */
	assert_int_equal(nft_run("flush chain ip berth-portmap guard", NULL), 0);
	assert_true(udp_arrives(sender, "127.0.0.1", 4444, receiver));
	assert_int_equal(nft_run("delete table ip berth-portmap", NULL), 0);
	close(sender);
	close(receiver);
	unmap_ports(&a, PORT(8080, 80, tcp));
	container_free(&a);
}

static void a_port_that_is_taken_is_named(void **state)
{
	struct container a = container_new("a"), b = container_new("b");
	char *clash = portmap_config(&b, PORT(7000, 80, tcp) "," PORT(8080, 80, tcp), "");
	char *one = portmap_config(&b, PORT_AT("192.168.88.1", 8080, 80, tcp), "");
	char *all = portmap_config(&a, PORT(9090, 80, tcp), "");
	char *twice = portmap_config(&b, PORT(7000, 80, tcp) "," PORT(7000, 81, tcp), "");
	size_t before;

	map_ports(&a, PORT(8080, 80, tcp));
	before = elements();
	/* All or nothing. */
	run_refused(run_portmap("ADD", &b, clash), 100,
		    "host port 8080/tcp is already mapped to container a");
	run_refused(run_portmap("ADD", &b, twice), 100, "host port 7000/tcp is mapped twice");
	run_refused(run_portmap("ADD", &b, one), 100,
		    "host port 192.168.88.1 8080/tcp is already mapped to container a");
	assert_int_equal(elements(), before);
	/* The other protocol is another port. */
	map_ports(&b, PORT(8080, 80, udp) "," PORT_AT("192.168.88.1", 9090, 80, tcp));
	run_refused(run_portmap("ADD", &a, all), 100,
		    "host port 9090/tcp is already mapped to container b");
	/* A DEL of who was refused takes nothing from who was first. */
	run_good(run_portmap("DEL", &b, clash));
	assert_int_equal(elements(), before);
	unmap_ports(&a, PORT(8080, 80, tcp));
	assert_int_equal(elements(), 0);
	free(clash);
	free(one);
	free(all);
	free(twice);
	container_free(&a);
	container_free(&b);
}

/* Conformance C8, C9, C12, net-T48 */
static void add_and_del_can_be_repeated(void **state)
{
	struct container a = container_new("a");
	char *config = portmap_config(&a, PORT(8080, 80, tcp) "," PORT(8080, 80, udp), "");
	const struct way way = { "from outside", world, "192.168.88.1", NULL };
	const char *bare = "{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"ecs-portmap\"}";
	struct run run;
	json_t *answer, *previous = json_loads(a.result, 0, NULL);

	run_good(run_portmap("DEL", &a, config));
	answer = run_good(run_portmap("ADD", &a, config));
	assert_true(json_equal(answer, previous));
	run_refused(run_portmap("ADD", &a, config), 100, "mapped to this container already");
	expect_ways(&way, 1, a.task.netns, true);
	run_good(run_portmap("DEL", &a, config));
	run_good(run_portmap("DEL", &a, config));
	assert_int_equal(elements(), 0);
	/* Without a namespace, without what ADD was told. */
	json_decref(run_good(run_portmap("ADD", &a, config)));
	run = run_portmap("DEL", &a, bare);
	run.netns = "";
	run_good(run);
	assert_int_equal(elements(), 0);
	json_decref(answer);
	json_decref(previous);
	free(config);
	container_free(&a);
}

static void what_cannot_be_done_is_refused(void **state)
{
	static const struct {
		const char *mappings, *more, *text;
		int code;
	} bad[] = {
		{ "{\"containerPort\":80}", "", "hostPort", 7 },
		{ "{\"hostPort\":0,\"containerPort\":80}", "", "hostPort", 7 },
		{ "{\"hostPort\":8080,\"containerPort\":65536}", "", "containerPort", 7 },
		{ "{\"hostPort\":80.5,\"containerPort\":80}", "", "whole number", 7 },
		{ PORT(80, 80, sctp), "", "\"sctp\" must be \"tcp\" or \"udp\"", 7 },
		{ PORT_AT("localhost", 80, 80, tcp), "", "is not an IP address", 7 },
		{ PORT(80, 80, tcp), ",\"conditionsV4\":[\"-s\",\"10.0.0.0/8\"]", "conditionsV4",
		  2 },
		{ PORT(80, 80, tcp), ",\"prevResult\":null", "prevResult is missing", 7 },
		{ PORT(80, 80, tcp), ",\"prevResult\":{\"cniVersion\":\"1.1.0\"}",
		  "no address to map ports to", 7 },
		{ PORT_AT("fd00::1", 80, 80, tcp),
		  ",\"prevResult\":{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":"
		  "\"10.88.0.9/24\"}]}",
		  "the container has no IPv6 address", 7 },
	};
	struct container a = container_new("a");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *config = portmap_config(&a, bad[i].mappings, bad[i].more);

		run_refused(run_portmap("ADD", &a, config), bad[i].code, bad[i].text);
		run_good(run_portmap("DEL", &a, config));
		free(config);
	}
	assert_int_equal(elements(), 0);
	container_free(&a);
}

static void no_mappings_change_nothing(void **state)
{
	struct container a = container_new("a");
	char *config = portmap_config(&a, "", "");
	json_t *answer = run_good(run_portmap("ADD", &a, config));
	json_t *previous = json_loads(a.result, 0, NULL);

	assert_true(json_equal(answer, previous));
	assert_int_equal(elements(), 0);
	json_decref(answer);
	json_decref(previous);
	free(config);
	container_free(&a);
}

/* net-T52: a flow that goes on finds who has the port now. */
static void a_udp_flow_follows_its_port(void **state)
{
	struct container a = container_new("a"), b = container_new("b");
	int host = udp_socket(-1, "0.0.0.0", 8080), sender = udp_socket(world, "0.0.0.0", 6666);
	int at_a = udp_socket(a.task.netns, "0.0.0.0", 80),
	    at_b = udp_socket(b.task.netns, "0.0.0.0", 80);
	int resolver = udp_socket(world, "0.0.0.0", 8080), asker = udp_socket(-1, "0.0.0.0", 6667);

	assert_true(udp_arrives(sender, "192.168.88.1", 8080, host));
	map_ports(&a, PORT(8080, 80, udp));
	assert_true(udp_arrives(sender, "192.168.88.1", 8080, at_a));
	unmap_ports(&a, PORT(8080, 80, udp));
	assert_true(udp_arrives(sender, "192.168.88.1", 8080, host));
	map_ports(&b, PORT(8080, 80, udp));
	assert_true(udp_arrives(sender, "192.168.88.1", 8080, at_b));
	assert_true(udp_arrives(asker, "192.168.88.2", 8080, resolver));
	unmap_ports(&b, PORT(8080, 80, udp));
	close(host);
	close(sender);
	close(at_a);
	close(at_b);
	close(resolver);
	close(asker);
	container_free(&a);
	container_free(&b);
}

/* Conformance C11 */
static void a_check_sees_what_is_missing(void **state)
{
	static const char *const damages[] = {
		"delete element ip berth-portmap by-port { tcp . 8080 }",
		"delete element ip6 berth-portmap by-port { tcp . 8080 }",
		"delete element ip berth-portmap by-address { 192.168.88.1 . udp . 53 }",
		"flush chain ip berth-portmap ports",
		"flush chain ip6 berth-portmap prerouting",
		"flush chain ip berth-portmap guard",
		"delete table ip berth-portmap",
		"flush ruleset",
		NULL,
	};
	struct container a = container_new("a");
	const char mappings[] = PORT(8080, 80, tcp) "," PORT_AT("192.168.88.1", 53, 53, udp);
	char *config = portmap_config(&a, mappings, "");

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		json_decref(run_good(run_portmap("ADD", &a, config)));
		run_good(run_portmap("CHECK", &a, config));
		if (damages[i])
			assert_int_equal(nft_run(damages[i], NULL), 0);
		else
			set_sysctl(-1, "net/ipv4/conf/berth0/route_localnet", "0");
		run_refused(run_portmap("CHECK", &a, config), 100,
			    damages[i] && strstr(damages[i], "element") ? "not mapped any more"
			    : damages[i]                                ? ""
									: "route_localnet");
		run_good(run_portmap("DEL", &a, config));
		/* The rules come back only with the table. */
		(void)nft_run("delete table ip berth-portmap", NULL);
		(void)nft_run("delete table ip6 berth-portmap", NULL);
	}
	free(config);
	container_free(&a);
}

/* Conformance C17 */
static void collection_removes_what_is_not_listed(void **state)
{
	struct container a = container_new("a"), b = container_new("b"), c = container_new("c");
	char *gc = portmap_config(&a, "",
				  ",\"cni.dev/valid-attachments\":[{\"containerID\":\"a\","
				  "\"ifname\":\"eth0\"}]");
	char *other = portmap_config(&c, PORT(8082, 80, tcp), ",\"name\":\"another\"");
	size_t kept;

	map_ports(&a, PORT(8080, 80, tcp));
	json_decref(run_good(run_portmap("ADD", &c, other)));
	kept = elements();
	map_ports(&b, PORT(8081, 80, tcp) "," PORT_AT("fd00:88::1", 8083, 80, udp));
	run_good(run_portmap("GC", &a, gc));
	assert_int_equal(elements(), kept);
	run_good(run_portmap("GC", &a, gc));
	run_good(run_portmap("STATUS", &a, gc));
	unmap_ports(&a, PORT(8080, 80, tcp));
	run_good(run_portmap("DEL", &c, other));
	assert_int_equal(elements(), 0);
	free(gc);
	free(other);
	container_free(&a);
	container_free(&b);
	container_free(&c);
}

/* Conformance C10, C15: all or nothing, whenever it ends. */
static void whenever_it_is_killed_a_del_cleans_up(void **state)
{
	struct container a = container_new("a");
	char *config = portmap_config(&a, PORT(8080, 80, tcp) "," PORT(8080, 80, udp), "");

	for (int64_t after_us = 0; after_us < 12000; after_us += 300) {
		struct run run = run_portmap("ADD", &a, config);
		size_t count;

		if (after_us % 1200 == 0)
			assert_int_equal(nft_run("flush ruleset", NULL), 0);
		run.kill_after_us = after_us;
		run_execute(&run);
		run_free(&run);
		count = elements();
		/* With the bridge's link, once it is there. */
		assert_true(count == 0 || count == 4);
		run_good(run_portmap("DEL", &a, config));
		assert_int_equal(elements(), 0);
	}
	free(config);
	container_free(&a);
}

/* Conformance C10: what the kernel, or a setting, refuses. */
static void a_failed_add_leaves_nothing(void **state)
{
	struct container a = container_new("a");
	char *config = portmap_config(&a, PORT(8080, 80, udp),
				      ",\"prevResult\":{\"cniVersion\":\"1.1.0\",\"ips\":[{"
				      "\"address\":\"203.0.113.9/24\"}]}");
	char *good = portmap_config(&a, PORT(8080, 80, udp), "");

	run_refused(run_portmap("ADD", &a, config), 100, "203.0.113.9");
	assert_int_equal(elements(), 0);
	/* A table of that name that is not ours. */
	(void)nft_run("delete table ip berth-portmap", NULL);
	assert_int_equal(nft_run("add table ip berth-portmap", NULL), 0);
	run_refused(run_portmap("ADD", &a, good), 100, "add published ports to nftables");
	assert_int_equal(elements(), 0);
	assert_int_equal(nft_run("delete table ip berth-portmap", NULL), 0);
	json_decref(run_good(run_portmap("ADD", &a, good)));
	run_good(run_portmap("DEL", &a, good));
	free(config);
	free(good);
	container_free(&a);
}

enum { WORKERS = 4, EACH = 12 };

struct worker {
	int number;
	struct container containers[EACH];
	int failures;
};

static void *map_many(void *data)
{
	struct worker *worker = data;

	for (int n = 0; n < EACH; n++) {
		char *mapping = xasprintf("{\"hostPort\":%d,\"containerPort\":80}",
					  9000 + worker->number * EACH + n);
		char *config = portmap_config(&worker->containers[n], mapping, "");
		struct run run = run_portmap("ADD", &worker->containers[n], config);

		run_execute(&run);
		if (run.status != 0)
			print_message("%s\n", run.out);
		worker->failures += run.status != 0;
		run_free(&run);
		free(config);
		free(mapping);
	}
	return NULL;
}

/* net-T62, and conformance C16: also the first ones, which make the rules together. */
static void many_at_once_are_all_mapped_and_the_rules_stay_as_many(void **state)
{
	static struct worker workers[WORKERS];
	pthread_t threads[WORKERS];
	char *output = NULL;
	int translations = 0;

	assert_int_equal(nft_run("flush ruleset", NULL), 0);
	for (int i = 0; i < WORKERS; i++) {
		workers[i].number = i;
		for (int n = 0; n < EACH; n++) {
			char id[16];

			snprintf(id, sizeof(id), "m%d-%d", i, n);
			workers[i].containers[n] = container_new(id);
		}
	}
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, map_many, &workers[i]), 0);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].failures, 0);
	}
	assert_int_equal(elements(), 2 * WORKERS * EACH);
	for (int i = 0; i < WORKERS; i++)
		for (int n = 0; n < EACH; n++) {
			struct talk question = { .protocol = IPPROTO_TCP,
						 .from = world,
						 .to = "192.168.88.1",
						 .port = (uint16_t)(9000 + i * EACH + n),
						 .server = workers[i].containers[n].task.netns,
						 .server_port = 80 };

			assert_true(talk(&question));
		}
	assert_int_equal(nft_query("list ruleset", &output, NULL), 0);
	for (const char *p = output; (p = strstr(p, "dnat ip")); p++)
		translations++;
	assert_int_equal(translations, 4);
	free(output);
	for (int i = 0; i < WORKERS; i++)
		for (int n = 0; n < EACH; n++) {
			unmap_ports(&workers[i].containers[n], "");
			container_free(&workers[i].containers[n]);
		}
	assert_int_equal(elements(), 0);
}

static double milliseconds_of(const char *command, const struct container *container,
			      const char *config)
{
	int64_t start_ns = clock_monotonic_ns();
	json_t *answer = run_good(run_portmap(command, container, config));

	json_decref(answer);
	return (double)(clock_monotonic_ns() - start_ns) / 1e6;
}

/* Not a limit, a measurement: it is printed. */
static void its_speed_is_printed(void **state)
{
	struct container a = container_new("a"), crowd = container_new("crowd");
	char *config = portmap_config(&a, PORT(8080, 80, tcp), "");
	struct portmap_entry entries[4000];
	struct portmap_list removed;
	double add_ms[2] = { 0 }, del_ms[2] = { 0 };

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20; i++) {
			add_ms[round] += milliseconds_of("ADD", &a, config) / 20;
			del_ms[round] += milliseconds_of("DEL", &a, config) / 20;
		}
		if (round == 1)
			break;
		for (int i = 0; i < 4000; i++) {
			entries[i] = (struct portmap_entry){ .protocol = IPPROTO_TCP,
							     .host_port = (uint16_t)(20000 + i),
							     .container_port = 80 };
			assert_int_equal(ip_parse(crowd.v4, &entries[i].container, NULL), 0);
		}
		assert_int_equal(portmap_table_add(entries, 4000, "crowd:eth0:net", NULL, NULL), 0);
	}
	print_message("ecs-portmap: ADD %.2f ms, DEL %.2f ms; among 4000 others %.2f, %.2f\n",
		      add_ms[0], del_ms[0], add_ms[1], del_ms[1]);
	assert_int_equal(portmap_table_remove(entries, 4000, "crowd:eth0:net", &removed, NULL), 0);
	assert_int_equal(removed.count, 4000);
	portmap_list_free(&removed);
	assert_int_equal(elements(), 0);
	free(config);
	container_free(&a);
	container_free(&crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_reached_from_everywhere),
		cmocka_unit_test(a_port_of_one_address_is_reached_by_that_one),
		cmocka_unit_test(loopback_is_opened_for_the_host_alone),
		cmocka_unit_test(a_port_that_is_taken_is_named),
		cmocka_unit_test(add_and_del_can_be_repeated),
		cmocka_unit_test(what_cannot_be_done_is_refused),
		cmocka_unit_test(no_mappings_change_nothing),
		cmocka_unit_test(a_udp_flow_follows_its_port),
		cmocka_unit_test(a_check_sees_what_is_missing),
		cmocka_unit_test(collection_removes_what_is_not_listed),
		cmocka_unit_test(whenever_it_is_killed_a_del_cleans_up),
		cmocka_unit_test(a_failed_add_leaves_nothing),
		cmocka_unit_test(many_at_once_are_all_mapped_and_the_rules_stay_as_many),
		cmocka_unit_test(its_speed_is_printed),
	};
	char *path;
	int failed;

	live_enter("ecs-portmap");
	path = xasprintf("%s/world", live_directory());
	world = world_new(path);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	world_free(world, path);
	free(path);
	live_leave();
	return failed;
}
