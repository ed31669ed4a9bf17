/* SPDX-License-Identifier: Apache-2.0 */
/* ecs-eni with the driver eni: a device moves into the task and back. A veth's end plays the
 * device. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "live.h"
#include "netns/link.h"
#include "netns/namespace.h"

static char *config_of(const char *mac, const char *address, const char *more)
{
	return xasprintf(
		"{\"cniVersion\":\"1.0.0\",\"name\":\"awsvpc\",\"type\":\"ecs-eni\",\"eni\":"
		"\"eni-1\",\"mac\":\"%s\",\"ip-addresses\":[\"%s\"],"
		"\"gateway-ip-addresses\":[\"10.5.0.1\"],\"mtu\":1400%s}",
		mac, address, more);
}

/* Plugs a device of this name and MAC into the host; its other end is <name>p. */
static void plug(const char *name, const char *mac)
{
	char peer[16];
	struct veth_spec spec = { .host_name = peer, .peer_name = name };
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct link link;

	snprintf(peer, sizeof(peer), "%sp", name);
	mac_parse(mac, &spec.peer_mac, NULL);
	spec.host_mac = spec.peer_mac;
	spec.host_mac.bytes[0] = 0x06;
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(netns_open("/proc/thread-self/ns/net", &spec.peer_netns_fd, NULL), 0);
	assert_int_equal(veth_create(netlink, &spec, &link, NULL), 0);
	link_set_up(batch, link.index, peer);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	close(spec.peer_netns_fd);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

static void unplug(const char *name)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct link link;
	char peer[16];

	snprintf(peer, sizeof(peer), "%sp", name);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, peer, &link, NULL), 0);
	link_delete(batch, link.index, peer);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

/* What the device with this MAC is called in a namespace (-1: the host); "" when it is not there.
 */
static const char *name_of(int netns, const char *mac_text)
{
	static struct link link;
	struct netlink *netlink = open_at(netns);
	struct mac_address mac;

	mac_parse(mac_text, &mac, NULL);
	if (link_by_mac(netlink, &mac, &link, NULL) < 0)
		link.name[0] = '\0';
	netlink_close(netlink);
	return link.name;
}

#define MAC_A "02:11:22:00:00:0a"
#define MAC_B "02:11:22:00:00:0b"

static void a_device_moves_in_and_back(void **state)
{
	struct task task = task_new("move");
	char *config =
		config_of(MAC_A, "10.5.0.9/24", ",\"loopback-addresses\":[\"169.254.170.2/32\"]");
	struct census before = census_of(task.netns), after;
	json_t *answer;

	plug("nic0", MAC_A);
	answer = run_good(run_of("ADD", &task, config));
	assert_string_equal(text_at(answer, "interfaces.0.name"), "eth0");
	assert_string_equal(text_at(answer, "interfaces.0.sandbox"), task.path);
	assert_string_equal(text_at(answer, "ips.0.address"), "10.5.0.9/24");
	json_decref(answer);
	assert_string_equal(name_of(task.netns, MAC_A), "eth0");
	assert_string_equal(name_of(-1, MAC_A), "");
	assert_true(reaches(task.netns, task.netns, "10.5.0.9"));
	run_refused(run_of("ADD", &task, config), 100, "interface eth0 exists already");

	run_good(run_of("DEL", &task, config));
	assert_string_equal(name_of(-1, MAC_A), "eni2200000a");
	run_good(run_of("DEL", &task, config));
	after = census_of(task.netns);
	census_assert_equal(&before, &after);
	/* And in again, from the name under which it came back. */
	json_decref(run_good(run_of("ADD", &task, config)));
	run_good(run_of("DEL", &task, config));
	unplug("nic0");
	task_free(&task);
	free(config);
}

/* By the keys of vpc-eni, and by the name of its plugin; the device by its MAC, or by its name on
 * the host. */
static void a_device_is_given_by_the_keys_of_vpc_eni_too(void **state)
{
	static const char *const devices[] = {
		"\"eniName\":\"\",\"eniMACAddress\":\"" MAC_A "\"",
		"\"eniName\":\"nic0\"",
	};

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		struct task task = task_new("vpc-eni");
		char *config = xasprintf(
			"{\"cniVersion\":\"0.3.0\",\"name\":\"network-name\",\"type\":\"vpc-eni\","
			"\"dns\":{},%s,\"eniIPAddresses\":[\"10.5.0.9/24\"],\"gatewayIPAddresses\":"
			"[\"10.5.0.1\"],\"useExistingNetwork\":false,\"blockInstanceMetadata\":"
			"true}",
			devices[i]);
		struct run run = run_of("ADD", &task, config);
		json_t *answer;

		plug("nic0", MAC_A);
		run.program = "vpc-eni";
		answer = run_good(run);
		assert_string_equal(text_at(answer, "cniVersion"), "0.3.0");
		assert_string_equal(text_at(answer, "interfaces.0.mac"), MAC_A);
		assert_string_equal(text_at(answer, "ips.0.address"), "10.5.0.9/24");
		assert_string_equal(text_at(answer, "ips.0.gateway"), "10.5.0.1");
		assert_string_equal(name_of(task.netns, MAC_A), "eth0");
		assert_int_equal(connect_from(task.netns, "169.254.169.254", NULL), -EINVAL);
		json_decref(answer);
		run = run_of("DEL", &task, config);
		run.program = "vpc-eni";
		run_good(run);
		run_good(run);
		assert_string_equal(name_of(-1, MAC_A), "eni2200000a");
		unplug("nic0");
		task_free(&task);
		free(config);
	}
}

