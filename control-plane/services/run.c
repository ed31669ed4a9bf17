/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/str.h"
#include "control-plane/scheduler/fit.h"
#include "control-plane/services/create.h"
#include "control-plane/services/definition.h"
#include "control-plane/services/private.h"
#include "control-plane/services/run_network.h"
#include "control-plane/store/tasks.h"

#define REQUIRED_MAX 128

/* One call: the request with everything that placing needs around it. */
struct run {
	struct services *services;
	const struct run_request *request;
	struct run_needs needs;
	struct scheduler_request scheduler;
	struct scheduler_attribute required[REQUIRED_MAX];
	struct run_network network;
	const char *zones[RUN_SUBNETS_MAX];
	struct services_view view;
	size_t *started; /* StartTask: how many tasks on each instance of the view, by now */
	struct run_result result;
};

static void add_failure(struct run *run, const char *arn, const char *reason, char *detail)
{
	struct run_result *result = &run->result;

	result->failures = xreallocarray(result->failures, result->failure_count + 1,
					 sizeof(*result->failures));
	result->failures[result->failure_count++] =
		(struct run_failure){ .arn = xstrdup(arn), .reason = reason, .detail = detail };
}

static void require(struct run *run, const char *name, const char *value)
{
	if (run->scheduler.required_count < REQUIRED_MAX)
		run->required[run->scheduler.required_count++] =
			(struct scheduler_attribute){ .name = name, .value = value };
}

/* What the overrides ask for beyond the definition. */
static void require_of_overrides(struct run *run)
{
	const json_t *overrides = run->request->overrides;
	bool host_mode = str_eq(definition_mode(run->request->definition), "host");
	const json_t *item;
	size_t i;

	if (!str_is_empty(definition_text(overrides, "taskRoleArn")) &&
	    str_is_empty(definition_text(run->request->definition, "taskRoleArn")))
		require(run,
			host_mode ? "com.amazonaws.ecs.capability.task-iam-role-network-host"
				  : "com.amazonaws.ecs.capability.task-iam-role",
			NULL);
	json_array_foreach (json_object_get(overrides, "containerOverrides"), i, item)
		if (json_array_size(json_object_get(item, "environmentFiles")) > 0)
			require(run, "ecs.capability.env-files.s3", NULL);
}

/* requiresAttributes, and what runtimePlatform says of the host. */
static void gather_required(struct run *run)
{
	const json_t *platform = json_object_get(run->request->definition, "runtimePlatform");
	const char *architecture = definition_text(platform, "cpuArchitecture");
	const char *family = definition_text(platform, "operatingSystemFamily");
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(run->request->definition, "requiresAttributes"), i,
			    item)
		if (definition_text(item, "name"))
			require(run, definition_text(item, "name"), definition_text(item, "value"));
	if (architecture)
		require(run, "ecs.cpu-architecture",
			strcmp(architecture, "ARM64") == 0 ? "arm64" : "x86_64");
	if (family)
		require(run, "ecs.os-type", strcmp(family, "LINUX") == 0 ? "linux" : "windows");
	require_of_overrides(run);
	if (run->request->enable_execute_command)
		require(run, "ecs.capability.execute-command", NULL);
	run->scheduler.required = run->required;
}

#define IPV6_CAPABILITY "ecs.capability.task-eni.ipv6"

/* A task that gets an IPv6 address whichever subnet it comes to needs an agent that can give it. */
static void require_of_subnets(struct run *run)
{
	const struct run_network *network = &run->network;
	size_t with_ipv6 = 0;

	for (size_t i = 0; i < network->count; i++)
		with_ipv6 += subnet_ipv6_gateway(network->subnets[i]) != NULL;
	if (network->count > 0 && with_ipv6 == network->count)
		require(run, IPV6_CAPABILITY, NULL);
}

/* What the scheduler must know of the subnets. */
static void gather_subnets(struct run *run)
{
	const struct run_network *network = &run->network;
	size_t left = 0, zones = 0;

	for (size_t i = 0; i < network->count; i++) {
		left += subnet_free_count(network->subnets[i]);
		if (subnet_zone(network->subnets[i]))
			run->zones[zones++] = subnet_zone(network->subnets[i]);
	}
	run->scheduler.needs_eni = network->count > 0;
	run->scheduler.addresses_left = left;
	/* One subnet of any zone lets every instance in. */
	if (zones == network->count) {
		run->scheduler.zones = run->zones;
		run->scheduler.zone_count = zones;
	}
}

