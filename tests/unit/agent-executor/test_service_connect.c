/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/service_connect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

/* A task whose relay "sc" has this config, and whose "app" these port mappings. */
static struct task_spec *task_of(const char *id, const char *mappings, const char *config)
{
	_cleanup_json_ json_t *value = json_string(config);
	_cleanup_free_ char *quoted = json_dump_compact(value);
	_cleanup_free_ char *text = xasprintf(
		"{\"arn\":\"arn:aws:ecs:r:1:task/c/%s\",\"desiredStatus\":\"RUNNING\","
		"\"networkMode\":\"bridge\",\"containers\":[{\"name\":\"app\",\"image\":\"i\","
		"\"portMappings\":[%s]},{\"name\":\"sc\",\"image\":\"i\",\"portMappings\":[{"
		"\"containerPort\":9901,\"hostPort\":9901}]}],\"attachments\":[{\"attachmentType\":"
		"\"serviceconnectdetail\",\"attachmentProperties\":[{\"name\":\"ContainerName\","
		"\"value\":\"sc\"},{\"name\":\"ServiceConnectConfig\",\"value\":%s}]}]}",
		id, mappings, quoted);
	struct task_spec *task = NULL;
	struct error err = ERROR_INIT;

	if (task_spec_decode_text(text, strlen(text), &task, &err) < 0)
		fail_msg("%s", err.text);
	return task;
}

#define OPEN                                                                                       \
	"{\"ingressConfig\":[{\"listenerName\":\"a\",\"interceptPort\":8080},{\"listenerName\":"   \
	"\"b\",\"listenerPort\":15000},{\"listenerName\":\"c\",\"hostPort\":32000}],"              \
	"\"egressConfig\":{\"listenerName\":\"e\",\"vip\":{\"ipv4Cidr\":\"10.255.0.0/16\"}}}"

static bool is_ephemeral(uint16_t port)
{
	return port >= 32768 && port <= 60999;
}

static void open_ports_are_chosen_and_stay_the_same(void **state)
{
	struct task_spec *task = task_of("t1", "", OPEN), *again = task_of("t1", "", OPEN);
	struct task_spec *other = task_of("t2", "", OPEN);
	uint16_t *ports, *same, *others;

	assert_int_equal(service_connect_ports(task, &ports, NULL), 0);
	assert_int_equal(service_connect_ports(again, &same, NULL), 0);
	assert_int_equal(service_connect_ports(other, &others, NULL), 0);
	assert_int_equal(ports[1], 15000);
	assert_true(is_ephemeral(ports[0]) && is_ephemeral(ports[2]) && is_ephemeral(ports[3]));
	assert_true(ports[0] != ports[2] && ports[0] != ports[3] && ports[2] != ports[3]);
	assert_memory_equal(ports, same, 4 * sizeof(*ports));
	assert_memory_not_equal(ports, others, 4 * sizeof(*ports));
	free(ports);
	free(same);
	free(others);
	task_spec_unref(task);
	task_spec_unref(again);
	task_spec_unref(other);
}

static void ports_of_the_task_are_left_to_it(void **state)
{
	/* All but two, then all but one. */
	struct task_spec *task =
		task_of("t1", "{\"containerPortRange\":\"32768-60997\"}",
			"{\"ingressConfig\":[{\"listenerName\":\"a\"},{\"listenerName\":\"b\"}]}");
	struct error err = ERROR_INIT;
	uint16_t *ports;

	assert_int_equal(service_connect_ports(task, &ports, NULL), 0);
	assert_int_equal(ports[0] + ports[1], 60998 + 60999);
	assert_int_equal(ports[2], 0);
	free(ports);
	task_spec_unref(task);
	task = task_of("t1", "{\"containerPortRange\":\"32768-60997\"}",
		       "{\"ingressConfig\":[{\"listenerName\":\"a\",\"interceptPort\":60999},{"
		       "\"listenerName\":\"b\"}]}");
	assert_int_equal(service_connect_ports(task, &ports, &err), -EBUSY);
	assert_non_null(strstr(err.text, "no port from 32768 on is left"));
	assert_null(service_connect_listeners(task));
	task_spec_unref(task);
}

static void the_relay_is_told_the_chosen_ones(void **state)
{
	struct task_spec *task = task_of("t1", "", OPEN);
	_cleanup_free_ char *text = service_connect_listeners(task), *expected = NULL;
	uint16_t *ports;

	assert_int_equal(service_connect_ports(task, &ports, NULL), 0);
	expected = xasprintf("{\"a\":%u,\"c\":%u,\"e\":%u}", ports[0], ports[2], ports[3]);
	assert_string_equal(text, expected);
	free(ports);
	task_spec_unref(task);
	task = task_of("t1", "",
		       "{\"ingressConfig\":[{\"listenerName\":\"a\",\"listenerPort\":80}]}");
	assert_null(service_connect_listeners(task));
	task_spec_unref(task);
}

static void listeners_are_published_behind_what_the_relay_publishes(void **state)
{
	struct task_spec *task = task_of("t1", "", OPEN);
	struct container_spec relay = task->containers[1];
	struct port_mapping *mappings = NULL;
	uint16_t *ports;

	assert_true(service_connect_is_relay(task, &relay));
	assert_false(service_connect_is_relay(task, &task->containers[0]));
	assert_int_equal(service_connect_ports(task, &ports, NULL), 0);
	assert_int_equal(service_connect_publish(task, &relay, &mappings, NULL), 0);
	assert_int_equal(relay.port_mapping_count, 4);
	assert_int_equal(relay.port_mappings[0].container_port, 9901);
	assert_int_equal(relay.port_mappings[1].container_port, ports[0]);
	assert_int_equal(relay.port_mappings[1].host_port, 0);
	assert_int_equal(relay.port_mappings[3].container_port, ports[2]);
	assert_int_equal(relay.port_mappings[3].host_port, 32000);
	free(mappings);
	free(ports);
	task_spec_unref(task);
}

static void addresses_are_those_that_are_known(void **state)
{
	struct task_spec *spec = task_of("t1", "", OPEN);
	struct task_state *task = task_state_new(spec);
	char *text = service_connect_addresses(task);

	assert_string_equal(text, "{}");
	free(text);
	str_replace(&task->containers[1].connection.address, "172.29.0.2");
	str_replace(&task->containers[0].connection.address, "172.29.0.3");
	text = service_connect_addresses(task);
	assert_string_equal(text, "{\"app\":\"172.29.0.3\",\"sc\":\"172.29.0.2\"}");
	free(text);
	task_state_free(task);
	task_spec_unref(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_ports_are_chosen_and_stay_the_same),
		cmocka_unit_test(ports_of_the_task_are_left_to_it),
		cmocka_unit_test(the_relay_is_told_the_chosen_ones),
		cmocka_unit_test(listeners_are_published_behind_what_the_relay_publishes),
		cmocka_unit_test(addresses_are_those_that_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
