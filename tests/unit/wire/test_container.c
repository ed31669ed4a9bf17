/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "quoted.h"

#define MIB (1024 * 1024)

static void all_members_arrive(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task = task_with_container(
		"'containerArn':'arn:c','image':'nginx:1.27','command':['a','b'],'entryPoint':['e']"
		","
		"'environment':{'A':'1','B':null},'environmentFiles':[{'value':'arn:s3','type':'s3'"
		"}],"
		"'secrets':[{'name':'S','valueFrom':'/p','region':'r','provider':'ssm',"
		"'type':'ENVIRONMENT_VARIABLE','target':'CONTAINER'}],'cpu':256,'memory':128,'"
		"essential':true,"
		"'links':['db:database','cache'],"
		"'portMappings':[{'containerPort':80,'hostPort':8080},{'containerPort':53,'"
		"protocol':'udp'},"
		"{'containerPortRange':'8000-8010'}],"
		"'mountPoints':[{'sourceVolume':'v','containerPath':'/v','readOnly':true}],"
		"'volumesFrom':[{'sourceContainer':'o','readOnly':true}],"
		"'dependsOn':[{'containerName':'o','condition':'HEALTHY'},{'containerName':'p','"
		"condition':'?'}],"
		"'startTimeout':10,'stopTimeout':20,'logsAuthStrategy':'ExecutionRole',"
		"'registryAuthentication':{'type':'ecr','ecrAuthData':{'registryId':'1','region':'"
		"eu',"
		"'endpointOverride':'x','useExecutionRole':true}},"
		"'firelensConfiguration':{'type':'fluentbit','options':{'config-file-type':'s3'}},"
		"'credentialSpecs':['c1'],'managedAgents':[{'name':'ExecuteCommandAgent',"
		"'properties':{'sessionLimit':'3'}}],"
		"'restartPolicy':{'enabled':true,'ignoredExitCodes':[0,137],'restartAttemptPeriod':"
		"60}");
	const struct container_spec *app = &task->containers[0];

	assert_string_equal(app->arn, "arn:c");
	assert_string_equal(app->image, "nginx:1.27");
	assert_true(app->has_command && app->has_entry_point);
	assert_string_equal(app->command.items[1], "b");
	assert_string_equal(app->entry_point.items[0], "e");
	assert_int_equal(app->environment.count, 2);
	assert_string_equal(text_map_get(&app->environment, "A"), "1");
	assert_string_equal(text_map_get(&app->environment, "B"), "");
	assert_string_equal(app->environment_files[0].value, "arn:s3");
	assert_string_equal(app->secrets[0].value_from, "/p");
	assert_string_equal(app->secrets[0].target, "CONTAINER");
	assert_int_equal(app->cpu, 256);
	assert_int_equal(app->memory_mib, 128);
	assert_true(app->essential);
	assert_int_equal(app->links.count, 2);
	assert_string_equal(app->links.items[0], "db:database");
	assert_int_equal(app->port_mapping_count, 3);
	assert_int_equal(app->port_mappings[0].host_port, 8080);
	assert_int_equal(app->port_mappings[0].protocol, TRANSPORT_TCP);
	assert_int_equal(app->port_mappings[1].protocol, TRANSPORT_UDP);
	assert_int_equal(app->port_mappings[1].host_port, 0);
	assert_int_equal(app->port_mappings[2].container_port, 8000);
	assert_int_equal(app->port_mappings[2].range_end, 8010);
	assert_string_equal(app->mount_points[0].container_path, "/v");
	assert_true(app->mount_points[0].read_only);
	assert_string_equal(app->volumes_from[0].source_container, "o");
	assert_int_equal(app->depends_on[0].condition, CONTAINER_CONDITION_HEALTHY);
	assert_int_equal(app->depends_on[1].condition, CONTAINER_CONDITION_OTHER);
	assert_int_equal(app->start_timeout_s, 10);
	assert_int_equal(app->stop_timeout_s, 20);
	assert_true(app->logs_use_execution_role);
	assert_int_equal(app->registry_auth.type, REGISTRY_AUTH_ECR);
	assert_string_equal(app->registry_auth.endpoint_override, "x");
	assert_true(app->registry_auth.use_execution_role);
	assert_string_equal(app->firelens_type, "fluentbit");
	assert_string_equal(app->credential_specs.items[0], "c1");
	assert_string_equal(text_map_get(&app->managed_agents[0].properties, "sessionLimit"), "3");
	assert_true(app->restart_policy.enabled);
	assert_int_equal(app->restart_policy.ignored_exit_code_count, 2);
	assert_int_equal(app->restart_policy.ignored_exit_codes[1], 137);
	assert_int_equal(app->restart_policy.restart_attempt_period_s, 60);
	assert_null(app->docker_config_error);
}

