/* SPDX-License-Identifier: Apache-2.0 */
#include "branch_scenes.h"

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
#include "base/str.h"
#include "call.h"
#include "netns/addr.h"
#include "netns/namespace.h"
#include "netns/route.h"
#include "netns/stacked_link.h"
#include "traffic.h"

#define TRUNK "trunk0"
#define MAC   "02:1f:00:a0:b1:c2"

/* ---- the place ---- */

static void run_batch(struct netlink *netlink, struct netlink_batch *batch)
{
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

static void configure_vpc(struct branch_scene *scene)
{
	struct netlink *netlink = open_at(scene->vpc);
	struct netlink_batch *batch = netlink_batch_new();
	struct stacked_link tagged = { .name = "wire101", .netns_fd = -1 };
	struct ip_prefix v4, v6, local;
	struct link link;

	assert_int_equal(link_by_name(netlink, "wire", &link, NULL), 0);
	link_set_no_link_local(batch, link.index, link.name);
	link_set_up(batch, link.index, link.name);
	if (!scene->stand_in) {
		assert_int_equal(netlink_run(netlink, batch, NULL), 0);
		tagged.below = link.index;
		assert_int_equal(vlan_create(netlink, &tagged, 101, NULL), 0);
		assert_int_equal(link_by_name(netlink, tagged.name, &link, NULL), 0);
		/* Its one link-local address is the router's. */
		link_set_no_link_local(batch, link.index, link.name);
		link_set_up(batch, link.index, link.name);
	}
	scene->wire = scene->stand_in ? "wire" : "wire101";
	ip_prefix_parse("10.0.1.1/24", &v4, NULL);
	ip_prefix_parse("fd00:1::1/64", &v6, NULL);
	ip_prefix_parse("fe80::1/64", &local, NULL);
	address_add(batch, link.index, link.name, &v4);
	address_add(batch, link.index, link.name, &v6);
	address_add(batch, link.index, link.name, &local);
	run_batch(netlink, batch);
}

void branch_scene_begin(struct branch_scene *scene, const struct branch_maker *stand_in)
{
	struct netlink *netlink = open_at(-1);
	struct netlink_batch *batch = netlink_batch_new();
	struct veth_spec pair = { .host_name = TRUNK, .peer_name = "wire" };
	char *path = xasprintf("%s/vpc", live_directory());
	struct link trunk;

	*scene = (struct branch_scene){ .stand_in = stand_in };
	assert_int_equal(netns_create(path, NULL, &scene->vpc, NULL), 0);
	free(path);
	pair.peer_netns_fd = scene->vpc;
	mac_parse("02:1f:00:a0:b1:00", &pair.host_mac, NULL);
	mac_parse("02:1f:00:a0:b1:01", &pair.peer_mac, NULL);
	pair.mtu = 9001;
	assert_int_equal(veth_create(netlink, &pair, &trunk, NULL), 0);
	/* It is down: the plugin sets it up. */
	link_set_no_link_local(batch, trunk.index, trunk.name);
	run_batch(netlink, batch);
	configure_vpc(scene);
}

void branch_scene_end(struct branch_scene *scene)
{
	char *path = xasprintf("%s/vpc", live_directory());

	close(scene->vpc);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
	free(path);
}

/* ---- commands ---- */

char *branch_config_of(const char *more)
{
	return xasprintf(
		"{\"cniVersion\":\"1.1.0\",\"name\":\"branch\",\"type\":\"ecs-branch-eni\","
		"\"trunkMACAddress\":\"02:1f:00:a0:b1:00\",\"branchVlanID\":\"101\","
		"\"branchMACAddress\":\"" MAC "\",\"interfaceType\":\"vlan\","
		"\"ipAddresses\":[\"10.0.1.37/24\",\"fd00:1::37/64\"],"
		"\"gatewayIPAddresses\":[\"10.0.1.1\"],\"blockInstanceMetadata\":true%s}",
		more);
}

/* Plugins have no data of their own: whose stand-in it is stands here. */
static const struct branch_maker *maker;

static int add(const struct cni_request *request, struct cni_result *ret, struct cni_error *err)
{
	return branch_add(maker, request, ret, err);
}

static int del(const struct cni_request *request, struct cni_error *err)
{
	return branch_del(maker, request, err);
}

static int check(const struct cni_request *request, struct cni_error *err)
{
	return branch_check(maker, request, err);
}

static const struct cni_plugin stand_in_plugin = {
	.name = "ecs-branch-eni", .wants_netns = true, .add = add, .del = del, .check = check
};

static json_t *execute(const struct branch_scene *scene, const char *command,
		       const struct task *task, const char *config, const char *args,
		       int *ret_status)
{
	struct run run = run_of(command, task, config);
	struct call call = call_good(command);
	const char *ifname = scene->ifname ? scene->ifname : "eth0";

	if (!scene->stand_in) {
		run.program = "ecs-branch-eni";
		run.args = args;
		run.ifname = ifname;
		run_execute(&run);
		free(run.out);
		*ret_status = run.status;
		return run.answer;
	}
	maker = scene->stand_in;
	call.container_id = task->id;
	call.netns = task->path;
	call.config = config;
	call.args = args;
	call.ifname = ifname;
	call_run(&call, &stand_in_plugin);
	free(call.out);
	*ret_status = call.exit_code;
	return call.answer;
}

json_t *branch_any(const struct branch_scene *scene, const char *command, const struct task *task,
		   const char *config)
{
	int status;

	return execute(scene, command, task, config, NULL, &status);
}

json_t *branch_good(const struct branch_scene *scene, const char *command, const struct task *task,
		    const char *config, const char *args)
{
	int status;
	json_t *answer = execute(scene, command, task, config, args, &status);

	if (status != 0)
		print_message("%s: %s\n", command, text_at(answer, "msg"));
	assert_int_equal(status, 0);
	return answer;
}

void branch_refused(const struct branch_scene *scene, const char *command, const struct task *task,
		    const char *config, const char *args, int code, const char *text)
{
	int status;
	json_t *answer = execute(scene, command, task, config, args, &status);

	assert_int_equal(status, 1);
	assert_non_null(answer);
	if (!strstr(text_at(answer, "msg"), text))
		print_message("%s: %s\n", command, text_at(answer, "msg"));
	assert_non_null(strstr(text_at(answer, "msg"), text));
	assert_int_equal(json_integer_value(json_object_get(answer, "code")), code);
	json_decref(answer);
}

/* ---- scenes ---- */

void branch_scene_shape(const struct branch_scene *scene)
{
	struct task task = task_new("branch");
	struct census before, inside = census_of(task.netns), after;
	char *config = branch_config_of("");
	struct netlink *netlink = open_at(task.netns);
	struct link link;
	json_t *answer;

	/* On a host that has a link of the same name, as most have. */
	host_link_new("eth0", scene->vpc);
	before = census_of(-1);
	answer = branch_good(scene, "ADD", &task, config, NULL);
	assert_string_equal(text_at(answer, "interfaces.0.name"), "eth0");
	assert_string_equal(text_at(answer, "interfaces.0.mac"), MAC);
	assert_string_equal(text_at(answer, "interfaces.0.sandbox"), task.path);
	assert_string_equal(text_at(answer, "ips.0.address"), "10.0.1.37/24");
	assert_string_equal(text_at(answer, "ips.0.gateway"), "10.0.1.1");
	assert_string_equal(text_at(answer, "ips.1.address"), "fd00:1::37/64");
	assert_int_equal(link_by_name(netlink, "eth0", &link, NULL), 0);
	netlink_close(netlink);
	assert_true(link.is_up);
	assert_int_equal(link.mtu, 9001);
	assert_true(has_route(task.netns, "0.0.0.0/0", "10.0.1.1"));
	assert_true(has_blackhole(task.netns, "169.254.169.254/32"));
	assert_true(has_blackhole(task.netns, "fd00:ec2::254/128"));
	/* Nothing of it is seen on the host, and the VPC has it. */
	after = census_of(-1);
	census_assert_equal(&before, &after);
	assert_true(talks(task.netns, scene->vpc, "10.0.1.1", 80));
	assert_true(talks(scene->vpc, task.netns, "10.0.1.37", 80));
	assert_true(talks(scene->vpc, task.netns, "fd00:1::37", 80));
	branch_good(scene, "DEL", &task, config, NULL);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	assert_false(talks(scene->vpc, task.netns, "10.0.1.37", 80));
	host_link_delete("eth0");
	json_decref(answer);
	task_free(&task);
	free(config);
}

/* net-T16: an IPv6 address of 64 bits, and no way out by IPv6 but the one that a router says. */
void branch_scene_router(const struct branch_scene *scene)
{
	struct task task = task_new("router");
	char *config = branch_config_of("");

	json_decref(branch_good(scene, "ADD", &task, config, NULL));
	assert_true(has_route(task.netns, "fd00:1::/64", NULL));
	assert_true(has_route(task.netns, "0.0.0.0/0", "10.0.1.1"));
	assert_false(has_route(task.netns, "::/0", "fd00:1::1"));
	assert_false(has_route(task.netns, "::/0", "fe80::1"));
	for (int try = 0; try < 100 && !has_route(task.netns, "::/0", "fe80::1"); try++) {
		advertise_router(scene->vpc, scene->wire);
		usleep(20000);
	}
	assert_true(has_route(task.netns, "::/0", "fe80::1"));
	branch_good(scene, "DEL", &task, config, NULL);
	task_free(&task);
	free(config);
}

/* Its gateway is given, and the address is as long as it is written. */
void branch_scene_ipv6_only(const struct branch_scene *scene)
{
	struct task task = task_new("six");
	char *config = branch_config_of(",\"ipAddresses\":[\"fd00:1::37/80\"],"
					"\"gatewayIPAddresses\":[\"fd00:1::1\"]");
	json_t *answer = branch_good(scene, "ADD", &task, config, NULL);

	assert_string_equal(text_at(answer, "ips.0.address"), "fd00:1::37/80");
	assert_string_equal(text_at(answer, "routes.0.dst"), "::/0");
	assert_true(has_route(task.netns, "::/0", "fd00:1::1"));
	assert_true(has_route(task.netns, "fd00:1::/80", NULL));
	assert_false(has_route(task.netns, "0.0.0.0/0", "10.0.1.1"));
	assert_true(talks(task.netns, scene->vpc, "fd00:1::1", 80));
	branch_good(scene, "DEL", &task, config, NULL);
	json_decref(answer);
	task_free(&task);
	free(config);
}

/* Conformance C6, C12, C14: an answer is of the configuration's version, has what was there before,
 * and keys that nobody knows are no error. */
void branch_scene_versions(const struct branch_scene *scene)
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
		char *config = branch_config_of(more);
		json_t *answer = branch_good(scene, "ADD", &task, config, NULL);

		assert_string_equal(text_at(answer, "cniVersion"), versions[i]);
		assert_string_equal(text_at(answer, "interfaces.0.name"), "br9");
		assert_string_equal(text_at(answer, "interfaces.1.name"), "eth0");
		assert_string_equal(text_at(answer, "ips.0.address"), "10.9.0.1/24");
		assert_string_equal(text_at(answer, "ips.1.address"), "10.0.1.37/24");
		assert_string_equal(text_at(answer, "dns.nameservers.0"), "10.9.0.2");
		assert_int_equal(text_at(answer, "ips.1.version") != NULL, i < 3);
		branch_good(scene, "DEL", &task, config, NULL);
		json_decref(answer);
		free(config);
		free(more);
	}
	task_free(&task);
}

