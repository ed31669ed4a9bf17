/* SPDX-License-Identifier: Apache-2.0 */
/* ecs-eni with the driver veth: what a task gets, whom it reaches, and that nothing is left. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
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
#include "base/cleanup.h"
#include "base/file.h"
#include "live.h"
#include "netns/addr.h"
#include "netns/namespace.h"
#include "netns/route.h"
#include "netns/sysctl.h"

/* The configuration of the task with this number: 10.0.1.<30+n>, fd00:1::<n>. The caller frees. */
static char *config_of(int n, const char *more)
{
	return xasprintf("{\"cniVersion\":\"1.1.0\",\"name\":\"awsvpc\",\"type\":\"ecs-eni\","
			 "\"driver\":\"veth\",\"eni\":\"eni-%d\",\"mac\":\"02:1f:00:00:00:%02x\","
			 "\"ip-addresses\":[\"10.0.1.%d/24\",\"fd00:1::%d/64\"],"
			 "\"gateway-ip-addresses\":[\"10.0.1.1\"],\"mtu\":9001,"
			 "\"loopback-addresses\":[\"169.254.170.2/32\"]%s}",
			 n, n, 30 + n, n, more);
}

/* An address that the host serves. */
static void give_host_an_address(const char *text)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct ip_prefix address;

	assert_int_equal(netlink_open(&netlink, NULL), 0);
	ip_prefix_parse(text, &address, NULL);
	address_add(batch, 1, "lo", &address);
	netlink_tolerate(batch, EEXIST);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

static void a_task_gets_its_interface(void **state)
{
	struct census before = census_of(-1), after;
	struct task task = task_new("shape");
	char *config = config_of(1, ",\"dns\":{\"nameservers\":[\"10.0.0.2\"]}");
	json_t *answer = run_good(run_of("ADD", &task, config));
	struct address_list addresses = { 0 };
	struct route_list routes = { 0 };
	struct netlink *netlink = NULL;
	struct link eth0 = link_at(task.netns, "eth0"), host;
	struct route expected = { .destination = ip_default_route(AF_INET),
				  .link_index = eth0.index };
	char text[64];
	bool found = false;

	assert_string_equal(text_at(answer, "interfaces.1.name"), "eth0");
	assert_string_equal(text_at(answer, "interfaces.1.mac"), "02:1f:00:00:00:01");
	assert_string_equal(text_at(answer, "interfaces.1.sandbox"), task.path);
	assert_null(text_at(answer, "interfaces.0.sandbox"));
	assert_string_equal(text_at(answer, "ips.0.address"), "10.0.1.31/24");
	assert_string_equal(text_at(answer, "ips.0.gateway"), "10.0.1.1");
	assert_string_equal(text_at(answer, "ips.1.address"), "fd00:1::1/128");
	assert_string_equal(text_at(answer, "routes.0.gw"), "10.0.1.1");
	assert_string_equal(text_at(answer, "dns.nameservers.0"), "10.0.0.2");

	assert_string_equal(mac_format(&eth0.mac, text), "02:1f:00:00:00:01");
	assert_int_equal(eth0.mtu, 9001);
	assert_true(eth0.is_up);
	host = link_at(-1, text_at(answer, "interfaces.0.name"));
	assert_int_equal(host.group, LINK_GROUP_BERTH);
	assert_string_equal(host.alias, "ecs:shape:eth0:awsvpc");
	assert_int_equal(host.peer_index, eth0.index);

	assert_int_equal(netlink_open_in(task.netns, &netlink, NULL), 0);
	assert_int_equal(address_list(netlink, 1, &addresses, NULL), 0);
	for (size_t i = 0; i < addresses.count; i++)
		found |= strcmp(ip_prefix_format(&addresses.items[i], text), "169.254.170.2/32") ==
			 0;
	assert_true(found);
	assert_int_equal(route_list(netlink, 0, &routes, NULL), 0);
	ip_parse("10.0.1.1", &expected.gateway, NULL);
	assert_true(route_list_contains(&routes, &expected));
	expected.destination = ip_default_route(AF_INET6);
	ip_parse("fe80::1", &expected.gateway, NULL);
	assert_true(route_list_contains(&routes, &expected));
	route_list_free(&routes);
	address_list_free(&addresses);
	netlink_close(netlink);

	json_decref(answer);
	run_good(run_of("DEL", &task, config));
	task_free(&task);
	after = census_of(-1);
	census_assert_equal(&before, &after);
	free(config);
}

