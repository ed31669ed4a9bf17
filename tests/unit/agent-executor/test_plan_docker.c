/* SPDX-License-Identifier: Apache-2.0 */
/* What Docker would do and this agent does not is refused by name; what nobody does passes. */
#include "agent/executor/plan_docker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <cmocka.h>

#include "agent/executor/plan.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"

#define REFUSED(what) "HostConfigError: app: " what " is not supported by this agent"

struct question {
	const char *mode; /* networkMode; NULL: host */
	const char *task; /* further members of the task; ' for " */
	const char *container;
	const char *config; /* dockerConfig.config */
	const char *host;   /* dockerConfig.hostConfig */
	const char *answer; /* NULL: nothing is refused */
};

static json_t *parsed(const char *members)
{
	_cleanup_free_ char *text = xasprintf("{%s}", members ? members : "");
	json_t *value;

	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(text, 0, NULL);
	if (!value)
		fail_msg("%s is no JSON", text);
	return value;
}

static struct task_spec *task_of(const struct question *question)
{
	_cleanup_json_ json_t *task = parsed(question->task);
	_cleanup_json_ json_t *container = parsed(question->container);
	_cleanup_json_ json_t *config = parsed(question->config), *host = parsed(question->host);
	_cleanup_free_ char *config_text = json_dump_compact(config);
	_cleanup_free_ char *host_text = json_dump_compact(host);
	_cleanup_free_ char *text = NULL;
	struct task_spec *spec = NULL;
	struct error err = ERROR_INIT;
	json_t *base = json_pack(
		"{s:s, s:s, s:s, s:[o]}", "arn", "arn:aws:ecs:us-west-2:111122223333:task/c/t1",
		"desiredStatus", "RUNNING", "networkMode", question->mode ? question->mode : "host",
		"containers",
		json_pack("{s:s, s:s, s:b, s:{s:s, s:s, s:s}}", "name", "app", "image", "web:1",
			  "essential", 1, "dockerConfig", "version", "1.44", "config", config_text,
			  "hostConfig", host_text));

