/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent says of itself: capabilities, the host's size, its keys. */
#include "agent/ecs/capabilities.h"
#include "agent/ecs/client.h"
#include "agent/ecs/credentials.h"
#include "agent/ecs/host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct agent_config *configured(char *const *environment)
{
	struct agent_config *config = NULL;

	assert_int_equal(config_load(environment, NULL, &config, NULL, NULL), 0);
	return config;
}

#define CONFIG(...) configured((char *[]){ "AWS_REGION=us-west-2", __VA_ARGS__, NULL })

static bool offers_on(const struct host_resources *host, const struct agent_config *config,
		      const char *name)
{
	struct ecs_attributes attributes = { 0 };
	bool found = false;

	capabilities_list(config, host, &attributes);
	for (size_t i = 0; i < attributes.count; i++)
		if (strcmp(attributes.items[i].name, name) == 0)
			found = true;
	ecs_attributes_free(&attributes);
	return found;
}

static bool offers(const struct agent_config *config, const char *name)
{
	static const struct host_resources host = { .ipv6 = true };

	return offers_on(&host, config, name);
}

static void ipv6_is_offered_where_it_is(void **state)
{
	static const struct host_resources with = { .ipv6 = true }, without = { .ipv6 = false };
	struct agent_config *all = CONFIG("A=b"), *none = CONFIG("ECS_ENABLE_TASK_ENI=false");

	assert_true(offers_on(&with, all, "ecs.capability.task-eni.ipv6"));
	assert_true(offers_on(&with, all, "ecs.capability.ipv6-only"));
	assert_false(offers_on(&without, all, "ecs.capability.task-eni.ipv6"));
	assert_false(offers_on(&without, all, "ecs.capability.ipv6-only"));
	assert_true(offers_on(&without, all, "ecs.capability.task-eni"));
	assert_false(offers_on(&with, none, "ecs.capability.task-eni.ipv6"));
	config_free(all);
	config_free(none);
}

static void trunking_is_offered_where_there_are_devices(void **state)
{
	struct agent_config *pairs = CONFIG("A=b"), *devices = CONFIG("BERTH_ENI_DRIVER=eni"),
			    *without = CONFIG("BERTH_ENI_DRIVER=eni",
					      "ECS_ENABLE_HIGH_DENSITY_ENI=false"),
			    *none = CONFIG("BERTH_ENI_DRIVER=eni", "ECS_ENABLE_TASK_ENI=false"),
			    *others = CONFIG("BERTH_ENI_DRIVER=eni",
					     "ECS_CNI_PLUGINS_PATH=/opt/cni/bin");

	assert_false(offers(pairs, "ecs.capability.task-eni-trunking"));
	assert_true(offers(pairs, "ecs.capability.cni-plugin-version"));
	assert_false(offers(pairs, "ecs.capability.branch-cni-plugin-version"));
	assert_true(offers(devices, "ecs.capability.task-eni-trunking"));
	assert_true(offers(devices, "ecs.capability.branch-cni-plugin-version"));
	assert_false(offers(without, "ecs.capability.task-eni-trunking"));
	assert_false(offers(without, "ecs.capability.branch-cni-plugin-version"));
	assert_false(offers(none, "ecs.capability.task-eni-trunking"));
	assert_false(offers(none, "ecs.capability.cni-plugin-version"));
	/* Who has made these is not known. */
	assert_true(offers(others, "ecs.capability.task-eni-trunking"));
	assert_false(offers(others, "ecs.capability.cni-plugin-version"));
	assert_false(offers(others, "ecs.capability.branch-cni-plugin-version"));
	config_free(pairs);
	config_free(devices);
	config_free(without);
	config_free(none);
	config_free(others);
}

