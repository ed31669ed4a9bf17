/* SPDX-License-Identifier: Apache-2.0 */
/* What RunTask and StartTask take, and what they refuse. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/tasks.h"
#include "control-plane/services/definition.h"
#include "control-plane/store/tags.h"

#define GROUP_MAX   255
#define SUBNETS_MAX 16
#define GROUPS_MAX  5

static int read_strings(struct api_call *call, const json_t *list, const char *label, size_t max,
			const char **to, size_t *ret_count)
{
	const json_t *item;
	size_t i;

	if (json_array_size(list) > max)
		return api_error(call, API_INVALID, "%s can have at most %zu items.", label, max);
	json_array_foreach (list, i, item)
		to[(*ret_count)++] = json_string_value(item);
	return 0;
}

static int read_network(struct api_call *call, struct run_input *input)
{
	const json_t *network = json_object_get(api_input_member(call, "networkConfiguration"),
						"awsvpcConfiguration");
	bool awsvpc = str_eq(definition_mode(input->definition), "awsvpc");
	int r;

	if (awsvpc && json_array_size(member_list(network, "subnets")) == 0)
		return api_error(call, API_INVALID,
				 "Network Configuration must be provided when networkMode 'awsvpc' "
				 "is specified.");
	if (!awsvpc && network)
		return api_error(call, API_INVALID,
				 "Network Configuration is not valid for the given networkMode of "
				 "this task definition.");
	if (str_eq(member_string(network, "assignPublicIp"), "ENABLED"))
		return api_error(call, API_INVALID,
				 "Assign public IP is not supported for this launch type.");
	r = read_strings(call, member_list(network, "subnets"), "subnets", SUBNETS_MAX,
			 input->subnets, &input->request.subnet_count);
	if (r == 0)
		r = read_strings(call, member_list(network, "securityGroups"), "securityGroups",
				 GROUPS_MAX, input->security_groups,
				 &input->request.security_group_count);
	return r;
}

static int read_definition(struct api_call *call, struct run_input *input)
{
	struct error err = ERROR_INIT;
	const char *reference;
	int r = api_input_required(call, "taskDefinition", API_INVALID, "Task Definition",
				   &reference);

	if (r < 0)
		return r;
	r = api_task_definition(call, reference, &input->definition_row);
	if (r == -ENOENT)
		return api_error(call, API_CLIENT, "TaskDefinition not found.");
	if (r < 0)
		return r;
	if (!str_eq(input->definition_row.status, TASK_DEFINITION_ACTIVE))
		return api_error(call, API_INVALID, "TaskDefinition is inactive");
	if (json_parse(input->definition_row.document, strlen(input->definition_row.document), NULL,
		       &input->definition, &err) < 0)
		return api_server_error(call, &err);
	return 0;
}

static bool all_of(const char *text, const char *others)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(others, *text))
			return false;
	return true;
}

static int read_names(struct api_call *call, size_t started_by_max, struct run_request *request)
{
	const char *started_by = api_input_string(call, "startedBy");
	const char *group = api_input_string(call, "group");

	if (started_by && (strlen(started_by) > started_by_max || !all_of(started_by, "-_/")))
		return api_error(call, API_INVALID,
				 "startedBy can have at most %zu characters out of letters, "
				 "numbers, hyphens, underscores and slashes.",
				 started_by_max);
	if (group && strlen(group) > GROUP_MAX)
		return api_error(call, API_INVALID, "group can have at most %d characters.",
				 GROUP_MAX);
	if (group && str_starts_with(group, "service:"))
		return api_error(call, API_INVALID,
				 "The group prefix 'service:' is reserved for services.");
	request->started_by = str_is_empty(started_by) ? NULL : started_by;
	request->group = str_is_empty(group) ? NULL : group;
	return 0;
}

static int check_execute_command(struct api_call *call, const struct run_input *input)
{
	if (!api_input_bool(call, "enableExecuteCommand", false))
		return 0;
	if (str_is_empty(member_string(input->request.overrides, "taskRoleArn")) &&
	    str_is_empty(member_string(input->definition, "taskRoleArn")))
		return api_error(call, API_INVALID,
				 "A task role is needed when enableExecuteCommand is true: the "
				 "task definition has no taskRoleArn.");
	return 0;
}

int run_input_read(struct api_call *call, size_t started_by_max, struct run_input *ret_input)
{
	static const char *const propagate[] = { "TASK_DEFINITION", "SERVICE", "NONE", NULL };
	const char *propagate_tags = api_input_string(call, "propagateTags");
	struct run_input *input = ret_input;
	int r = api_cluster(call, &input->cluster);

	if (r == 0)
		r = read_definition(call, input);
	if (r == 0)
		r = read_names(call, started_by_max, &input->request);
	if (r == 0)
		r = overrides_check(call, input->definition, api_input_member(call, "overrides"));
	if (r == 0)
		r = read_network(call, input);
	if (r == 0)
		r = api_tags_check(call, api_input_member(call, "tags"));
	if (r == 0 && propagate_tags)
		r = api_check_enum(call, API_INVALID, "propagateTags", propagate_tags, propagate);
	if (r == 0 && str_eq(propagate_tags, "SERVICE"))
		r = api_error(call, API_INVALID,
			      "propagateTags SERVICE is only for the tasks of a service.");
	if (r == 0)
		r = launch_volumes_check(call, input->definition);
	if (r < 0)
		return r;
	input->request.cluster = input->cluster.name;
	input->request.family = input->definition_row.family;
	input->request.revision = input->definition_row.revision;
	input->request.definition = input->definition;
	input->request.overrides = api_input_member(call, "overrides");
	input->request.launch_type = "EC2";
	input->request.subnets = input->subnets;
	input->request.security_groups = input->security_groups;
	input->request.enable_execute_command = api_input_bool(call, "enableExecuteCommand", false);
	return check_execute_command(call, input);
}

static int read_constraints(struct api_call *call, const json_t *list, struct run_input *input)
{
	static const char *const types[] = { "distinctInstance", "memberOf", NULL };
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		struct scheduler_constraint *to =
			&input->constraints[input->request.constraint_count];
		const char *type = member_string(item, "type");
		const char *expression = member_string(item, "expression");
		int r = api_check_enum(call, API_INVALID, "placement constraint type", type, types);

		if (r < 0)
			return r;
		if (input->request.constraint_count == SCHEDULER_CONSTRAINTS_MAX)
			return api_error(call, API_INVALID,
					 "placement constraints can have at most %d items.",
					 SCHEDULER_CONSTRAINTS_MAX);
		to->type = str_eq(type, "memberOf") ? SCHEDULER_MEMBER_OF
						    : SCHEDULER_DISTINCT_INSTANCE;
		to->expression = expression;
		if (to->type == SCHEDULER_DISTINCT_INSTANCE && !str_is_empty(expression))
			return api_error(call, API_INVALID,
					 "A distinctInstance constraint has no expression.");
		input->request.constraint_count++;
	}
	return 0;
}

static int read_strategies(struct api_call *call, struct run_input *input)
{
	static const char *const types[] = { "random", "spread", "binpack", NULL };
	const json_t *list = api_input_member(call, "placementStrategy");
	struct error err = ERROR_INIT;
	const json_t *item;
	size_t i;

	if (json_array_size(list) > SCHEDULER_STRATEGIES_MAX)
		return api_error(call, API_INVALID,
				 "placement strategies can have at most %d items.",
				 SCHEDULER_STRATEGIES_MAX);
	json_array_foreach (list, i, item) {
		const char *type = member_string(item, "type");
		int r = api_check_enum(call, API_INVALID, "placement strategy type", type, types);

		if (r < 0)
			return r;
		input->strategies[i] = (struct scheduler_strategy){
			.type = str_eq(type, "spread")    ? SCHEDULER_SPREAD
				: str_eq(type, "binpack") ? SCHEDULER_BINPACK
							  : SCHEDULER_RANDOM,
			.field = member_string(item, "field"),
		};
	}
	input->request.strategies = input->strategies;
	input->request.strategy_count = json_array_size(list);
	if (scheduler_check_strategies(input->strategies, input->request.strategy_count, &err) < 0)
		return api_error(call, API_INVALID, "%s", err.text);
	return 0;
}

int run_input_read_placement(struct api_call *call, struct run_input *input)
{
	int r = read_constraints(call, member_list(input->definition, "placementConstraints"),
				 input);

	if (r == 0)
		r = read_constraints(call, api_input_member(call, "placementConstraints"), input);
	if (r == 0)
		r = read_strategies(call, input);
	input->request.constraints = input->constraints;
	return r;
}

void run_input_clear(struct run_input *input)
{
	cluster_row_clear(&input->cluster);
	task_definition_row_clear(&input->definition_row);
	if (input->definition)
		json_decref(input->definition);
	input->definition = NULL;
}

static int copy_definition_tags(struct api_call *call, const struct task *task)
{
	_cleanup_(tag_list_clear) struct tag_list tags = { 0 };
	struct error err = ERROR_INIT;

	if (tags_get(call->store, task->definition_arn, &tags, &err) < 0)
		return api_server_error(call, &err);
	for (size_t i = 0; i < tags.count; i++)
		if (tags_put(call->store, task->arn, tags.items[i].key, tags.items[i].value, &err) <
		    0)
			return api_server_error(call, &err);
	return 0;
}

int run_write_tags(struct api_call *call, const struct run_input *input, const struct task *task)
{
	struct error err = ERROR_INIT;
	int r = 0;

	if (str_eq(api_input_string(call, "propagateTags"), "TASK_DEFINITION"))
		r = copy_definition_tags(call, task);
	if (r == 0 && api_input_bool(call, "enableECSManagedTags", false) &&
	    tags_put(call->store, task->arn, "aws:ecs:clusterName", input->cluster.name, &err) < 0)
		r = api_server_error(call, &err);
	if (r == 0 && json_array_size(api_input_member(call, "tags")) > 0)
		r = api_tags_write(call, task->arn, api_input_member(call, "tags"));
	return r;
}