void branch_scene_add_twice(const struct branch_scene *scene)
{
	struct task task = task_new("twice");
	char *config = branch_config_of("");

	json_decref(branch_good(scene, "ADD", &task, config, NULL));
	branch_refused(scene, "ADD", &task, config, NULL, 100, "eth0 exists already");
	assert_true(talks(task.netns, scene->vpc, "10.0.1.1", 80));
	branch_good(scene, "DEL", &task, config, NULL);
	json_decref(branch_good(scene, "ADD", &task, config, NULL));
	assert_true(talks(task.netns, scene->vpc, "10.0.1.1", 80));
	branch_good(scene, "DEL", &task, config, NULL);
	task_free(&task);
	free(config);
}

/* Of two containers in one namespace, which ask for the same: the second one gets nothing, and
 * takes nothing from the first one. */
void branch_scene_two_attachments(const struct branch_scene *scene, const char *more,
				  const char *text)
{
	struct task task = task_new("first"), other = task;
	struct branch_scene elsewhere = *scene;
	char *config = branch_config_of(more);
	struct census inside = census_of(task.netns), after;
	size_t links;

	snprintf(other.id, sizeof(other.id), "second");
	elsewhere.ifname = "eth1";
	json_decref(branch_good(scene, "ADD", &task, config, NULL));
	links = census_of(task.netns).links;
	branch_refused(scene, "ADD", &other, config, NULL, 100, "eth0 exists already");
	branch_refused(&elsewhere, "ADD", &other, config, NULL, 100, text);
	assert_int_equal(census_of(task.netns).links, links);
	assert_true(has_blackhole(task.netns, "169.254.169.254/32"));
	branch_good(scene, "DEL", &other, config, NULL);
	branch_good(&elsewhere, "DEL", &other, config, NULL);
	branch_good(&elsewhere, "DEL", &task, config, NULL);
	assert_int_equal(census_of(task.netns).links, links);
	assert_true(has_blackhole(task.netns, "169.254.169.254/32"));
	branch_good(scene, "DEL", &task, config, NULL);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	task_free(&task);
	free(config);
}

