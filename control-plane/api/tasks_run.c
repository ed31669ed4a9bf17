/* SPDX-License-Identifier: Apache-2.0 */
/* RunTask, StartTask, StopTask. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/operations.h"
#include "control-plane/api/task_definition.h"
#include "control-plane/api/tasks.h"
#include "control-plane/services/services.h"
#include "control-plane/store/tags.h"

#define CLIENT_TOKEN_MAX       64
#define RUN_STARTED_BY_MAX     128
#define START_STARTED_BY_MAX   36
#define START_INSTANCES_MAX    10
#define STOP_REASON_MAX        255
#define CAPACITY_PROVIDERS_MAX 20

static const struct api_member awsvpc_members[] = {
	{ "subnets", API_STRINGS, NULL },
	{ "securityGroups", API_STRINGS, NULL },
	{ "assignPublicIp", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member network_members[] = {
	{ "awsvpcConfiguration", API_STRUCT, awsvpc_members },
	{ NULL, 0, NULL },
};

static const struct api_member capacity_members[] = {
	{ "capacityProvider", API_STRING, NULL },
	{ "weight", API_INTEGER, NULL },
	{ "base", API_INTEGER, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member constraint_members[] = {
	{ "type", API_STRING, NULL },
	{ "expression", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member strategy_members[] = {
	{ "type", API_STRING, NULL },
	{ "field", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member run_task_input[] = {
	{ "capacityProviderStrategy", API_STRUCTS, capacity_members },
	{ "clientToken", API_STRING, NULL },
	{ "cluster", API_STRING, NULL },
	{ "count", API_INTEGER, NULL },
	{ "enableECSManagedTags", API_BOOLEAN, NULL },
	{ "enableExecuteCommand", API_BOOLEAN, NULL },
	{ "group", API_STRING, NULL },
	{ "launchType", API_STRING, NULL },
	{ "networkConfiguration", API_STRUCT, network_members },
	{ "overrides", API_STRUCT, api_task_overrides_members },
	{ "placementConstraints", API_STRUCTS, constraint_members },
	{ "placementStrategy", API_STRUCTS, strategy_members },
	{ "platformVersion", API_STRING, NULL },
	{ "propagateTags", API_STRING, NULL },
	{ "referenceId", API_STRING, NULL },
	{ "startedBy", API_STRING, NULL },
	{ "tags", API_STRUCTS, api_tag_members },
	{ "taskDefinition", API_STRING, NULL },
	{ "volumeConfigurations", API_STRUCTS, api_volume_configuration_members },
	{ NULL, 0, NULL },
};

static const struct api_member start_task_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "containerInstances", API_STRINGS, NULL },
	{ "enableECSManagedTags", API_BOOLEAN, NULL },
	{ "enableExecuteCommand", API_BOOLEAN, NULL },
	{ "group", API_STRING, NULL },
	{ "networkConfiguration", API_STRUCT, network_members },
	{ "overrides", API_STRUCT, api_task_overrides_members },
	{ "propagateTags", API_STRING, NULL },
	{ "referenceId", API_STRING, NULL },
	{ "startedBy", API_STRING, NULL },
	{ "tags", API_STRUCTS, api_tag_members },
	{ "taskDefinition", API_STRING, NULL },
	{ "volumeConfigurations", API_STRUCTS, api_volume_configuration_members },
	{ NULL, 0, NULL },
};

static const struct api_member stop_task_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "task", API_STRING, NULL },
	{ "reason", API_STRING, NULL },
	{ NULL, 0, NULL },
};

/* {tasks, failures}; the tasks as they stand, then on their way. */
static int answer_run(struct api_call *call, struct run_input *input, struct run_result *result,
		      json_t **ret_output)
{
	_cleanup_json_ json_t *tasks = json_array();
	_cleanup_json_ json_t *failures = json_array();
	struct error err = ERROR_INIT;
	json_t *object = NULL;
	int r;

	for (size_t i = 0; i < result->task_count; i++) {
		r = run_write_tags(call, input, result->tasks[i]);
		if (r == 0)
			r = api_task_json(call, result->tasks[i], true, &object);
		if (r < 0)
			return r;
		json_array_append_new(tasks, object);
	}
	for (size_t i = 0; i < result->failure_count; i++)
		api_failure(failures, result->failures[i].arn, result->failures[i].reason,
			    result->failures[i].detail);
	if (services_launch(call->api->services, result, &err) < 0)
		return api_server_error(call, &err);
	*ret_output = json_pack("{s:O, s:O}", "tasks", tasks, "failures", failures);
	return 0;
}

static int run_and_answer(struct api_call *call, struct run_input *input, struct str_list *arns,
			  json_t **ret_output)
{
	struct run_result result = { 0 };
	struct error err = ERROR_INIT;
	int r = services_run(call->api->services, &input->request, &result, &err);

	if (r == -EINVAL)
		return api_error(call, API_INVALID, "%s", err.text);
	if (r < 0)
		return api_server_error(call, &err);
	r = answer_run(call, input, &result, ret_output);
	for (size_t i = 0; r == 0 && i < result.task_count; i++)
		str_list_add(arns, result.tasks[i]->arn);
	run_result_clear(&result);
	return r;
}

