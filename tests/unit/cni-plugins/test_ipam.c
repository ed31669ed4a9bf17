/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/ipam.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "call.h"
#include "cni-plugins/ipam_store.h"

static char directory[64];

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/berth-ipam-test.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, directory, NULL);
}

/* A configuration whose "ipam" holds `more` beside the directory; freed by the caller. */
static char *config(const char *more)
{
	return xasprintf(
		"{\"name\":\"net\",\"cniVersion\":\"1.1.0\",\"type\":\"x\",\"ipam\":{\"type\":"
		"\"ecs-ipam\",\"data-dir\":\"%s\"%s%s}}",
		directory, *more ? "," : "", more);
}

/* Leases for one container; returns the answer's first address, or fails the test. The caller
 * frees. */
static char *lease(const char *container_id, const char *more)
{
	struct call call = call_good("ADD");
	char *text = config(more), *address;

	call.container_id = container_id;
	call.config = text;
	call_expect_success(&call, &ipam_plugin);
	assert_non_null(call_text(&call, "ips.0.address"));
	address = xstrdup(call_text(&call, "ips.0.address"));
	call_free(&call);
	free(text);
	return address;
}

static void expect_lease(const char *container_id, const char *more, const char *address)
{
	char *got = lease(container_id, more);

	assert_string_equal(got, address);
	free(got);
}

static void expect_refusal(const char *container_id, const char *more, int code, const char *text)
{
	struct call call = call_good("ADD");
	char *json = config(more);

	call.container_id = container_id;
	call.config = json;
	call_expect_failure(&call, &ipam_plugin, code, text);
	call_free(&call);
	free(json);
}

static void release(const char *container_id, const char *more)
{
	struct call call = call_good("DEL");
	char *json = config(more);

	call.container_id = container_id;
	call.config = json;
	call_expect_success(&call, &ipam_plugin);
	assert_string_equal(call.out, "");
	call_free(&call);
	free(json);
}

#define SMALL "\"ipv4-subnet\":\"10.9.0.0/29\""

static void an_address_has_its_subnet_gateway_and_routes(void **state)
{
	struct call call = call_good("ADD");
	char *json =
		config("\"ipv4-subnet\":\"169.254.172.0/22\",\"ipv4-routes\":[{\"dst\":"
		       "\"169.254.170.2/32\"},{\"dst\":\"10.0.0.0/8\",\"gw\":\"169.254.172.9\"}]");

	call.config = json;
	call_expect_success(&call, &ipam_plugin);
	assert_string_equal(call_text(&call, "ips.0.address"), "169.254.172.2/22");
	assert_string_equal(call_text(&call, "ips.0.gateway"), "169.254.172.1");
	assert_string_equal(call_text(&call, "routes.0.dst"), "169.254.170.2/32");
	assert_null(call_text(&call, "routes.0.gw"));
	assert_string_equal(call_text(&call, "routes.1.gw"), "169.254.172.9");
	assert_null(json_object_get(call.answer, "interfaces"));
	assert_null(json_object_get(json_array_get(json_object_get(call.answer, "ips"), 0),
				    "interface"));
	call_free(&call);
	free(json);
}

static void addresses_go_round_and_rest_before_they_are_anothers(void **state)
{
	expect_lease("a", SMALL, "10.9.0.2/29");
	expect_lease("b", SMALL, "10.9.0.3/29");
	release("a", SMALL);
	release("b", SMALL);
	expect_lease("c", SMALL, "10.9.0.4/29");
	expect_lease("d", SMALL, "10.9.0.5/29");
	expect_lease("e", SMALL, "10.9.0.6/29");
	/* Neither 10.9.0.7, the broadcast, nor .0, nor the gateway .1. */
	expect_lease("f", SMALL, "10.9.0.2/29");
}

/* net-T36 */
static void a_full_pool_says_so_and_gives_what_is_released_next(void **state)
{
	static const char pool[] = "\"ipv4-subnet\":\"169.254.172.0/22\"";
	char name[16];

	for (int i = 0; i < 1021; i++) {
		snprintf(name, sizeof(name), "task-%d", i);
		free(lease(name, pool));
	}
	expect_refusal("late", pool, 100,
		       "failed to find available ip addresses in the subnet 169.254.172.0/22");
	release("task-500", pool);
	expect_lease("late", pool, "169.254.173.246/22");
	expect_refusal("later", pool, 100, "failed to find available ip addresses");
}

