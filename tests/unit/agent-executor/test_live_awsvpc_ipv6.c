/* SPDX-License-Identifier: Apache-2.0 */
/* From a payload's interface to what a namespace has: IPv6 of a device that is moved in. A veth's
 * end plays the device. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/executor/cni_awsvpc.h"
#include "agent/executor/task_files.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "cni-plugins/cni.h"
#include "cni-plugins/eni.h"
#include "netns/addr.h"
#include "netns/link.h"
#include "netns/namespace.h"
#include "netns/route.h"
#include "wire/task.h"

#define MAC "02:1f:00:00:00:06"

#define PAYLOAD(addresses)                                                                         \
	"{\"arn\":\"arn:aws:ecs:us-west-2:111122223333:task/c/0123\",\"family\":\"f\","            \
	"\"version\":\"1\",\"desiredStatus\":\"RUNNING\",\"networkMode\":\"awsvpc\","              \
	"\"containers\":[{\"name\":\"app\",\"image\":\"i\",\"essential\":true}],"                  \
	"\"elasticNetworkInterfaces\":[{\"attachmentArn\":\"a\",\"ec2Id\":\"eni-6\","              \
	"\"macAddress\":\"" MAC "\",\"privateDnsName\":\"host.internal\"," addresses "}]}"

static char place[] = "/tmp/berth-awsvpc-ipv6.XXXXXX";
static char netns_path[64];

static const char *get_env(void *data, const char *name)
{
	return strcmp(name, "CNI_COMMAND") == 0       ? data
	       : strcmp(name, "CNI_CONTAINERID") == 0 ? "task-6"
	       : strcmp(name, "CNI_NETNS") == 0       ? netns_path
	       : strcmp(name, "CNI_IFNAME") == 0      ? "eth0"
	       : strcmp(name, "CNI_PATH") == 0        ? "/nowhere"
						      : NULL;
}

/* What the agent's CNI runtime hands to the plugin of the list. */
static void run(const char *command, const char *conflist)
{
	_cleanup_json_ json_t *list = json_loads(conflist, 0, NULL);
	json_t *plugin = json_array_get(json_object_get(list, "plugins"), 0);
	_cleanup_free_ char *config = NULL, *out = NULL;
	char name[] = "ecs-eni", *argv[] = { name, NULL };
	int in = memfd_create("stdin", MFD_CLOEXEC);
	struct cni_world world = {
		.get_env = get_env, .data = (void *)(uintptr_t)command, .in = in, .about = stderr
	};
	size_t size = 0;

	json_object_set(plugin, "name", json_object_get(list, "name"));
	json_object_set(plugin, "cniVersion", json_object_get(list, "cniVersion"));
	config = json_dump_compact(plugin);
	assert_int_equal(write(in, config, strlen(config)), strlen(config));
	lseek(in, 0, SEEK_SET);
	world.out = open_memstream(&out, &size);
	if (cni_run(&eni_plugin, &world, 1, argv) != 0) {
		fflush(world.out);
		fail_msg("%s", out);
	}
	fclose(world.out);
	close(in);
}

static void plug_device(void)
{
	struct veth_spec spec = { .host_name = "nic0p", .peer_name = "nic0" };
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct link link;

	mac_parse(MAC, &spec.peer_mac, NULL);
	mac_parse("06:1f:00:00:00:06", &spec.host_mac, NULL);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(netns_open("/proc/thread-self/ns/net", &spec.peer_netns_fd, NULL), 0);
	assert_int_equal(veth_create(netlink, &spec, &link, NULL), 0);
	link_set_up(batch, link.index, "nic0p");
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	close(spec.peer_netns_fd);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

static char *conflist_of(const struct eni_spec *eni)
{
	const char *ipv4 = eni->ipv4_count > 0 ? eni->ipv4[0].address : NULL;
	const char *ipv6 = eni->ipv6[0].address;
	char gateways[2][64] = { "", "" };
	const struct awsvpc_eni interface = {
		.id = eni->ec2_id,
		.mac = eni->mac_address,
		.ipv4_addresses = &ipv4,
		.ipv4_count = eni->ipv4_count,
		.ipv6_addresses = &ipv6,
		.ipv6_count = eni->ipv6_count,
		.ipv4_gateway = gateways[0],
		.ipv6_gateway = gateways[1],
	};
	const struct awsvpc_options options = { .driver = "eni" };
	struct error err = ERROR_INIT;
	char *conflist = NULL;

	if (eni->gateway_ipv4.address)
		snprintf(gateways[0], sizeof(gateways[0]), "%s/%u", eni->gateway_ipv4.address,
			 eni->gateway_ipv4.prefix);
	if (eni->gateway_ipv6.address)
		snprintf(gateways[1], sizeof(gateways[1]), "%s/%u", eni->gateway_ipv6.address,
			 eni->gateway_ipv6.prefix);
	if (awsvpc_conflist(&interface, &options, &conflist, &err) < 0)
		fail_msg("%s", err.text);
	return conflist;
}

/* What eth0 of the namespace has. */
static bool has_address(struct netlink *netlink, const char *text)
{
	struct address_list list = { 0 };
	struct link link;
	struct ip_prefix wanted;
	bool found = false;

	ip_prefix_parse(text, &wanted, NULL);
	assert_int_equal(link_by_name(netlink, "eth0", &link, NULL), 0);
	assert_int_equal(address_list(netlink, link.index, &list, NULL), 0);
	for (size_t i = 0; i < list.count; i++)
		found = found || ip_prefix_equal(&list.items[i], &wanted);
	address_list_free(&list);
	return found;
}

/* The gateway of the default route of a family; "" when there is none. */
static const char *way_out(struct netlink *netlink, int family, char text[IP_TEXT_SIZE])
{
	struct route_list list = { 0 };

	text[0] = '\0';
	assert_int_equal(route_list(netlink, 0, &list, NULL), 0);
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].destination.length == 0 && list.items[i].gateway.family == family)
			ip_format(&list.items[i].gateway, text);
	route_list_free(&list);
	return text;
}