/* Beside the default one, by the gateway unless another is named. */
static void routes_lead_by_the_pair(void **state)
{
	struct task task = task_new("routes");
	char *config =
		config_of(1, ",\"routes\":[{\"dst\":\"10.44.0.0/16\"},{\"dst\":\"10.45.0.0/16\","
			     "\"gw\":\"10.0.1.9\"}]");
	char *wrong = config_of(1, ",\"routes\":[{\"dst\":\"10.44.0.0/16\",\"gw\":\"fd00::1\"}]");

	run_refused(run_of("ADD", &task, wrong), 7, "routes[0]");
	json_decref(run_good(run_of("ADD", &task, config)));
	assert_true(has_route(task.netns, "10.44.0.0/16", "10.0.1.1"));
	assert_true(has_route(task.netns, "10.45.0.0/16", "10.0.1.9"));
	run_good(run_of("DEL", &task, config));
	task_free(&task);
	free(config);
	free(wrong);
}

static void tasks_and_host_reach_one_another(void **state)
{
	struct task a = task_new("reach-a"), b = task_new("reach-b");
	char *config_a = config_of(1, ""), *config_b = config_of(2, "");

	json_decref(run_good(run_of("ADD", &a, config_a)));
	json_decref(run_good(run_of("ADD", &b, config_b)));

	assert_true(reaches(-1, a.netns, "10.0.1.31"));
	assert_true(reaches(a.netns, -1, LIVE_HOST_ADDRESS));
	/* In one subnet, through the host, both ways. */
	assert_true(reaches(a.netns, b.netns, "10.0.1.32"));
	assert_true(reaches(b.netns, a.netns, "10.0.1.31"));
	/* Its own address, and the endpoint on its lo. */
	assert_true(reaches(a.netns, a.netns, "10.0.1.31"));
	assert_true(reaches(a.netns, a.netns, "169.254.170.2"));
	assert_true(reaches(-1, b.netns, "fd00:1::2"));
	/* An address that nobody has is not answered for. */
	assert_int_not_equal(connect_from(a.netns, "10.0.1.99", NULL), 0);

	run_good(run_of("DEL", &a, config_a));
	assert_int_not_equal(connect_from(b.netns, "10.0.1.31", NULL), 0);
	assert_true(reaches(-1, b.netns, "10.0.1.32"));
	run_good(run_of("DEL", &b, config_b));
	task_free(&a);
	task_free(&b);
	free(config_a);
	free(config_b);
}

/* An ADD that has answered is one that works: a SYN lost to a link that does not run yet costs a
 * second. */
static void the_first_packet_arrives(void **state)
{
	for (int i = 0; i < 20; i++) {
		struct task task = task_new("first");
		char *config = config_of(1, "");

		json_decref(run_good(run_of("ADD", &task, config)));
		/* reaches() gives up after half a second, before a SYN is sent again. */
		if (i % 3 == 0)
			assert_true(reaches(-1, task.netns, "fd00:1::1"));
		else if (i % 3 == 1)
			assert_true(reaches(-1, task.netns, "10.0.1.31"));
		assert_true(reaches(task.netns, -1, LIVE_HOST_ADDRESS));
		assert_true(reaches(-1, task.netns, "10.0.1.31"));
		run_good(run_of("DEL", &task, config));
		task_free(&task);
		free(config);
	}
}

struct spoof {
	const char *source;
	int result;
};

static int send_as(void *data, struct error *err)
{
	const struct spoof *spoof = data;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(4321) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct ip_address ip;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	(void)err;
	ip_parse(spoof->source, &ip, NULL);
	memcpy(&from.sin_addr, ip.bytes, 4);
	ip_parse(LIVE_HOST_ADDRESS, &ip, NULL);
	memcpy(&to.sin_addr, ip.bytes, 4);
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	close(fd);
	return 0;
}

/* A UDP socket of a task, bound to an address of it; what it sends is not to be cut into pieces. */
struct whole_packets {
	const char *address;
	int fd;
};