static char *config_by_name(const char *name, const char *more)
{
	return xasprintf("{\"cniVersion\":\"1.0.0\",\"name\":\"awsvpc\",\"type\":\"vpc-eni\","
			 "\"eniName\":\"%s\",\"eniIPAddresses\":[\"10.5.0.9/24\"],"
			 "\"gatewayIPAddresses\":[\"10.5.0.1\"]%s}",
			 name, more);
}

#define ANSWERED(mac)                                                                              \
	",\"prevResult\":{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\",\"mac\":"    \
	"\"" mac "\",\"sandbox\":\"/run/netns/x\"}]}"

/* Without its MAC: what else is called as the device would be is not taken out of a task. */
static void a_device_given_by_its_name_is_known_when_it_goes_back(void **state)
{
	struct task task = task_new("by-name");
	char *other = config_of(MAC_B, "10.5.0.8/24", "");
	char *config = config_by_name("nic0", "");
	char *answered = config_by_name("nic0", ANSWERED(MAC_A));
	char *by_answer = config_by_name("nic0", ANSWERED(MAC_B));
	struct link link;

	plug("nic0", MAC_A);
	plug("nic1", MAC_B);
	json_decref(run_good(run_of("ADD", &task, other)));
	run_good(run_of("DEL", &task, config));
	run_good(run_of("DEL", &task, answered));
	assert_string_equal(name_of(task.netns, MAC_B), "eth0");
	/* The one that an ADD has answered is, whatever it is called. */
	run_good(run_of("DEL", &task, by_answer));
	assert_string_equal(name_of(-1, MAC_B), "eni2200000b");

	json_decref(run_good(run_of("ADD", &task, config)));
	link = link_at(task.netns, "eth0");
	assert_string_equal(link.alias, "ecs:by-name:eth0:awsvpc");
	run_good(run_of("DEL", &task, config));
	link = link_at(-1, "eni2200000a");
	assert_string_equal(link.alias, "");
	unplug("nic0");
	unplug("nic1");
	task_free(&task);
	free(other);
	free(config);
	free(answered);
	free(by_answer);
}

/* What was given away for nothing is as it was. */
static void a_failed_add_gives_the_alias_back(void **state)
{
	struct task task = task_new("alias");
	char *config = config_by_name("nic0", ",\"eniIPAddresses\":[\"10.6.0.9/24\"]");
	struct netlink *netlink = open_at(-1);
	struct netlink_batch *batch = netlink_batch_new();
	struct link link;

	plug("nic0", MAC_A);
	link = link_at(-1, "nic0");
	link_set_alias(batch, link.index, link.name, "the spare one");
	assert_int_equal(netlink_finish(netlink, batch, NULL), 0);
	netlink_close(netlink);
	run_refused(run_of("ADD", &task, config), 100, "Nexthop has invalid gateway");
	assert_string_equal(link_at(-1, "nic0").alias, "the spare one");
	unplug("nic0");
	task_free(&task);
	free(config);
}

static void a_device_that_is_not_there_is_named(void **state)
{
	struct task task = task_new("absent");
	char *config = config_of(MAC_A, "10.5.0.9/24", "");

	run_refused(run_of("ADD", &task, config), 100,
		    "device with mac address " MAC_A " not found");
	task_free(&task);
	free(config);
}

static void *plug_later(void *data)
{
	usleep(200000);
	plug("nic0", MAC_A);
	return NULL;
}

static void a_device_that_is_on_its_way_is_waited_for(void **state)
{
	struct task task = task_new("arrives");
	char *config = config_of(MAC_A, "10.5.0.9/24", ",\"device-wait-ms\":60000");
	char *short_wait = config_of(MAC_A, "10.5.0.9/24", ",\"device-wait-ms\":100");
	char *bad = config_of(MAC_A, "10.5.0.9/24", ",\"device-wait-ms\":60001");
	char *by_name = config_by_name("nic0", ",\"device-wait-ms\":60000");
	char *short_by_name = config_by_name("nic0", ",\"device-wait-ms\":100");
	pthread_t thread;

	run_refused(run_of("ADD", &task, bad), 7, "device-wait-ms");
	run_refused(run_of("ADD", &task, short_wait), 100,
		    "device with mac address " MAC_A " not found");
	assert_int_equal(pthread_create(&thread, NULL, plug_later, NULL), 0);
	json_decref(run_good(run_of("ADD", &task, config)));
	pthread_join(thread, NULL);
	assert_string_equal(name_of(task.netns, MAC_A), "eth0");
	run_good(run_of("DEL", &task, config));
	unplug("nic0");
	run_refused(run_of("ADD", &task, short_by_name), 100, "find link nic0: No such device");
	assert_int_equal(pthread_create(&thread, NULL, plug_later, NULL), 0);
	json_decref(run_good(run_of("ADD", &task, by_name)));
	pthread_join(thread, NULL);
	assert_string_equal(name_of(task.netns, MAC_A), "eth0");
	run_good(run_of("DEL", &task, by_name));
	unplug("nic0");
	task_free(&task);
	free(by_name);
	free(short_by_name);
	free(short_wait);
	free(config);
	free(bad);
}

