/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch on the real kernel, which hands on to all what root sends to it, as its own message: so
 * an end of a veth is told as a device on the bus.
 */
#include "netns/device_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/securebits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "live.h"
#include "netns/link.h"
#include "netns/namespace.h"
#include "netns/route.h"

#define DEADLINE_MS 30000
#define NOBODY      65534

struct world {
	struct loop *loop;
	struct device_watch *watch;
	struct str_list kinds;
	struct netlink *netlink;
	struct loop_timer *tick; /* so that waiting for what does not come has an end */
	int netns;               /* where the other ends are */
	unsigned told[256];      /* by the last byte of the MAC */
	unsigned total;
};

static struct world world;

static void appeared(void *data, const struct mac_address *mac)
{
	assert_ptr_equal(data, &world);
	assert_int_equal(mac->bytes[0], 0x0a);
	world.told[mac->bytes[5]]++;
	world.total++;
}

static void start_watch(int64_t interval_ms, const char *kind)
{
	const struct device_watch_config config = { .loop = world.loop,
						    .interval_ms = interval_ms,
						    .kinds = &world.kinds,
						    .appeared = appeared,
						    .data = &world };

	if (kind)
		str_list_add(&world.kinds, kind);
	assert_int_equal(device_watch_new(&config, &world.watch, NULL), 0);
}

static void tick(void *data)
{
	loop_timer_start(world.tick, 100);
}

static int set_up(void **state)
{
	int r;

	memset(&world, 0, sizeof(world));
	world.netns = -1;
	r = loop_new(&world.loop, NULL);
	if (r < 0)
		return r;
	world.tick = loop_timer_new(world.loop, tick, NULL);
	tick(NULL);
	r = netlink_open(&world.netlink, NULL);
	if (r == 0)
		r = netns_create(live_path("elsewhere"), NULL, &world.netns, NULL);
	return r;
}

static int tear_down(void **state)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct link_list links;

	device_watch_free(world.watch);
	loop_timer_free(world.tick);
	loop_free(world.loop);
	str_list_free(&world.kinds);
	if (link_list(world.netlink, LINK_GROUP_BERTH, &links, NULL) == 0) {
		for (size_t i = 0; i < links.count; i++)
			link_delete(batch, links.items[i].index, links.items[i].name);
		netlink_run(world.netlink, batch, NULL);
		link_list_free(&links);
	}
	netlink_batch_free(batch);
	netlink_close(world.netlink);
	close(world.netns);
	return netns_delete(live_path("elsewhere"), NULL, NULL);
}

static struct mac_address mac_of(unsigned number)
{
	return (struct mac_address){ { 0x0a, 0, 0, 0, 0, (unsigned char)number } };
}

/* A device card<number> whose MAC ends so. */
static struct link plug(unsigned number)
{
	char name[IFNAMSIZ], peer[IFNAMSIZ];
	struct link link;
	const struct veth_spec spec = {
		.host_name = name,
		.peer_name = peer,
		.peer_netns_fd = world.netns,
		.host_mac = mac_of(number),
		.peer_mac = { { 2, 0, 0, 0, 0, (unsigned char)number } },
		.group = LINK_GROUP_BERTH,
	};

	snprintf(name, sizeof(name), "card%u", number);
	snprintf(peer, sizeof(peer), "peer%u", number);
	assert_int_equal(veth_create(world.netlink, &spec, &link, NULL), 0);
	return link;
}

/* Has the kernel say it. */
static int say(const void *text, size_t size)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct nlmsghdr header = { .nlmsg_len = (uint32_t)(sizeof(header) + size),
					 .nlmsg_type = NLMSG_MIN_TYPE,
					 .nlmsg_flags = NLM_F_REQUEST };
	struct iovec parts[] = { { (void *)(uintptr_t)&header, sizeof(header) },
				 { (void *)(uintptr_t)text, size } };
	const struct msghdr message = { .msg_name = (void *)(uintptr_t)&kernel,
					.msg_namelen = sizeof(kernel),
					.msg_iov = parts,
					.msg_iovlen = 2 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	ssize_t r = sendmsg(fd, &message, 0);

	close(fd);
	return r < 0 ? -errno : 0;
}

static size_t message_of(char *out, size_t size, const char *path, unsigned number)
{
	return (size_t)snprintf(out, size,
				"add@%s/net/card%u%cACTION=add%cDEVPATH=%s/net/card%u%c"
				"SUBSYSTEM=net%cINTERFACE=card%u",
				path, number, 0, 0, path, number, 0, 0, number) +
	       1;
}