struct task_with {
	struct task_spec *spec;
	char *conflist;
	struct netlink *netlink; /* in its namespace */
};

static struct task_with attach(const char *payload)
{
	struct task_with task = { 0 };
	struct error err = ERROR_INIT;
	int netns = -1;

	if (task_spec_decode_text(payload, strlen(payload), &task.spec, &err) < 0)
		fail_msg("%s", err.text);
	task.conflist = conflist_of(&task.spec->enis[0]);
	plug_device();
	assert_int_equal(netns_create(netns_path, NULL, &netns, NULL), 0);
	run("ADD", task.conflist);
	assert_int_equal(netlink_open_in(netns, &task.netlink, NULL), 0);
	close(netns);
	return task;
}

static void detach(struct task_with *task)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct link link;

	run("DEL", task->conflist);
	netlink_close(task->netlink);
	assert_int_equal(netns_delete(netns_path, NULL, NULL), 0);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, "nic0p", &link, NULL), 0);
	link_delete(batch, link.index, "nic0p");
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
	free(task->conflist);
	task_spec_unref(task->spec);
}

/* net-T17: a way out that is static, the prefix length of the gateway, and a line of hosts. */
static void a_task_of_ipv6_alone_has_its_gateway(void **state)
{
	struct task_with task =
		attach(PAYLOAD("\"ipv6Addresses\":[{\"address\":\"fd00:1::37\",\"primary\":true}],"
			       "\"subnetGatewayIpv6Address\":\"fd00:1::1/80\""));
	_cleanup_free_ char *hosts = task_hosts_text(task.spec, NULL, "host", NULL);
	char text[IP_TEXT_SIZE];

	assert_true(has_address(task.netlink, "fd00:1::37/80"));
	assert_string_equal(way_out(task.netlink, AF_INET6, text), "fd00:1::1");
	assert_string_equal(way_out(task.netlink, AF_INET, text), "");
	assert_non_null(strstr(hosts, "\nfd00:1::37\thost.internal\n"));
	detach(&task);
}

/* Beside IPv4 the prefix is a /64 whatever the gateway says, and the way out comes by itself. */
static void a_task_of_both_families_waits_for_its_router(void **state)
{
	struct task_with task = attach(
		PAYLOAD("\"ipv4Addresses\":[{\"privateAddress\":\"10.0.1.37\",\"primary\":true}],"
			"\"ipv6Addresses\":[{\"address\":\"fd00:1::37\",\"primary\":true}],"
			"\"subnetGatewayIpv4Address\":\"10.0.1.1/24\","
			"\"subnetGatewayIpv6Address\":\"fd00:1::1/80\""));
	_cleanup_free_ char *hosts = task_hosts_text(task.spec, NULL, "host", NULL);
	char text[IP_TEXT_SIZE];

	assert_true(has_address(task.netlink, "10.0.1.37/24"));
	assert_true(has_address(task.netlink, "fd00:1::37/64"));
	assert_string_equal(way_out(task.netlink, AF_INET, text), "10.0.1.1");
	assert_string_equal(way_out(task.netlink, AF_INET6, text), "");
	assert_non_null(strstr(hosts, "\n10.0.1.37\thost.internal\n"));
	assert_null(strstr(hosts, "fd00:1::37"));
	detach(&task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_of_ipv6_alone_has_its_gateway),
		cmocka_unit_test(a_task_of_both_families_waits_for_its_router),
	};
	int failed;

	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf(geteuid() == 0 ? "skipped: not on this kernel: make namespaces\n"
				      : "skipped: it needs root\n");
		return 77;
	}
	if (!mkdtemp(place) || mount("none", place, "tmpfs", 0, NULL) < 0)
		return 1;
	snprintf(netns_path, sizeof(netns_path), "%s/netns", place);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	umount2(place, MNT_DETACH);
	rmdir(place);
	return failed;
}