static void capabilities_follow_the_configuration(void **state)
{
	static const char *const common[] = {
		"ecs.capability.container-ordering",
		"ecs.capability.full-sync",
		"com.amazonaws.ecs.capability.docker-remote-api.1.18",
		"com.amazonaws.ecs.capability.docker-remote-api.1.29",
	};
	static const struct {
		const char *name;
		char *off;
	} switched[] = {
		{ "ecs.capability.task-eni", "ECS_ENABLE_TASK_ENI=false" },
		{ "ecs.capability.container-health-check", "ECS_DISABLE_DOCKER_HEALTH_CHECK=true" },
		{ "com.amazonaws.ecs.capability.task-iam-role", "ECS_ENABLE_TASK_IAM_ROLE=false" },
		{ "com.amazonaws.ecs.capability.task-iam-role-network-host",
		  "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST=false" },
		{ "com.amazonaws.ecs.capability.privileged-container",
		  "ECS_DISABLE_PRIVILEGED=true" },
		{ "ecs.capability.task-cpu-mem-limit", "ECS_ENABLE_TASK_CPU_MEM_LIMIT=false" },
		{ "com.amazonaws.ecs.capability.logging-driver.json-file",
		  "ECS_AVAILABLE_LOGGING_DRIVERS=[\"none\"]" },
	};
	struct agent_config *all = CONFIG("A=b");

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		assert_true(offers(all, common[i]));
	for (size_t i = 0; i < sizeof(switched) / sizeof(switched[0]); i++) {
		struct agent_config *without = CONFIG(switched[i].off);

		assert_true(offers(all, switched[i].name));
		assert_false(offers(without, switched[i].name));
		config_free(without);
	}
	config_free(all);
}

static void a_driver_that_berth_does_not_have_is_not_offered(void **state)
{
	struct agent_config *config =
		CONFIG("ECS_AVAILABLE_LOGGING_DRIVERS=[\"awslogs\",\"json-file\"]");

	assert_false(offers(config, "com.amazonaws.ecs.capability.logging-driver.awslogs"));
	assert_true(offers(config, "com.amazonaws.ecs.capability.logging-driver.json-file"));
	config_free(config);
}

/* cfg-C22 for the refusal itself. */
static void more_reserved_memory_than_there_is_is_refused(void **state)
{
	struct agent_config *config = CONFIG("BERTH_HOST_MEMORY=1000", "ECS_RESERVED_MEMORY=1001");
	struct agent_config *fits =
		CONFIG("BERTH_HOST_MEMORY=1000", "ECS_RESERVED_MEMORY=400", "BERTH_HOST_CPU=512");
	struct agent_config *real = CONFIG("A=b");
	struct host_resources host;
	struct error err = ERROR_INIT;

	assert_int_equal(host_resources_read(config, &host, &err), -ERANGE);
	assert_string_equal(
		err.text,
		"ECS_RESERVED_MEMORY is 1001 MiB, more than the 1000 MiB that this host has: "
		"reserve less");
	assert_int_equal(host_resources_read(fits, &host, &err), 0);
	assert_int_equal(host.memory_mib, 600);
	assert_int_equal(host.cpu_units, 512);
	assert_int_equal(host_resources_read(real, &host, &err), 0);
	assert_true(host.memory_mib > 64);
	assert_int_equal(host.cpu_units, 1024 * host_cpu_count());
	config_free(config);
	config_free(fits);
	config_free(real);
}

static void the_user_agent_has_the_form_of_the_reference(void **state)
{
	struct agent_config *config = CONFIG("ECS_DETAILED_OS_FAMILY=debian_12");
	char *agent = ecs_user_agent(config);

	assert_ptr_equal(strstr(agent, "Amazon ECS Agent - v"), agent);
	assert_non_null(strstr(agent, ") (linux; debian_12) (+http://aws.amazon.com/ecs/)"));
	free(agent);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv6_is_offered_where_it_is),
		cmocka_unit_test(capabilities_follow_the_configuration),
		cmocka_unit_test(trunking_is_offered_where_there_are_devices),
		cmocka_unit_test(a_driver_that_berth_does_not_have_is_not_offered),
		cmocka_unit_test(more_reserved_memory_than_there_is_is_refused),
		cmocka_unit_test(the_user_agent_has_the_form_of_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
