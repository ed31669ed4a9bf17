/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define TASK(members, container)                                                                   \
	"{\"arn\":\"arn:aws:ecs:us-west-2:111122223333:task/c/"                                    \
	"t1\",\"family\":\"web\",\"version\":\"3\","                                               \
	"\"desiredStatus\":\"RUNNING\",\"networkMode\":\"host\"" members                           \
	",\"containers\":[{\"name\":\"app\",\"image\":\"web:1\",\"essential\":true" container      \
	"}]}"

/* With a port that is to be chosen. */
#define SERVICE_CONNECT(container)                                                                 \
	",\"attachments\":[{\"attachmentType\":\"serviceconnectdetail\",\"attachmentProperties\":" \
	"[{\"name\":\"ContainerName\",\"value\":\"" container                                      \
	"\"},{\"name\":\"ServiceConnectConfig\",\"value\":\"{\\\"egressConfig\\\":{"               \
	"\\\"listenerName\\\":\\\"e\\\",\\\"vip\\\":{\\\"ipv4Cidr\\\":\\\"127.255.0.0/16\\\"}}}"   \
	"\"}]}]"

struct fixture {
	struct arena *arena;
	struct task_state *task;
	struct image image;
	struct agent_config *config;
	struct plan_input input;
	struct container_config plan;
	struct error err;
};

static void open_fixture(struct fixture *f, const char *json)
{
	struct task_spec *spec = NULL;
	static char *const environment[] = { "AWS_DEFAULT_REGION=us-west-2", NULL };

	memset(f, 0, sizeof(*f));
	if (task_spec_decode_text(json, strlen(json), &spec, &f->err) < 0)
		fail_msg("%s", f->err.text);
	assert_int_equal(config_load(environment, NULL, &f->config, NULL, &f->err), 0);
	f->arena = arena_new();
	f->task = task_state_new(spec);
	task_spec_unref(spec);
	str_list_add(&f->image.env, "PATH=/image/bin");
	str_list_add(&f->image.env, "FROM=image");
	str_list_add(&f->image.entrypoint, "/entry");
	str_list_add(&f->image.command, "image-command");
	f->image.user = xstrdup("app");
	f->image.working_dir = xstrdup("/work");
	f->input = (struct plan_input){
		.config = f->config,
		.task = f->task,
		.container = &f->task->containers[0],
		.image = &f->image,
		.hostname = "host-name",
		.files = "/files",
		.volumes = "/volumes",
		.cgroup_path = "/ecs/t1/app",
	};
}

static void close_fixture(struct fixture *f)
{
	str_list_free(&f->image.env);
	str_list_free(&f->image.entrypoint);
	str_list_free(&f->image.command);
	free(f->image.user);
	free(f->image.working_dir);
	task_state_free(f->task);
	arena_free(f->arena);
	config_free(f->config);
}

static void plan(struct fixture *f)
{
	if (plan_container(&f->input, f->arena, &f->plan, &f->err) < 0)
		fail_msg("%s", f->err.text);
}

static const char *environment_value(const struct fixture *f, const char *name)
{
	size_t length = strlen(name);

	for (const char *const *item = f->plan.env; *item; item++) {
		if (strncmp(*item, name, length) == 0 && (*item)[length] == '=')
			return *item + length + 1;
	}
	return NULL;
}

static void assert_args(const struct fixture *f, const char *first, const char *second)
{
	assert_string_equal(f->plan.args[0], first);
	if (second) {
		assert_string_equal(f->plan.args[1], second);
		assert_null(f->plan.args[2]);
	} else {
		assert_null(f->plan.args[1]);
	}
}

static void the_image_says_what_the_definition_does_not(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK("", ""));
	plan(&f);
	assert_args(&f, "/entry", "image-command");
	assert_string_equal(f.plan.user, "app");
	assert_string_equal(f.plan.cwd, "/work");
	assert_string_equal(environment_value(&f, "FROM"), "image");
	assert_string_equal(environment_value(&f, "PATH"), "/image/bin");
	close_fixture(&f);
}

static void a_command_keeps_the_entry_point_of_the_image(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK("", ",\"command\":[\"own\"]"));
	plan(&f);
	assert_args(&f, "/entry", "own");
	close_fixture(&f);
}

static void an_entry_point_drops_the_command_of_the_image(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK("", ",\"entryPoint\":[\"/own\"]"));
	plan(&f);
	assert_args(&f, "/own", NULL);
	close_fixture(&f);
}

