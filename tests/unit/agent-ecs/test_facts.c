/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent says of itself: capabilities, the host's size, its keys. */
#include "agent/ecs/capabilities.h"
#include "agent/ecs/client.h"
#include "agent/ecs/credentials.h"
#include "agent/ecs/gpu.h"
#include "agent/ecs/host.h"
#include "agent/ecs/service_endpoint.h"

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
		{ "ecs.capability.increased-task-cpu-limit",
		  "ECS_ENABLE_TASK_CPU_MEM_LIMIT=false" },
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

/* cfg-R17 for the capabilities: what the control plane has for instances of EC2 only is left out.
 */
static void an_external_instance_offers_less_and_says_so(void **state)
{
	static const char *const only_ec2[] = {
		"ecs.capability.task-eni",
		"ecs.capability.task-eni.ipv6",
		"ecs.capability.task-eni-block-instance-metadata",
		"ecs.capability.task-eni-trunking",
		"ecs.capability.cni-plugin-version",
		"ecs.capability.branch-cni-plugin-version",
		"ecs.capability.aws-appmesh",
	};
	static const char *const both[] = {
		"ecs.capability.container-ordering",
		"ecs.capability.container-health-check",
		"ecs.capability.increased-task-cpu-limit",
		"ecs.capability.ipv6-only",
		"com.amazonaws.ecs.capability.task-iam-role",
		"com.amazonaws.ecs.capability.docker-remote-api.1.32",
	};
	struct agent_config *ec2 = CONFIG("BERTH_ENI_DRIVER=eni", "ECS_AWSVPC_BLOCK_IMDS=true"),
			    *external = CONFIG("BERTH_ENI_DRIVER=eni", "ECS_AWSVPC_BLOCK_IMDS=true",
					       "ECS_EXTERNAL=true");

	for (size_t i = 0; i < sizeof(only_ec2) / sizeof(only_ec2[0]); i++) {
		assert_true(offers(ec2, only_ec2[i]));
		assert_false(offers(external, only_ec2[i]));
	}
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		assert_true(offers(ec2, both[i]));
		assert_true(offers(external, both[i]));
	}
	assert_false(offers(ec2, "ecs.capability.external"));
	assert_true(offers(external, "ecs.capability.external"));
	config_free(ec2);
	config_free(external);
}

/* Whatever is configured: a task that needs it is placed elsewhere. */
static void what_berth_cannot_do_is_not_offered(void **state)
{
	static const char *const others[] = {
		"ecs.capability.private-registry-authentication.secretsmanager",
		"ecs.capability.secrets.ssm.environment-variables",
		"ecs.capability.secrets.ssm.bootstrap.log-driver",
		"ecs.capability.secrets.asm.environment-variables",
		"ecs.capability.secrets.asm.bootstrap.log-driver",
		"ecs.capability.ecr-endpoint",
		"com.amazonaws.ecs.capability.ecr-auth",
		"ecs.capability.execution-role-ecr-pull",
		"ecs.capability.execution-role-awslogs",
		"ecs.capability.env-files.s3",
		"ecs.capability.docker-plugin.local",
		"ecs.capability.pid-ipc-namespace-sharing",
		"com.amazonaws.ecs.capability.selinux",
		"com.amazonaws.ecs.capability.apparmor",
		"ecs.capability.gpu-driver-version",
		"ecs.capability.task-eia",
		"ecs.capability.task-eia.optimized-cpu",
		"ecs.capability.firelens.fluentd",
		"ecs.capability.firelens.fluentbit",
		"com.amazonaws.ecs.capability.logging-driver.awsfirelens",
		"ecs.capability.efs",
		"ecs.capability.efsAuth",
		"ecs.capability.storage.s3-files",
		"ecs.capability.storage.ebs-task-volume-attach",
		"ecs.capability.storage.ebsta-non-root-user",
		"ecs.capability.gmsa",
		"ecs.capability.execute-command",
		"ecs.capability.service-connect-v1",
		"ecs.capability.fault-injection",
		"ecs.capability.imds-iam-roles",
	};
	struct agent_config *config =
		CONFIG("BERTH_ENI_DRIVER=eni", "ECS_ENABLE_GPU_SUPPORT=true",
		       "ECS_SELINUX_CAPABLE=true", "ECS_APPARMOR_CAPABLE=true");

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(offers(config, others[i]));
	config_free(config);
}

static void capabilities_are_printed_one_on_a_line(void **state)
{
	struct agent_config *config = CONFIG("A=b"),
			    *wrong = CONFIG("BERTH_HOST_MEMORY=1", "ECS_RESERVED_MEMORY=2");
	struct error err = ERROR_INIT;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(capabilities_print(config, out, &err), 0);
	assert_int_equal(capabilities_print(wrong, out, &err), -ERANGE);
	fclose(out);
	assert_ptr_equal(strstr(text, "ecs.capability.container-ordering\t\n"), text);
	assert_non_null(strstr(text, "\necs.capability.cni-plugin-version\t"));
	assert_null(strstr(text, "cni-plugin-version\t\n"));
	free(text);
	config_free(config);
	config_free(wrong);
}