/* The same token with the same request: the same tasks, as they are now. */
static int answer_replay(struct api_call *call, const struct str_list *arns, json_t **ret_output)
{
	_cleanup_json_ json_t *tasks = json_array();

	for (size_t i = 0; i < arns->count; i++) {
		const struct task *task = services_find_task(call->api->services, arns->items[i]);
		json_t *object;
		int r;

		if (!task)
			continue;
		r = api_task_json(call, task, true, &object);
		if (r < 0)
			return r;
		json_array_append_new(tasks, object);
	}
	*ret_output = json_pack("{s:O, s:[]}", "tasks", tasks, "failures");
	return 0;
}

static int refuse_replay(struct api_call *call, const struct str_list *arns)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < arns->count; i++)
		json_array_append_new(ids, json_string(arns->items[i]));
	api_error_member(call, "resourceIds", ids);
	return api_error(call, API_CONFLICT,
			 "The clientToken was used before with other arguments.");
}

static int check_token(struct api_call *call, const char *token)
{
	size_t length = strlen(token);

	if (length == 0 || length > CLIENT_TOKEN_MAX)
		return api_error(call, API_INVALID,
				 "clientToken should have between 1 and %d characters.",
				 CLIENT_TOKEN_MAX);
	for (const char *c = token; *c; c++)
		if (*c < 33 || *c > 126)
			return api_error(call, API_INVALID,
					 "clientToken contains invalid characters: ASCII 33 to 126 "
					 "are allowed.");
	return 0;
}

static int run_with_token(struct api_call *call, struct run_input *input, const char *token,
			  json_t **ret_output)
{
	_cleanup_free_ char *request = json_dump_sorted(call->input);
	_cleanup_str_list_ struct str_list arns = STR_LIST_INIT;
	_cleanup_free_ char *before = NULL;
	struct error err = ERROR_INIT;
	int r = services_token_find(call->api->services, input->cluster.name, token, &before, &arns,
				    &err);

	if (r == 0)
		return str_eq(before, request) ? answer_replay(call, &arns, ret_output)
					       : refuse_replay(call, &arns);
	if (r != -ENOENT)
		return api_server_error(call, &err);
	r = run_and_answer(call, input, &arns, ret_output);
	if (r < 0)
		return r;
	if (services_token_put(call->api->services, input->cluster.name, token, request, &arns,
			       &err) < 0) {
		json_decref(*ret_output);
		*ret_output = NULL;
		return api_server_error(call, &err);
	}
	return 0;
}

static int check_launch_type(struct api_call *call, struct run_input *input)
{
	static const char *const types[] = { "EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES",
					     NULL };
	const char *type = api_input_string(call, "launchType");
	const json_t *providers = api_input_member(call, "capacityProviderStrategy");
	int r;

	if (type) {
		r = api_check_enum(call, API_INVALID, "launch type", type, types);
		if (r < 0)
			return r;
		input->request.launch_type = type;
	}
	if (json_array_size(providers) == 0)
		return 0;
	if (type)
		return api_error(call, API_INVALID,
				 "Specifying both a launch type and capacity provider strategy is "
				 "not supported. Remove one and try again.");
	if (json_array_size(providers) > CAPACITY_PROVIDERS_MAX)
		return api_error(call, API_INVALID,
				 "capacity provider strategy can have at most %d items.",
				 CAPACITY_PROVIDERS_MAX);
	return api_error(call, API_INVALID,
			 "The specified capacity provider '%s' was not found. Specify a valid name "
			 "or ARN and try again.",
			 member_string(json_array_get(providers, 0), "capacityProvider"));
}

/* The definition, with its overrides, must be one for that launch type. */
static int check_compatible(struct api_call *call, const struct run_input *input)
{
	const char *type = input->request.launch_type;
	_cleanup_json_ json_t *result = NULL;
	_cleanup_free_ char *refusal = NULL;
	bool listed = false;
	const json_t *item;
	size_t i;

	json_array_foreach (member_list(input->definition, "compatibilities"), i, item)
		listed = listed || str_eq(json_string_value(item), type);
	if (!listed)
		return api_error(call, API_INVALID,
				 "Task definition does not support launch_type %s.", type);
	if (!str_eq(type, "FARGATE") || !input->request.overrides)
		return 0;
	result = overrides_apply(input->definition, input->request.overrides);
	refusal = fargate_refusal(result);
	return refusal ? api_error(call, API_INVALID, "%s", refusal) : 0;
}

static bool needs_other_capacity(const struct run_input *input)
{
	return str_eq(input->request.launch_type, "FARGATE") ||
	       str_eq(input->request.launch_type, "MANAGED_INSTANCES");
}

