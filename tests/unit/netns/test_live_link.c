/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "live.h"
#include "netns/addr.h"
#include "netns/namespace.h"
#include "netns/neigh.h"
#include "netns/route.h"

/* A host (the program's own namespace) and a task. */
struct pair {
	const char *path;
	int netns;
	struct netlink *host;
	struct netlink *task;
	struct netlink_batch *batch;
};

static int make_pair(void **state)
{
	static struct pair pair;
	int r;

	pair.path = live_path("task");
	pair.netns = -1;
	r = netns_create(pair.path, NULL, &pair.netns, NULL);
	if (r == 0)
		r = netlink_open(&pair.host, NULL);
	if (r == 0)
		r = netlink_open_in(pair.netns, &pair.task, NULL);
	pair.batch = netlink_batch_new();
	*state = &pair;
	return r;
}

static int drop_pair(void **state)
{
	struct pair *pair = *state;

	netlink_batch_free(pair->batch);
	netlink_close(pair->task);
	netlink_close(pair->host);
	if (pair->netns >= 0)
		close(pair->netns);
	return netns_delete(pair->path, NULL, NULL);
}

static struct veth_spec veth(const struct pair *pair, const char *name)
{
	struct veth_spec spec = {
		.host_name = name,
		.peer_name = "eth0",
		.peer_netns_fd = pair->netns,
		.mtu = 9001,
		.group = LINK_GROUP_BERTH,
		.alias = "ecs:task:eth0",
	};

	mac_parse("02:ec:00:00:00:01", &spec.host_mac, NULL);
	mac_parse("02:1f:00:a0:b1:c2", &spec.peer_mac, NULL);
	return spec;
}

static void a_veth_is_born_with_its_end_in_the_task(void **state)
{
	struct pair *pair = *state;
	struct veth_spec spec = veth(pair, "vetest0");
	struct link host, task, found;
	struct link_list list = { 0 };

	assert_int_equal(veth_create(pair->host, &spec, &host, NULL), 0);
	assert_string_equal(host.kind, "veth");
	assert_true(mac_equal(&host.mac, &spec.host_mac));
	assert_int_equal(host.mtu, 9001);
	assert_int_equal(host.group, LINK_GROUP_BERTH);
	assert_false(host.is_up);

	assert_int_equal(link_by_name(pair->task, "eth0", &task, NULL), 0);
	assert_true(mac_equal(&task.mac, &spec.peer_mac));
	assert_int_equal(task.mtu, 9001);
	assert_int_equal(host.peer_index, task.index);
	assert_int_equal(link_by_mac(pair->task, &spec.peer_mac, &found, NULL), 0);
	assert_int_equal(found.index, task.index);
	assert_int_equal(link_by_mac(pair->host, &spec.peer_mac, &found, NULL), -ENODEV);

	assert_int_equal(link_list(pair->host, LINK_GROUP_BERTH, &list, NULL), 0);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].name, "vetest0");
	assert_string_equal(list.items[0].alias, "ecs:task:eth0");
	link_list_free(&list);

	link_delete(pair->batch, host.index, host.name);
	link_delete(pair->batch, host.index, host.name);
	assert_int_equal(netlink_run(pair->host, pair->batch, NULL), 0);
	assert_int_equal(link_by_name(pair->host, "vetest0", &found, NULL), -ENODEV);
	assert_int_equal(link_by_name(pair->task, "eth0", &found, NULL), -ENODEV);
}

static void a_name_that_is_taken_is_an_error_and_nothing_is_made(void **state)
{
	struct pair *pair = *state;
	struct veth_spec spec = veth(pair, "vetest0"), other = veth(pair, "vetest1");
	struct link link, found;
	struct error err = ERROR_INIT;

	assert_int_equal(veth_create(pair->host, &spec, &link, NULL), 0);
	assert_int_equal(veth_create(pair->host, &spec, &link, &err), -EEXIST);
	assert_non_null(strstr(err.text, "create veth vetest0 with peer eth0"));
	/* The peer's name is taken: the host end must not stay. */
	assert_int_equal(veth_create(pair->host, &other, &link, NULL), -EEXIST);
	assert_int_equal(link_by_name(pair->host, "vetest1", &found, NULL), -ENODEV);

	link_delete(pair->batch, link.index, link.name);
	assert_int_equal(netlink_run(pair->host, pair->batch, NULL), 0);
}