static void the_endpoint_of_a_service_follows_aws_own_variables(void **state)
{
	static const struct {
		const char *service;
		bool ipv6_only;
		char *backend, *region;
		const char *variable, *value, *other, *other_value;
		const char *endpoint;
	} cases[] = {
		{ "ecs", false, "", "us-west-2", NULL, NULL, NULL, NULL,
		  "https://ecs.us-west-2.amazonaws.com" },
		{ "ecs", true, "", "us-west-2", NULL, NULL, NULL, NULL,
		  "https://ecs.us-west-2.api.aws" },
		{ "ecs", true, "", "cn-north-1", NULL, NULL, NULL, NULL,
		  "https://ecs.cn-north-1.api.amazonwebservices.com.cn" },
		{ "ec2", true, "control", "us-west-2", NULL, NULL, NULL, NULL,
		  "https://ec2.us-west-2.api.aws" },
		{ "ecs", false, "", "us-west-2", "AWS_USE_DUALSTACK_ENDPOINT", "true", NULL, NULL,
		  "https://ecs.us-west-2.api.aws" },
		{ "ecs", false, "", "us-gov-west-1", "AWS_USE_FIPS_ENDPOINT", "true", NULL, NULL,
		  "https://ecs-fips.us-gov-west-1.amazonaws.com" },
		{ "ecs", true, "", "us-west-2", "AWS_USE_FIPS_ENDPOINT", "TRUE", NULL, NULL,
		  "https://ecs-fips.us-west-2.api.aws" },
		{ "ecs", false, "", "us-west-2", "AWS_USE_FIPS_ENDPOINT", "false", NULL, NULL,
		  "https://ecs.us-west-2.amazonaws.com" },
		/* What is given wins over the region's, the special one over the general one, and
		 * Berth's own over both. */
		{ "ecs", true, "", "us-west-2", "AWS_ENDPOINT_URL", "http://all", NULL, NULL,
		  "http://all" },
		{ "ecs", false, "", "us-west-2", "AWS_ENDPOINT_URL", "http://all",
		  "AWS_ENDPOINT_URL_ECS", "http://one", "http://one" },
		{ "ec2", false, "", "us-west-2", "AWS_ENDPOINT_URL_ECS", "http://one", NULL, NULL,
		  "https://ec2.us-west-2.amazonaws.com" },
		{ "ec2", false, "control", "us-west-2", "AWS_ENDPOINT_URL_EC2", "http://two", NULL,
		  NULL, "http://two" },
		{ "ecs", true, "control", "us-west-2", "AWS_ENDPOINT_URL_ECS", "http://one",
		  "AWS_USE_FIPS_ENDPOINT", "true", "https://control" },
		{ "ecs", false, "", "us-west-2", "AWS_ENDPOINT_URL", "http://all",
		  "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true",
		  "https://ecs.us-west-2.amazonaws.com" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char backend[64], region[64];
		struct agent_config *config;
		char *endpoint;

		snprintf(backend, sizeof(backend), "ECS_BACKEND_HOST=%s", cases[i].backend);
		snprintf(region, sizeof(region), "AWS_REGION=%s", cases[i].region);
		config = configured((char *[]){ backend, region, NULL });
		if (cases[i].variable)
			setenv(cases[i].variable, cases[i].value, 1);
		if (cases[i].other)
			setenv(cases[i].other, cases[i].other_value, 1);
		endpoint = service_endpoint(config, cases[i].service, cases[i].ipv6_only);
		if (cases[i].variable)
			unsetenv(cases[i].variable);
		if (cases[i].other)
			unsetenv(cases[i].other);
		assert_string_equal(endpoint, cases[i].endpoint);
		free(endpoint);
		config_free(config);
	}
}

/* What is in the file, a damaged one, and none. */
static void gpus_are_those_that_the_file_names(void **state)
{
	static const struct {
		const char *text;
		int result;
		size_t count;
	} cases[] = {
		{ "{\"DriverVersion\":\"1\",\"GPUIDs\":[\"GPU-a\",\"GPU-b\"]}", 0, 2 },
		{ "{\"DriverVersion\":\"1\",\"GPUIDs\":null}", 0, 0 },
		{ "{\"GPUIDs\":[1]}", -EINVAL, 0 },
		{ "{\"GPUIDs\":", -EINVAL, 0 },
		{ "[]", -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[] = "/tmp/berth-gpus-XXXXXX";
		int fd = mkstemp(path);
		struct str_list ids = { 0 };
		struct error err = ERROR_INIT;

		assert_true(fd >= 0);
		assert_true(write(fd, cases[i].text, strlen(cases[i].text)) > 0);
		close(fd);
		assert_int_equal(gpu_ids_read(path, &ids, &err), cases[i].result);
		assert_int_equal(ids.count, cases[i].count);
		if (cases[i].result < 0)
			assert_non_null(strstr(err.text, path));
		unlink(path);
		assert_int_equal(gpu_ids_read(path, &ids, &err), 0);
		assert_int_equal(ids.count, cases[i].count);
		str_list_free(&ids);
	}
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
		cmocka_unit_test(an_external_instance_offers_less_and_says_so),
		cmocka_unit_test(what_berth_cannot_do_is_not_offered),
		cmocka_unit_test(capabilities_are_printed_one_on_a_line),
		cmocka_unit_test(the_endpoint_of_a_service_follows_aws_own_variables),
		cmocka_unit_test(gpus_are_those_that_the_file_names),
		cmocka_unit_test(more_reserved_memory_than_there_is_is_refused),
		cmocka_unit_test(the_user_agent_has_the_form_of_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