static int run_checked(struct api_call *call, struct run_input *input, json_t **ret_output)
{
	const char *token = api_input_string(call, "clientToken");
	_cleanup_str_list_ struct str_list arns = STR_LIST_INIT;
	int64_t count = api_input_integer(call, "count", 1);
	int r;

	if (count < 1 || count > SCHEDULER_COUNT_MAX)
		return api_error(call, API_INVALID, "Count should be between 1 and %d.",
				 SCHEDULER_COUNT_MAX);
	if (token) {
		r = check_token(call, token);
		if (r < 0)
			return r;
	}
	r = run_input_read(call, RUN_STARTED_BY_MAX, input);
	if (r == 0)
		r = check_launch_type(call, input);
	if (r == 0)
		r = check_compatible(call, input);
	if (r == 0)
		r = run_input_read_placement(call, input);
	if (r < 0)
		return r;
	if (needs_other_capacity(input)) {
		*ret_output = json_pack(
			"{s:[], s:[{s:s, s:s}]}", "tasks", "failures", "reason",
			"Capacity is unavailable at this time. Please try again later or in a "
			"different availability zone",
			"detail",
			"This control plane runs tasks on container instances: use the launch type "
			"EC2 or EXTERNAL.");
		return 0;
	}
	input->request.count = (size_t)count;
	return token ? run_with_token(call, input, token, ret_output)
		     : run_and_answer(call, input, &arns, ret_output);
}

static int run_task(struct api_call *call, json_t **ret_output)
{
	struct run_input input = { 0 };
	int r = run_checked(call, &input, ret_output);

	run_input_clear(&input);
	return r;
}

/* Ids of the instances; what is an ARN of elsewhere fails as MISSING. */
static int start_on_instances(struct api_call *call, struct run_input *input,
			      const json_t *instances, json_t **ret_output)
{
	_cleanup_str_list_ struct str_list ids = STR_LIST_INIT;
	_cleanup_str_list_ struct str_list arns = STR_LIST_INIT;
	_cleanup_json_ json_t *missing = json_array();
	const json_t *item;
	size_t i;
	int r;

	json_array_foreach (instances, i, item) {
		struct container_instance_row row = { 0 };
		const char *reference = json_string_value(item);
		_cleanup_free_ char *asked =
			api_asked_arn(call, ARN_CONTAINER_INSTANCE, input->cluster.name, reference);

		r = api_container_instance(call, input->cluster.name, reference, &row);
		if (r == 0)
			str_list_add(&ids, row.id);
		container_instance_row_clear(&row);
		/* A name that can be no id at all is missing too, not an error of the whole call.
		 */
		if (r == -ENOENT || r == -EINVAL)
			api_failure(missing, asked, "MISSING", NULL);
		else if (r < 0)
			return r;
	}
	input->request.instance_ids = (const char *const *)ids.items;
	input->request.instance_count = ids.count;
	if (ids.count == 0) {
		*ret_output = json_pack("{s:[], s:O}", "tasks", "failures", missing);
		return 0;
	}
	r = run_and_answer(call, input, &arns, ret_output);
	if (r == 0)
		json_array_extend(json_object_get(*ret_output, "failures"), missing);
	return r;
}

static int start_task(struct api_call *call, json_t **ret_output)
{
	struct run_input input = { 0 };
	json_t *instances;
	int r = api_input_list(call, "containerInstances", API_CLIENT, "Container Instances",
			       START_INSTANCES_MAX, &instances);

	if (r == 0)
		r = run_input_read(call, START_STARTED_BY_MAX, &input);
	if (r == 0)
		r = start_on_instances(call, &input, instances, ret_output);
	run_input_clear(&input);
	return r;
}

static int stop_in_cluster(struct api_call *call, const struct cluster_row *cluster,
			   json_t **ret_output)
{
	const char *reason = api_input_string(call, "reason");
	struct error err = ERROR_INIT;
	const char *reference = NULL;
	struct task *task = NULL;
	json_t *object = NULL;
	int r = api_input_required(call, "task", API_INVALID, "Task", &reference);

	if (r == 0 && reason && strlen(reason) > STOP_REASON_MAX)
		r = api_error(call, API_INVALID, "reason can have at most %d characters.",
			      STOP_REASON_MAX);
	if (r == 0)
		r = api_task(call, cluster->name, reference, &task);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!task)
		return api_error(call, API_INVALID, "The referenced task was not found.");
	if (services_stop(call->api->services, task, str_is_empty(reason) ? NULL : reason, &err) <
		    0 ||
	    tags_delete_all(call->store, task->arn, &err) < 0)
		return api_server_error(call, &err);
	r = api_task_json(call, task, false, &object);
	if (r == 0)
		*ret_output = json_pack("{s:o}", "task", object);
	return r;
}

static int stop_task(struct api_call *call, json_t **ret_output)
{
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	int r = api_cluster(call, &cluster);

	return r < 0 ? r : stop_in_cluster(call, &cluster, ret_output);
}

const struct api_operation api_task_run_operations[] = {
	{ "RunTask", run_task_input, run_task, true },
	{ "StartTask", start_task_input, start_task, true },
	{ "StopTask", stop_task_input, stop_task, true },
	{ NULL, NULL, NULL, false },
};