/* Twice, before any ADD, without the trunk, without the namespace, with no configuration to speak
 * of. */
void branch_scene_del_in_any_state(const struct branch_scene *scene)
{
	static const char bare[] = "{\"cniVersion\":\"1.1.0\",\"name\":\"branch\",\"type\":"
				   "\"ecs-branch-eni\",\"branchVlanID\":\"none\"}";
	struct task task = task_new("del"), gone = { .id = "del", .path = "/nowhere" };
	char *config = branch_config_of(""),
	     *absent = branch_config_of(",\"trunkName\":\"absent0\"");
	char *file = xasprintf("%s/file", live_directory());
	struct census inside = census_of(task.netns), after;

	branch_good(scene, "DEL", &task, config, NULL);
	json_decref(branch_good(scene, "ADD", &task, config, NULL));
	branch_good(scene, "DEL", &task, absent, NULL);
	branch_good(scene, "DEL", &task, config, NULL);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	json_decref(branch_good(scene, "ADD", &task, config, NULL));
	branch_good(scene, "DEL", &task, bare, NULL);
	assert_int_equal(census_of(task.netns).links, inside.links);
	branch_good(scene, "DEL", &gone, config, NULL);
	gone.path[0] = '\0';
	branch_good(scene, "DEL", &gone, config, NULL);
	fclose(fopen(file, "we"));
	snprintf(gone.path, sizeof(gone.path), "%s", file);
	branch_good(scene, "DEL", &gone, config, NULL);
	task_free(&task);
	free(config);
	free(absent);
	free(file);
}

