/* SPDX-License-Identifier: Apache-2.0 */
/* Container instances once they are registered. */
#include "control-plane/store/container_instances.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/operations.h"
#include "control-plane/api/register_instance.h"
#include "control-plane/scheduler/query.h"
#include "control-plane/services/services.h"
#include "control-plane/store/tags.h"

#define DESCRIBE_MAX 100
#define UPDATE_MAX   10
#define LIST_PAGE    100

/* Adds to `failures` what is not there. Returns 1 with the row, 0 after a failure entry, < 0 for an
 * error. */
static int find_or_fail(struct api_call *call, const char *cluster, const char *reference,
			struct container_instance_row *ret_row, json_t *failures)
{
	_cleanup_free_ char *arn = NULL;
	int r;

	r = api_container_instance(call, cluster, reference, ret_row);
	if (r != -ENOENT)
		return r < 0 ? r : 1;
	arn = api_asked_arn(call, ARN_CONTAINER_INSTANCE, cluster, reference);
	api_failure(failures, arn, "MISSING", NULL);
	return 0;
}

static int describe_container_instances(struct api_call *call, json_t **ret_output)
{
	static const char *const blocks[] = { "TAGS", "CONTAINER_INSTANCE_HEALTH", NULL };
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_json_ json_t *instances = json_array();
	_cleanup_json_ json_t *failures = json_array();
	json_t *references = NULL;
	size_t i;
	json_t *reference;

	if (api_input_list(call, "containerInstances", API_CLIENT, "Container Instances",
			   DESCRIBE_MAX, &references) < 0 ||
	    api_check_include(call, blocks) < 0 || api_cluster(call, &cluster) < 0)
		return -EINVAL;
	json_array_foreach (references, i, reference) {
		_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
		json_t *object = NULL;
		int r;

		r = find_or_fail(call, cluster.name, json_string_value(reference), &row, failures);
		if (r == 1)
			r = api_container_instance_json(call, &row, api_includes(call, "TAGS"),
							&object);
		if (r < 0)
			return r;
		if (object && api_includes(call, "CONTAINER_INSTANCE_HEALTH"))
			api_container_instance_set_health(object, &row);
		if (object)
			json_array_append_new(instances, object);
	}
	*ret_output =
		json_pack("{s:O, s:O}", "containerInstances", instances, "failures", failures);
	return 0;
}

/* The ids of those that the query matches, as members of an object. */
static int match_filter(struct api_call *call, const char *cluster, const char *filter,
			json_t **ret_matches)
{
	_cleanup_free_ char *cluster_arn = arn_cluster(store_scope(call->store), cluster);
	_cleanup_(query_free_cleanup) struct query *query = NULL;
	struct services_view view = { 0 };
	struct error err = ERROR_INIT;
	json_t *matches;

	if (query_parse(filter, &query, &err) < 0)
		return api_error(call, API_INVALID, "Invalid filter: %s", err.text);
	if (services_view(call->api->services, cluster_arn, &view, &err) < 0)
		return api_server_error(call, &err);
	matches = json_object();
	for (size_t i = 0; i < view.count; i++)
		if (query_matches(query, &view.instances[i]))
			json_object_set_new(matches, view.instances[i].arn, json_true());
	services_view_free(&view);
	*ret_matches = matches;
	return 0;
}

/* Up to limit + 1 ARNs after the page's place, those of `matches` only (NULL: all); their ids in
 * `keys`. */
static int collect(struct api_call *call, const char *cluster, const struct api_page *page,
		   const json_t *matches, json_t *arns, json_t *keys)
{
	_cleanup_(container_instance_list_clear) struct container_instance_list list = { 0 };
	struct error err = ERROR_INIT;

	/* A filter thins out: only without one does the limit of the page hold for the store. */
	if (container_instance_find(call->store, cluster, api_input_string(call, "status"),
				    page->after, matches ? -1 : page->limit + 1, &list, &err) < 0)
		return api_server_error(call, &err);
	for (size_t i = 0; i < list.count && (int64_t)json_array_size(arns) <= page->limit; i++) {
		_cleanup_free_ char *arn =
			arn_container_instance(store_scope(call->store), cluster, list.items[i].id);

		if (matches && !json_object_get(matches, arn))
			continue;
		json_array_append_new(arns, json_string(arn));
		json_array_append_new(keys, json_string(list.items[i].id));
	}
	return 0;
}

static int list_container_instances(struct api_call *call, json_t **ret_output)
{
	static const char *const states[] = {
		"ACTIVE", "DRAINING", "REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED", NULL
	};
	const char *filter = api_input_string(call, "filter");
	const char *status = api_input_string(call, "status");
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_(api_page_clear) struct api_page page = { 0 };
	_cleanup_json_ json_t *arns = json_array();
	_cleanup_json_ json_t *keys = json_array();
	_cleanup_json_ json_t *matches = NULL;
	_cleanup_free_ char *bound = NULL;
	json_t *output;

	if (status && api_check_enum(call, API_INVALID, "status", status, states) < 0)
		return -EINVAL;
	if (api_cluster(call, &cluster) < 0)
		return -EINVAL;
	bound = xasprintf("%s %s %s", cluster.name, status ? status : "", filter ? filter : "");
	if (api_page_read(call, LIST_PAGE, LIST_PAGE, bound, &page) < 0)
		return -EINVAL;
	if (!str_is_empty(filter) && match_filter(call, cluster.name, filter, &matches) < 0)
		return -EINVAL;
	if (collect(call, cluster.name, &page, matches, arns, keys) < 0)
		return -EINVAL;

	output = json_pack("{s:O}", "containerInstanceArns", arns);
	if ((int64_t)json_array_size(arns) > page.limit) {
		json_array_remove(arns, (size_t)page.limit);
		api_page_next(&page, output,
			      json_string_value(json_array_get(keys, (size_t)page.limit - 1)));
	}
	*ret_output = output;
	return 0;
}

