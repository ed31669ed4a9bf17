/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel_scenes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "netns/addr.h"
#include "netns/neigh.h"
#include "netns/route.h"
#include "taps.h"
#include "traffic.h"

#define NAME "gnv1a2b3c6081"

static size_t count_addresses(int netns, const char *name, int family)
{
	struct netlink *netlink = open_at(netns);
	struct address_list list = { 0 };
	struct link link;
	size_t count = 0;

	assert_int_equal(link_by_name(netlink, name, &link, NULL), 0);
	assert_int_equal(address_list(netlink, link.index, &list, NULL), 0);
	for (size_t i = 0; i < list.count; i++)
		count += list.items[i].address.family == family;
	address_list_free(&list);
	netlink_close(netlink);
	return count;
}

static void count_neighbour(void *data, const struct ip_address *address)
{
	size_t *count = data;

	(void)address;
	(*count)++;
}

static size_t count_neighbours(int netns, const char *name)
{
	struct netlink *netlink = open_at(netns);
	struct link link;
	size_t count = 0;

	assert_int_equal(link_by_name(netlink, name, &link, NULL), 0);
	assert_int_equal(neighbour_list(netlink, link.index, count_neighbour, &count, NULL), 0);
	netlink_close(netlink);
	return count;
}

/* ---- geneve ---- */

void tunnel_scene_shape(const struct tunnel_scene *scene)
{
	struct task task = task_new("tunnel");
	struct census before, inside = census_of(task.netns), after;
	char *config = tunnel_config_of("");
	struct tunnel_step step = { .command = "ADD", .task = &task, .config = config };
	char mac[MAC_TEXT_SIZE];
	struct link link;
	json_t *answer;

	/* On a host that has a link of the same name, as most have. */
	host_link_new("eth0", scene->far);
	before = census_of(-1);
	answer = tunnel_good(scene, step);
	link = link_at(task.netns, "eth0");
	assert_string_equal(text_at(answer, "interfaces.0.name"), "eth0");
	assert_string_equal(text_at(answer, "interfaces.0.mac"), mac_format(&link.mac, mac));
	assert_string_equal(text_at(answer, "interfaces.0.sandbox"), task.path);
	assert_string_equal(text_at(answer, "ips.0.address"), "169.254.175.252/31");
	assert_string_equal(text_at(answer, "ips.0.gateway"), "169.254.175.253");
	assert_string_equal(text_at(answer, "routes.0.dst"), "0.0.0.0/0");
	assert_string_equal(link.kind, scene->maker->kind);
	assert_true(link.is_up);
	assert_int_equal(link.mtu, 9001);
	assert_int_equal(link_at(task.netns, NAME).index, link.index);
	assert_true(has_route(task.netns, "0.0.0.0/0", "169.254.175.253"));
	assert_int_equal(count_neighbours(task.netns, "eth0"), 1);
	/* Nothing of it is seen on the host, and the other end has it. */
	after = census_of(-1);
	census_assert_equal(&before, &after);
	assert_true(tunnel_reaches_far(scene, &task));
	assert_true(talks(scene->far, task.netns, "169.254.175.252", 80));
	step.command = "DEL";
	tunnel_good(scene, step);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	assert_false(talks(scene->far, task.netns, "169.254.175.252", 80));
	host_link_delete("eth0");
	json_decref(answer);
	task_free(&task);
	free(config);
}

/* Two tasks on two hosts, both by the plugin, by IPv4 and IPv6. */
void tunnel_scene_both_ends(const struct tunnel_scene *scene)
{
	struct task here = task_new("here"), there = task_new("there");
	char *at_here = tunnel_config_of(",\"vni\":\"abcdef\",\"destinationPort\":\"60000\","
					 "\"ipAddresses\":[\"10.50.0.1/24\",\"fd00:50::1/64\"],"
					 "\"gatewayIPAddress\":\"10.50.0.254\"");
	char *at_there = tunnel_config_of(",\"destinationIPAddress\":\"192.168.88.1\","
					  "\"vni\":\"ABCDEF\",\"destinationPort\":\"60000\","
					  "\"ipAddresses\":[\"10.50.0.2/24\",\"fd00:50::2/64\"],"
					  "\"gatewayIPAddress\":\"10.50.0.254\"");
	struct tunnel_step first = { .command = "ADD", .task = &here, .config = at_here },
			   second = { .command = "ADD",
				      .task = &there,
				      .config = at_there,
				      .on_far = true };

	json_decref(tunnel_good(scene, first));
	json_decref(tunnel_good(scene, second));
	assert_true(talks(here.netns, there.netns, "10.50.0.2", 80));
	assert_true(talks(there.netns, here.netns, "10.50.0.1", 80));
	assert_true(talks(here.netns, there.netns, "fd00:50::2", 80));
	first.command = second.command = "DEL";
	tunnel_good(scene, first);
	assert_false(talks(there.netns, here.netns, "10.50.0.1", 80));
	tunnel_good(scene, second);
	task_free(&here);
	task_free(&there);
	free(at_here);
	free(at_there);
}