static void changes_of_a_batch_are_all_made(void **state)
{
	struct pair *pair = *state;
	struct veth_spec spec = veth(pair, "vetest0");
	struct address_list addresses = { 0 }, of_lo = { 0 };
	struct route_list routes = { 0 };
	struct link host, task;
	struct ip_prefix prefix, prefix6;
	struct route route = { .destination = ip_default_route(AF_INET) };
	struct route block = { .type = ROUTE_BLACKHOLE };
	bool found = false, found6 = false;

	assert_int_equal(veth_create(pair->host, &spec, &host, NULL), 0);
	assert_int_equal(link_by_name(pair->task, "eth0", &task, NULL), 0);
	ip_prefix_parse("10.99.1.37/24", &prefix, NULL);
	ip_prefix_parse("fd99::37/128", &prefix6, NULL);
	ip_prefix_parse("169.254.169.254/32", &block.destination, NULL);
	ip_parse("10.99.1.1", &route.gateway, NULL);
	route.link_index = task.index;

	link_set_up(pair->batch, host.index, host.name);
	assert_int_equal(netlink_run(pair->host, pair->batch, NULL), 0);
	link_set_up(pair->batch, task.index, "eth0");
	address_add(pair->batch, task.index, "eth0", &prefix);
	address_add(pair->batch, task.index, "eth0", &prefix6);
	route_add(pair->batch, &route);
	neighbour_set(pair->batch, task.index, "eth0", &route.gateway, &host.mac);
	route_add(pair->batch, &block);
	assert_int_equal(netlink_batch_count(pair->batch), 6);
	assert_int_equal(netlink_run(pair->task, pair->batch, NULL), 0);
	assert_int_equal(netlink_batch_count(pair->batch), 0);

	assert_int_equal(address_list(pair->task, task.index, &addresses, NULL), 0);
	for (size_t i = 0; i < addresses.count; i++) {
		found |= ip_prefix_equal(&addresses.items[i], &prefix);
		found6 |= ip_prefix_equal(&addresses.items[i], &prefix6);
	}
	assert_true(found);
	assert_true(found6);
	/* Also where the kernel lists those of all links, as before 4.20. */
	assert_int_equal(address_list(pair->task, 1, &of_lo, NULL), 0);
	for (size_t i = 0; i < of_lo.count; i++)
		assert_false(ip_prefix_equal(&of_lo.items[i], &prefix));
	address_list_free(&of_lo);
	assert_int_equal(route_list(pair->task, 0, &routes, NULL), 0);
	assert_true(route_list_contains(&routes, &route));
	assert_true(route_list_contains(&routes, &block));
	route_list_free(&routes);

	/* Taking away twice is no error, and the second time is not needed. */
	for (int i = 0; i < 2; i++) {
		neighbour_delete(pair->batch, task.index, "eth0", &route.gateway);
		route_delete(pair->batch, &route);
		route_delete(pair->batch, &block);
		address_delete(pair->batch, task.index, "eth0", &prefix);
		assert_int_equal(netlink_run(pair->task, pair->batch, NULL), 0);
	}
	assert_int_equal(route_list(pair->task, 0, &routes, NULL), 0);
	assert_false(route_list_contains(&routes, &route));
	assert_false(route_list_contains(&routes, &block));
	route_list_free(&routes);
	address_list_free(&addresses);

	link_delete(pair->batch, host.index, host.name);
	assert_int_equal(netlink_run(pair->host, pair->batch, NULL), 0);
}

/* More than the socket has room for the answers of. What is refused keeps nothing from being done.
 */
