/* SPDX-License-Identifier: Apache-2.0 */
/* Two hosts and what is run on them. */
#include "tunnel_scenes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "call.h"
#include "netns/addr.h"
#include "netns/namespace.h"
#include "netns/neigh.h"
#include "traffic.h"

void tunnel_far_end(const struct tunnel_scene *scene, const char *name, uint32_t vni, uint16_t port)
{
	struct geneve_spec spec = { .vni = vni, .port = port };
	struct netlink_batch *batch = netlink_batch_new();
	struct netlink *netlink = NULL;
	struct link link;

	ip_parse("192.168.88.1", &spec.remote, NULL);
	assert_int_equal(netlink_open_in(scene->far, &netlink, NULL), 0);
	assert_int_equal(scene->maker->create(netlink, name, scene->far, 9001, &spec, NULL), 0);
	assert_int_equal(link_by_name(netlink, name, &link, NULL), 0);
	link_set_no_link_local(batch, link.index, name);
	link_set_mac(batch, link.index, name, &task_tunnel_gateway_mac);
	link_set_up(batch, link.index, name);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

static void give_wire_addresses(const struct tunnel_scene *scene)
{
	static const char *const texts[] = { "10.99.0.1/24", "169.254.175.253/31",
					     "fd00:99::1/64" };
	struct netlink_batch *batch = netlink_batch_new();
	struct netlink *netlink = NULL;
	struct ip_prefix address;
	struct link link;

	assert_int_equal(netlink_open_in(scene->far, &netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, "wire", &link, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		ip_prefix_parse(texts[i], &address, NULL);
		address_add(batch, link.index, link.name, &address);
	}
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

void tunnel_scene_begin(struct tunnel_scene *scene, const struct task_tunnel_maker *maker,
			bool stand_in)
{
	char *path = xasprintf("%s/far", live_directory());

	*scene = (struct tunnel_scene){ .maker = maker, .stand_in = stand_in };
	scene->far = world_new(path);
	free(path);
	tunnel_far_end(scene, "wire", 0x1a2b3c, 6081);
	give_wire_addresses(scene);
}

void tunnel_scene_end(struct tunnel_scene *scene)
{
	char *path = xasprintf("%s/far", live_directory());

	world_free(scene->far, path);
	free(path);
}

bool tunnel_reaches_far(const struct tunnel_scene *scene, const struct task *task)
{
	static const char *const known[] = { "169.254.175.252", "10.99.0.7", "10.99.0.8" };
	struct netlink_batch *batch = netlink_batch_new();
	struct netlink *netlink = NULL;
	struct ip_address address;
	struct link link;

	assert_int_equal(netlink_open_in(scene->far, &netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, "wire", &link, NULL), 0);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		ip_parse(known[i], &address, NULL);
		neighbour_delete(batch, link.index, link.name, &address);
	}
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
	return talks(task->netns, scene->far, "10.99.0.1", 80);
}

char *tunnel_config_of(const char *more)
{
	return xasprintf(
		"{\"cniVersion\":\"1.1.0\",\"name\":\"tunnel\",\"type\":\"ecs-tunnel\","
		"\"destinationIPAddress\":\"192.168.88.2\",\"vni\":\"1a2b3c\","
		"\"destinationPort\":\"6081\",\"interfaceType\":\"geneve\",\"primary\":true,"
		"\"ipAddresses\":[\"169.254.175.252/31\"],"
		"\"gatewayIPAddress\":\"169.254.175.253\"%s}",
		more);
}

/* Plugins have no data of their own: whose stand-in it is stands here. */
static const struct task_tunnel_maker *maker;

static int add(const struct cni_request *request, struct cni_result *ret, struct cni_error *err)
{
	return task_tunnel_add(maker, request, ret, err);
}

static int del(const struct cni_request *request, struct cni_error *err)
{
	return task_tunnel_del(maker, request, err);
}

static int check(const struct cni_request *request, struct cni_error *err)
{
	return task_tunnel_check(maker, request, err);
}

static const struct cni_plugin stand_in_plugin = {
	.name = "ecs-tunnel", .wants_netns = true, .add = add, .del = del, .check = check
};

struct execution {
	const struct tunnel_scene *scene;
	const struct tunnel_step *step;
	int status;
	json_t *answer;
};

static int execute_here(void *data, struct error *err)
{
	struct execution *execution = data;
	const struct tunnel_step *step = execution->step;
	struct run run = run_of(step->command, step->task, step->config);
	struct call call = call_good(step->command);

	(void)err;
	if (!execution->scene->stand_in) {
		run.program = "ecs-tunnel";
		run.args = step->args;
		run.ifname = step->ifname ? step->ifname : "eth0";
		run_execute(&run);
		free(run.out);
		execution->status = run.status;
		execution->answer = run.answer;
		return 0;
	}
	maker = execution->scene->maker;
	call.container_id = step->task->id;
	call.netns = step->task->path;
	call.config = step->config;
	call.args = step->args;
	call.ifname = step->ifname ? step->ifname : "eth0";
	call_run(&call, &stand_in_plugin);
	free(call.out);
	execution->status = call.exit_code;
	execution->answer = call.answer;
	return 0;
}

static struct execution execute(const struct tunnel_scene *scene, const struct tunnel_step *step)
{
	struct execution execution = { .scene = scene, .step = step };

	if (step->on_far)
		assert_int_equal(netns_run(scene->far, execute_here, &execution, NULL), 0);
	else
		execute_here(&execution, NULL);
	return execution;
}

json_t *tunnel_any(const struct tunnel_scene *scene, struct tunnel_step step)
{
	return execute(scene, &step).answer;
}

json_t *tunnel_good(const struct tunnel_scene *scene, struct tunnel_step step)
{
	struct execution done = execute(scene, &step);

	if (done.status != 0)
		print_message("%s: %s\n", step.command, text_at(done.answer, "msg"));
	assert_int_equal(done.status, 0);
	return done.answer;
}

void tunnel_refused(const struct tunnel_scene *scene, struct tunnel_step step, int code,
		    const char *text)
{
	struct execution done = execute(scene, &step);

	assert_int_equal(done.status, 1);
	assert_non_null(done.answer);
	if (!strstr(text_at(done.answer, "msg"), text))
		print_message("%s: %s\n", step.command, text_at(done.answer, "msg"));
	assert_non_null(strstr(text_at(done.answer, "msg"), text));
	assert_int_equal(json_integer_value(json_object_get(done.answer, "code")), code);
	json_decref(done.answer);
}