static int open_whole(void *data, struct error *err)
{
	struct whole_packets *whole = data;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(4321) };
	struct timeval wait = { .tv_sec = 30 };
	int never = IP_PMTUDISC_DO;
	struct ip_address ip;

	(void)err;
	ip_parse(whole->address, &ip, NULL);
	memcpy(&at.sin_addr, ip.bytes, 4);
	whole->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(whole->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_int_equal(setsockopt(whole->fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof(never)),
			 0);
	assert_int_equal(bind(whole->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return 0;
}

/* 0, or -errno. `packet_size` with the headers of IP and UDP. */
static int send_whole(const struct whole_packets *from, const struct whole_packets *to,
		      size_t packet_size)
{
	static const char bytes[10000];
	struct sockaddr_in there;
	socklen_t size = sizeof(there);

	assert_int_equal(getsockname(to->fd, (struct sockaddr *)&there, &size), 0);
	if (sendto(from->fd, bytes, packet_size - 28, 0, (struct sockaddr *)&there, size) < 0)
		return -errno;
	return 0;
}

/* net-T23, between tasks of one host. */
static void packets_as_large_as_the_mtu_arrive_whole(void **state)
{
	static char bytes[10000];
	struct whole_packets from = { .address = "10.0.1.31" }, to = { .address = "10.0.1.32" };
	struct task a = task_new("large-a"), b = task_new("large-b");
	char *config_a = config_of(1, ""), *config_b = config_of(2, "");

	json_decref(run_good(run_of("ADD", &a, config_a)));
	json_decref(run_good(run_of("ADD", &b, config_b)));
	assert_int_equal(netns_run(a.netns, open_whole, &from, NULL), 0);
	assert_int_equal(netns_run(b.netns, open_whole, &to, NULL), 0);
	assert_int_equal(send_whole(&from, &to, 9001), 0);
	assert_int_equal(recv(to.fd, bytes, sizeof(bytes), 0), 9001 - 28);
	assert_int_equal(send_whole(&from, &to, 9002), -EMSGSIZE);
	close(from.fd);
	close(to.fd);
	run_good(run_of("DEL", &a, config_a));
	run_good(run_of("DEL", &b, config_b));
	task_free(&a);
	task_free(&b);
	free(config_a);
	free(config_b);
}

/* A task cannot speak with another's address: the host takes from a pair what it routes to the
 * pair. */
static void a_foreign_source_address_is_dropped(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(4321) };
	struct spoof spoof = { .source = "10.0.1.32" };
	struct task a = task_new("spoof-a"), b = task_new("spoof-b");
	char *config_a = config_of(1, ""), *config_b = config_of(2, "");
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval wait = { .tv_usec = 100000 };
	char c;

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	json_decref(run_good(run_of("ADD", &a, config_a)));
	json_decref(run_good(run_of("ADD", &b, config_b)));
	assert_int_equal(netns_run(a.netns, send_as, &spoof, NULL), 0);
	assert_int_equal(recv(fd, &c, 1, 0), -1);
	spoof.source = "10.0.1.31";
	assert_int_equal(netns_run(a.netns, send_as, &spoof, NULL), 0);
	assert_int_equal(recv(fd, &c, 1, 0), 1);

	run_good(run_of("DEL", &a, config_a));
	run_good(run_of("DEL", &b, config_b));
	close(fd);
	task_free(&a);
	task_free(&b);
	free(config_a);
	free(config_b);
}

static void set_sysctl(const char *name, const char *value)
{
	struct error err = ERROR_INIT;

	if (sysctl_set(name, value, &err) < 0)
		fail_msg("%s", err.text);
}

static char *config_of_ipv4(const char *more)
{
	return xasprintf("{\"cniVersion\":\"1.1.0\",\"name\":\"awsvpc\",\"type\":\"ecs-eni\","
			 "\"driver\":\"veth\",\"eni\":\"eni-4\",\"mac\":\"02:1f:00:00:00:04\","
			 "\"ip-addresses\":[\"10.0.1.34/24\"],"
			 "\"gateway-ip-addresses\":[\"10.0.1.1\"]%s}",
			 more);
}

static void a_host_whose_ipv6_is_off_has_tasks_of_ipv4(void **state)
{
	struct census before, after;
	struct task task = task_new("off");
	char *both = config_of(1, ""), *ipv4 = config_of_ipv4(",\"block-instance-metadata\":true");

	set_sysctl("net/ipv6/conf/all/disable_ipv6", "1");
	before = census_of(-1);
	run_refused(run_of("ADD", &task, both), 100,
		    "the address fd00:1::1/64 cannot be used: IPv6 is switched off on this host "
		    "(net.ipv6.conf.all.disable_ipv6 is 1)");
	after = census_of(-1);
	census_assert_equal(&before, &after);

	json_decref(run_good(run_of("ADD", &task, ipv4)));
	assert_true(reaches(-1, task.netns, "10.0.1.34"));
	assert_int_equal(connect_from(task.netns, "169.254.169.254", NULL), -EINVAL);
	run_good(run_of("DEL", &task, ipv4));
	set_sysctl("net/ipv6/conf/all/disable_ipv6", "0");
	task_free(&task);
	free(both);
	free(ipv4);
}

/* Off until somebody needs it; and then the host goes on learning its own way out. */
static void the_host_forwards_ipv6_once_a_task_has_it(void **state)
{
	struct task task = task_new("forwards");
	char *both = config_of(1, ""), *ipv4 = config_of_ipv4("");
	_cleanup_free_ char *before = NULL, *after = NULL, *accepts = NULL;

	set_sysctl("net/ipv6/conf/all/forwarding", "0");
	set_sysctl("net/ipv6/conf/lo/accept_ra", "1");
	json_decref(run_good(run_of("ADD", &task, ipv4)));
	assert_int_equal(sysctl_get("net/ipv6/conf/all/forwarding", &before, NULL), 0);
	assert_string_equal(before, "0");
	run_good(run_of("DEL", &task, ipv4));
	json_decref(run_good(run_of("ADD", &task, both)));
	assert_int_equal(sysctl_get("net/ipv6/conf/all/forwarding", &after, NULL), 0);
	assert_string_equal(after, "1");
	assert_int_equal(sysctl_get("net/ipv6/conf/lo/accept_ra", &accepts, NULL), 0);
	assert_string_equal(accepts, "2");
	run_good(run_of("DEL", &task, both));
	task_free(&task);
	free(both);
	free(ipv4);
}

/* net-T20 */
static void instance_metadata_is_blocked_when_asked_for(void **state)
{
	static const char *const metadata[] = { "169.254.169.254", "fd00:ec2::254" };
	struct task open = task_new("imds-open"), blocked = task_new("imds-blocked");
	char *config_open = config_of(1, "");
	char *config_blocked = config_of(2, ",\"block-instance-metadata\":true");

	give_host_an_address("169.254.169.254/32");
	give_host_an_address("fd00:ec2::254/128");
	json_decref(run_good(run_of("ADD", &open, config_open)));
	json_decref(run_good(run_of("ADD", &blocked, config_blocked)));
	for (size_t i = 0; i < 2; i++) {
		int64_t fastest_us = INT64_MAX;

		assert_true(reaches(open.netns, -1, metadata[i]));
		/* The shortest of several, on a machine that is busy with other things. */
		for (int try = 0; try < 10; try++) {
			int64_t took_us;

			assert_int_equal(connect_from(blocked.netns, metadata[i], &took_us),
					 -EINVAL);
			if (took_us < fastest_us)
				fastest_us = took_us;
		}
		assert_true(fastest_us < 1000);
	}
	run_good(run_of("DEL", &open, config_open));
	run_good(run_of("DEL", &blocked, config_blocked));
	/* A DEL in a living namespace takes back the blackholes too. */
	assert_int_not_equal(connect_from(blocked.netns, metadata[0], NULL), -EINVAL);
	task_free(&open);
	task_free(&blocked);
	free(config_open);
	free(config_blocked);
}

/* Conformance C8 */
static void a_second_add_is_an_error_and_harms_nothing(void **state)
{
	struct task task = task_new("twice");
	char *config = config_of(1, "");

	json_decref(run_good(run_of("ADD", &task, config)));
	run_refused(run_of("ADD", &task, config), 100, "interface eth0 exists already");
	assert_true(reaches(-1, task.netns, "10.0.1.31"));
	assert_true(reaches(task.netns, task.netns, "169.254.170.2"));
	run_good(run_of("DEL", &task, config));
	task_free(&task);
	free(config);
}

/* Whether the address leads to the link in that table of the host. */
static bool is_in_table(uint32_t table, const char *address, const char *link)
{
	struct route route = { .table = table, .link_index = link_at(-1, link).index };
	struct route_list routes = { 0 };
	struct netlink *netlink = NULL;
	bool found;

	assert_int_equal(ip_prefix_parse(address, &route.destination, NULL), 0);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(route_list_all(netlink, &routes, NULL), 0);
	found = route_list_contains(&routes, &route);
	route_list_free(&routes);
	netlink_close(netlink);
	return found;
}

/* Of two networks, each of which has a table: net-T59. */
static void two_tasks_have_one_address_in_two_tables(void **state)
{
	struct census before = census_of(-1), after;
	struct task first = task_new("first"), second = task_new("second");
	char *config = config_of(1, ",\"routing-table\":300"), *text;
	char *other = config_of(1, ",\"routing-table\":3959422984");
	json_t *answer = run_good(run_of("ADD", &first, config)), *also, *with;

	run_refused(run_of("ADD", &second, config), 100, "the address is another task's");
	also = run_good(run_of("ADD", &second, other));
	assert_true(is_in_table(300, "10.0.1.31/32", text_at(answer, "interfaces.0.name")));
	assert_true(is_in_table(300, "fd00:1::1/128", text_at(answer, "interfaces.0.name")));
	assert_true(is_in_table(0, "10.0.1.31/32", text_at(answer, "interfaces.0.name")));
	assert_true(is_in_table(3959422984, "10.0.1.31/32", text_at(also, "interfaces.0.name")));
	assert_true(is_in_table(3959422984, "fd00:1::1/128", text_at(also, "interfaces.0.name")));
	assert_false(is_in_table(0, "10.0.1.31/32", text_at(also, "interfaces.0.name")));
	/* For the host it is the first one's. */
	assert_true(reaches(-1, first.netns, "10.0.1.31"));
	assert_false(reaches(-1, second.netns, "10.0.1.31"));
	with = json_loads(other, 0, NULL);
	json_object_set(with, "prevResult", also);
	text = json_dumps(with, 0);
	run_good(run_of("CHECK", &second, text));

	json_object_set_new(with, "runtimeConfig", json_pack("{s:b}", "leaveToNetns", true));
	free(text);
	text = json_dumps(with, 0);
	run_good(run_of("DEL", &second, text));
	assert_false(is_in_table(3959422984, "10.0.1.31/32", text_at(also, "interfaces.0.name")));
	assert_true(reaches(-1, first.netns, "10.0.1.31"));
	run_good(run_of("DEL", &second, other));
	run_good(run_of("DEL", &first, config));
	task_free(&first);
	task_free(&second);
	after = census_of(-1);
	census_assert_equal(&before, &after);
	json_decref(answer);
	json_decref(also);
	json_decref(with);
	free(text);
	free(config);
	free(other);
}

/* Conformance C9 */
static void a_del_succeeds_in_any_state(void **state)
{
	struct census before = census_of(-1), after;
	struct task task = task_new("delete");
	char *config = config_of(1, "");
	struct run run;

	run_good(run_of("DEL", &task, config));
	json_decref(run_good(run_of("ADD", &task, config)));
	run_good(run_of("DEL", &task, config));
	run_good(run_of("DEL", &task, config));
	for (int i = 0; i < 3; i++) {
		json_decref(run_good(run_of("ADD", &task, config)));
		run = run_of("DEL", &task, config);
		run.netns = (const char *[]){ "", "/nowhere", "/etc/passwd" }[i];
		run_good(run);
		after = census_of(-1);
		assert_int_equal(after.links, before.links);
		assert_int_equal(after.routes, before.routes);
		/* The namespace itself lived on, with what only its own DEL takes back. */
		run_good(run_of("DEL", &task, config));
	}
	json_decref(run_good(run_of("ADD", &task, config)));
	task_free(&task);
	run = run_of("DEL", &task, config);
	run_good(run);
	after = census_of(-1);
	census_assert_equal(&before, &after);
	free(config);
}

/* Conformance C13 */
static void the_host_is_no_task(void **state)
{
	struct census before = census_of(-1), after;
	struct task task = task_new("host");
	char *config = config_of(1, "");
	struct run run = run_of("ADD", &task, config);

	run.netns = "/proc/self/ns/net";
	run_refused(run, 8, "should not be the same");
	run.command = "DEL";
	run_refused(run, 8, "should not be the same");
	task_free(&task);
	after = census_of(-1);
	census_assert_equal(&before, &after);
	free(config);
}

static int disable_ipv6_on_loopback(void *data, struct error *err)
{
	(void)data;
	return sysctl_set("net/ipv6/conf/lo/disable_ipv6", "1", err);
}

/* Conformance C10: an address that another task has, a name that is taken, an MTU that the kernel
 * refuses. */
static void a_failed_add_leaves_nothing(void **state)
{
	static const struct {
		const char *more;
		const char *text;
	} bad[] = {
		{ ",\"ip-addresses\":[\"10.0.1.40/24\",\"10.0.1.32/24\"]",
		  "10.0.1.32/32 leads to another link already" },
		{ ",\"ip-addresses\":[\"10.0.1.40/24\",\"10.0.1.40/24\"]", "10.0.1.40" },
		{ ",\"mtu\":20", "create veth" },
		{ ",\"mtu\":1000", "disable_ipv6" },
		/* Where IPv6 is off on lo: the batch fails at its beginning, and the rest of it is
		   made. */
		{ ",\"block-instance-metadata\":true,\"loopback-addresses\":[\"169.254.170.2/"
		  "32\",\"fd00::9/128\"]",
		  "add address fd00::9/128 to lo" },
		{ ",\"loopback-addresses\":[\"224.0.0.1/4\"]",
		  "no address that an interface can have" },
		{ ",\"ip-addresses\":[\"fd00:1::9/64\",\"10.0.1.255/33\"]", "" },
	};
	struct task other = task_new("other"), task = task_new("fails");
	char *config_other = config_of(2, "");
	struct census host, inside, host_after, inside_after;

	assert_int_equal(netns_run(task.netns, disable_ipv6_on_loopback, NULL, NULL), 0);
	json_decref(run_good(run_of("ADD", &other, config_other)));
	host = census_of(-1);
	inside = census_of(task.netns);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *config = config_of(1, bad[i].more);
		struct run run = run_of("ADD", &task, config);

		run_execute(&run);
		if (run.status != 1)
			print_message("not refused: %s: %s\n", bad[i].more, run.out);
		assert_int_equal(run.status, 1);
		if (!strstr(text_at(run.answer, "msg"), bad[i].text))
			print_message("unexpected: %s\n", run.out);
		assert_non_null(strstr(text_at(run.answer, "msg"), bad[i].text));
		run_free(&run);
		host_after = census_of(-1);
		inside_after = census_of(task.netns);
		census_assert_equal(&host, &host_after);
		census_assert_equal(&inside, &inside_after);
		free(config);
	}
	assert_true(reaches(-1, other.netns, "10.0.1.32"));
	run_good(run_of("DEL", &other, config_other));
	task_free(&other);
	task_free(&task);
	free(config_other);
}

