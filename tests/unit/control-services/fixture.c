/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "control-plane/store/clusters.h"
#include "control-plane/store/container_instances.h"
#include "control-plane/store/task_definitions.h"

static void must(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

char *quoted(const char *text)
{
	char *copy = xstrdup(text);

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	return copy;
}

static void told(void *data, struct task *task)
{
	struct fixture *fixture = data;

	fixture->told++;
	snprintf(fixture->last_told, sizeof(fixture->last_told), "%s", task->arn);
}

static void gone(void *data, const char *instance_arn)
{
}

static const struct services_outlet outlet = { .task_changed = told, .instance_gone = gone };

static void make_services(struct fixture *fixture)
{
	struct error err = ERROR_INIT;

	must(services_new(fixture->loop, fixture->store, &fixture->config, &fixture->services,
			  &err),
	     &err);
	services_set_outlet(fixture->services, &outlet, fixture);
}

int fixture_set_up(void **state)
{
	static const struct services_subnet subnets[] = {
		{ .id = "subnet-a", .cidr = "10.1.0.0/28" },
		{ .id = "subnet-west", .cidr = "10.2.0.0/24", .zone = "us-west-2z" },
	};
	const struct store_config store = { ":memory:", "us-west-2", "000000000000" };
	const struct cluster_row cluster = { .name = "c",
					     .status = "ACTIVE",
					     .document = "{}",
					     .request = "{}",
					     .created_at_ms = 1 };
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct error err = ERROR_INIT;

	fixture->config = (struct services_config){
		.region = "us-west-2",
		.account = "000000000000",
		.subnets = subnets,
		.subnet_count = 2,
	};
	must(loop_new(&fixture->loop, &err), &err);
	must(store_open(&store, &fixture->store, &err), &err);
	must(cluster_create(fixture->store, &cluster, &err), &err);
	make_services(fixture);
	*state = fixture;
	return 0;
}

int fixture_tear_down(void **state)
{
	struct fixture *fixture = *state;

	services_free(fixture->services);
	store_close(fixture->store);
	loop_free(fixture->loop);
	free(fixture);
	return 0;
}

void fixture_turn(struct fixture *fixture)
{
	loop_run_once(fixture->loop, false);
}

void fixture_restart(struct fixture *fixture)
{
	services_free(fixture->services);
	fixture->services = NULL;
	make_services(fixture);
}

const char *fixture_instance(struct fixture *fixture, const char *id)
{
	static char arn[8][256];
	static int next;
	const struct container_instance_row row = {
		.id = (char *)id,
		.cluster = "c",
		.status = CONTAINER_INSTANCE_ACTIVE,
		.version_info = "{\"agentVersion\":\"1.2.3\"}",
		.resources =
			"[{\"name\":\"CPU\",\"type\":\"INTEGER\",\"integerValue\":2048},"
			"{\"name\":\"MEMORY\",\"type\":\"INTEGER\",\"integerValue\":3900},"
			"{\"name\":\"PORTS\",\"type\":\"STRINGSET\",\"stringSetValue\":[\"22\","
			"\"51678\"]}]",
		.version = 1,
		.registered_at_ms = 1,
	};
	char *text = arn[next = (next + 1) % 8];
	struct error err = ERROR_INIT;

	must(container_instance_add(fixture->store, &row, &err), &err);
	snprintf(text, sizeof(arn[0]), "arn:aws:ecs:us-west-2:000000000000:container-instance/c/%s",
		 id);
	services_agent_up(fixture->services, text);
	return text;
}

int64_t fixture_definition(struct fixture *fixture, const char *family, const char *document)
{
	_cleanup_free_ char *text = quoted(document);
	struct error err = ERROR_INIT;
	int64_t revision;

	must(task_definition_add(fixture->store, family, text, "tester", clock_wall_ms(), &revision,
				 &err),
	     &err);
	return revision;
}

int fixture_run(struct fixture *fixture, const char *family, size_t count, const char *subnet,
		const char *overrides, struct run_result *ret_result, struct error *err)
{
	_cleanup_(task_definition_row_clear) struct task_definition_row row = { 0 };
	_cleanup_free_ char *overrides_text = overrides ? quoted(overrides) : NULL;
	_cleanup_json_ json_t *given = NULL;
	_cleanup_json_ json_t *definition = NULL;
	struct run_request request = {
		.cluster = "c",
		.family = family,
		.launch_type = "EC2",
		.count = count,
		.subnets = &subnet,
		.subnet_count = subnet ? 1 : 0,
	};
	int r;

	must(task_definition_newest(fixture->store, family, &row, err), err);
	must(json_parse(row.document, strlen(row.document), NULL, &definition, err), err);
	if (overrides_text)
		must(json_parse(overrides_text, strlen(overrides_text), NULL, &given, err), err);
	request.revision = row.revision;
	request.definition = definition;
	request.overrides = given;
	must(store_begin(fixture->store, err), err);
	r = services_run(fixture->services, &request, ret_result, err);
	if (r == 0)
		r = services_launch(fixture->services, ret_result, err);
	if (r == 0) {
		must(store_commit(fixture->store, err), err);
	} else {
		store_rollback(fixture->store);
		services_rolled_back(fixture->services);
	}
	return r;
}

struct task *fixture_task(struct fixture *fixture, const char *family, const char *subnet,
			  const char *overrides)
{
	struct run_result result;
	struct error err = ERROR_INIT;
	struct task *task;

	must(fixture_run(fixture, family, 1, subnet, overrides, &result, &err), &err);
	assert_int_equal(result.task_count, 1);
	task = result.tasks[0];
	run_result_clear(&result);
	return task;
}

void fixture_must(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

void fixture_submit(struct fixture *fixture, struct task *task, struct report report)
{
	struct error err = ERROR_INIT;

	fixture_must(services_report(fixture->services, task, &report, &err), &err);
}

void fixture_submit_state(struct fixture *fixture, struct task *task, const char *status)
{
	fixture_submit(fixture, task, (struct report){ .status = status });
}

struct report_container fixture_exited(const char *name, int code)
{
	return (struct report_container){
		.name = name, .status = "STOPPED", .has_exit_code = true, .exit_code = code
	};
}