static void say_added(const char *path, unsigned number)
{
	char text[512];

	assert_int_equal(say(text, message_of(text, sizeof(text), path, number)), 0);
}

static void run_until_told(unsigned number, unsigned times)
{
	int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;

	while (world.told[number] < times) {
		assert_true(clock_monotonic_ms() < deadline_ms);
		loop_run_once(world.loop, true);
	}
}

/* What was said before this is over has been heard when the device is told. */
static void run_until_heard(void)
{
	unsigned before = world.told[255];

	say_added("/devices/vif-1", 255);
	run_until_told(255, before + 1);
}

#define HARDWARE "/devices/pci0000:00/0000:00:06.0"

/* net-T11 */
static void only_hardware_of_which_the_kernel_speaks_is_told(void **state)
{
	char text[16384];
	size_t size;

	plug(1);
	plug(255);
	start_watch(DEADLINE_MS * 10, NULL);
	run_until_heard();
	assert_int_equal(world.told[1], 0);

	say_added("/devices/virtual", 1);
	say_added("/devices/platform/usb1", 1);
	/* No such device: it has gone, or is called otherwise. */
	say_added(HARDWARE, 9);
	/* Garbage, without the last NUL (the kernel adds a line of its own), too long. */
	assert_int_equal(say("\xff\xfe\0@\0\0=\0", 8), 0);
	size = message_of(text, sizeof(text), HARDWARE, 1);
	text[strlen(text)] = ' ';
	assert_int_equal(say(text, size), 0);
	memset(text, 'x', sizeof(text));
	size = message_of(text, sizeof(text), HARDWARE, 1);
	(void)say(text, sizeof(text)); /* what the kernel itself refuses is not heard, either */
	run_until_heard();
	assert_int_equal(world.told[1], 0);

	say_added(HARDWARE, 1);
	run_until_told(1, 1);
	say_added("/devices/vif-1", 1);
	run_until_told(1, 2);
}

/* To those who listen, past the kernel. */
static void say_as_program(const char *text, size_t size)
{
	const struct sockaddr_nl all = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	assert_int_equal(sendto(fd, text, size, 0, (const struct sockaddr *)&all, sizeof(all)),
			 (ssize_t)size);
	close(fd);
}