static void a_release_may_come_any_number_of_times(void **state)
{
	release("never", SMALL);
	free(lease("a", SMALL));
	release("a", SMALL);
	release("a", SMALL);
	release("a", "");
	free(lease("a", SMALL));
}

static void an_owner_has_one_address_of_a_family(void **state)
{
	expect_lease("a", SMALL, "10.9.0.2/29");
	expect_refusal("a", SMALL, 100, "id already exists");
	/* The refused one has taken nothing from the first. */
	expect_lease("b", SMALL, "10.9.0.3/29");
	expect_refusal("c", SMALL ",\"ipv4-address\":\"10.9.0.2/29\"", 100, "already in use");
	free(lease("c", SMALL ",\"id\":\"the id of the caller\""));
	expect_refusal("d", SMALL ",\"id\":\"the id of the caller\"", 100, "id already exists");
	release("another", SMALL ",\"id\":\"the id of the caller\"");
	free(lease("d", SMALL ",\"id\":\"the id of the caller\""));
}

/* net-T40 */
static void a_given_address_keeps_its_own_length(void **state)
{
	expect_lease("daemon",
		     "\"ipv4-subnet\":\"169.254.172.0/22\",\"ipv4-address\":\"169.254.172.2/32\"",
		     "169.254.172.2/32");
	expect_refusal("other",
		       "\"ipv4-subnet\":\"169.254.172.0/22\",\"ipv4-address\":\"169.254.172.2/22\"",
		       100, "ip address 169.254.172.2 is already in use");
}

static void both_families_come_together_or_not_at_all(void **state)
{
	static const char both[] = SMALL ",\"ipv6-subnet\":\"fd00:ec2::172:0/126\"";
	struct call call = call_good("ADD");
	char *json = config(both);

	call.config = json;
	call_expect_success(&call, &ipam_plugin);
	assert_string_equal(call_text(&call, "ips.0.address"), "10.9.0.2/29");
	assert_string_equal(call_text(&call, "ips.1.address"), "fd00:ec2::172:2/126");
	assert_string_equal(call_text(&call, "ips.1.gateway"), "fd00:ec2::172:1");
	call_free(&call);
	free(json);

	expect_lease("b", both, "10.9.0.3/29");
	/* IPv6 is exhausted: the IPv4 address taken for it is given back. */
	expect_refusal("c", both, 100, "subnet fd00:ec2::172:0/126");
	expect_lease("c", SMALL ",\"ipv4-address\":\"10.9.0.4/29\"", "10.9.0.4/29");
}

/* net-T39 */
static void the_gateways_address_is_nobodys(void **state)
{
	expect_refusal("a", SMALL ",\"ipv4-address\":\"10.9.0.1/29\"", 7, "gateway's address");
	expect_lease("a", SMALL ",\"ipv4-gateway\":\"10.9.0.6\",\"ipv4-address\":\"10.9.0.1/29\"",
		     "10.9.0.1/29");
	/* Whoever takes .1 for the gateway now finds it owned. */
	expect_refusal("b", SMALL, 100, "ip of gateway has already been used");
}

static void configurations_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *more;
		const char *text;
	} bad[] = {
		{ "", "one of ipv4-subnet and ipv6-subnet is needed" },
		{ "\"ipv4-subnet\":\"10.0.0.0\"", "ipam.ipv4-subnet" },
		{ "\"ipv4-subnet\":\"10.0.0.0/31\"", "no available ip in the subnet" },
		{ "\"ipv6-subnet\":\"fd00::/127\"", "no available ip in the subnet" },
		{ "\"ipv4-subnet\":\"fd00::/64\"", "of the other family" },
		{ SMALL ",\"ipv4-gateway\":\"10.8.0.1\"", "is not in the subnet" },
		{ SMALL ",\"ipv4-gateway\":\"10.9.0.0\"", "network or broadcast address" },
		{ SMALL ",\"ipv4-address\":\"10.9.0.7/29\"", "network or broadcast address" },
		{ SMALL ",\"ipv4-address\":\"10.9.1.2/29\"", "is not in the subnet" },
		{ SMALL ",\"ipv4-routes\":[{\"dst\":\"x\"}]", "ipam.ipv4-routes[0]" },
		{ SMALL ",\"ipv4-routes\":[{\"dst\":\"fd00::/8\"}]", "of the other family" },
		{ "\"ipv4-address\":\"10.9.0.2/29\"", "ipam.ipv4-subnet is missing" },
		{ "\"ipv4-subnet\":7", "ipv4-subnet" },
	};
	struct call call = call_good("ADD");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_refusal("a", bad[i].more, 7, bad[i].text);
	call.config = "{\"name\":\"net\",\"cniVersion\":\"1.0.0\"}";
	call_expect_failure(&call, &ipam_plugin, 7, "ipam");
	call_free(&call);
}