struct removal {
	const char *what;
	void (*remove)(struct netlink *host, struct netlink *task, struct netlink_batch *batch,
		       const struct link *host_link, const struct link *task_link);
	bool on_host;
};

static void remove_address(struct netlink *host, struct netlink *task, struct netlink_batch *batch,
			   const struct link *host_link, const struct link *task_link)
{
	struct ip_prefix address;

	ip_prefix_parse("10.0.1.31/24", &address, NULL);
	address_delete(batch, task_link->index, "eth0", &address);
}

static void remove_loopback_address(struct netlink *host, struct netlink *task,
				    struct netlink_batch *batch, const struct link *host_link,
				    const struct link *task_link)
{
	struct ip_prefix address;

	ip_prefix_parse("169.254.170.2/32", &address, NULL);
	address_delete(batch, 1, "lo", &address);
}

static void remove_default_route(struct netlink *host, struct netlink *task,
				 struct netlink_batch *batch, const struct link *host_link,
				 const struct link *task_link)
{
	const struct route route = { .destination = ip_default_route(AF_INET),
				     .link_index = task_link->index };

	route_delete(batch, &route);
}

static void remove_blackhole(struct netlink *host, struct netlink *task,
			     struct netlink_batch *batch, const struct link *host_link,
			     const struct link *task_link)
{
	struct route route = { .type = ROUTE_BLACKHOLE };

	ip_prefix_parse("169.254.169.254/32", &route.destination, NULL);
	route_delete(batch, &route);
}