/* Conformance C10, and never a success for what failed. */
void branch_scene_failures(const struct branch_scene *scene)
{
	static const struct {
		const char *more;
		int code;
		const char *text;
	} troubles[] = {
		{ ",\"trunkName\":\"absent0\"", 100, "find the trunk" },
		{ ",\"trunkName\":\"a/b\"", 7, "trunkName" },
		{ ",\"trunkMACAddress\":\"02:00:00:00:99:99\"", 100, "find the trunk" },
		{ ",\"trunkMACAddress\":\"\"", 7, "'trunkMACAddress'" },
		{ ",\"gatewayIPAddresses\":[\"10.7.0.1\"]", 100, "add route default via 10.7.0.1" },
		{ ",\"gatewayIPAddresses\":[\"10.0.1.1\",\"10.0.1.2\"]", 7, "second gateway" },
		{ ",\"loopback-addresses\":[\"fd00::9/128\"]", 100, "fd00::9/128 to lo" },
		{ ",\"branchMACAddress\":\"01:00:00:00:00:01\"", 7, "group address" },
		{ ",\"branchMACAddress\":\"02:1f\"", 7, "branchMACAddress" },
		{ ",\"branchVlanID\":\"0\"", 7, "branchVlanID" },
		{ ",\"branchVlanID\":\"4095\"", 7, "branchVlanID" },
		{ ",\"branchVlanID\":101", 7, "branchVlanID" },
		{ ",\"branchVlanID\":\"\"", 7, "'branchVlanID'" },
		{ ",\"ipAddresses\":[]", 7, "'ipAddresses'" },
		{ ",\"ipAddresses\":[\"10.0.1.37\"]", 7, "ipAddresses[0]" },
		{ ",\"interfaceType\":\"ipvlan\"", 7, "interfaceType" },
		{ ",\"interfaceType\":\"tap\"", 7, "'uid'" },
		{ ",\"interfaceType\":\"tap\",\"uid\":\"4294967295\",\"gid\":\"1\"", 7, "uid" },
		{ ",\"interfaceType\":\"tap\",\"uid\":\"1\",\"gid\":\"x\"", 7, "gid" },
	};
	struct task task = task_new("fails");
	struct census host, inside, after;

	/* So that one address cannot be there. */
	set_sysctl(task.netns, "net/ipv6/conf/lo/disable_ipv6", "1");
	host = census_of(-1);
	inside = census_of(task.netns);
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		char *config = branch_config_of(troubles[i].more);

		branch_refused(scene, "ADD", &task, config, NULL, troubles[i].code,
			       troubles[i].text);
		after = census_of(-1);
		census_assert_equal(&host, &after);
		after = census_of(task.netns);
		census_assert_equal(&inside, &after);
		free(config);
	}
	task_free(&task);
}