static char *path_of(const char *name)
{
	return xasprintf("%s/net/%s", directory, name);
}

static void put(const char *name, const char *text)
{
	char *path = path_of(name);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false, NULL),
			 0);
	free(path);
}

/* net-T38, the pool. */
static void leases_end_with_the_boot(void **state)
{
	expect_lease("a", SMALL, "10.9.0.2/29");
	put("boot", "00000000-0000-0000-0000-000000000000\n");
	expect_lease("b", SMALL, "10.9.0.2/29");
	expect_lease("a", SMALL, "10.9.0.3/29");
}

static void damage_is_survived_or_told(void **state)
{
	static const char *const damage[] = { "", "garbage", "{\"owner\":", "[]", "{}" };
	char *path;

	free(lease("first", SMALL));
	release("first", SMALL);
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		put("leases/10.9.0.2", damage[i]);
		put("owners/a%2Feth0.4", damage[i]);
		put("last.4", damage[i]);
		/* What nobody can read is taken as taken: two tasks never share an address. */
		expect_lease("a", SMALL, "10.9.0.3/29");
		release("a", SMALL);
	}
	path = path_of("last.4");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_refusal("a", SMALL, 100, "last.4");
	rmdir(path);
	free(path);
	/* The refused one left nothing that would count against it. */
	expect_lease("a", SMALL, "10.9.0.3/29");
}

static void a_held_lock_is_not_waited_for_for_ever(void **state)
{
	struct ipam_store *store = NULL, *second = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(ipam_store_open(directory, "net", 100, &store, NULL), 0);
	assert_int_equal(ipam_store_open(directory, "net", 30, &second, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "is locked by another process"));
	assert_int_equal(ipam_store_open(directory, "other", 30, &second, &err), 0);
	ipam_store_close(second);
	ipam_store_close(store);
	assert_int_equal(ipam_store_open(directory, "net", 30, &store, NULL), 0);
	ipam_store_close(store);
}

/* What a process that was killed in the middle leaves: the owner's file, and no lease. */
static void a_lease_that_was_cut_off_means_nothing(void **state)
{
	expect_lease("a", SMALL, "10.9.0.2/29");
	put("owners/b%2Feth0.4", "10.9.0.2");
	expect_lease("b", SMALL, "10.9.0.3/29");
	put("owners/c%2Feth0.4", "10.9.0.2");
	/* Its release must not take the address of who really has it. */
	release("c", SMALL);
	expect_refusal("d", SMALL ",\"ipv4-address\":\"10.9.0.2/29\"", 100, "already in use");
}

/* Conformance C17 */
static void collection_keeps_what_is_listed(void **state)
{
	struct call call = call_good("GC");
	char *json;

	for (int i = 0; i < 4; i++)
		free(lease((const char *[]){ "a", "b", "c", "d" }[i], SMALL));
	put("leases/10.9.0.6", "garbage");
	json = xasprintf(
		"{\"name\":\"net\",\"cniVersion\":\"1.1.0\",\"ipam\":{\"type\":\"ecs-ipam\","
		"\"data-dir\":\"%s\"},\"cni.dev/valid-attachments\":[{\"containerID\":\"b\","
		"\"ifname\":\"eth0\"},{\"containerID\":\"d\",\"ifname\":\"eth0\"},"
		"{\"containerID\":\"a\",\"ifname\":\"eth1\"}]}",
		directory);
	call.config = json;
	call_expect_success(&call, &ipam_plugin);
	call_free(&call);
	free(json);

	expect_refusal("b", SMALL, 100, "id already exists");
	expect_refusal("d", SMALL, 100, "id already exists");
	expect_lease("x", SMALL ",\"ipv4-address\":\"10.9.0.2/29\"", "10.9.0.2/29");
	expect_lease("y", SMALL ",\"ipv4-address\":\"10.9.0.4/29\"", "10.9.0.4/29");
	expect_lease("z", SMALL ",\"ipv4-address\":\"10.9.0.6/29\"", "10.9.0.6/29");
}