static void set_task_down(struct netlink *host, struct netlink *task, struct netlink_batch *batch,
			  const struct link *host_link, const struct link *task_link)
{
	link_set_down(batch, task_link->index, "eth0");
}

static void change_mac(struct netlink *host, struct netlink *task, struct netlink_batch *batch,
		       const struct link *host_link, const struct link *task_link)
{
	struct mac_address mac;

	mac_parse("02:00:00:00:00:77", &mac, NULL);
	link_set_mac(batch, task_link->index, "eth0", &mac);
}

static void remove_host_route(struct netlink *host, struct netlink *task,
			      struct netlink_batch *batch, const struct link *host_link,
			      const struct link *task_link)
{
	struct route route = { .link_index = host_link->index };

	ip_prefix_parse("10.0.1.31/32", &route.destination, NULL);
	route.table = 300;
	route_delete(batch, &route);
}

static void remove_link(struct netlink *host, struct netlink *task, struct netlink_batch *batch,
			const struct link *host_link, const struct link *task_link)
{
	link_delete(batch, host_link->index, host_link->name);
}

/* Conformance C11 */
static void a_check_sees_what_is_missing(void **state)
{
	static const struct removal removals[] = {
		{ "address", remove_address, false },
		{ "loopback address", remove_loopback_address, false },
		{ "default route", remove_default_route, false },
		{ "blackhole", remove_blackhole, false },
		{ "link down", set_task_down, false },
		{ "another MAC", change_mac, false },
		{ "host route", remove_host_route, true },
		{ "link", remove_link, true },
	};

	for (size_t i = 0; i < sizeof(removals) / sizeof(removals[0]); i++) {
		struct task task = task_new("check");
		char *config =
			config_of(1, ",\"block-instance-metadata\":true,\"routing-table\":300");
		json_t *answer = run_good(run_of("ADD", &task, config)), *with;
		struct netlink *host = NULL, *inside = NULL;
		struct netlink_batch *batch = netlink_batch_new();
		struct link host_link = link_at(-1, text_at(answer, "interfaces.0.name"));
		struct link task_link = link_at(task.netns, "eth0");
		struct run run;
		char *text;

		with = json_loads(config, 0, NULL);
		json_object_set(with, "prevResult", answer);
		text = json_dumps(with, 0);
		run_good(run_of("CHECK", &task, text));

		assert_int_equal(netlink_open(&host, NULL), 0);
		assert_int_equal(netlink_open_in(task.netns, &inside, NULL), 0);
		removals[i].remove(host, inside, batch, &host_link, &task_link);
		assert_int_equal(netlink_run(removals[i].on_host ? host : inside, batch, NULL), 0);
		run = run_of("CHECK", &task, text);
		run_execute(&run);
		if (run.status == 0)
			print_message("not seen: %s\n", removals[i].what);
		assert_int_equal(run.status, 1);
		run_free(&run);

		run_good(run_of("DEL", &task, config));
		netlink_batch_free(batch);
		netlink_close(host);
		netlink_close(inside);
		json_decref(answer);
		json_decref(with);
		free(text);
		free(config);
		task_free(&task);
	}
}