static void credentials_of_another_registry(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
		task_with_container("'registryAuthentication':{'type':'asm','asmAuthData':"
				    "{'credentialsParameter':'arn:secret','region':'eu'}}");

	assert_int_equal(task->containers[0].registry_auth.type, REGISTRY_AUTH_ASM);
	assert_string_equal(task->containers[0].registry_auth.credentials_parameter, "arn:secret");
}

static void an_empty_entry_point_is_not_an_absent_one(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *absent = task_with_container("");
	_cleanup_(task_spec_unref_cleanup) struct task_spec *empty =
		task_with_container("'entryPoint':[],'command':[]");
	_cleanup_(task_spec_unref_cleanup) struct task_spec *null =
		task_with_container("'entryPoint':null,'command':[null,'x']");

	assert_false(null->containers[0].has_entry_point);
	assert_string_equal(null->containers[0].command.items[0], "");
	assert_string_equal(null->containers[0].command.items[1], "x");

	assert_false(absent->containers[0].has_entry_point);
	assert_true(empty->containers[0].has_entry_point);
	assert_int_equal(empty->containers[0].entry_point.count, 0);
	assert_false(empty->containers[0].has_command);
}

/* acs-M9, eng-61: as a string that holds JSON, and as an object. */
static void overrides_replace_the_command(void **state)
{
	static const struct {
		const char *overrides;
		const char *command; /* NULL: the image's */
	} cases[] = {
		{ "'overrides':'{\\'command\\':[\\'y\\']}'", "y" },
		{ "'overrides':{'command':['y']}", "y" },
		{ "'overrides':'{}'", "x" },
		{ "'overrides':'null'", "x" },
		{ "'overrides':null", "x" },
		{ "'overrides':'{\\'Command\\':null}'", "x" },
		{ "'overrides':'{\\'command\\':[]}'", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf members = STRBUF_INIT;
		_cleanup_(task_spec_unref_cleanup) struct task_spec *task = NULL;

		strbuf_appendf(&members, "'command':['x'],%s", cases[i].overrides);
		task = task_with_container(members.data);
		assert_int_equal(task->containers[0].has_command, cases[i].command != NULL);
		if (cases[i].command)
			assert_string_equal(task->containers[0].command.items[0], cases[i].command);
	}
}

static void limits_for_the_kernel_are_clamped(void **state)
{
	static const struct {
		const char *members;
		int64_t shares;
		int64_t bytes;
	} cases[] = {
		{ "", 2, 0 },
		{ "'cpu':1,'memory':1", 2, 4 * MIB },
		{ "'cpu':2,'memory':4", 2, 4 * MIB },
		{ "'cpu':1024,'memory':512", 1024, 512 * MIB },
		{ "'cpu':300000", 262144, 0 },
		{ "'cpu':5,'memory':6,'dockerConfig':{'hostConfig':'{\\'CpuShares\\':77,\\'"
		  "Memory\\':8388608}'}",
		  77, 8 * MIB },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
			task_with_container(cases[i].members);

		assert_int_equal(container_spec_cpu_shares(&task->containers[0]), cases[i].shares);
		assert_int_equal(container_spec_memory_bytes(&task->containers[0]), cases[i].bytes);
	}
}

static void the_image_to_run_may_be_dockers(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "'image':'a:1'", "a:1" },
		{ "'image':'a:1','dockerConfig':{'config':'{\\'Image\\':\\'b:2\\'}'}", "b:2" },
		{ "'image':'a:1','dockerConfig':{'config':'{\\'Image\\':null}'}", "a:1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
			task_with_container(cases[i][0]);

		assert_string_equal(container_spec_image(&task->containers[0]), cases[i][1]);
	}
}

static void health_check_type_is_exact(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *exact =
		task_with_container("'healthCheckType':'docker','dockerConfig':{'config':"
				    "'{\\'HealthCheck\\':{\\'Test\\':[\\'CMD\\',\\'true\\']}}'}");
	_cleanup_(task_spec_unref_cleanup) struct task_spec *upper =
		task_with_container("'healthCheckType':'DOCKER'");

	assert_true(exact->containers[0].health_check_docker);
	assert_null(exact->containers[0].docker_config_error);
	assert_false(upper->containers[0].health_check_docker);
	assert_null(upper->containers[0].docker_config_error);
}

static void a_health_check_that_is_not_there_fails_the_creation(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
		task_with_container("'healthCheckType':'docker'");

	assert_string_equal(
		task->containers[0].docker_config_error,
		"DockerClientConfigError: docker health check is nil while container health check "
		"type is DOCKER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_members_arrive),
		cmocka_unit_test(credentials_of_another_registry),
		cmocka_unit_test(an_empty_entry_point_is_not_an_absent_one),
		cmocka_unit_test(overrides_replace_the_command),
		cmocka_unit_test(limits_for_the_kernel_are_clamped),
		cmocka_unit_test(the_image_to_run_may_be_dockers),
		cmocka_unit_test(health_check_type_is_exact),
		cmocka_unit_test(a_health_check_that_is_not_there_fails_the_creation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
