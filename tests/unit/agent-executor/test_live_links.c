/* SPDX-License-Identifier: Apache-2.0 */
/* In network namespaces of its own; skipped where there are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/executor/live.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "netns/link.h"

struct fixture {
	struct loop *loop;
	struct netlink *host;
	int task_netns;
	struct executor executor;
	struct task_state runs, ends; /* known to the engine */
	struct task_state bridge;     /* with containers that have networks of their own */
	struct container_state containers[2];
};

static const struct task_state *find_task(void *data, const char *task_id)
{
	struct fixture *fixture = data;

	return strcmp(task_id, "runs") == 0      ? &fixture->runs
	       : strcmp(task_id, "ends") == 0    ? &fixture->ends
	       : strcmp(task_id, "bri-dge") == 0 ? &fixture->bridge
						 : NULL;
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	*state = fixture;
	if (unshare(CLONE_NEWNET) < 0) {
		printf(geteuid() == 0 ? "skipped: not on this kernel: make a network namespace\n"
				      : "skipped: it needs root\n");
		exit(77);
	}
	fixture->task_netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	/* Before the pool has threads: they are in the host's namespace, too. */
	if (unshare(CLONE_NEWNET) < 0 || loop_new(&fixture->loop, NULL) < 0 ||
	    netlink_open(&fixture->host, NULL) < 0)
		return -1;
	fixture->runs.network.status = NETWORK_READY;
	fixture->ends.network.status = NETWORK_GONE;
	fixture->executor.config.loop = fixture->loop;
	fixture->bridge.containers = fixture->containers;
	fixture->bridge.container_count = 2;
	fixture->containers[0].runtime_id = (char *)"bri-dge-runs-1";
	fixture->containers[0].connection.status = NETWORK_READY;
	fixture->containers[1].runtime_id = (char *)"bri-dge-ends-1";
	fixture->containers[1].connection.status = NETWORK_GONE;
	fixture->executor.config.task = find_task;
	fixture->executor.config.data = fixture;
	fixture->executor.operations = operations_new(fixture->loop);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	operations_free(fixture->executor.operations);
	netlink_close(fixture->host);
	loop_free(fixture->loop);
	close(fixture->task_netns);
	free(fixture);
	return 0;
}

static void add_link(struct fixture *fixture, const char *name, const char *task_id, uint32_t group)
{
	_cleanup_free_ char *alias = xasprintf("ecs:%s:eth0:awsvpc", task_id);
	const struct veth_spec spec = {
		.host_name = name,
		.peer_name = name,
		.peer_netns_fd = fixture->task_netns,
		.host_mac = { { 0xee, 0xec, 0, 0, 0, (unsigned char)name[2] } },
		.peer_mac = { { 0x02, 0, 0, 0, 0, (unsigned char)name[2] } },
		.group = group,
		.alias = alias,
	};
	struct link link;
	struct error err = ERROR_INIT;

	if (veth_create(fixture->host, &spec, &link, &err) < 0)
		fail_msg("%s", err.text);
}

static bool is_there(const struct fixture *fixture, const char *name)
{
	struct link link;

	return link_by_name(fixture->host, name, &link, NULL) == 0;
}

static void run_to_the_end(struct fixture *fixture)
{
	while (loop_run_once(fixture->loop, true))
		;
}

static void links_that_outlive_their_namespace_are_deleted(void **state)
{
	struct fixture *fixture = *state;
	struct str_list names = STR_LIST_INIT;

	add_link(fixture, "vea", "ends", LINK_GROUP_BERTH);
	add_link(fixture, "veb", "ends", 0);
	str_list_add(&names, "veb");
	str_list_add(&names, "vea");
	str_list_add(&names, "vegone");
	network_links_gone(&fixture->executor, &names);
	assert_int_equal(names.count, 0);
	run_to_the_end(fixture);
	assert_false(is_there(fixture, "vea"));
	/* A plugin of somebody else has named a link that is not ours. */
	assert_true(is_there(fixture, "veb"));
}

static void at_the_start_links_without_a_task_are_deleted(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_str_list_ struct str_list swept = STR_LIST_INIT;

	add_link(fixture, "vec", "swept", LINK_GROUP_BERTH);
	add_link(fixture, "ved", "ends", LINK_GROUP_BERTH);
	add_link(fixture, "vee", "runs", LINK_GROUP_BERTH);
	add_link(fixture, "vef", "of-another-agent", LINK_GROUP_BERTH);
	add_link(fixture, "veg", "swept", 0);
	add_link(fixture, "vei", "bri-dge-runs-1", LINK_GROUP_BERTH);
	add_link(fixture, "vej", "bri-dge-ends-1", LINK_GROUP_BERTH);
	str_list_add(&swept, "runs");
	str_list_add(&swept, "swept");
	network_links_sweep(&fixture->executor, &swept);
	run_to_the_end(fixture);
	assert_false(is_there(fixture, "vec"));
	assert_false(is_there(fixture, "ved"));
	assert_true(is_there(fixture, "vee"));
	assert_true(is_there(fixture, "vef"));
	assert_true(is_there(fixture, "veg"));
	assert_true(is_there(fixture, "vei"));
	assert_false(is_there(fixture, "vej"));
}

static void nothing_to_wait_for_is_nothing_to_do(void **state)
{
	struct fixture *fixture = *state;
	struct str_list names = STR_LIST_INIT;
	_cleanup_str_list_ struct str_list swept = STR_LIST_INIT;

	add_link(fixture, "veh", "runs", LINK_GROUP_BERTH);
	network_links_gone(&fixture->executor, &names);
	network_links_sweep(&fixture->executor, &swept);
	assert_false(loop_run_once(fixture->loop, false));
	assert_true(is_there(fixture, "veh"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_that_outlive_their_namespace_are_deleted),
		cmocka_unit_test(at_the_start_links_without_a_task_are_deleted),
		cmocka_unit_test(nothing_to_wait_for_is_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
