/* SPDX-License-Identifier: Apache-2.0 */
/* TagResource, UntagResource, ListTagsForResource. */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "control-plane/api/operations.h"
#include "control-plane/services/services.h"
#include "control-plane/store/tags.h"

#define TAG_KEYS_MAX 50

#define RESOURCE_NOT_FOUND "ResourceNotFoundException"

static int find_cluster(struct api_call *call, const struct arn *arn)
{
	_cleanup_(cluster_row_clear) struct cluster_row row = { 0 };
	struct error err = ERROR_INIT;
	int r;

	r = cluster_get(call->store, arn->cluster, &row, &err);
	if (r < 0 && r != -ENOENT)
		return api_server_error(call, &err);
	if (r == -ENOENT || !str_eq(row.status, "ACTIVE"))
		return api_error(call, API_CLUSTER_NOT_FOUND, "Cluster not found.");
	return 0;
}

static int find_instance(struct api_call *call, const struct arn *arn)
{
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	struct error err = ERROR_INIT;
	int r;

	r = container_instance_get(call->store, arn->cluster, arn->id, &row, &err);
	if (r < 0 && r != -ENOENT)
		return api_server_error(call, &err);
	if (r == 0 && str_eq(row.status, CONTAINER_INSTANCE_INACTIVE))
		r = -ENOENT;
	return r;
}

static int find_definition(struct api_call *call, const struct arn *arn)
{
	_cleanup_(task_definition_row_clear) struct task_definition_row row = { 0 };
	struct error err = ERROR_INIT;
	int r;

	r = task_definition_get(call->store, arn->id, arn->revision, &row, &err);
	return r < 0 && r != -ENOENT ? api_server_error(call, &err) : r;
}

static int find_task(struct api_call *call, const char *text)
{
	const struct task *task = services_find_task(call->api->services, text);

	return task && task->state != TASK_STOPPED ? 0 : -ENOENT;
}

static bool has_short_format(const struct arn *arn)
{
	return !arn->cluster && (arn->type == ARN_SERVICE || arn->type == ARN_TASK ||
				 arn->type == ARN_CONTAINER_INSTANCE);
}

/* The ARN of the request, of a resource that is there. `missing_type`: the error when it is not. */
static int find_resource(struct api_call *call, const char *missing_type, const char **ret_arn)
{
	_cleanup_(arn_clear) struct arn arn = { .revision = -1 };
	struct error err = ERROR_INIT;
	const char *text;
	int r = -ENOENT;

	if (api_input_required(call, "resourceArn", API_INVALID, "Resource ARN", &text) < 0)
		return -EINVAL;
	if (arn_parse(text, &arn, &err) < 0)
		return api_error(
			call, API_INVALID,
			"The ARN provided is invalid. Provide a valid ARN and try again: %s", text);
	if (has_short_format(&arn))
		return api_error(call, API_INVALID,
				 "Long arn format must be used for tagging operations");
	if (arn_in_scope(&arn, store_scope(call->store))) {
		if (arn.type == ARN_CLUSTER)
			r = find_cluster(call, &arn);
		else if (arn.type == ARN_CONTAINER_INSTANCE)
			r = find_instance(call, &arn);
		else if (arn.type == ARN_TASK_DEFINITION)
			r = find_definition(call, &arn);
		else if (arn.type == ARN_TASK)
			r = find_task(call, text);
	}
	if (r == -ENOENT)
		return api_error(call, missing_type, "The specified resource can not be found: %s",
				 text);
	if (r == 0)
		*ret_arn = text;
	return r;
}

static int tag_resource(struct api_call *call, json_t **ret_output)
{
	const json_t *tags = api_input_member(call, "tags");
	const char *arn = NULL;

	(void)ret_output;
	if (json_array_size(tags) == 0)
		return api_error(call, API_INVALID, "Tags cannot be empty.");
	if (api_tags_check(call, tags) < 0 || find_resource(call, RESOURCE_NOT_FOUND, &arn) < 0)
		return -EINVAL;
	return api_tags_write(call, arn, tags);
}

static int untag_resource(struct api_call *call, json_t **ret_output)
{
	struct error err = ERROR_INIT;
	json_t *keys = NULL;
	const char *arn = NULL;
	size_t i;
	json_t *key;

	(void)ret_output;
	if (api_input_list(call, "tagKeys", API_INVALID, "Tag Keys", TAG_KEYS_MAX, &keys) < 0 ||
	    find_resource(call, RESOURCE_NOT_FOUND, &arn) < 0)
		return -EINVAL;
	json_array_foreach (keys, i, key) {
		if (tags_delete(call->store, arn, json_string_value(key), &err) < 0)
			return api_server_error(call, &err);
	}
	return 0;
}

static int list_tags_for_resource(struct api_call *call, json_t **ret_output)
{
	const char *arn = NULL;
	json_t *tags = NULL;

	if (find_resource(call, API_INVALID, &arn) < 0 || api_tags_read(call, arn, &tags) < 0)
		return -EINVAL;
	*ret_output = json_pack("{s:o}", "tags", tags);
	return 0;
}

static const struct api_member tag_input[] = {
	{ "resourceArn", API_STRING, NULL },
	{ "tags", API_STRUCTS, api_tag_members },
	{ NULL, 0, NULL },
};

static const struct api_member untag_input[] = {
	{ "resourceArn", API_STRING, NULL },
	{ "tagKeys", API_STRINGS, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member list_input[] = {
	{ "resourceArn", API_STRING, NULL },
	{ NULL, 0, NULL },
};

const struct api_operation api_tag_operations[] = {
	{ "TagResource", tag_input, tag_resource, true },
	{ "UntagResource", untag_input, untag_resource, true },
	{ "ListTagsForResource", list_input, list_tags_for_resource, false },
	{ NULL, NULL, NULL, false },
};