/* It is up, and what addresses it has is another's business. */
void tunnel_scene_not_primary(const struct tunnel_scene *scene)
{
	struct task task = task_new("second");
	char *config = tunnel_config_of(",\"primary\":false");
	struct tunnel_step step = { .command = "ADD", .task = &task, .config = config };
	json_t *answer = tunnel_good(scene, step);

	assert_null(text_at(answer, "ips.0.address"));
	assert_null(text_at(answer, "routes.0.dst"));
	assert_true(link_at(task.netns, "eth0").is_up);
	assert_int_equal(count_addresses(task.netns, "eth0", AF_INET), 0);
	assert_false(has_route(task.netns, "0.0.0.0/0", "169.254.175.253"));
	assert_int_equal(count_neighbours(task.netns, "eth0"), 0);
	step.command = "DEL";
	tunnel_good(scene, step);
	json_decref(answer);
	task_free(&task);
	free(config);
}

/* Conformance C6, C12, C14: an answer is of the configuration's version, has what was there before,
 * and keys that nobody knows are no error. */
void tunnel_scene_versions(const struct tunnel_scene *scene)
{
	static const char *const versions[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" };
	struct task task = task_new("versions");

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		char *more =
			xasprintf(",\"cniVersion\":\"%s\",\"unknown\":{\"a\":[1]},\"prevResult\":"
				  "{\"cniVersion\":\"%s\",\"interfaces\":[{\"name\":\"br9\"}],"
				  "\"ips\":[{\"version\":\"4\",\"address\":\"10.9.0.1/24\","
				  "\"interface\":0}],\"dns\":{\"nameservers\":[\"10.9.0.2\"]}}",
				  versions[i], versions[i]);
		char *config = tunnel_config_of(more);
		struct tunnel_step step = { .command = "ADD", .task = &task, .config = config };
		json_t *answer = tunnel_good(scene, step);

		assert_string_equal(text_at(answer, "cniVersion"), versions[i]);
		assert_string_equal(text_at(answer, "interfaces.0.name"), "br9");
		assert_string_equal(text_at(answer, "interfaces.1.name"), "eth0");
		assert_string_equal(text_at(answer, "ips.0.address"), "10.9.0.1/24");
		assert_string_equal(text_at(answer, "ips.1.address"), "169.254.175.252/31");
		assert_string_equal(text_at(answer, "dns.nameservers.0"), "10.9.0.2");
		assert_int_equal(text_at(answer, "ips.1.version") != NULL, i < 3);
		step.command = "DEL";
		tunnel_good(scene, step);
		json_decref(answer);
		free(config);
		free(more);
	}
	task_free(&task);
}

void tunnel_scene_add_twice(const struct tunnel_scene *scene)
{
	struct task task = task_new("twice"), other = task_new("twice-other");
	char *config = tunnel_config_of("");
	struct tunnel_step add = { .command = "ADD", .task = &task, .config = config };
	struct tunnel_step del = { .command = "DEL", .task = &task, .config = config };
	struct tunnel_step again = add;

	json_decref(tunnel_good(scene, add));
	tunnel_refused(scene, add, 100, "eth0 exists already");
	again.ifname = "eth1";
	tunnel_refused(scene, again, 100,
		       "1a2b3c to 192.168.88.2, port 6081, is in the namespace already, as link "
		       "eth0");
	again.task = &other;
	tunnel_refused(scene, again, 100,
		       "the tunnel 1a2b3c to 192.168.88.2, port 6081, is in use already, in "
		       "another namespace");
	assert_true(tunnel_reaches_far(scene, &task));
	tunnel_good(scene, del);
	json_decref(tunnel_good(scene, again));
	assert_true(tunnel_reaches_far(scene, &other));
	again.command = "DEL";
	tunnel_good(scene, again);
	task_free(&task);
	task_free(&other);
	free(config);
}