/* Conformance C11, the reservation */
static void a_check_misses_what_is_gone(void **state)
{
	struct call call = call_good("CHECK");
	char *json = config(SMALL);

	free(lease("task-1", SMALL));
	call.config = json;
	call_expect_success(&call, &ipam_plugin);
	call_free(&call);
	release("task-1", SMALL);
	call = call_good("CHECK");
	call.config = json;
	call_expect_failure(&call, &ipam_plugin, 100, "no ip address associated");
	call_free(&call);
	free(json);
}

/* Conformance C11: the address that was answered is another's by now. */
static void a_check_knows_the_address_that_was_answered(void **state)
{
	struct call call = call_good("CHECK");
	char *json = config(SMALL), *good, *bad;
	char *address = lease("task-1", SMALL);

	good = xasprintf("%.*s,\"prevResult\":{\"ips\":[{\"address\":\"%s\"}]}}",
			 (int)strlen(json) - 1, json, address);
	bad = xasprintf("%.*s,\"prevResult\":{\"ips\":[{\"address\":\"10.9.0.99/29\"}]}}",
			(int)strlen(json) - 1, json);
	call.config = good;
	call_expect_success(&call, &ipam_plugin);
	call_free(&call);
	call = call_good("CHECK");
	call.config = bad;
	call_expect_failure(&call, &ipam_plugin, 100, "not in prevResult");
	call_free(&call);
	free(address);
	free(json);
	free(good);
	free(bad);
}

/* net-T36: before an ADD says so. */
static void a_status_tells_that_the_subnet_is_full(void **state)
{
	static const char *const owners[] = { "a", "b", "c", "d", "e" };
	char *json = config(SMALL);
	struct call call;

	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		call = call_good("STATUS");
		call.config = json;
		call_expect_success(&call, &ipam_plugin);
		call_free(&call);
		free(lease(owners[i], SMALL));
	}
	call = call_good("STATUS");
	call.config = json;
	call_expect_failure(&call, &ipam_plugin, 50, "failed to find available ip addresses");
	call_free(&call);
	release("c", SMALL);
	call = call_good("STATUS");
	call.config = json;
	call_expect_success(&call, &ipam_plugin);
	call_free(&call);
	free(json);
}

/* Conformance C16: unique addresses, whoever asks at the same time. */
static void leases_taken_at_the_same_time_differ(void **state)
{
	static const char pool[] = "\"ipv4-subnet\":\"10.9.0.0/24\"";
	enum { PROCESSES = 4, EACH = 25 };
	struct ipam_store *store = NULL;
	struct ip_address address;
	int found = 0;

	for (int p = 0; p < PROCESSES; p++) {
		if (fork() > 0)
			continue;
		for (int i = 0; i < EACH; i++) {
			char name[32];

			snprintf(name, sizeof(name), "p%d-%d", p, i);
			free(lease(name, pool));
		}
		_exit(0);
	}
	for (int p = 0; p < PROCESSES; p++) {
		int status = -1;

		wait(&status);
		assert_int_equal(status, 0);
	}
	/* 100 owners with a lease each, in files named by address: no two the same. */
	assert_int_equal(ipam_store_open(directory, "net", 1000, &store, NULL), 0);
	for (int p = 0; p < PROCESSES; p++) {
		for (int i = 0; i < EACH; i++) {
			char name[32];

			snprintf(name, sizeof(name), "p%d-%d/eth0", p, i);
			found += ipam_store_find(store, name, AF_INET, &address, NULL) == 0;
		}
	}
	ipam_store_close(store);
	assert_int_equal(found, PROCESSES * EACH);
}

int main(void)
{
#define STORED(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		STORED(an_address_has_its_subnet_gateway_and_routes),
		STORED(addresses_go_round_and_rest_before_they_are_anothers),
		STORED(a_full_pool_says_so_and_gives_what_is_released_next),
		STORED(a_release_may_come_any_number_of_times),
		STORED(an_owner_has_one_address_of_a_family),
		STORED(a_given_address_keeps_its_own_length),
		STORED(both_families_come_together_or_not_at_all),
		STORED(the_gateways_address_is_nobodys),
		STORED(configurations_that_cannot_be_are_refused),
		STORED(leases_end_with_the_boot),
		STORED(damage_is_survived_or_told),
		STORED(a_held_lock_is_not_waited_for_for_ever),
		STORED(a_lease_that_was_cut_off_means_nothing),
		STORED(collection_keeps_what_is_listed),
		STORED(a_check_misses_what_is_gone),
		STORED(a_check_knows_the_address_that_was_answered),
		STORED(a_status_tells_that_the_subnet_is_full),
		STORED(leases_taken_at_the_same_time_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
