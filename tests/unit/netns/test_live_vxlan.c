/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks of several hosts, on the real kernel: net-T60. */
#include "netns/vxlan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "netns/link.h"
#include "netns/masquerade.h"
#include "netns/neigh.h"
#include "netns/nft.h"
#include "netns/route.h"
#include "netns/sysctl.h"
#include "netns/vxlan_link.h"
#include "vxlan_place.h"

/* Number 2 begins on the first host, 3 on the second. */
static struct place_task here, there;
static struct place_host *const one = &place_hosts[0], *const two = &place_hosts[1],
				*const three = &place_hosts[2];

static struct place_map map_of(int host_of_here, int host_of_there)
{
	struct place_map map;

	for (int i = 0; i < PLACE_TASKS; i++)
		map.host_of[i] = -1;
	map.host_of[2] = host_of_here;
	map.host_of[3] = host_of_there;
	map.rules = NULL;
	return map;
}

static int make_tasks(void **state)
{
	here = place_task_on(one, 2);
	there = place_task_on(two, 3);
	return 0;
}

static int free_tasks(void **state)
{
	place_task_free(&here);
	place_task_free(&there);
	return 0;
}

static int tell_all(void **state)
{
	const struct place_map map = map_of(0, 1);

	place_tell_all(&map);
	return 0;
}

/* Nothing is left of it, whatever the test did. */
static int tell_none(void **state)
{
	const struct place_map map = map_of(-1, -1);

	place_tell_all(&map);
	for (int i = 0; i < PLACE_HOSTS; i++) {
		char *listing = place_host_listing(&place_hosts[i]);

		assert_string_equal(listing, "");
		free(listing);
		place_hosts[i].is_v6 = false;
	}
	return 0;
}

static void tasks_reach_each_other(void **state)
{
	assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
	assert_true(place_reaches(there.netns, here.netns, here.v4, 80));
	assert_true(place_reaches(here.netns, there.netns, there.v6, 80));
	assert_true(place_pings(here.netns, there.v4));
	assert_int_equal(place_send(here.netns, there.v4, 53), -ECONNREFUSED);
	assert_int_equal(one->mtu, PLACE_WIRE_MTU - 50);
}

static void the_wire_may_be_of_ipv6(void **state)
{
	const struct place_map none = map_of(-1, -1), map = map_of(0, 1);

	place_tell_all(&none);
	for (int i = 0; i < PLACE_HOSTS; i++)
		place_hosts[i].is_v6 = true;
	place_tell_all(&map);
	assert_int_equal(one->mtu, PLACE_WIRE_MTU - 70);
	assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
	assert_true(place_reaches(here.netns, there.netns, there.v6, 80));
	place_tell_all(&none);
}

static void groups_hold_across_hosts(void **state)
{
	struct place_map map = map_of(0, 1);

	map.rules = " member 10.0.1.2\n in 6 80 80 sg-all\n out -1 -1 -1 0.0.0.0/0\n";
	assert_int_equal(place_tell(two, &map), 0);
	assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
	assert_false(place_reaches(here.netns, there.netns, there.v4, 81));
	map.rules = " in 6 80 80 sg-all\n out -1 -1 -1 0.0.0.0/0\n";
	assert_int_equal(place_tell(two, &map), 0);
	assert_false(place_reaches(here.netns, there.netns, there.v4, 80));
}

static void open_wire(void *data)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex("up0") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	*(int *)data = fd;
}

/* How many frames of those that have come and gone by the host's wire have the address in them. */
static int frames_about(int fd, const char *address)
{
	struct ip_address ip;
	unsigned char frame[2048];
	ssize_t size;
	int count = 0;

	assert_int_equal(ip_parse(address, &ip, NULL), 0);
	while ((size = recv(fd, frame, sizeof(frame), 0)) > 0)
		count += memmem(frame, (size_t)size, ip.bytes, ip_size(&ip)) != NULL;
	return count;
}