/* Of two containers in one namespace, which ask for the same: the second one gets nothing, and
 * takes nothing from the first one. */
void tunnel_scene_two_attachments(const struct tunnel_scene *scene, const char *more)
{
	struct task task = task_new("first"), other = task;
	struct census inside = census_of(task.netns), after;
	char *config = tunnel_config_of(more), *previous;
	struct tunnel_step step = { .command = "ADD", .task = &task, .config = config };
	struct tunnel_step second = { .command = "ADD", .task = &other, .config = config };
	json_t *answer = tunnel_good(scene, step);

	snprintf(other.id, sizeof(other.id), "second");
	previous = with_previous(config, answer);
	tunnel_refused(scene, second, 100, "eth0 exists already");
	second.ifname = "eth1";
	tunnel_refused(scene, second, 100, "is in the namespace already");
	step.command = "CHECK";
	step.config = previous;
	tunnel_good(scene, step);
	second.command = "DEL";
	tunnel_good(scene, second);
	second.ifname = NULL;
	tunnel_good(scene, second);
	second.task = &task;
	second.ifname = "eth1";
	tunnel_good(scene, second);
	tunnel_good(scene, step);
	step.command = "DEL";
	tunnel_good(scene, step);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	json_decref(answer);
	task_free(&task);
	free(previous);
	free(config);
}

/* Twice, before any ADD, without the namespace, with no configuration to speak of. */
void tunnel_scene_del_in_any_state(const struct tunnel_scene *scene)
{
	static const char bare[] = "{\"cniVersion\":\"1.1.0\",\"name\":\"tunnel\",\"type\":"
				   "\"ecs-tunnel\",\"vni\":\"none\"}";
	struct task task = task_new("del"), gone = { .id = "del", .path = "/nowhere" };
	char *config = tunnel_config_of("");
	char *file = xasprintf("%s/file", live_directory());
	struct census inside = census_of(task.netns), after;
	struct tunnel_step add = { .command = "ADD", .task = &task, .config = config };
	struct tunnel_step del = { .command = "DEL", .task = &task, .config = config };

	tunnel_good(scene, del);
	json_decref(tunnel_good(scene, add));
	tunnel_good(scene, del);
	tunnel_good(scene, del);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	json_decref(tunnel_good(scene, add));
	del.config = bare;
	tunnel_good(scene, del);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	del.config = config;
	del.task = &gone;
	tunnel_good(scene, del);
	gone.path[0] = '\0';
	tunnel_good(scene, del);
	fclose(fopen(file, "we"));
	snprintf(gone.path, sizeof(gone.path), "%s", file);
	tunnel_good(scene, del);
	task_free(&task);
	free(config);
	free(file);
}

/* Conformance C10, and never a success for what failed. (What the configuration alone is refused
 * for: test_tunnel_config.c.) */
void tunnel_scene_failures(const struct tunnel_scene *scene)
{
	static const struct {
		const char *more, *ifname;
		int code;
		const char *text;
	} troubles[] = {
		{ ",\"gatewayIPAddress\":\"10.7.0.1\"", NULL, 100,
		  "add route default via 10.7.0.1" },
		{ ",\"ipAddresses\":[\"169.254.175.252/31\",\"fd00::9/64\"]", NULL, 100,
		  "fd00::9/64 to eth0" },
		{ ",\"vni\":\"1000000\"", NULL, 7, "vni" },
		/* The host has the port. */
		{ ",\"destinationPort\":\"9977\"", NULL, 100, "eth0" },
		/* The bridge has the name. */
		{ ",\"interfaceType\":\"tap\",\"uid\":\"0\",\"gid\":\"0\"", "gnvbr1a2b3c17c1", 100,
		  "create tap gnvbr1a2b3c17c1" },
	};
	struct task task = task_new("fails");
	int taken = udp_socket(-1, "0.0.0.0", 9977);
	struct census host, inside, after;

	/* So that one address cannot be there. */
	set_sysctl(task.netns, "net/ipv6/conf/default/disable_ipv6", "1");
	host = census_of(-1);
	inside = census_of(task.netns);
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		char *config = tunnel_config_of(troubles[i].more);

		tunnel_refused(scene,
			       (struct tunnel_step){ .command = "ADD",
						     .task = &task,
						     .config = config,
						     .ifname = troubles[i].ifname },
			       troubles[i].code, troubles[i].text);
		after = census_of(-1);
		census_assert_equal(&host, &after);
		after = census_of(task.netns);
		census_assert_equal(&inside, &after);
		free(config);
	}
	close(taken);
	task_free(&task);
}