static void a_batch_may_be_of_any_size(void **state)
{
	struct pair *pair = *state;
	struct route_list routes = { 0 };
	struct route route = { .type = ROUTE_BLACKHOLE,
			       .destination = { { AF_INET, { 10, 77 } }, 32 } };
	struct error err = ERROR_INIT;

	for (int i = 0; i < 5000; i++) {
		route.destination.address.bytes[2] = (unsigned char)(i >> 8);
		route.destination.address.bytes[3] = (unsigned char)i;
		route_add(pair->batch, &route);
		if (i == 1000)
			route_add(pair->batch, &route);
	}
	assert_int_equal(netlink_run(pair->task, pair->batch, &err), -EEXIST);
	assert_non_null(strstr(err.text, "10.77.3.232"));
	assert_int_equal(route_list(pair->task, AF_INET, &routes, NULL), 0);
	assert_int_equal(routes.count, 5000);
	for (size_t i = 0; i < routes.count; i++)
		route_delete(pair->batch, &routes.items[i]);
	assert_int_equal(netlink_run(pair->task, pair->batch, &err), 0);
	route_list_free(&routes);
	assert_int_equal(route_list(pair->task, AF_INET, &routes, NULL), 0);
	assert_int_equal(routes.count, 0);
}

/* As `ip` has them made, which knows them. */
static void a_route_that_leads_several_ways_is_listed_for_each(void **state)
{
	static const char *const gateways[] = { "10.99.1.1", "10.99.2.1", "fd99:1::1",
						"fd99:2::1" };
	struct route_list routes = { 0 };
	struct netlink *host = NULL;

	assert_int_equal(system("ip link add multi1 type veth peer name multi2 && "
				"ip link set multi1 up && ip link set multi2 up && "
				"ip addr add 10.99.1.9/24 dev multi1 && "
				"ip addr add 10.99.2.9/24 dev multi2 && "
				"ip addr add fd99:1::9/64 dev multi1 nodad && "
				"ip addr add fd99:2::9/64 dev multi2 nodad && "
				"ip route add default metric 7 nexthop via 10.99.1.1 dev multi1 "
				"nexthop via 10.99.2.1 dev multi2 onlink && "
				"ip -6 route add default metric 7 nexthop via fd99:1::1 dev multi1 "
				"nexthop via fd99:2::1 dev multi2"),
			 0);
	assert_int_equal(netlink_open(&host, NULL), 0);
	assert_int_equal(route_list(host, 0, &routes, NULL), 0);
	for (int i = 0; i < 4; i++) {
		struct route expected = { .link_index = (int)if_nametoindex(
						  i % 2 == 0 ? "multi1" : "multi2") };
		size_t found = 0;

		assert_int_equal(ip_parse(gateways[i], &expected.gateway, NULL), 0);
		expected.destination = ip_default_route(expected.gateway.family);
		assert_true(route_list_contains(&routes, &expected));
		for (size_t j = 0; j < routes.count; j++)
			if (ip_equal(&routes.items[j].gateway, &expected.gateway)) {
				assert_int_equal(routes.items[j].priority, 7);
				assert_int_equal(routes.items[j].onlink, i == 1);
				found++;
			}
		assert_int_equal(found, 1);
	}
	route_list_free(&routes);
	netlink_close(host);
	assert_int_equal(system("ip link del multi1"), 0);
}

