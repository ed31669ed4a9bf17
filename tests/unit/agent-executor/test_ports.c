/* SPDX-License-Identifier: Apache-2.0 */
/* In a namespace of its own: every port of it is the test's. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/executor/ports.h"
#include "base/cleanup.h"

/* As another program would: 0, or -errno. */
static int try_port(int type, uint16_t port)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	int r = bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ? -errno : 0;

	close(fd);
	return r;
}

struct published {
	struct held_ports held;
	struct port_binding *bindings;
	size_t count;
	struct error err;
};

static int publish(struct ports *ports, struct published *published,
		   const struct port_mapping *mappings, size_t count)
{
	const struct container_spec container = { .port_mappings = mappings,
						  .port_mapping_count = count };

	*published = (struct published){ 0 };
	return ports_take(ports, &container, &published->held, &published->bindings,
			  &published->count, &published->err);
}

static void give_up(struct published *published)
{
	ports_release(&published->held);
	free(published->bindings);
}

static void a_fixed_port_is_held_until_it_is_released(void **state)
{
	static const struct port_mapping web = { .container_port = 80, .host_port = 8080 };
	struct ports *ports = ports_new(50000, 50010);
	struct published published, second;

	assert_int_equal(publish(ports, &published, &web, 1), 0);
	assert_int_equal(published.bindings[0].host_port, 8080);
	assert_int_equal(published.bindings[0].count, 1);
	assert_int_equal(try_port(SOCK_STREAM, 8080), -EADDRINUSE);
	assert_int_equal(try_port(SOCK_DGRAM, 8080), 0);
	assert_int_equal(publish(ports, &second, &web, 1), -EADDRINUSE);
	assert_string_equal(second.err.text,
			    "Bind for 0.0.0.0:8080 failed: port is already allocated (tcp)");
	give_up(&published);
	assert_int_equal(try_port(SOCK_STREAM, 8080), 0);
	ports_free(ports);
}

/* eng-57, eng-59: in turn, so that one that was given up is not soon another's. */
static void dynamic_ports_go_around_the_range(void **state)
{
	static const struct port_mapping udp = { .container_port = 53, .protocol = TRANSPORT_UDP };
	static const uint16_t expected[] = { 50000, 50001, 50000 };
	struct ports *ports = ports_new(50000, 50001);
	struct published published;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(publish(ports, &published, &udp, 1), 0);
		assert_int_equal(published.bindings[0].host_port, expected[i]);
		assert_int_equal(try_port(SOCK_DGRAM, expected[i]), -EADDRINUSE);
		give_up(&published);
	}
	ports_free(ports);
}

static void without_a_free_one_nothing_is_held(void **state)
{
	static const struct port_mapping three[] = { { .container_port = 1 },
						     { .container_port = 2 },
						     { .container_port = 3 } };
	struct ports *ports = ports_new(50000, 50001);
	struct published published, second;

	assert_int_equal(publish(ports, &published, three, 3), -EBUSY);
	assert_string_equal(published.err.text, "a host port is unavailable");
	assert_int_equal(try_port(SOCK_STREAM, 50000), 0);
	assert_int_equal(publish(ports, &published, three, 2), 0);
	assert_int_not_equal(published.bindings[0].host_port, published.bindings[1].host_port);
	assert_int_equal(publish(ports, &second, three, 1), -EBUSY);
	give_up(&published);
	ports_free(ports);
}

/* eng-58: a block in one piece, around what another has; fixed ports first. */
static void a_range_is_one_block(void **state)
{
	static const struct port_mapping mappings[] = {
		{ .container_port = 8000, .range_end = 8002 },
		{ .container_port = 80, .host_port = 50002 },
	};
	struct ports *ports = ports_new(50000, 50005);
	struct published published, second;

	assert_int_equal(publish(ports, &published, mappings, 2), 0);
	assert_int_equal(published.bindings[0].host_port, 50003);
	assert_int_equal(published.bindings[0].count, 3);
	assert_true(published.bindings[0].is_range);
	assert_int_equal(published.held.count, 4);
	assert_int_equal(publish(ports, &second, mappings, 1), -EBUSY);
	assert_string_equal(second.err.text, "3 contiguous host ports are unavailable");
	give_up(&published);
	ports_free(ports);
}

/* net-T54: neither alone nor in a block, also where nobody has bound them; of one protocol. */
static void reserved_ports_are_passed_over(void **state)
{
	static const struct port_mapping web = { .container_port = 80 };
	static const struct port_mapping udp = { .container_port = 53, .protocol = TRANSPORT_UDP };
	static const struct port_mapping three = { .container_port = 8000, .range_end = 8002 };
	static const uint16_t reserved[] = { 22, 50000, 50003 };
	struct ports *ports = ports_new(50000, 50006);
	struct published published, second;

	ports_reserve(ports, TRANSPORT_TCP, reserved, 2);
	ports_reserve(ports, TRANSPORT_TCP, reserved + 2, 1);
	assert_int_equal(try_port(SOCK_STREAM, 50000), 0);
	assert_int_equal(publish(ports, &published, &web, 1), 0);
	assert_int_equal(published.bindings[0].host_port, 50001);
	assert_int_equal(publish(ports, &second, &three, 1), 0);
	assert_int_equal(second.bindings[0].host_port, 50004);
	give_up(&second);
	assert_int_equal(publish(ports, &second, &web, 1), 0);
	assert_int_equal(second.bindings[0].host_port, 50002);
	give_up(&second);
	give_up(&published);
	assert_int_equal(publish(ports, &published, &udp, 1), 0);
	assert_int_equal(published.bindings[0].host_port, 50003);
	give_up(&published);
	ports_free(ports);

	ports = ports_new(50000, 50000);
	ports_reserve(ports, TRANSPORT_TCP, reserved, 2);
	assert_int_equal(publish(ports, &published, &web, 1), -EBUSY);
	assert_string_equal(published.err.text, "a host port is unavailable");
	ports_free(ports);
}