/* With root's power over this namespace, but not its number. */
static void say_as_nobody(const char *text, size_t size)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		_exit(say(text, size) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* net-T11: a port is not the kernel's, and a number other than 0 not root's. */
static void what_another_than_the_kernel_says_is_ignored(void **state)
{
	char text[512];
	size_t size = message_of(text, sizeof(text), HARDWARE, 1);

	plug(1);
	plug(255);
	start_watch(DEADLINE_MS * 10, NULL);
	run_until_heard();
	say_as_program(text, size);
	say_as_nobody(text, size);
	run_until_heard();
	assert_int_equal(world.told[1], 0);
	assert_int_equal(say(text, size), 0);
	run_until_told(1, 1);
}

/* net-T11: what was lost is found by looking. */
static void after_an_overflow_all_devices_are_looked_at(void **state)
{
	unsigned before;

	plug(1);
	start_watch(DEADLINE_MS * 10, "veth");
	run_until_told(1, 1);
	/* The link's own changes may ask for one more look. */
	for (int i = 0; i < 20; i++)
		loop_run_once(world.loop, false);
	before = world.told[1];
	for (unsigned i = 0; i < 20000; i++)
		say_added("/devices/virtual", 1);
	run_until_told(1, before + 1);
}

/* Until what was lost has been made up for, and nothing more comes by itself. */
static void run_until_quiet(void)
{
	unsigned before = world.total + 1;

	for (int round = 0; world.total != before; round++) {
		assert_true(round < 100);
		before = world.total;
		for (int64_t end_ms = clock_monotonic_ms() + 300; clock_monotonic_ms() < end_ms;)
			loop_run_once(world.loop, true);
	}
}

/* net-T11: and the kernel is listened to as before. */
static void after_an_overflow_the_watch_goes_on(void **state)
{
	plug(1);
	start_watch(DEADLINE_MS * 10, NULL);
	for (unsigned i = 0; i < 20000; i++)
		say_added("/devices/virtual", 9);
	run_until_quiet();
	assert_int_equal(world.total, 0);
	say_added(HARDWARE, 1);
	run_until_told(1, 1);
}

static void after_an_overflow_of_links_the_watch_goes_on(void **state)
{
	struct netlink_batch *batch;
	struct link link = plug(1);

	start_watch(DEADLINE_MS * 10, "veth");
	run_until_told(1, 1);
	for (unsigned i = 0; i < 2000; i++) {
		batch = netlink_batch_new();
		link_set_mtu(batch, link.index, "card1", 1400 + i % 2);
		assert_int_equal(netlink_run(world.netlink, batch, NULL), 0);
		netlink_batch_free(batch);
	}
	run_until_quiet();
	plug(2);
	run_until_told(2, 1);
}

static void a_look_finds_what_was_there_before(void **state)
{
	plug(1);
	start_watch(DEADLINE_MS * 10, "veth");
	run_until_told(1, 1);
	device_watch_look(world.watch);
	device_watch_look(world.watch);
	run_until_told(1, 3); /* the one that was under way, and one more for both */
	/* By itself, when a link is made. */
	plug(2);
	run_until_told(2, 1);
}

static void all_are_looked_at_every_so_often(void **state)
{
	plug(1);
	start_watch(20, "veth");
	run_until_told(1, 5);
}

/* Those that count must be neither loopback nor of another kind. */
static void links_of_other_kinds_are_no_devices(void **state)
{
	plug(1);
	start_watch(10, "macvlan");
	for (int i = 0; i < 20; i++)
		loop_run_once(world.loop, true);
	assert_int_equal(world.total, 0);
}

/* net-T12: neither by looking, nor when the kernel speaks of it. */
static void the_hosts_own_device_is_never_told(void **state)
{
	struct route route = { .destination = { .address = { .family = AF_INET } } };
	struct netlink_batch *batch = netlink_batch_new();
	struct link own = plug(1);

	route.link_index = own.index;
	link_set_up(batch, own.index, own.name);
	route_add(batch, &route);
	/* A second one, which is used less. */
	route.link_index = plug(2).index;
	route.priority = 100;
	link_set_up(batch, route.link_index, "card2");
	route_add(batch, &route);
	assert_int_equal(netlink_run(world.netlink, batch, NULL), 0);
	start_watch(DEADLINE_MS * 10, "veth");
	say_added(HARDWARE, 1);
	run_until_told(2, 1);
	say_added(HARDWARE, 1);
	plug(255);
	run_until_heard();
	assert_int_equal(world.told[1], 0);
	/* It stays so when another takes its place. */
	link_set_down(batch, own.index, own.name);
	assert_int_equal(netlink_run(world.netlink, batch, NULL), 0);
	device_watch_look(world.watch);
	run_until_told(2, world.told[2] + 2);
	assert_int_equal(world.told[1], 0);
	netlink_batch_free(batch);
}

/* A host that reaches the world by two devices at once loses neither. */
static void all_ways_of_a_multipath_route_are_the_hosts_own(void **state)
{
	for (unsigned number = 1; number <= 3; number++)
		plug(number);
	assert_int_equal(system("ip link set card1 up && ip link set card2 up && "
				"ip link set card3 up && "
				"ip addr add 10.99.1.9/24 dev card1 && "
				"ip addr add 10.99.2.9/24 dev card2 && "
				"ip route add default nexthop via 10.99.1.1 dev card1 onlink "
				"nexthop via 10.99.2.1 dev card2 onlink && "
				"ip route add default metric 9 dev card3"),
			 0);
	start_watch(DEADLINE_MS * 10, "veth");
	run_until_told(3, 1);
	say_added(HARDWARE, 1);
	say_added(HARDWARE, 2);
	plug(255);
	run_until_heard();
	assert_int_equal(world.told[1], 0);
	assert_int_equal(world.told[2], 0);
}

static void a_watch_can_end_at_any_time(void **state)
{
	plug(1);
	start_watch(1, "veth");
	for (int i = 0; i < 30; i++) {
		for (unsigned n = 0; n < 10; n++)
			say_added(HARDWARE, n);
		device_watch_look(world.watch);
		loop_run_once(world.loop, false);
		device_watch_free(world.watch);
		start_watch(1, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_hardware_of_which_the_kernel_speaks_is_told,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_another_than_the_kernel_says_is_ignored,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_an_overflow_all_devices_are_looked_at, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(after_an_overflow_the_watch_goes_on, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(after_an_overflow_of_links_the_watch_goes_on,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_look_finds_what_was_there_before, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(all_are_looked_at_every_so_often, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(links_of_other_kinds_are_no_devices, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_hosts_own_device_is_never_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(all_ways_of_a_multipath_route_are_the_hosts_own,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_watch_can_end_at_any_time, set_up, tear_down),
	};
	int failed;

	live_enter();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