/* Nothing goes out on the wire, neither packet nor question. */
static void what_nobody_has_is_dropped(void **state)
{
	char *listing = place_host_listing(one);
	int wire;

	place_host_run(one, open_wire, &wire);

	assert_non_null(strstr(listing, "drop 10.0.1.0/24\n"));
	assert_non_null(strstr(listing, "drop fd00:1::/64\n"));
	assert_int_equal(place_connect(here.netns, "10.0.1.9", 80), -ETIMEDOUT);
	assert_int_equal(frames_about(wire, "10.0.1.9"), 0);
	assert_int_equal(place_connect(here.netns, "fd00:1::9", 80) < 0, true);
	assert_int_equal(frames_about(wire, "fd00:1::9"), 0);
	place_send(here.netns, there.v4, 53);
	assert_true(frames_about(wire, there.v4) > 0);
	place_send(here.netns, there.v6, 53);
	assert_true(frames_about(wire, there.v6) > 0);
	free(listing);
	close(wire);
}

static void send_to_there(void *data)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, there.v4, &to.sin_addr);
	*(int *)data = sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
	close(fd);
}

/* It hears so at once, by the route that drops. */
static void the_host_itself_is_not_reached_that_way(void **state)
{
	int code = 0;

	place_host_run(one, send_to_there, &code);
	assert_int_equal(code, EINVAL);
	assert_false(place_reaches(there.netns, one->netns, one->v4, 80));
}

/* --- what others send */

static bool is_heard(int from, const char *outer, uint32_t vni, const char *inner)
{
	int fd = place_receiver(here.netns, here.v4, 4321);
	char c;
	bool heard;

	place_pack(from, outer, one->v4, vni, inner, here.v4);
	heard = recv(fd, &c, 1, 0) == 1;
	close(fd);
	return heard;
}

static void host_network_and_source_must_belong_together(void **state)
{
	struct place_map map = map_of(0, 1);

	map.host_of[4] = 2;
	assert_int_equal(place_tell(one, &map), 0);
	assert_true(is_heard(two->netns, two->v4, PLACE_VNI, there.v4));
	assert_false(is_heard(two->netns, two->v4, PLACE_VNI, "10.0.1.4"));
	assert_true(is_heard(three->netns, three->v4, PLACE_VNI, "10.0.1.4"));
	assert_false(is_heard(three->netns, three->v4, PLACE_VNI, there.v4));
	assert_false(is_heard(two->netns, two->v4, PLACE_VNI, "10.0.1.9"));
	assert_false(is_heard(two->netns, two->v4, PLACE_VNI, here.v4));
	assert_false(is_heard(two->netns, two->v4, PLACE_VNI + 1, there.v4));
	/* A host that is none of the cluster. */
	map = map_of(0, 1);
	assert_int_equal(place_tell(one, &map), 0);
	assert_false(is_heard(three->netns, three->v4, PLACE_VNI, there.v4));
	assert_true(is_heard(two->netns, two->v4, PLACE_VNI, there.v4));
}

/* As the link of a bridge is. */
static void loosen(void *data)
{
	assert_int_equal(sysctl_set_link("ipv4", "conf", data, "rp_filter", "0", NULL), 0);
}

/* From a task, a container or whoever is behind this host: also when it says it is a host. */
static void tasks_do_not_pack_by_themselves(void **state)
{
	struct place_task other = place_task_on(one, 5);

	place_host_run(one, loosen, "ve00000005");
	/* The task's own host. */
	assert_false(is_heard(other.netns, other.v4, PLACE_VNI, there.v4));
	assert_false(is_heard(other.netns, two->v4, PLACE_VNI, there.v4));
	place_task_free(&other);
}

/* What a host masquerades would leave with its own address. */
static void masquerade(void *data)
{
	struct ip_prefix tasks;

	assert_int_equal(ip_prefix_parse("10.0.1.0/24", &tasks, NULL), 0);
	assert_int_equal(masquerade_ensure("none", &tasks, NULL), 0);
}

static void unmasquerade(void *data)
{
	assert_int_equal(nft_delete_table("ip", "berth-bridge", NULL), 0);
}

static void what_is_forwarded_to_the_port_of_a_host_is_dropped(void **state)
{
	int fd = place_receiver(here.netns, here.v4, 4321);
	struct place_task other = place_task_on(two, 5);
	struct place_map map = map_of(0, 1);
	char c;

	map.host_of[4] = 2;
	place_tell_all(&map);

	place_host_run(two, masquerade, NULL);
	place_host_run(two, loosen, "ve00000005");
	place_pack(other.netns, other.v4, one->v4, PLACE_VNI, there.v4, here.v4);
	assert_true(recv(fd, &c, 1, 0) < 0);
	/* By a host that other hosts' packets pass, as the third one's might. */
	place_pack(other.netns, three->v4, one->v4, PLACE_VNI, "10.0.1.4", here.v4);
	assert_true(recv(fd, &c, 1, 0) < 0);
	place_host_run(two, unmasquerade, NULL);
	place_task_free(&other);
	close(fd);
}