enum { FIRST = 50000, LAST = 50063, STOLEN = 16 };

static int bound(uint16_t port)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Takes ports and gives them up again, in no order that anybody could know. */
static void *steal(void *data)
{
	atomic_bool *over = data;
	int fds[STOLEN];
	unsigned seed = 1;

	for (int i = 0; i < STOLEN; i++)
		fds[i] = -1;
	for (unsigned i = 0; !atomic_load(over); i++) {
		seed = seed * 1103515245u + 12345u;
		if (fds[i % STOLEN] >= 0)
			close(fds[i % STOLEN]);
		fds[i % STOLEN] = bound((uint16_t)(FIRST + seed / 65536 % (LAST - FIRST + 1)));
	}
	for (int i = 0; i < STOLEN; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return NULL;
}

/* net-T53, with the two before: who is chosen is bound, so that between choice and start nobody
 * gets it; what another one took while we looked is passed over. */
static void a_thief_gets_none_that_was_chosen(void **state)
{
	static const struct port_mapping mappings[] = {
		{ .container_port = 80 },
		{ .container_port = 8000, .range_end = 8002 },
	};
	struct ports *ports = ports_new(FIRST, LAST);
	atomic_bool over = false;
	pthread_t thief;

	assert_int_equal(pthread_create(&thief, NULL, steal, &over), 0);
	for (int round = 0; round < 500; round++) {
		struct published published;
		uint16_t one, block;

		if (publish(ports, &published, mappings, 2) < 0)
			fail_msg("%s", published.err.text);
		one = published.bindings[0].host_port;
		block = published.bindings[1].host_port;
		assert_int_equal(published.bindings[1].count, 3);
		assert_int_equal(try_port(SOCK_STREAM, one), -EADDRINUSE);
		for (uint16_t port = block; port < block + 3; port++) {
			assert_int_not_equal(port, one);
			assert_int_equal(try_port(SOCK_STREAM, port), -EADDRINUSE);
		}
		assert_true(one >= FIRST && one <= LAST && block + 2 <= LAST);
		give_up(&published);
	}
	atomic_store(&over, true);
	pthread_join(thief, NULL);
	ports_free(ports);
}

static void they_are_held_again_after_a_restart(void **state)
{
	struct port_binding bindings[] = { { .host_port = 50000, .count = 2 } };
	const struct connection_state connection = { .bindings = bindings, .binding_count = 1 };
	struct held_ports held = { 0 };
	struct error err;

	assert_int_equal(ports_take_again(&connection, &held, &err), 0);
	assert_int_equal(try_port(SOCK_STREAM, 50001), -EADDRINUSE);
	ports_release(&held);
}

/* Each is a descriptor: one task definition must not use up the agent's. */
static void there_are_not_more_than_a_thousand(void **state)
{
	static const struct port_mapping many = { .container_port = 1000, .range_end = 2000 };
	struct ports *ports = ports_new(10000, 60000);
	struct published published;

	assert_int_equal(publish(ports, &published, &many, 1), -E2BIG);
	assert_int_equal(published.held.count, 0);
	ports_free(ports);
}

/* What every port would fail for is said at once. */
static void without_descriptors_the_search_ends(void **state)
{
	static const struct port_mapping some = { .container_port = 1000, .range_end = 1099 };
	struct ports *ports = ports_new(10000, 60000);
	struct published published;
	struct rlimit before, few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ 20, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	int r = publish(ports, &published, &some, 1);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	assert_non_null(strstr(published.err.text, "Too many open files"));
	ports_free(ports);
}

static uint16_t first_dynamic(void)
{
	static const struct port_mapping web = { .container_port = 80 };
	struct ports *ports = ports_new(0, 0);
	struct published published;
	uint16_t port;

	assert_int_equal(publish(ports, &published, &web, 1), 0);
	port = published.bindings[0].host_port;
	give_up(&published);
	ports_free(ports);
	return port;
}

/* cfg-C20, its second half: what ECS_DYNAMIC_HOST_PORT_RANGE does not say the kernel says, and
 * where that cannot be read there is a range of old. In a mount namespace of its own. */
static void without_a_range_the_kernels_counts(void **state)
{
	FILE *knob = fopen("/proc/sys/net/ipv4/ip_local_port_range", "w");

	assert_non_null(knob);
	fputs("41000 41010", knob);
	assert_int_equal(fclose(knob), 0);
	assert_int_equal(first_dynamic(), 41000);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	if (mount("none", "/proc/sys/net", "tmpfs", 0, NULL) < 0)
		fail_msg("%s", strerror(errno));
	assert_int_equal(first_dynamic(), 49153);
	assert_int_equal(umount("/proc/sys/net"), 0);
}

static int set_up(void **state)
{
	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	printf(geteuid() == 0 ? "skipped: not on this kernel: make a network namespace\n"
			      : "skipped: it needs root\n");
	exit(77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fixed_port_is_held_until_it_is_released),
		cmocka_unit_test(dynamic_ports_go_around_the_range),
		cmocka_unit_test(without_a_free_one_nothing_is_held),
		cmocka_unit_test(a_range_is_one_block),
		cmocka_unit_test(without_a_range_the_kernels_counts),
		cmocka_unit_test(reserved_ports_are_passed_over),
		cmocka_unit_test(a_thief_gets_none_that_was_chosen),
		cmocka_unit_test(they_are_held_again_after_a_restart),
		cmocka_unit_test(there_are_not_more_than_a_thousand),
		cmocka_unit_test(without_descriptors_the_search_ends),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