static void the_first_failure_is_named_in_the_kernels_words(void **state)
{
	struct pair *pair = *state;
	struct veth_spec spec = veth(pair, "vetest0");
	struct link host, task;
	struct ip_prefix prefix;
	struct route route = { .destination = ip_default_route(AF_INET) };
	struct error err = ERROR_INIT;

	assert_int_equal(veth_create(pair->host, &spec, &host, NULL), 0);
	assert_int_equal(link_by_name(pair->task, "eth0", &task, NULL), 0);
	ip_prefix_parse("10.99.1.37/24", &prefix, NULL);
	ip_parse("10.77.1.1", &route.gateway, NULL);
	route.link_index = task.index;

	link_set_up(pair->batch, task.index, "eth0");
	address_add(pair->batch, task.index, "eth0", &prefix);
	route_add(pair->batch, &route);
	address_add(pair->batch, task.index, "eth0", &prefix);
	assert_int_equal(netlink_run(pair->task, pair->batch, &err), -ENETUNREACH);
	assert_string_equal(err.text, "add route default via 10.77.1.1: Nexthop has invalid "
				      "gateway: Network is unreachable");

	address_add(pair->batch, task.index, "eth0", &prefix);
	assert_int_equal(netlink_run(pair->task, pair->batch, &err), -EEXIST);
	assert_non_null(strstr(err.text, "add address 10.99.1.37/24 to eth0: "));
	assert_non_null(strstr(err.text, "File exists"));

	address_add(pair->batch, task.index, "eth0", &prefix);
	netlink_tolerate(pair->batch, EEXIST);
	assert_int_equal(netlink_run(pair->task, pair->batch, NULL), 0);

	link_delete(pair->batch, host.index, host.name);
	assert_int_equal(netlink_run(pair->host, pair->batch, NULL), 0);
}

static void a_link_is_moved_and_named_at_once(void **state)
{
	struct pair *pair = *state;
	struct veth_spec spec = veth(pair, "vetest0");
	struct link host, link;

	/* Both ends on the host; the far one plays a device that was plugged in. */
	spec.peer_netns_fd = -1;
	spec.peer_name = "plugged";
	assert_int_equal(netns_open("/proc/thread-self/ns/net", &spec.peer_netns_fd, NULL), 0);
	assert_int_equal(veth_create(pair->host, &spec, &host, NULL), 0);
	close(spec.peer_netns_fd);
	assert_int_equal(link_by_mac(pair->host, &spec.peer_mac, &link, NULL), 0);

	link_move(pair->batch, link.index, link.name, pair->netns, "eth0");
	assert_int_equal(netlink_run(pair->host, pair->batch, NULL), 0);
	assert_int_equal(link_by_name(pair->host, "plugged", &link, NULL), -ENODEV);
	assert_int_equal(link_by_mac(pair->task, &spec.peer_mac, &link, NULL), 0);
	assert_string_equal(link.name, "eth0");

	link_rename(pair->batch, link.index, link.name, "eth7");
	link_set_mtu(pair->batch, link.index, "eth7", 1400);
	link_set_mac(pair->batch, link.index, "eth7", &spec.host_mac);
	assert_int_equal(netlink_run(pair->task, pair->batch, NULL), 0);
	assert_int_equal(link_by_name(pair->task, "eth7", &link, NULL), 0);
	assert_int_equal(link.mtu, 1400);
	assert_true(mac_equal(&link.mac, &spec.host_mac));

	link_delete(pair->batch, host.index, host.name);
	assert_int_equal(netlink_run(pair->host, pair->batch, NULL), 0);
}

static void the_shortest_name_of_a_mac_is_taken(void **state)
{
	struct pair *pair = *state;
	struct veth_spec spec = veth(pair, "vetest00");
	struct link a, b, found;

	assert_int_equal(veth_create(pair->host, &spec, &a, NULL), 0);
	spec.host_name = "vetest0";
	spec.peer_name = "eth1";
	assert_int_equal(veth_create(pair->host, &spec, &b, NULL), 0);
	assert_int_equal(link_by_mac(pair->host, &spec.host_mac, &found, NULL), 0);
	assert_string_equal(found.name, "vetest0");
	link_delete(pair->batch, a.index, a.name);
	link_delete(pair->batch, b.index, b.name);
	assert_int_equal(netlink_run(pair->host, pair->batch, NULL), 0);
}

static void links_die_with_the_namespace_and_that_is_seen(void **state)
{
	struct pair *pair = *state;
	const char *const names[] = { "vetest0" };
	struct veth_spec spec = veth(pair, "vetest0");
	struct link link;
	size_t deleted = 99;

	assert_int_equal(veth_create(pair->host, &spec, &link, NULL), 0);
	netlink_close(pair->task);
	pair->task = NULL;
	close(TAKE_FD(pair->netns));
	assert_int_equal(netns_delete(pair->path, NULL, NULL), 0);

	/* Long before the deadline, at which it would be deleted here. */
	assert_int_equal(links_wait_gone(pair->host, names, 1, 60000, &deleted, NULL), 0);
	assert_int_equal(deleted, 0);
	assert_int_equal(link_by_name(pair->host, "vetest0", &link, NULL), -ENODEV);
	assert_int_equal(links_wait_gone(pair->host, names, 1, 2000, &deleted, NULL), 0);
	assert_int_equal(deleted, 0);
}