static void delete_by(int netns, const char *what)
{
	struct netlink *netlink = open_at(netns);
	struct netlink_batch *batch = netlink_batch_new();
	struct ip_prefix address;
	struct route route = { 0 };
	struct link link;

	assert_int_equal(link_by_name(netlink, "eth0", &link, NULL), 0);
	if (str_eq(what, "up")) {
		link_set_down(batch, link.index, link.name);
	} else if (str_eq(what, "link")) {
		link_delete(batch, link.index, link.name);
	} else if (str_eq(what, "default route")) {
		route.destination = ip_default_route(AF_INET);
		route.link_index = link.index;
		route_delete(batch, &route);
	} else if (str_eq(what, "mac")) {
		struct mac_address mac;

		mac_parse("02:00:00:00:00:77", &mac, NULL);
		link_set_mac(batch, link.index, link.name, &mac);
	} else {
		ip_prefix_parse(what, &address, NULL);
		address_delete(batch, link.index, link.name, &address);
	}
	run_batch(netlink, batch);
}

/* The link is all that it should be, but for its tag. */
static void check_another_tag(const struct branch_scene *scene, const struct task *task,
			      const char *config)
{
	char *other = branch_config_of(",\"branchVlanID\":\"102\"");
	json_t *answer = branch_good(scene, "ADD", task, config, NULL);
	char *previous = with_previous(other, answer);

	branch_refused(scene, "CHECK", task, previous, NULL, 100,
		       "link eth0 has VLAN 101, not 102");
	branch_good(scene, "DEL", task, config, NULL);
	json_decref(answer);
	free(previous);
	free(other);
}

/* Conformance C11. */
void branch_scene_check(const struct branch_scene *scene)
{
	static const struct {
		const char *what, *text;
	} damages[] = {
		{ "10.0.1.37/24", "10.0.1.37/24 is not on eth0" },
		{ "fd00:1::37/64", "fd00:1::37/64 is not on eth0" },
		{ "default route", "default route via 10.0.1.1 is gone" },
		{ "up", "is down" },
		{ "mac", "another MAC" },
		{ "link", "find link eth0" },
	};
	struct task task = task_new("check");
	char *config = branch_config_of("");

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		json_t *answer = branch_good(scene, "ADD", &task, config, NULL);
		char *previous = with_previous(config, answer);

		branch_good(scene, "CHECK", &task, previous, NULL);
		delete_by(task.netns, damages[i].what);
		branch_refused(scene, "CHECK", &task, previous, NULL, 100, damages[i].text);
		branch_good(scene, "DEL", &task, previous, NULL);
		json_decref(answer);
		free(previous);
	}
	branch_refused(scene, "CHECK", &task, config, NULL, 7, "prevResult");
	check_another_tag(scene, &task, config);
	task_free(&task);
	free(config);
}

void branch_scene_args(const struct branch_scene *scene)
{
	struct task task = task_new("args");
	char *config = branch_config_of(",\"branchVlanID\":\"7\"");
	json_t *answer;

	branch_refused(scene, "ADD", &task, config, "BranchVlanID", 4, "invalid pair");
	branch_refused(scene, "ADD", &task, config, "BranchVlanID=101=2", 4, "invalid pair");
	answer = branch_good(scene, "ADD", &task, config,
			     "K8S_POD_NAME=x;BranchVlanID=101;BranchMACAddress=02:1f:00:a0:b1:d3;"
			     "IPAddresses=10.0.1.40/24,10.0.1.41/24;GatewayIPAddresses=10.0.1.1");
	assert_string_equal(text_at(answer, "interfaces.0.mac"), "02:1f:00:a0:b1:d3");
	assert_string_equal(text_at(answer, "ips.0.address"), "10.0.1.40/24");
	assert_string_equal(text_at(answer, "ips.1.address"), "10.0.1.41/24");
	assert_true(talks(scene->vpc, task.netns, "10.0.1.41", 80));
	branch_good(scene, "DEL", &task, config, NULL);
	json_decref(answer);
	task_free(&task);
	free(config);
}