/* ---- CHECK ---- */

static void damage(int netns, const char *what)
{
	struct netlink *netlink = open_at(netns);
	struct netlink_batch *batch = netlink_batch_new();
	struct link link = link_at(netns, "eth0");
	struct route route = { .destination = ip_default_route(AF_INET), .link_index = link.index };
	struct ip_prefix address;
	struct ip_address gateway;
	struct mac_address mac;

	if (str_eq(what, "up")) {
		link_set_down(batch, link.index, link.name);
	} else if (str_eq(what, "link")) {
		link_delete(batch, link.index, link.name);
	} else if (str_eq(what, "mtu")) {
		link_set_mtu(batch, link.index, link.name, 1400);
	} else if (str_eq(what, "default route")) {
		route_delete(batch, &route);
	} else if (str_eq(what, "neighbour")) {
		ip_parse("169.254.175.253", &gateway, NULL);
		neighbour_delete(batch, link.index, link.name, &gateway);
	} else if (str_eq(what, "mac")) {
		mac_parse("02:00:00:00:00:77", &mac, NULL);
		link_set_mac(batch, link.index, link.name, &mac);
	} else {
		ip_prefix_parse(what, &address, NULL);
		address_delete(batch, link.index, link.name, &address);
	}
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

/* Conformance C11. */
void tunnel_scene_check(const struct tunnel_scene *scene)
{
	static const struct {
		const char *what, *text;
	} damages[] = {
		{ "169.254.175.252/31", "169.254.175.252/31 is not on eth0" },
		{ "default route", "default route via 169.254.175.253 is gone" },
		{ "neighbour", "the neighbour 169.254.175.253 of link eth0 is gone" },
		{ "up", "is down" },
		{ "mac", "another MAC" },
		{ "mtu", "MTU 1400" },
		{ "link", "find link eth0" },
	};
	struct task task = task_new("check");
	char *config = tunnel_config_of("");
	struct tunnel_step step = { .task = &task };

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		json_t *answer;
		char *previous;

		step.command = "ADD";
		step.config = config;
		answer = tunnel_good(scene, step);
		previous = with_previous(config, answer);
		step.config = previous;
		step.command = "CHECK";
		tunnel_good(scene, step);
		damage(task.netns, damages[i].what);
		tunnel_refused(scene, step, 100, damages[i].text);
		step.command = "DEL";
		tunnel_good(scene, step);
		json_decref(answer);
		free(previous);
	}
	step.command = "CHECK";
	step.config = config;
	tunnel_refused(scene, step, 7, "prevResult");
	task_free(&task);
	free(config);
}

void tunnel_scene_args(const struct tunnel_scene *scene)
{
	struct task task = task_new("args");
	char *config =
		tunnel_config_of(",\"vni\":\"7\",\"destinationPort\":\"1\",\"primary\":false");
	struct tunnel_step step = { .command = "ADD",
				    .task = &task,
				    .config = config,
				    .args = "K8S_POD_NAME=x;VNI=1a2b3c;DestinationPort=6081;"
					    "Primary=true;DestinationIPAddress=192.168.88.2;"
					    "IPAddresses=10.99.0.7/24,10.99.0.8/24;"
					    "GatewayIPAddress=10.99.0.254" };
	json_t *answer = tunnel_good(scene, step);

	assert_string_equal(text_at(answer, "ips.0.address"), "10.99.0.7/24");
	assert_string_equal(text_at(answer, "ips.1.address"), "10.99.0.8/24");
	assert_true(has_route(task.netns, "0.0.0.0/0", "10.99.0.254"));
	assert_true(tunnel_reaches_far(scene, &task));
	assert_true(talks(scene->far, task.netns, "10.99.0.8", 80));
	step.command = "DEL";
	tunnel_good(scene, step);
	json_decref(answer);
	task_free(&task);
	free(config);
}

/* ---- tap ---- */

#define TAP ",\"interfaceType\":\"tap\",\"uid\":\"12345\",\"gid\":\"12346\""