static void links_that_stay_are_deleted_at_the_deadline(void **state)
{
	struct pair *pair = *state;
	const char *const names[] = { "vegone", "vetest0" };
	struct veth_spec spec = veth(pair, "vetest0");
	struct link link;
	size_t deleted = 99;

	assert_int_equal(veth_create(pair->host, &spec, &link, NULL), 0);
	assert_int_equal(links_wait_gone(pair->host, names, 2, 20, &deleted, NULL), 0);
	assert_int_equal(deleted, 1);
	assert_int_equal(link_by_name(pair->host, "vetest0", &link, NULL), -ENODEV);
}

struct attempt {
	const char *address;
	int64_t took_ms;
};

static int connect_to_metadata(void *data, struct error *err)
{
	struct attempt *attempt = data;
	struct sockaddr_storage to = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;
	struct ip_address ip;
	int64_t start_ms = clock_monotonic_ms();
	int fd, r;

	(void)err;
	ip_parse(attempt->address, &ip, NULL);
	to.ss_family = (sa_family_t)ip.family;
	v4->sin_port = htons(80);
	if (ip.family == AF_INET)
		memcpy(&v4->sin_addr, ip.bytes, 4);
	else
		memcpy(&v6->sin6_addr, ip.bytes, 16);
	fd = socket(ip.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = connect(fd, (struct sockaddr *)&to, ip.family == AF_INET ? sizeof(*v4) : sizeof(*v6)) <
			    0
		    ? -errno
		    : 0;
	close(fd);
	attempt->took_ms = clock_monotonic_ms() - start_ms;
	return r;
}

/* net-T20, the blocked half: EINVAL, and at once, for both families. */
static void a_blackhole_refuses_at_once(void **state)
{
	static const char *const blocked[] = { "169.254.169.254", "fd00:ec2::254" };
	struct pair *pair = *state;

	for (size_t i = 0; i < 2; i++) {
		struct attempt attempt = { .address = blocked[i] };
		struct route route = { .type = ROUTE_BLACKHOLE };
		struct ip_address ip;

		ip_parse(blocked[i], &ip, NULL);
		route.destination = ip_host_prefix(&ip);
		assert_int_equal(netns_run(pair->netns, connect_to_metadata, &attempt, NULL),
				 -ENETUNREACH);
		route_add(pair->batch, &route);
		assert_int_equal(netlink_run(pair->task, pair->batch, NULL), 0);
		assert_int_equal(netns_run(pair->netns, connect_to_metadata, &attempt, NULL),
				 -EINVAL);
		/* The first repetition of a SYN that is not answered would come after a second. */
		assert_true(attempt.took_ms < 1000);
	}
}

int main(void)
{
#define LIVE(test) cmocka_unit_test_setup_teardown(test, make_pair, drop_pair)
	const struct CMUnitTest tests[] = {
		LIVE(a_veth_is_born_with_its_end_in_the_task),
		LIVE(a_name_that_is_taken_is_an_error_and_nothing_is_made),
		LIVE(changes_of_a_batch_are_all_made),
		LIVE(a_batch_may_be_of_any_size),
		cmocka_unit_test(a_route_that_leads_several_ways_is_listed_for_each),
		LIVE(the_first_failure_is_named_in_the_kernels_words),
		LIVE(a_link_is_moved_and_named_at_once),
		LIVE(the_shortest_name_of_a_mac_is_taken),
		LIVE(links_die_with_the_namespace_and_that_is_seen),
		LIVE(links_that_stay_are_deleted_at_the_deadline),
		LIVE(a_blackhole_refuses_at_once),
	};
	int failed;

	live_enter();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