/* The subnet of the instance's zone with an address left, in the order given, that the instance can
 * give addresses of. */
static struct subnet *subnet_for(const struct run *run, const struct scheduler_instance *instance)
{
	bool with_ipv6 = fit_attribute(instance, IPV6_CAPABILITY) != NULL;

	for (size_t i = 0; i < run->network.count; i++) {
		struct subnet *subnet = run->network.subnets[i];
		const char *zone = subnet_zone(subnet);

		if (subnet_free_count(subnet) > 0 && (with_ipv6 || !subnet_ipv6_gateway(subnet)) &&
		    (!zone || !instance->zone || strcmp(zone, instance->zone) == 0))
			return subnet;
	}
	return NULL;
}

static char *exhausted_detail(const struct run *run)
{
	return run->network.count == 0
		       ? NULL
		       : xasprintf(
				 "No address is left in subnet %s (%s): stop a task, or configure "
				 "a larger subnet.",
				 subnet_id(run->network.subnets[0]),
				 subnet_cidr(run->network.subnets[0]));
}

/* RESOURCE:ENI has two causes: only an empty subnet needs a sentence. */
static char *failure_detail(const struct run *run, const struct scheduler_instance *instance,
			    const char *reason)
{
	if (strcmp(reason, "RESOURCE:ENI") != 0 || subnet_for(run, instance))
		return NULL;
	return exhausted_detail(run);
}

static void create_on(struct run *run, const struct scheduler_instance *instance)
{
	struct run_result *result = &run->result;
	struct subnet *subnet = NULL;
	struct task *task;

	if (run->scheduler.needs_eni) {
		subnet = subnet_for(run, instance);
		if (!subnet) {
			add_failure(run, instance->arn, "RESOURCE:ENI", exhausted_detail(run));
			return;
		}
	}
	task = create_task(run->services, run->request, &run->needs, instance, subnet,
			   run->network.default_group);
	if (subnet) {
		create_eni(run->services, task, subnet);
		services_network_changed(run->services);
	}
	services_add_task(run->services, task);
	/* From here on a roll-back must also take the task out of memory again. */
	run->services->wrote = true;
	result->tasks = xreallocarray(result->tasks, result->task_count + 1, sizeof(struct task *));
	result->tasks[result->task_count++] = task;
}

static int place(struct run *run, struct error *err)
{
	struct scheduler_result placed;
	size_t candidates = 0;
	int r;

	for (size_t i = 0; i < run->view.count; i++)
		candidates += run->view.instances[i].active;
	if (candidates == 0)
		return error_say(err, EINVAL, "No Container Instances were found in your cluster.");
	r = scheduler_place(run->view.instances, run->view.count, &run->scheduler, &placed, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < placed.placement_count; i++)
		create_on(run, &run->view.instances[placed.placements[i]]);
	for (size_t i = 0; i < placed.failure_count; i++) {
		const struct scheduler_instance *instance =
			&run->view.instances[placed.failures[i].instance];

		add_failure(run, instance->arn, placed.failures[i].reason,
			    failure_detail(run, instance, placed.failures[i].reason));
	}
	scheduler_result_free(&placed);
	return 0;
}

static const struct scheduler_instance *find_instance(const struct run *run, const char *arn)
{
	for (size_t i = 0; i < run->view.count; i++)
		if (strcmp(run->view.instances[i].arn, arn) == 0)
			return &run->view.instances[i];
	return NULL;
}

static void start_on(struct run *run, const char *id)
{
	const struct arn_scope *scope = store_scope(run->services->store);
	_cleanup_free_ char *arn = arn_container_instance(scope, run->request->cluster, id);
	const struct scheduler_instance *instance = find_instance(run, arn);
	size_t before = run->result.task_count;
	const char *refusal;
	size_t *started;

	if (!instance) {
		add_failure(run, arn, "MISSING", NULL);
		return;
	}
	/* One call may name an instance twice; the view is not read anew in between. */
	started = &run->started[instance - run->view.instances];
	refusal = scheduler_check(instance, *started, &run->scheduler);
	if (refusal) {
		add_failure(run, arn, refusal, failure_detail(run, instance, refusal));
		return;
	}
	create_on(run, instance);
	if (run->result.task_count > before) {
		*started += 1;
		run->scheduler.addresses_left -= run->scheduler.needs_eni;
	}
}

