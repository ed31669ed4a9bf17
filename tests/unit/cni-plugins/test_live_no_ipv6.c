/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel without IPv6, as far as a plugin sees it: /proc/sys/net/ipv6 is not there, and what is
 * said of the family by netlink has no one to answer it. The refusals are the kernel's own: what is
 * sent names a family in place of IPv6 that it has not either.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "call.h"
#include "cni-plugins/bridge.h"
#include "cni-plugins/eni.h"
#include "live.h"
#include "netns/addr.h"
#include "netns/netlink.h"
#include "netns/route.h"

#define NO_FAMILY 12 /* DECnet, which left Linux with 6.1 and was a module before */

static bool is_gone;            /* from when on */
static unsigned int taken_away; /* how often IPv6 was named */

static int distance(const void *from, const void *to)
{
	return (int)((const char *)to - (const char *)from);
}

static void take_away_from_families(struct nlattr *families)
{
	const char *end = (const char *)families + families->nla_len;

	for (struct nlattr *family = mnl_attr_get_payload(families);
	     mnl_attr_ok(family, distance(family, end)); family = mnl_attr_next(family)) {
		if (mnl_attr_get_type(family) != AF_INET6)
			continue;
		family->nla_type = NO_FAMILY | NLA_F_NESTED;
		taken_away++;
	}
}

static void take_away_from_link(struct nlmsghdr *message)
{
	const void *end = mnl_nlmsg_get_payload_tail(message);

	for (struct nlattr *attr = mnl_nlmsg_get_payload_offset(message, sizeof(struct ifinfomsg));
	     mnl_attr_ok(attr, distance(attr, end)); attr = mnl_attr_next(attr))
		if (mnl_attr_get_type(attr) == IFLA_AF_SPEC)
			take_away_from_families(attr);
}

static void take_away(struct nlmsghdr *message)
{
	unsigned char *family = mnl_nlmsg_get_payload(message);

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_SETLINK:
		take_away_from_link(message);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_GETROUTE:
		if (*family != AF_INET6)
			break;
		*family = NO_FAMILY;
		taken_away++;
	}
}

/* In place of libmnl's. */
ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *data, size_t size)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	_cleanup_free_ char *copy = xmemdup(data, size);
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)copy;
	int left = (int)size;

	for (; is_gone && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		take_away(message);
	return sendto(mnl_socket_get_fd(socket), copy, size, 0, (const struct sockaddr *)&kernel,
		      sizeof(kernel));
}

static struct call call_for(const char *command, const struct task *task, const char *config)
{
	struct call call = call_good(command);

	call.container_id = task->id;
	call.netns = task->path;
	call.path = BERTH_BINARY_DIR;
	call.config = config;
	/* For the IPAM plugin, which is a program of its own. */
	setenv("CNI_COMMAND", command, 1);
	setenv("CNI_CONTAINERID", task->id, 1);
	setenv("CNI_NETNS", task->path, 1);
	setenv("CNI_IFNAME", call.ifname, 1);
	setenv("CNI_PATH", call.path, 1);
	return call;
}

static void run(const char *command, const struct task *task, const struct cni_plugin *plugin,
		const char *config)
{
	struct call call = call_for(command, task, config);

	call_expect_success(&call, plugin);
	call_free(&call);
}

static void refuse(const struct task *task, const struct cni_plugin *plugin, const char *config,
		   const char *text)
{
	struct call call = call_for("ADD", task, config);

	call_expect_failure(&call, plugin, 100, text);
	call_free(&call);
}

/* Otherwise nothing that follows shows anything. */
static void the_family_is_gone(void **state)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct error err = ERROR_INIT;
	struct ip_prefix address;
	int r;

	assert_int_equal(ip_prefix_parse("fd00::1/64", &address, NULL), 0);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	address_add(batch, 1, "lo", &address);
	r = netlink_run(netlink, batch, &err);
	assert_true(r == -EOPNOTSUPP || r == -EAFNOSUPPORT);
	assert_true(access("/proc/sys/net/ipv6/conf", F_OK) < 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

#define ENI(addresses, more)                                                                       \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"awsvpc\",\"type\":\"ecs-eni\",\"driver\":\"veth\","  \
	"\"eni\":\"eni-1\",\"mac\":\"02:1f:00:00:00:01\",\"ip-addresses\":[" addresses "],"        \
	"\"gateway-ip-addresses\":[\"10.0.1.1\"]" more "}"

/* The half of the block that there is is there. */
static void a_task_of_ipv4_has_its_pair(void **state)
{
	static const char config[] = ENI("\"10.0.1.31/24\"", ",\"block-instance-metadata\":true");
	struct census before = census_of(-1), after;
	struct task task = task_new("no-six");

	taken_away = 0;
	run("ADD", &task, &eni_plugin, config);
	assert_true(taken_away > 0);
	assert_true(reaches(-1, task.netns, "10.0.1.31"));
	assert_true(reaches(task.netns, -1, LIVE_HOST_ADDRESS));
	assert_int_equal(connect_from(task.netns, "169.254.169.254", NULL), -EINVAL);
	run("DEL", &task, &eni_plugin, config);
	task_free(&task);
	after = census_of(-1);
	census_assert_equal(&before, &after);
}

static void a_task_with_ipv6_is_told_why_not(void **state)
{
	static const char config[] = ENI("\"10.0.1.31/24\",\"fd00:1::1/64\"", "");
	struct census before = census_of(-1), after;
	struct task task = task_new("six");

	refuse(&task, &eni_plugin, config,
	       "the address fd00:1::1/64 cannot be used: this host has no IPv6");
	task_free(&task);
	after = census_of(-1);
	census_assert_equal(&before, &after);
}

#define BRIDGE(subnets)                                                                            \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"bridge\",\"type\":\"ecs-bridge\","                   \
	"\"bridge\":\"br-no-six\",\"isDefaultGateway\":true,\"ipMasq\":true,\"hairpinMode\":true," \
	"\"ipam\":{\"type\":\"ecs-ipam\"," subnets "}}"

static void a_container_on_a_bridge_has_ipv4(void **state)
{
	static const char config[] = BRIDGE("\"ipv4-subnet\":\"10.88.0.0/24\"");
	static const char both[] =
		BRIDGE("\"ipv4-subnet\":\"10.88.0.0/24\",\"ipv6-subnet\":\"fd00:88::/64\"");
	struct task task = task_new("bridged"), six = task_new("bridged-six");

	taken_away = 0;
	run("ADD", &task, &bridge_plugin, config);
	assert_true(taken_away > 0);
	assert_true(reaches(-1, task.netns, "10.88.0.2"));
	refuse(&six, &bridge_plugin, both, "this host has no IPv6");
	run("DEL", &task, &bridge_plugin, config);
	task_free(&task);
	task_free(&six);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_family_is_gone),
		cmocka_unit_test(a_task_of_ipv4_has_its_pair),
		cmocka_unit_test(a_task_with_ipv6_is_told_why_not),
		cmocka_unit_test(a_container_on_a_bridge_has_ipv4),
	};
	_cleanup_free_ char *leases = NULL;
	int failed;

	live_enter("ecs-ipam");
	leases = xasprintf("%s/ipam", live_directory());
	setenv("IPAM_DB_PATH", leases, 1);
	if (mount("none", "/proc/sys/net/ipv6", "tmpfs", 0, NULL) < 0)
		return 77;
	is_gone = true;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