/* An ADD that was cut off after the move: the device is there under another name. */
static void a_device_that_is_there_already_is_taken_on(void **state)
{
	struct task task = task_new("resume");
	char *config = config_of(MAC_A, "10.5.0.9/24", "");
	char *down = config_of(MAC_A, "10.5.0.9/24", ",\"stay-down\":true");
	struct run run = run_of("ADD", &task, down);

	plug("nic0", MAC_A);
	run.ifname = "half";
	json_decref(run_good(run));
	assert_string_equal(name_of(task.netns, MAC_A), "half");
	json_decref(run_good(run_of("ADD", &task, config)));
	assert_string_equal(name_of(task.netns, MAC_A), "eth0");
	assert_true(reaches(task.netns, task.netns, "10.5.0.9"));
	run_good(run_of("DEL", &task, config));
	unplug("nic0");
	task_free(&task);
	free(config);
	free(down);
}

static void a_failed_add_gives_the_device_back(void **state)
{
	struct task task = task_new("back");
	/* The gateway is not in the subnet: the last step but one fails. */
	char *config = config_of(MAC_A, "10.6.0.9/24",
				 ",\"block-instance-metadata\":true,\"loopback-addresses\":["
				 "\"169.254.170.2/32\"]");
	struct census before, after;

	plug("nic0", MAC_A);
	before = census_of(task.netns);
	run_refused(run_of("ADD", &task, config), 100, "Nexthop has invalid gateway");
	assert_string_equal(name_of(-1, MAC_A), "nic0");
	after = census_of(task.netns);
	census_assert_equal(&before, &after);
	unplug("nic0");
	task_free(&task);
	free(config);
}

/* net-T34 */
static void devices_with_alike_macs_come_back_apart(void **state)
{
	struct task a = task_new("alike-a"), b = task_new("alike-b");
	char *config_a = config_of(MAC_A, "10.5.0.9/24", "");
	char *config_b = config_of(MAC_B, "10.5.0.10/24", "");

	plug("nic0", MAC_A);
	plug("nic1", MAC_B);
	json_decref(run_good(run_of("ADD", &a, config_a)));
	json_decref(run_good(run_of("ADD", &b, config_b)));
	run_good(run_of("DEL", &a, config_a));
	run_good(run_of("DEL", &b, config_b));
	assert_string_equal(name_of(-1, MAC_A), "eni2200000a");
	assert_string_equal(name_of(-1, MAC_B), "eni2200000b");
	unplug("nic0");
	unplug("nic1");
	task_free(&a);
	task_free(&b);
	free(config_a);
	free(config_b);
}

static void *delete_in_parallel(void *data)
{
	struct run *run = data;

	run_execute(run);
	return NULL;
}

/* net-T33: the device is back already; the namespace is gone; it is a file; two at once. */
static void a_del_succeeds_wherever_the_device_is(void **state)
{
	struct task task = task_new("where");
	char *config = config_of(MAC_A, "10.5.0.9/24", "");
	struct run run = run_of("DEL", &task, config), second = run;
	pthread_t thread;

	plug("nic0", MAC_A);
	run_good(run);
	json_decref(run_good(run_of("ADD", &task, config)));
	assert_int_equal(pthread_create(&thread, NULL, delete_in_parallel, &second), 0);
	run_execute(&run);
	pthread_join(thread, NULL);
	assert_int_equal(run.status, 0);
	assert_int_equal(second.status, 0);
	run_free(&run);
	run_free(&second);
	assert_string_equal(name_of(-1, MAC_A), "eni2200000a");

	run = run_of("DEL", &task, config);
	run.netns = "/etc/passwd";
	run_good(run);
	run.netns = "/nowhere";
	run_good(run);
	task_free(&task);
	run_good(run_of("DEL", &task, config));
	assert_string_equal(name_of(-1, MAC_A), "eni2200000a");
	unplug("nic0");
	free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_moves_in_and_back),
		cmocka_unit_test(a_device_is_given_by_the_keys_of_vpc_eni_too),
		cmocka_unit_test(a_device_given_by_its_name_is_known_when_it_goes_back),
		cmocka_unit_test(a_failed_add_gives_the_alias_back),
		cmocka_unit_test(a_device_that_is_not_there_is_named),
		cmocka_unit_test(a_device_that_is_on_its_way_is_waited_for),
		cmocka_unit_test(a_device_that_is_there_already_is_taken_on),
		cmocka_unit_test(a_failed_add_gives_the_device_back),
		cmocka_unit_test(devices_with_alike_macs_come_back_apart),
		cmocka_unit_test(a_del_succeeds_wherever_the_device_is),
	};
	int failed;

	live_enter("ecs-eni");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