	json_object_update(base, task);
	json_object_update(json_array_get(json_object_get(base, "containers"), 0), container);
	text = json_dump_compact(base);
	json_decref(base);
	if (task_spec_decode_text(text, strlen(text), &spec, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return spec;
}

static void ask(const struct question *questions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct task_spec *spec = task_of(&questions[i]);
		struct arena *arena = arena_new();
		const char *answer = plan_unsupported(spec, arena);

		print_message("%s %s %s\n", questions[i].container ? questions[i].container : "",
			      questions[i].config ? questions[i].config : "",
			      questions[i].host ? questions[i].host : "");
		if (questions[i].answer) {
			assert_non_null(answer);
			assert_string_equal(answer, questions[i].answer);
		} else if (answer) {
			fail_msg("%s", answer);
		}
		arena_free(arena);
		task_spec_unref(spec);
	}
}

#define ASK(questions) ask(questions, sizeof(questions) / sizeof((questions)[0]))

static const char eni[] =
	"'elasticNetworkInterfaces':[{'attachmentArn':'a','ec2Id':'eni-1','macAddress':"
	"'0a:00:00:00:00:01','ipv4Addresses':[{'primary':true,'privateAddress':'10.0.0.4'}],"
	"'subnetGatewayIpv4Address':'10.0.0.1/24'}]";

static void the_network_is_that_of_the_task(void **state)
{
	const struct question questions[] = {
		{ .host = "'NetworkMode':'host'" },
		{ .mode = "none", .host = "'NetworkMode':'none'" },
		/* Overridden, as Amazon's agent does it. */
		{ .mode = "awsvpc", .task = eni, .host = "'NetworkMode':'bridge'" },
		{ .host = "'NetworkMode':'none'",
		  .answer = REFUSED("hostConfig.NetworkMode none") },
		{ .mode = "none",
		  .host = "'NetworkMode':'host'",
		  .answer = REFUSED("hostConfig.NetworkMode host") },
		{ .host = "'NetworkMode':'container:other'",
		  .answer = REFUSED("hostConfig.NetworkMode container:other") },
		/* Discarded by Docker. */
		{ .host = "'PortBindings':{'80/tcp':[{'HostPort':'8080'}]}" },
		{ .mode = "none", .host = "'PortBindings':{'80/tcp':[{'HostPort':'8080'}]}" },
		{ .mode = "awsvpc", .task = eni, .host = "'PortBindings':{}" },
		{ .mode = "awsvpc",
		  .task = eni,
		  .host = "'PortBindings':{'80/tcp':[{'HostPort':'8080'}]}",
		  .answer = REFUSED("hostConfig.PortBindings in network mode awsvpc") },
	};

	ASK(questions);
}

static void namespaces_that_are_not_made_are_refused(void **state)
{
	static const struct question questions[] = {
		{ .host = "'PidMode':'host','IpcMode':'host'" },
		{ .host = "'PidMode':'private','IpcMode':'private'" },
		{ .host = "'IpcMode':'shareable'" },
		{ .host = "'IpcMode':'none'" },
		{ .host = "'PidMode':'container:other'",
		  .answer = REFUSED("hostConfig.PidMode container:other") },
		{ .host = "'IpcMode':'container:other'",
		  .answer = REFUSED("hostConfig.IpcMode container:other") },
		/* The task's mode wins. */
		{ .task = "'pidMode':'host','ipcMode':'none'",
		  .host = "'PidMode':'container:other','IpcMode':'container:other'" },
		{ .host = "'UTSMode':'host'", .answer = REFUSED("a uts namespace mode") },
	};

	ASK(questions);
}

static void log_options_that_change_the_log_are_refused(void **state)
{
#define JSON_FILE(option) "'LogConfig':{'Type':'json-file','Config':{" option "}}"
	static const struct question questions[] = {
		{ .host = JSON_FILE("'max-size':'10m','max-file':'3'") },
		{ .host = JSON_FILE("'mode':'blocking','compress':'false'") },
		{ .host = "'LogConfig':{'Config':{'max-size':'1m'}}" },
		{ .host = JSON_FILE("'mode':'non-blocking'"),
		  .answer = REFUSED("log option mode=non-blocking") },
		{ .host = JSON_FILE("'max-size':'1m','mode':'non-blocking','max-buffer-size':'4m'"),
		  .answer = REFUSED("log option mode=non-blocking") },
		{ .host = JSON_FILE("'max-buffer-size':'4m'"),
		  .answer = REFUSED("log option max-buffer-size") },
		{ .host = JSON_FILE("'compress':'true'"),
		  .answer = REFUSED("log option compress") },
		{ .host = JSON_FILE("'tag':'{{.Name}}'"), .answer = REFUSED("log option tag") },
		{ .host = JSON_FILE("'labels':'a'"), .answer = REFUSED("log option labels") },
		{ .host = JSON_FILE("'env':'A'"), .answer = REFUSED("log option env") },
		{ .host = JSON_FILE("'env-regex':'A.*'"),
		  .answer = REFUSED("log option env-regex") },
		{ .host = JSON_FILE("'moon':'1'"), .answer = REFUSED("log option moon") },
		/* Without a driver it is json-file. */
		{ .host = "'LogConfig':{'Config':{'tag':'x'}}",
		  .answer = REFUSED("log option tag") },
		/* Docker looks at no option of `none`. */
		{ .host = "'LogConfig':{'Type':'none','Config':{'tag':'x','mode':'non-blocking'}"
			  "}" },
		{ .container = "'logsAuthStrategy':'ExecutionRole'",
		  .answer = REFUSED("logsAuthStrategy ExecutionRole") },
	};

	ASK(questions);
}

static void the_rest_of_docker(void **state)
{
	static const struct question questions[] = {
		{ .host = "'Runtime':'runc'" },
		{ .host = "'Runtime':'io.containerd.runc.v2'" },
		{ .host = "'Runtime':'nvidia'", .answer = REFUSED("hostConfig.Runtime nvidia") },
		{ .config = "'Domainname':'example.com'", .answer = REFUSED("config.Domainname") },
		{ .container = "'managedAgents':[{'name':'ExecuteCommandAgent'}]",
		  .answer = REFUSED("a managed agent (ECS Exec)") },
		{ .host = "'DeviceCgroupRules':['c 1:3 mr']",
		  .answer = REFUSED("hostConfig member DeviceCgroupRules") },
		/* Every container is in its task's control group, as with Amazon's agent. */
		{ .host = "'CgroupParent':'/other'" },
	};

	ASK(questions);
}

/* hostConfig's own modes have their effect where the task has none. */
static void modes_of_host_config_reach_the_plan(void **state)
{
	static const struct {
		struct question question;
		enum namespace_mode pid, ipc;
		int64_t shm_size;
	} table[] = {
		{ { .host = "'ShmSize':1024" }, NAMESPACE_NEW, NAMESPACE_NEW, 1024 },
		{ { .host = "'PidMode':'host','IpcMode':'host'" },
		  NAMESPACE_HOST,
		  NAMESPACE_HOST,
		  0 },
		{ { .host = "'PidMode':'private','IpcMode':'none'" },
		  NAMESPACE_NEW,
		  NAMESPACE_NEW,
		  -1 },
		{ { .task = "'ipcMode':'none'", .host = "'IpcMode':'host'" },
		  NAMESPACE_NEW,
		  NAMESPACE_NEW,
		  -1 },
		{ { .task = "'ipcMode':'host','pidMode':'host'", .host = "'IpcMode':'none'" },
		  NAMESPACE_HOST,
		  NAMESPACE_HOST,
		  0 },
	};
	struct agent_config *config;
	struct error err = ERROR_INIT;
	char *command[] = { "true" };
	struct image image = { .command = { .items = command, .count = 1 } };

	assert_int_equal(config_load((char *[]){ "AWS_DEFAULT_REGION=us-west-2", NULL }, NULL,
				     &config, NULL, &err),
			 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct task_spec *spec = task_of(&table[i].question);
		struct task_state *task = task_state_new(spec);
		struct arena *arena = arena_new();
		struct plan_input input = { .config = config,
					    .task = task,
					    .container = &task->containers[0],
					    .image = &image,
					    .files = "/files",
					    .volumes = "/volumes",
					    .cgroup_path = "/ecs/t1/app" };
		struct container_config plan;

		if (plan_container(&input, arena, &plan, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(plan.pid.mode, table[i].pid);
		assert_int_equal(plan.ipc.mode, table[i].ipc);
		assert_int_equal(plan.shm_size, table[i].shm_size);
		arena_free(arena);
		task_state_free(task);
		task_spec_unref(spec);
	}
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_network_is_that_of_the_task),
		cmocka_unit_test(namespaces_that_are_not_made_are_refused),
		cmocka_unit_test(log_options_that_change_the_log_are_refused),
		cmocka_unit_test(the_rest_of_docker),
		cmocka_unit_test(modes_of_host_config_reach_the_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