static int update_one(struct api_call *call, struct container_instance_row *row, const char *status,
		      json_t *instances, json_t *failures)
{
	_cleanup_free_ char *arn =
		arn_container_instance(store_scope(call->store), row->cluster, row->id);
	struct error err = ERROR_INIT;
	json_t *object = NULL;

	if (str_eq(row->status, CONTAINER_INSTANCE_INACTIVE)) {
		api_failure(failures, arn, "INACTIVE", NULL);
		return 0;
	}
	if (!str_eq(row->status, status)) {
		if (container_instance_set_status(call->store, row->cluster, row->id, status, NULL,
						  &err) < 0)
			return api_server_error(call, &err);
		str_replace(&row->status, status);
		row->version++;
	}
	if (api_container_instance_json(call, row, false, &object) < 0)
		return -EINVAL;
	json_array_append_new(instances, object);
	return 0;
}

static int update_container_instances_state(struct api_call *call, json_t **ret_output)
{
	const char *status = api_input_string(call, "status");
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_json_ json_t *instances = json_array();
	_cleanup_json_ json_t *failures = json_array();
	json_t *references = NULL;
	size_t i;
	json_t *reference;

	if (!str_eq(status, CONTAINER_INSTANCE_ACTIVE) &&
	    !str_eq(status, CONTAINER_INSTANCE_DRAINING))
		return api_error(call, API_INVALID,
				 "Container instance status should be one of [ACTIVE, DRAINING]");
	if (api_input_list(call, "containerInstances", API_CLIENT, "Container Instances",
			   UPDATE_MAX, &references) < 0 ||
	    api_cluster(call, &cluster) < 0)
		return -EINVAL;
	json_array_foreach (references, i, reference) {
		_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
		int r;

		r = find_or_fail(call, cluster.name, json_string_value(reference), &row, failures);
		/* People change any, agents their own. */
		if (r == 1 && call->identity && api_guard_instance(call, &row) < 0)
			return -EACCES;
		if (r == 1)
			r = update_one(call, &row, status, instances, failures);
		if (r < 0)
			return r;
	}
	*ret_output =
		json_pack("{s:O, s:O}", "containerInstances", instances, "failures", failures);
	return 0;
}

static int has_tasks(struct api_call *call, const char *arn)
{
	struct services_usage usage = { 0 };
	int64_t live;

	services_instance_usage(call->api->services, arn, &usage);
	live = usage.live_tasks;
	services_usage_free(&usage);
	return live > 0;
}

static int deregister(struct api_call *call, struct container_instance_row *row, const char *arn,
		      json_t **ret_object)
{
	struct error err = ERROR_INIT;

	if (container_instance_set_status(call->store, row->cluster, row->id,
					  CONTAINER_INSTANCE_INACTIVE, NULL, &err) < 0 ||
	    tags_delete_all(call->store, arn, &err) < 0 ||
	    services_instance_deregistered(call->api->services, arn, &err) < 0)
		return api_server_error(call, &err);
	str_replace(&row->status, CONTAINER_INSTANCE_INACTIVE);
	row->agent_connected = false;
	row->version++;
	return api_container_instance_json(call, row, false, ret_object);
}

static int deregister_container_instance(struct api_call *call, json_t **ret_output)
{
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_free_ char *arn = NULL;
	const char *reference;
	json_t *object = NULL;
	int r;

	if (api_input_required(call, "containerInstance", API_INVALID, "Container Instance",
			       &reference) < 0 ||
	    api_cluster(call, &cluster) < 0)
		return -EINVAL;
	r = api_container_instance(call, cluster.name, reference, &row);
	if (r == -ENOENT || (r == 0 && str_eq(row.status, CONTAINER_INSTANCE_INACTIVE)))
		return api_error(call, API_INVALID,
				 "The referenced container instance was not found.");
	if (r < 0)
		return r;
	arn = arn_container_instance(store_scope(call->store), cluster.name, row.id);
	if (!api_input_bool(call, "force", false) && has_tasks(call, arn))
		return api_error(call, API_INVALID, "Found running tasks on the instance.");
	r = deregister(call, &row, arn, &object);
	if (r < 0)
		return r;
	*ret_output = json_pack("{s:o}", "containerInstance", object);
	return 0;
}

static const struct api_member describe_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "containerInstances", API_STRINGS, NULL },
	{ "include", API_STRINGS, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member list_input[] = {
	{ "cluster", API_STRING, NULL },     { "filter", API_STRING, NULL },
	{ "status", API_STRING, NULL },      { "nextToken", API_STRING, NULL },
	{ "maxResults", API_INTEGER, NULL }, { NULL, 0, NULL },
};

static const struct api_member update_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "containerInstances", API_STRINGS, NULL },
	{ "status", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member deregister_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "containerInstance", API_STRING, NULL },
	{ "force", API_BOOLEAN, NULL },
	{ NULL, 0, NULL },
};

const struct api_operation api_container_instance_operations[] = {
	{ "RegisterContainerInstance", register_instance_members, register_container_instance,
	  true },
	{ "DescribeContainerInstances", describe_input, describe_container_instances, false },
	{ "ListContainerInstances", list_input, list_container_instances, false },
	{ "UpdateContainerInstancesState", update_input, update_container_instances_state, true },
	{ "DeregisterContainerInstance", deregister_input, deregister_container_instance, true },
	{ NULL, NULL, NULL, false },
};