/* Also of a user that the image or the definition names. */
static void the_relay_has_its_own_user_and_is_told_its_ports(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK(",\"networkMode\":\"bridge\"" SERVICE_CONNECT("app"), ""));
	f.task->containers[0].connection.address = xstrdup("172.29.0.2");
	plan(&f);
	assert_string_equal(f.plan.user, "20000");
	assert_non_null(strstr(environment_value(&f, "APPNET_LISTENER_PORT_MAPPING"), "{\"e\":"));
	assert_string_equal(environment_value(&f, "APPNET_CONTAINER_IP_MAPPING"),
			    "{\"app\":\"172.29.0.2\"}");
	close_fixture(&f);
	/* Where all have one address there is no need to say which. */
	open_fixture(&f, TASK(",\"networkMode\":\"awsvpc\"" SERVICE_CONNECT("app"), ""));
	plan(&f);
	assert_non_null(environment_value(&f, "APPNET_LISTENER_PORT_MAPPING"));
	assert_null(environment_value(&f, "APPNET_CONTAINER_IP_MAPPING"));
	close_fixture(&f);
	open_fixture(&f, TASK("", ""));
	plan(&f);
	assert_null(environment_value(&f, "APPNET_LISTENER_PORT_MAPPING"));
	close_fixture(&f);
}

static void nothing_to_run_is_refused(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK("", ""));
	str_list_free(&f.image.entrypoint);
	str_list_free(&f.image.command);
	assert_true(plan_container(&f.input, f.arena, &f.plan, &f.err) < 0);
	assert_non_null(strstr(f.err.text, "CannotCreateContainerError: no command specified"));
	close_fixture(&f);
}

static void the_environment_has_metadata_credentials_and_region(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK(",\"roleCredentials\":{\"credentialsId\":\"cid\"}",
			      ",\"environment\":{\"FROM\":\"definition\"}"));
	strcpy(f.task->containers[0].endpoint_id, "endpoint-1");
	plan(&f);
	assert_string_equal(environment_value(&f, "FROM"), "definition");
	assert_string_equal(environment_value(&f, "ECS_CONTAINER_METADATA_URI_V4"),
			    "http://169.254.170.2/v4/endpoint-1");
	assert_string_equal(environment_value(&f, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
			    "/v2/credentials/cid");
	assert_string_equal(environment_value(&f, "AWS_REGION"), "us-west-2");
	assert_string_equal(environment_value(&f, "HOSTNAME"), "host-name");
	close_fixture(&f);
}

/* eng-66 */
static void a_region_of_the_image_is_left_alone(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK("", ""));
	str_list_add(&f.image.env, "AWS_REGION=");
	plan(&f);
	assert_string_equal(environment_value(&f, "AWS_REGION"), "");
	assert_null(environment_value(&f, "AWS_DEFAULT_REGION"));
	close_fixture(&f);
}

/* eng-46, eng-47 */
static void small_limits_are_raised(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK("", ",\"cpu\":0,\"memory\":2"));
	plan(&f);
	assert_int_equal(f.plan.cpu_shares, 2);
	assert_int_equal(f.plan.memory_limit, 4 * 1024 * 1024);
	close_fixture(&f);
	open_fixture(&f, TASK("", ",\"cpu\":300000,\"memory\":100"));
	plan(&f);
	assert_int_equal(f.plan.cpu_shares, 262144);
	assert_int_equal(f.plan.memory_limit, 100 * 1024 * 1024);
	close_fixture(&f);
}

static void host_config_reaches_the_plan(void **state)
{
	struct fixture f;

	open_fixture(&f,
		     TASK("", ",\"dockerConfig\":{\"config\":\"{\\\"User\\\":\\\"1000:5\\\"}\","
			      "\"hostConfig\":"
			      "\"{\\\"ReadonlyRootfs\\\":true,\\\"CapAdd\\\":[\\\"NET_ADMIN\\\"],"
			      "\\\"SecurityOpt\\\":[\\\"no-new-privileges\\\"],\\\"Ulimits\\\":[{"
			      "\\\"Name\\\":"
			      "\\\"nofile\\\",\\\"Soft\\\":10,\\\"Hard\\\":20}]}\"}"));
	plan(&f);
	assert_string_equal(f.plan.user, "1000:5");
	assert_true(f.plan.read_only_root);
	assert_true(f.plan.no_new_privileges);
	assert_string_equal(f.plan.capabilities_add[0], "NET_ADMIN");
	assert_int_equal(f.plan.rlimit_count, 1);
	assert_int_equal(f.plan.rlimits[0].hard, 20);
	close_fixture(&f);
}