/* --- changes */

struct stream {
	int listener, client, server;
};

static struct stream open_stream(void)
{
	struct stream stream = { .listener = place_listen(there.netns, there.v4, 80) };

	stream.client = place_connect(here.netns, there.v4, 80);
	assert_true(stream.client >= 0);
	stream.server = accept(stream.listener, NULL, NULL);
	assert_true(place_talks(stream.client, stream.server));
	return stream;
}

static void close_stream(struct stream *stream)
{
	close(stream->listener);
	close(stream->client);
	close(stream->server);
}

static void plug(void *data)
{
	place_task_plug(data);
}

static bool mentions(struct place_host *host, const char *text)
{
	char *listing = place_host_listing(host);
	bool found = strstr(listing, text) != NULL;

	free(listing);
	return found;
}

/* The task with its sockets goes to the third host, and back. */
static void a_stream_survives_a_move(void **state)
{
	struct stream stream = open_stream();
	struct place_map map = map_of(0, 2);

	assert_true(mentions(one, "10.0.1.3/32 via 192.0.2.2\n"));
	place_tell_all(&map);
	place_task_unplug(&there);
	place_host_run(three, plug, &there);
	assert_true(place_talks(stream.client, stream.server));
	assert_true(mentions(one, "10.0.1.3/32 via 192.0.2.3\n"));
	assert_false(mentions(one, "192.0.2.2\n"));
	assert_false(mentions(two, "vx7"));
	map = map_of(0, 1);
	place_tell_all(&map);
	place_task_unplug(&there);
	place_host_run(two, plug, &there);
	assert_true(place_talks(stream.client, stream.server));
	assert_false(mentions(one, "192.0.2.3\n"));
	close_stream(&stream);
}

/* An address that comes to a task of this host, and goes. */
static void an_address_that_comes_here_is_here(void **state)
{
	struct place_map map = map_of(0, 0);

	place_tell_all(&map);
	place_task_unplug(&there);
	place_host_run(one, plug, &there);
	assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
	assert_false(mentions(one, "via"));
	/* The link is still there when the control plane says it is elsewhere: it is nobody's. */
	map = map_of(0, 1);
	place_tell_all(&map);
	assert_false(place_reaches(here.netns, there.netns, there.v4, 80));
	place_task_unplug(&there);
	place_host_run(two, plug, &there);
	assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
}

static void a_program_that_comes_back_finds_its_own(void **state)
{
	struct stream stream = open_stream();
	const struct place_map map = map_of(0, 1);
	char *before = place_host_listing(one), *after;

	place_host_reset(one);
	assert_true(place_talks(stream.client, stream.server));
	assert_int_equal(place_tell(one, &map), 0);
	after = place_host_listing(one);
	assert_string_equal(before, after);
	assert_true(place_talks(stream.client, stream.server));
	free(before);
	free(after);
	close_stream(&stream);
}