static size_t live_tasks(const struct services *services)
{
	size_t live = 0;

	for (size_t i = 0; i < services->task_count; i++)
		live += services->tasks[i]->state != TASK_STOPPED;
	return live;
}

static int run_all(struct run *run, struct error *err)
{
	const struct run_request *request = run->request;
	_cleanup_free_ char *cluster_arn =
		arn_cluster(store_scope(run->services->store), request->cluster);
	_cleanup_free_ char *group = NULL;
	size_t wanted = request->instance_ids ? request->instance_count : request->count;
	int r;

	if (live_tasks(run->services) + wanted > run->services->live_tasks_max)
		return error_say(err, EINVAL,
				 "This control plane holds at most %zu tasks at a time: stop some.",
				 run->services->live_tasks_max);
	run_needs(request->definition, request->overrides, &run->needs);
	group = request->group ? xstrdup(request->group) : xasprintf("family:%s", request->family);
	run->scheduler = (struct scheduler_request){
		.count = request->count,
		.cpu = run->needs.cpu,
		.memory = run->needs.memory,
		.gpus = run->needs.gpus,
		.tcp = { run->needs.ports.tcp, run->needs.ports.tcp_count },
		.udp = { run->needs.ports.udp, run->needs.ports.udp_count },
		.group = group,
		.external = strcmp(request->launch_type, "EXTERNAL") == 0,
		.constraints = request->constraints,
		.constraint_count = request->constraint_count,
		.strategies = request->strategies,
		.strategy_count = request->strategy_count,
		.seed = random_u64(),
	};
	gather_required(run);
	r = run_network_read(run->services, request, &run->network, err);
	gather_subnets(run);
	require_of_subnets(run);
	if (r == 0)
		r = services_view_all(run->services, cluster_arn, request->instance_ids != NULL,
				      &run->view, err);
	if (r < 0)
		return r;
	if (!request->instance_ids)
		return place(run, err);
	run->started = xcalloc(run->view.count + 1, sizeof(*run->started));
	for (size_t i = 0; i < request->instance_count; i++)
		start_on(run, request->instance_ids[i]);
	return 0;
}

int services_run(struct services *services, const struct run_request *request,
		 struct run_result *ret_result, struct error *err)
{
	struct run run = { .services = services, .request = request };
	int r = run_all(&run, err);

	services_view_free(&run.view);
	free(run.started);
	run_needs_clear(&run.needs);
	run_network_clear(&run.network);
	if (r < 0)
		run_result_clear(&run.result);
	else
		*ret_result = run.result;
	return r;
}

int services_launch(struct services *services, struct run_result *result, struct error *err)
{
	for (size_t i = 0; i < result->task_count; i++) {
		struct task *task = result->tasks[i];
		int r;

		if (task->eni) {
			task->eni->state = ATTACHMENT_ATTACHING;
			services_set_state(task, TASK_PENDING);
		}
		r = services_write_task(services, task, err);
		if (r < 0)
			return r;
		services_notify_later(services, task);
	}
	return 0;
}

void run_result_clear(struct run_result *result)
{
	for (size_t i = 0; i < result->failure_count; i++) {
		free(result->failures[i].arn);
		free(result->failures[i].detail);
	}
	free(result->failures);
	free(result->tasks);
	*result = (struct run_result){ 0 };
}

int services_token_find(struct services *services, const char *cluster, const char *token,
			char **ret_request, struct str_list *ret_arns, struct error *err)
{
	_cleanup_free_ char *request = NULL;
	_cleanup_free_ char *answer = NULL;
	int r = task_token_get(services->store, cluster, token, clock_wall_ms() - RUN_TOKEN_LIFE_MS,
			       &request, &answer, err);

	if (r < 0)
		return r;
	str_list_split(ret_arns, answer, ' ', false);
	*ret_request = TAKE(request);
	return 0;
}

int services_token_put(struct services *services, const char *cluster, const char *token,
		       const char *request, const struct str_list *arns, struct error *err)
{
	_cleanup_free_ char *answer = str_list_join(arns, " ");

	return task_token_put(services->store, cluster, token, request, answer, clock_wall_ms(),
			      err);
}
