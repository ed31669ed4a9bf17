/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteTaskDefinitions, and what is left to do afterwards. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/operations.h"
#include "control-plane/api/task_definition.h"
#include "control-plane/services/services.h"
#include "control-plane/store/tags.h"
#include "control-plane/store/task_definitions.h"

#define REFERENCES_MAX  10
#define DELETE_DELAY_MS (INT64_C(60) * 1000)
#define PURGE_BATCH     100

static bool is_referred_to(struct api_call *call, const char *arn)
{
	const struct task *task;
	size_t cursor = 0;

	while (call->api->services && (task = services_next_task(call->api->services, &cursor)))
		if (task->state != TASK_STOPPED && str_eq(task->definition_arn, arn))
			return true;
	return false;
}

static int purge_one(struct api_call *call, const struct task_definition_row *row)
{
	int64_t delay_ms = call->api->config.delete_delay_ms;
	_cleanup_free_ char *arn =
		arn_task_definition(store_scope(call->store), row->family, row->revision);
	struct error err = ERROR_INIT;

	if (call->now_ms - row->delete_requested_at_ms <
	    (delay_ms > 0 ? delay_ms : DELETE_DELAY_MS))
		return 0;
	if (is_referred_to(call, arn))
		return 0;
	if (task_definition_delete(call->store, row->family, row->revision, &err) < 0 ||
	    tags_delete_all(call->store, arn, &err) < 0)
		return api_server_error(call, &err);
	return 0;
}

int task_definitions_purge(struct api_call *call)
{
	const struct task_definition_query query = {
		.status = TASK_DEFINITION_DELETE_IN_PROGRESS,
		.limit = PURGE_BATCH,
	};
	_cleanup_(task_definition_list_clear) struct task_definition_list list = { 0 };
	struct error err = ERROR_INIT;

	if (task_definition_find(call->store, &query, &list, &err) < 0)
		return api_server_error(call, &err);
	for (size_t i = 0; i < list.count; i++) {
		int r = purge_one(call, &list.items[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A reference that can not be one is a failure of its own here, and no error of the call. */
static bool parse_reference(struct api_call *call, const char *reference, char **ret_family,
			    int64_t *ret_revision)
{
	_cleanup_free_ char *family = NULL;

	if (api_task_definition_reference(call, reference, &family, ret_revision) == -EINVAL)
		return false;
	if (!family || *ret_revision < 0 || !api_is_name(family, 255))
		return false;
	*ret_family = TAKE(family);
	return true;
}

static int fail(struct api_call *call, json_t *failures, const char *reference, const char *reason)
{
	_cleanup_free_ char *arn = api_asked_arn(call, ARN_TASK_DEFINITION, NULL, reference);

	api_failure(failures, arn, reason, NULL);
	return 0;
}

static int delete_one(struct api_call *call, const char *reference, json_t *definitions,
		      json_t *failures)
{
	_cleanup_(task_definition_row_clear) struct task_definition_row row = { 0 };
	_cleanup_free_ char *family = NULL;
	struct error err = ERROR_INIT;
	int64_t revision = -1;
	int r;

	if (!parse_reference(call, reference, &family, &revision))
		return fail(call, failures, reference,
			    "The specified task definition identifier is invalid. Specify a valid "
			    "name or ARN and try again.");
	r = task_definition_get(call->store, family, revision, &row, &err);
	if (r == -ENOENT)
		return fail(
			call, failures, reference,
			"The specified task definition does not exist. Specify a valid account, "
			"family, revision and try again.");
	if (r < 0)
		return api_server_error(call, &err);
	if (str_eq(row.status, TASK_DEFINITION_ACTIVE))
		return fail(call, failures, reference,
			    "The specified task definition is still in ACTIVE status. Please "
			    "deregister the target and try again.");
	if (str_eq(row.status, TASK_DEFINITION_INACTIVE)) {
		if (task_definition_set_status(call->store, family, revision,
					       TASK_DEFINITION_DELETE_IN_PROGRESS, call->now_ms,
					       &err) < 0)
			return api_server_error(call, &err);
		str_replace(&row.status, TASK_DEFINITION_DELETE_IN_PROGRESS);
		row.delete_requested_at_ms = call->now_ms;
	}
	json_array_append_new(definitions, task_definition_json(call, &row));
	return 0;
}

static int delete_task_definitions(struct api_call *call, json_t **ret_output)
{
	const json_t *references = api_input_member(call, "taskDefinitions");
	_cleanup_json_ json_t *definitions = json_array();
	_cleanup_json_ json_t *failures = json_array();
	size_t i;
	json_t *reference;

	if (json_array_size(references) == 0)
		return api_error(call, API_INVALID,
				 "size of TaskDefinition references list must be greater than 0");
	if (json_array_size(references) > REFERENCES_MAX)
		return api_error(call, API_INVALID,
				 "Size of TaskDefinition references list cannot exceed %d",
				 REFERENCES_MAX);
	if (task_definitions_purge(call) < 0)
		return -EINVAL;
	json_array_foreach (references, i, reference) {
		int r = delete_one(call, json_string_value(reference), definitions, failures);

		if (r < 0)
			return r;
	}
	*ret_output = json_pack("{s:O, s:O}", "taskDefinitions", definitions, "failures", failures);
	return 0;
}

static const struct api_member delete_input[] = {
	{ "taskDefinitions", API_STRINGS, NULL },
	{ NULL, 0, NULL },
};

const struct api_operation api_delete_definition_operations[] = {
	{ "DeleteTaskDefinitions", delete_input, delete_task_definitions, true },
	{ NULL, NULL, NULL, false },
};