/* Conformance C15 */
static void whenever_it_is_killed_a_del_cleans_up(void **state)
{
	struct census before = census_of(-1), after;
	char *config = config_of(1, ",\"block-instance-metadata\":true");

	for (int64_t after_us = 0; after_us < 8000; after_us += 160) {
		struct task task = task_new("killed");
		struct census inside = census_of(task.netns), inside_after;
		struct run run = run_of("ADD", &task, config);

		run.kill_after_us = after_us;
		run_execute(&run);
		run_free(&run);
		run_good(run_of("DEL", &task, config));
		inside_after = census_of(task.netns);
		assert_int_equal(inside_after.links, inside.links);
		assert_int_equal(inside_after.routes, inside.routes);
		assert_int_equal(inside_after.addresses_of_loopback, inside.addresses_of_loopback);
		/* And the namespace is as good as new. */
		json_decref(run_good(run_of("ADD", &task, config)));
		run_good(run_of("DEL", &task, config));
		task_free(&task);
	}
	after = census_of(-1);
	census_assert_equal(&before, &after);
	free(config);
}

/* Conformance C17 */
static void collection_removes_what_is_not_listed(void **state)
{
	struct census before = census_of(-1), after;
	struct task a = task_new("gc-a"), b = task_new("gc-b"), c = task_new("gc-c");
	char *config_a = config_of(1, ""), *config_b = config_of(2, ""),
	     *config_c = config_of(3, "");
	char *other = xasprintf("%s", config_c);
	char *gc =
		config_of(1, ",\"cni.dev/valid-attachments\":[{\"containerID\":\"gc-a\",\"ifname\":"
			     "\"eth0\"}]");
	struct run run = run_of("GC", &a, gc);

	memcpy(strstr(other, "awsvpc"), "other0", 6);
	json_decref(run_good(run_of("ADD", &a, config_a)));
	json_decref(run_good(run_of("ADD", &b, config_b)));
	json_decref(run_good(run_of("ADD", &c, other)));
	run_good(run);
	assert_true(reaches(-1, a.netns, "10.0.1.31"));
	assert_int_not_equal(connect_from(-1, "10.0.1.32", NULL), 0);
	/* Another network's attachments are not this one's to collect. */
	assert_true(reaches(-1, c.netns, "10.0.1.33"));
	run_good(run_of("DEL", &a, config_a));
	run_good(run_of("DEL", &b, config_b));
	run_good(run_of("DEL", &c, other));
	task_free(&a);
	task_free(&b);
	task_free(&c);
	after = census_of(-1);
	census_assert_equal(&before, &after);
	free(config_a);
	free(config_b);
	free(config_c);
	free(other);
	free(gc);
}