/* What was written before it died, and is not wanted any more. */
static void a_program_that_comes_back_leaves_nothing_stale(void **state)
{
	struct place_map map = map_of(0, 1);
	char *before = place_host_listing(one), *after;

	map.host_of[4] = 2;
	map.host_of[6] = 1;
	assert_int_equal(place_tell(one, &map), 0);
	assert_true(mentions(one, "192.0.2.3\n"));
	place_host_reset(one);
	map = map_of(0, 1);
	assert_int_equal(place_tell(one, &map), 0);
	after = place_host_listing(one);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

struct device {
	struct netlink *netlink;
	struct link link;
};

struct making_device {
	struct vxlan_spec spec;
	struct device device;
};

static void make_device_here(void *data)
{
	struct making_device *making = data;

	assert_int_equal(netlink_open(&making->device.netlink, NULL), 0);
	assert_int_equal(
		vxlan_create(making->device.netlink, &making->spec, &making->device.link, NULL), 0);
}

static struct device make_device(struct place_host *host, uint32_t vni, const char *alias)
{
	struct making_device making = { .spec = { vni, .port = PLACE_PORT, .mtu = 1400,
						  .alias = alias } };

	assert_int_equal(ip_parse(host->v4, &making.spec.local, NULL), 0);
	place_host_run(host, make_device_here, &making);
	return making.device;
}

static void change_device(struct device *device,
			  void (*change)(struct netlink_batch *batch, const struct link *link))
{
	struct netlink_batch *batch = netlink_batch_new();

	change(batch, &device->link);
	assert_int_equal(netlink_run(device->netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(device->netlink);
}

static void no_alias(struct netlink_batch *batch, const struct link *link)
{
	link_set_alias(batch, link->index, link->name, "");
}

static void rename_it(struct netlink_batch *batch, const struct link *link)
{
	link_set_down(batch, link->index, link->name);
	link_rename(batch, link->index, link->name, "other");
}

static void delete_it(struct netlink_batch *batch, const struct link *link)
{
	link_delete(batch, link->index, link->name);
}

static void what_is_half_made_is_made_anew(void **state)
{
	const struct place_map none = map_of(-1, -1), map = map_of(0, 1);
	struct device half;

	assert_int_equal(place_tell(one, &none), 0);
	half = make_device(one, PLACE_VNI, "");
	change_device(&half, no_alias);
	/* And one of another network, with the alias of an address that was this host's. */
	half = make_device(one, 8, "berth-vxlan test 8 192.0.2.99 4789");
	netlink_close(half.netlink);
	place_host_reset(one);
	assert_int_equal(place_tell(one, &map), 0);
	assert_true(mentions(one, "vx7 1450 berth-vxlan test 7 192.0.2.1 4789\n"));
	assert_false(mentions(one, "vx8"));
	assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
}

/* By name, then by VNI. */
static void a_device_of_another_is_left_alone(void **state)
{
	const struct place_map none = map_of(-1, -1), map = map_of(0, 1);
	struct device other;

	assert_int_equal(place_tell(one, &none), 0);
	other = make_device(one, PLACE_VNI, "berth-vxlan another 7 192.0.2.1 4789");
	assert_int_equal(place_tell(one, &map), -EEXIST);
	assert_non_null(strstr(one->err.text, "another program's link has this name"));
	assert_true(mentions(one, "vx7 1400 berth-vxlan another"));
	change_device(&other, rename_it);
	assert_int_equal(place_tell(one, &map), -EEXIST);
	assert_non_null(strstr(one->err.text,
			       "create VXLAN device vx7 on port 4789: A VXLAN device with "
			       "the specified VNI already exists"));
	assert_int_equal(netlink_open_in(one->netns, &other.netlink, NULL), 0);
	change_device(&other, delete_it);
	assert_int_equal(place_tell(one, &map), 0);
	assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
}

static void what_somebody_took_away_comes_back(void **state)
{
	struct place_map map = map_of(0, 1);
	struct device device;

	assert_int_equal(netlink_open_in(one->netns, &device.netlink, NULL), 0);
	assert_int_equal(link_by_name(device.netlink, PLACE_DEVICE, &device.link, NULL), 0);
	change_device(&device, delete_it);
	map.host_of[4] = 1;
	assert_int_equal(place_tell(one, &map), 0);
	assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
}

/* A task that was made before packets had to be smaller. */
static void segments_fit_what_is_left_of_a_packet(void **state)
{
	struct stream stream = open_stream();
	int size = 0;
	socklen_t length = sizeof(size);

	assert_int_equal(getsockopt(stream.client, IPPROTO_TCP, TCP_MAXSEG, &size, &length), 0);
	assert_true(size > 1000 && size <= PLACE_WIRE_MTU - 50 - 40);
	assert_int_equal(getsockopt(stream.server, IPPROTO_TCP, TCP_MAXSEG, &size, &length), 0);
	assert_true(size > 1000 && size <= PLACE_WIRE_MTU - 50 - 40);
	close_stream(&stream);
}

/* --- cost */

struct many {
	struct vxlan *vxlan;
	struct tunnel *tunnel;
	int result;
	int64_t took_ns;
};

static void apply_many(void *data)
{
	struct many *many = data;
	struct error err = ERROR_INIT;
	uint32_t mtu;
	int64_t begin = clock_monotonic_ns();

	many->result = vxlan_apply(many->vxlan, TAKE(many->tunnel), &mtu, &err);
	many->took_ns = clock_monotonic_ns() - begin;
	if (many->result < 0)
		print_message("%s\n", err.text);
}

static struct tunnel *tunnel_with(int count)
{
	struct ip_prefix prefix;
	struct tunnel_peer peer = { .vni = 9 };
	struct tunnel_network network = { 9, &prefix, 1 };
	struct ip_address local;
	struct tunnel *tunnel;

	assert_int_equal(ip_parse(three->v4, &local, NULL), 0);
	assert_int_equal(ip_prefix_parse("10.7.0.0/16", &prefix, NULL), 0);
	assert_int_equal(ip_parse(one->v4, &peer.host, NULL), 0);
	tunnel = tunnel_new(&local, PLACE_PORT);
	tunnel_add_network(tunnel, &network);
	peer.address = prefix.address;
	for (int i = 0; i < count; i++) {
		peer.address = ip_next(&peer.address);
		assert_int_equal(tunnel_add_peer(tunnel, &peer, NULL), 0);
	}
	return tunnel;
}

static int64_t apply_to(struct many *many, int count)
{
	many->tunnel = tunnel_with(count);
	place_host_run(three, apply_many, many);
	assert_int_equal(many->result, 0);
	return many->took_ns;
}

static void thousands_of_tasks_come_and_go(void **state)
{
	struct many many = { .vxlan = vxlan_new("many") };
	int64_t all, more, again;

	all = apply_to(&many, 4000);
	more = apply_to(&many, 4001);
	vxlan_free(many.vxlan);
	many.vxlan = vxlan_new("many");
	again = apply_to(&many, 3000);
	print_message("4000 addresses: %lld us; one more: %lld us; all looked at: %lld us\n",
		      (long long)all / 1000, (long long)more / 1000, (long long)again / 1000);
	many.tunnel = tunnel_new(NULL, 0);
	place_host_run(three, apply_many, &many);
	assert_int_equal(many.result, 0);
	vxlan_free(many.vxlan);
}

static void withdraw_all(void *data)
{
	struct tunnel *none = tunnel_new(NULL, 0);

	assert_int_equal(vxlan_withdraw(data, none, NULL), 0);
	tunnel_free(none);
}

/* Before the rules that guard it, also by a program that has just begun; and whatever came of
 * these, all of it is there again when it is wanted. */
static void a_device_is_withdrawn_by_itself(void **state)
{
	const struct place_map map = map_of(0, 1);

	for (int round = 0; round < 2; round++) {
		char *listing;

		place_host_run(one, withdraw_all, one->vxlan);
		listing = place_host_listing(one);
		assert_null(strstr(listing, PLACE_DEVICE));
		free(listing);
		assert_int_equal(place_tell(one, &map), 0);
		assert_true(place_reaches(here.netns, there.netns, there.v4, 80));
		assert_true(place_reaches(there.netns, here.netns, here.v6, 80));
		place_host_reset(one);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tell_all, tell_none)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tasks_reach_each_other),
		TEST(the_wire_may_be_of_ipv6),
		TEST(groups_hold_across_hosts),
		TEST(what_nobody_has_is_dropped),
		TEST(the_host_itself_is_not_reached_that_way),
		TEST(host_network_and_source_must_belong_together),
		TEST(tasks_do_not_pack_by_themselves),
		TEST(what_is_forwarded_to_the_port_of_a_host_is_dropped),
		TEST(a_stream_survives_a_move),
		TEST(an_address_that_comes_here_is_here),
		TEST(a_program_that_comes_back_finds_its_own),
		TEST(a_program_that_comes_back_leaves_nothing_stale),
		TEST(what_is_half_made_is_made_anew),
		TEST(a_device_of_another_is_left_alone),
		TEST(what_somebody_took_away_comes_back),
		TEST(a_device_is_withdrawn_by_itself),
		TEST(segments_fit_what_is_left_of_a_packet),
		TEST(thousands_of_tasks_come_and_go),
	};
	int failed;

	place_hosts_enter();
	failed = cmocka_run_group_tests(tests, make_tasks, free_tasks);
	place_hosts_leave();
	return failed;
}