static void volumes_are_mounted_where_they_are(void **state)
{
	struct fixture f;
	const struct container_mount *mount;

	open_fixture(&f, TASK(",\"volumes\":[{\"name\":\"own\",\"host\":{}},{\"name\":\"host\","
			      "\"host\":{\"sourcePath\":"
			      "\"/srv\"}}]",
			      ",\"mountPoints\":[{\"sourceVolume\":\"own\",\"containerPath\":\"/"
			      "a\"},{\"sourceVolume\":"
			      "\"host\",\"containerPath\":\"/b\",\"readOnly\":true}]"));
	plan(&f);
	mount = &f.plan.mounts[f.plan.mount_count - 2];
	assert_string_equal(mount[0].source, "/volumes/0");
	assert_string_equal(mount[0].destination, "/a");
	assert_false(mount[0].read_only);
	assert_string_equal(mount[1].source, "/srv");
	assert_true(mount[1].read_only);
	close_fixture(&f);
}

static void what_is_not_done_is_refused_by_name(void **state)
{
	static const struct {
		const char *json;
		const char *text;
	} cases[] = {
		{ TASK("", ",\"secrets\":[{\"name\":\"S\",\"valueFrom\":\"arn\",\"provider\":"
			   "\"ssm\"}]"),
		  "HostConfigError: app: secrets is not supported by this agent" },
		{ TASK("", ",\"dockerConfig\":{\"hostConfig\":\"{\\\"LogConfig\\\":{\\\"Type\\\":"
			   "\\\"awslogs\\\"}}\"}"),
		  "HostConfigError: app: logConfiguration.logDriver (json-file and none are "
		  "supported) is not supported "
		  "by this agent" },
		{ TASK("", ",\"dockerConfig\":{\"config\":\"{\\\"NetworkDisabled\\\":true}\"}"),
		  "HostConfigError: app: disableNetworking is not supported by this agent" },
		{ TASK(",\"pidMode\":\"task\"", ""),
		  "HostConfigError: pidMode task is not supported by this agent" },
		{ TASK(",\"proxyConfiguration\":{\"type\":\"APPMESH\",\"containerName\":\"app\"}",
		       ""),
		  "HostConfigError: proxyConfiguration in another network mode than awsvpc is not "
		  "supported by this agent" },
		{ TASK(SERVICE_CONNECT("app"), ""),
		  "HostConfigError: Service Connect in another network mode than awsvpc and bridge "
		  "is not supported by this agent" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		open_fixture(&f, cases[i].json);
		assert_string_equal(plan_unsupported(f.task->spec, f.arena), cases[i].text);
		close_fixture(&f);
	}
}

static void what_is_done_is_not_refused(void **state)
{
	struct fixture f;

	open_fixture(&f, TASK("", ""));
	assert_null(plan_unsupported(f.task->spec, f.arena));
	close_fixture(&f);
}

static void health_commands(void **state)
{
	struct fixture f;
	const char *const *command;

	open_fixture(&f, TASK("", ",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{"
				  "\\\"Healthcheck\\\":{"
				  "\\\"Test\\\":[\\\"CMD-SHELL\\\",\\\"a b\\\"]}}\"}"));
	command = plan_health_command(f.task->containers[0].spec, &f.image, f.arena);
	assert_string_equal(command[0], "/bin/sh");
	assert_string_equal(command[1], "-c");
	assert_string_equal(command[2], "a b");
	assert_null(command[3]);
	close_fixture(&f);

	open_fixture(&f, TASK("", ",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{"
				  "\\\"Healthcheck\\\":{"
				  "\\\"Test\\\":[\\\"CMD\\\",\\\"a\\\",\\\"b\\\"]}}\"}"));
	command = plan_health_command(f.task->containers[0].spec, &f.image, f.arena);
	assert_string_equal(command[0], "a");
	assert_string_equal(command[1], "b");
	assert_null(command[2]);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_image_says_what_the_definition_does_not),
		cmocka_unit_test(a_command_keeps_the_entry_point_of_the_image),
		cmocka_unit_test(an_entry_point_drops_the_command_of_the_image),
		cmocka_unit_test(the_relay_has_its_own_user_and_is_told_its_ports),
		cmocka_unit_test(nothing_to_run_is_refused),
		cmocka_unit_test(the_environment_has_metadata_credentials_and_region),
		cmocka_unit_test(a_region_of_the_image_is_left_alone),
		cmocka_unit_test(small_limits_are_raised),
		cmocka_unit_test(host_config_reaches_the_plan),
		cmocka_unit_test(volumes_are_mounted_where_they_are),
		cmocka_unit_test(what_is_not_done_is_refused_by_name),
		cmocka_unit_test(what_is_done_is_not_refused),
		cmocka_unit_test(health_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