static void a_pair_that_is_left_to_its_namespace_dies_with_it(void **state)
{
	struct census before = census_of(-1), after;
	struct task task = task_new("left"), next = task_new("next");
	char *config = config_of(1, ""), *config_next = config_of(1, ",\"eni\":\"eni-next\"");
	char *leaving = config_of(1, ",\"runtimeConfig\":{\"leaveToNetns\":true}");
	json_t *answer = run_good(run_of("ADD", &task, config));
	const char *names[] = { text_at(answer, "interfaces.0.name") };
	struct netlink *netlink = NULL;
	size_t deleted = 99;

	run_good(run_of("DEL", &task, leaving));
	/* The pair is still there, and its address is another's already. */
	link_at(-1, names[0]);
	json_decref(run_good(run_of("ADD", &next, config_next)));
	task_free(&task);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(links_wait_gone(netlink, names, 1, 30000, &deleted, NULL), 0);
	assert_int_equal(deleted, 0);
	assert_true(reaches(-1, next.netns, "10.0.1.31"));
	run_good(run_of("DEL", &task, leaving));
	run_good(run_of("DEL", &next, config_next));
	task_free(&next);
	after = census_of(-1);
	census_assert_equal(&before, &after);
	netlink_close(netlink);
	json_decref(answer);
	free(config);
	free(config_next);
	free(leaving);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_gets_its_interface),
		cmocka_unit_test(routes_lead_by_the_pair),
		cmocka_unit_test(tasks_and_host_reach_one_another),
		cmocka_unit_test(the_first_packet_arrives),
		cmocka_unit_test(packets_as_large_as_the_mtu_arrive_whole),
		cmocka_unit_test(a_foreign_source_address_is_dropped),
		cmocka_unit_test(a_host_whose_ipv6_is_off_has_tasks_of_ipv4),
		cmocka_unit_test(the_host_forwards_ipv6_once_a_task_has_it),
		cmocka_unit_test(instance_metadata_is_blocked_when_asked_for),
		cmocka_unit_test(a_second_add_is_an_error_and_harms_nothing),
		cmocka_unit_test(two_tasks_have_one_address_in_two_tables),
		cmocka_unit_test(a_del_succeeds_in_any_state),
		cmocka_unit_test(the_host_is_no_task),
		cmocka_unit_test(a_failed_add_leaves_nothing),
		cmocka_unit_test(a_check_sees_what_is_missing),
		cmocka_unit_test(whenever_it_is_killed_a_del_cleans_up),
		cmocka_unit_test(collection_removes_what_is_not_listed),
		cmocka_unit_test(a_pair_that_is_left_to_its_namespace_dies_with_it),
	};
	int failed;

	live_enter("ecs-eni");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