/* With the longest names that there are. */
void tunnel_scene_tap(const struct tunnel_scene *scene)
{
	struct task task = task_new("tap");
	struct census inside = census_of(task.netns), after;
	char *config = tunnel_config_of(TAP ",\"vni\":\"ffffff\",\"destinationPort\":\"65535\"");
	struct tunnel_step step = { .command = "ADD", .task = &task, .config = config };
	struct link tap, tunnel, bridge;
	json_t *answer;
	int far, fd;

	tunnel_far_end(scene, "wiretap", 0xffffff, 65535);
	answer = tunnel_good(scene, step);
	tap = link_at(task.netns, "eth0");
	tunnel = link_at(task.netns, "gnvffffff65535");
	bridge = link_at(task.netns, "gnvbrffffffffff");
	assert_string_equal(text_at(answer, "interfaces.0.name"), "eth0");
	assert_null(text_at(answer, "ips.0.address"));
	assert_string_equal(tap.kind, "tun");
	assert_string_equal(tunnel.kind, scene->maker->kind);
	assert_int_equal(tap.mtu, 9001);
	assert_int_equal(tunnel.mtu, 9001);
	assert_int_equal(bridge.mtu, 9001);
	assert_int_equal(tap.master_index, bridge.index);
	assert_int_equal(tunnel.master_index, bridge.index);
	/* The MAC of the answer is for whoever has the tap open: no link has it any more. */
	assert_true(mac_equal(&tunnel.mac, &bridge.mac));
	assert_int_equal(tap_open(task.netns, 12346, 12346, &fd), -EPERM);
	assert_int_equal(tap_open(task.netns, 12345, 12346, &fd), 0);
	far = packet_socket_at(scene->far, "wiretap");
	tap_exchange(fd, far, text_at(answer, "interfaces.0.mac"));
	close(far);
	close(fd);
	tunnel_refused(scene, step, 100, "eth0 exists already");
	step.ifname = "eth1";
	tunnel_refused(scene, step, 100, "as link gnvffffff65535 of a bridge");
	step.ifname = NULL;
	step.command = "DEL";
	tunnel_good(scene, step);
	tunnel_good(scene, step);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	json_decref(answer);
	task_free(&task);
	free(config);
}

/* A tunnel that is there already, with its addresses, becomes a virtual machine's; one DEL takes it
 * all. Where that fails the tunnel is as it was. */
void tunnel_scene_tap_takes_the_tunnel(const struct tunnel_scene *scene)
{
	struct task task = task_new("takes");
	struct census inside = census_of(task.netns), after;
	char *config = tunnel_config_of(""), *as_tap = tunnel_config_of(TAP);
	struct tunnel_step step = {
		.command = "ADD", .task = &task, .config = config, .ifname = NAME
	};
	json_t *first = tunnel_good(scene, step), *second;
	int far, fd;

	assert_string_equal(text_at(first, "interfaces.0.name"), NAME);
	step.config = as_tap;
	step.ifname = "gnvbr1a2b3c17c1";
	tunnel_refused(scene, step, 100, "create tap gnvbr1a2b3c17c1");
	assert_false(has_link(task.netns, "gnvbr1a2b3c17c1"));
	assert_string_equal(link_at(task.netns, NAME).alias, "ecs:takes:" NAME ":tunnel");
	assert_true(tunnel_reaches_far(scene, &task));
	step.ifname = NULL;
	second = tunnel_good(scene, step);
	assert_string_equal(text_at(second, "interfaces.0.mac"),
			    text_at(first, "interfaces.0.mac"));
	assert_int_equal(count_addresses(task.netns, NAME, AF_INET), 0);
	assert_false(has_route(task.netns, "0.0.0.0/0", "169.254.175.253"));
	assert_int_equal(count_neighbours(task.netns, NAME), 0);
	assert_int_equal(tap_open(task.netns, 12345, 12346, &fd), 0);
	far = packet_socket_at(scene->far, "wire");
	/* It is the tap's from now on. */
	step.command = "DEL";
	step.config = config;
	step.ifname = NAME;
	tunnel_good(scene, step);
	tap_exchange(fd, far, text_at(second, "interfaces.0.mac"));
	close(far);
	close(fd);
	step.config = as_tap;
	step.ifname = NULL;
	tunnel_good(scene, step);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	json_decref(first);
	json_decref(second);
	task_free(&task);
	free(config);
	free(as_tap);
}
