/* SPDX-License-Identifier: Apache-2.0 */
/* CreateCluster, DescribeClusters, ListClusters, DeleteCluster. */
#include "control-plane/store/clusters.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/cluster_settings.h"
#include "control-plane/api/member.h"
#include "control-plane/api/operations.h"
#include "control-plane/services/services.h"
#include "control-plane/store/tags.h"

#define CLUSTER_NAME_MAX      255
#define DESCRIBE_CLUSTERS_MAX 100
#define LIST_CLUSTERS_PAGE    100

/* Tasks of a cluster by launch type, as the counts and the statistics show them. */
enum launch { LAUNCH_EC2, LAUNCH_FARGATE, LAUNCH_EXTERNAL, LAUNCH_TYPES };

struct cluster_counts {
	int64_t running[LAUNCH_TYPES];
	int64_t pending[LAUNCH_TYPES];
	int64_t live; /* not STOPPED */
	int64_t instances;
};

static enum launch launch_of(const struct task *task)
{
	if (str_eq(task->launch_type, "FARGATE"))
		return LAUNCH_FARGATE;
	return str_eq(task->launch_type, "EXTERNAL") ? LAUNCH_EXTERNAL : LAUNCH_EC2;
}

static int count(struct api_call *call, const char *name, struct cluster_counts *ret_counts)
{
	_cleanup_free_ char *arn = arn_cluster(store_scope(call->store), name);
	struct cluster_counts counts = { 0 };
	struct error err = ERROR_INIT;
	const struct task *task;
	size_t cursor = 0;

	if (container_instance_count(call->store, name, &counts.instances, &err) < 0)
		return api_server_error(call, &err);
	while (call->api->services && (task = services_next_task(call->api->services, &cursor))) {
		if (!str_eq(task->cluster_arn, arn) || task->state == TASK_STOPPED)
			continue;
		counts.live++;
		if (task->state == TASK_RUNNING)
			counts.running[launch_of(task)]++;
		else if (task->state < TASK_RUNNING)
			counts.pending[launch_of(task)]++;
	}
	*ret_counts = counts;
	return 0;
}

static void add_statistic(json_t *list, const char *name, int64_t value)
{
	_cleanup_free_ char *text = xasprintf("%lld", (long long)value);

	json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "value", text));
}

static json_t *statistics_of(const struct cluster_counts *counts)
{
	static const char *const names[LAUNCH_TYPES] = { "EC2", "Fargate", "External" };
	json_t *list = json_array();

	for (int i = 0; i < LAUNCH_TYPES; i++) {
		_cleanup_free_ char *running = xasprintf("running%sTasksCount", names[i]);
		_cleanup_free_ char *pending = xasprintf("pending%sTasksCount", names[i]);
		_cleanup_free_ char *active = xasprintf("active%sServiceCount", names[i]);
		_cleanup_free_ char *draining = xasprintf("draining%sServiceCount", names[i]);

		add_statistic(list, running, counts->running[i]);
		add_statistic(list, pending, counts->pending[i]);
		add_statistic(list, active, 0);
		add_statistic(list, draining, 0);
	}
	return list;
}

/* What of a cluster a reply shows. */
struct cluster_view {
	bool settings, configuration, statistics, tags;
};

static json_t *shown(json_t *value, bool show)
{
	return show && value ? json_incref(value) : json_array();
}

static int cluster_json(struct api_call *call, const struct cluster_row *row,
			const struct cluster_view *view, json_t **ret_object)
{
	_cleanup_json_ json_t *document = json_loads(row->document, 0, NULL);
	_cleanup_free_ char *arn = arn_cluster(store_scope(call->store), row->name);
	_cleanup_json_ json_t *object = json_object();
	_cleanup_json_ json_t *tags = NULL;
	struct cluster_counts counts = { 0 };
	int64_t running = 0, pending = 0;

	if (count(call, row->name, &counts) < 0 || api_tags_read(call, arn, &tags) < 0)
		return -EINVAL;
	for (int i = 0; i < LAUNCH_TYPES; i++) {
		running += counts.running[i];
		pending += counts.pending[i];
	}
	api_set_string(object, "clusterArn", arn);
	api_set_string(object, "clusterName", row->name);
	api_set_string(object, "status", row->status);
	json_object_set_new(object, "registeredContainerInstancesCount",
			    json_integer(counts.instances));
	json_object_set_new(object, "runningTasksCount", json_integer(running));
	json_object_set_new(object, "pendingTasksCount", json_integer(pending));
	json_object_set_new(object, "activeServicesCount", json_integer(0));
	json_object_set_new(object, "statistics",
			    view->statistics ? statistics_of(&counts) : json_array());
	json_object_set_new(object, "tags", shown(tags, view->tags));
	json_object_set_new(object, "settings",
			    shown(json_object_get(document, "settings"), view->settings));
	json_object_set(object, "capacityProviders",
			json_object_get(document, "capacityProviders"));
	json_object_set(object, "defaultCapacityProviderStrategy",
			json_object_get(document, "defaultCapacityProviderStrategy"));
	if (view->configuration && member_has(document, "configuration"))
		json_object_set(object, "configuration",
				json_object_get(document, "configuration"));
	*ret_object = TAKE(object);
	return 0;
}

/* The same cluster again is no error when the arguments are the same. */
static int existing_cluster(struct api_call *call, const struct cluster_row *row,
			    const char *request, json_t **ret_cluster)
{
	static const struct cluster_view whole = { true, true, false, true };

	if (!str_eq(row->request, request))
		return api_error(call, API_INVALID,
				 "Arguments on this idempotent request are inconsistent with "
				 "arguments used in previous request(s).");
	return cluster_json(call, row, &whole, ret_cluster);
}

static int new_cluster(struct api_call *call, const char *name, const char *request,
		       json_t **ret_cluster)
{
	static const struct cluster_view whole = { true, true, false, true };
	_cleanup_json_ json_t *document = cluster_settings_document(call->input);
	_cleanup_free_ char *arn = arn_cluster(store_scope(call->store), name);
	_cleanup_(cluster_row_clear) struct cluster_row row = {
		.name = xstrdup(name),
		.status = xstrdup("ACTIVE"),
		.document = json_dump_compact(document),
		.request = xstrdup(request),
		.created_at_ms = call->now_ms,
	};
	struct error err = ERROR_INIT;

	if (cluster_create(call->store, &row, &err) < 0)
		return api_server_error(call, &err);
	if (api_tags_write(call, arn, api_input_member(call, "tags")) < 0)
		return -EINVAL;
	return cluster_json(call, &row, &whole, ret_cluster);
}

static int create_cluster(struct api_call *call, json_t **ret_output)
{
	const char *name = api_input_string(call, "clusterName");
	_cleanup_(cluster_row_clear) struct cluster_row row = { 0 };
	_cleanup_free_ char *request = NULL;
	struct error err = ERROR_INIT;
	json_t *cluster = NULL;
	int r;

	if (str_is_empty(name))
		name = "default";
	if (!api_is_name(name, CLUSTER_NAME_MAX))
		return api_error(call, API_INVALID,
				 "Invalid cluster name '%s': up to %d letters, numbers, hyphens "
				 "and underscores are allowed.",
				 name, CLUSTER_NAME_MAX);
	if (cluster_settings_check(call) < 0 ||
	    api_tags_check(call, api_input_member(call, "tags")) < 0)
		return -EINVAL;

	request = cluster_settings_request(call->input);
	r = cluster_get(call->store, name, &row, &err);
	if (r < 0 && r != -ENOENT)
		return api_server_error(call, &err);
	if (r == 0 && str_eq(row.status, "ACTIVE"))
		r = existing_cluster(call, &row, request, &cluster);
	else
		r = new_cluster(call, name, request, &cluster);
	if (r < 0)
		return r;
	*ret_output = json_pack("{s:o}", "cluster", cluster);
	return 0;
}

/* Adds the cluster to `clusters`, or what is asked for to `failures`. */
static int describe_one(struct api_call *call, const char *reference,
			const struct cluster_view *view, json_t *clusters, json_t *failures)
{
	_cleanup_(cluster_row_clear) struct cluster_row row = { 0 };
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *arn = NULL;
	struct error err = ERROR_INIT;
	json_t *object = NULL;
	int r;

	r = api_cluster_name(call, reference, &name);
	if (r == 0)
		r = cluster_get(call->store, name, &row, &err);
	if (r < 0 && r != -ENOENT)
		return api_server_error(call, &err);
	if (r == -ENOENT) {
		arn = api_asked_arn(call, ARN_CLUSTER, NULL, reference);
		api_failure(failures, arn, "MISSING", NULL);
		return 0;
	}
	r = cluster_json(call, &row, view, &object);
	if (r < 0)
		return r;
	json_array_append_new(clusters, object);
	return 0;
}

static int describe_clusters(struct api_call *call, json_t **ret_output)
{
	static const char *const blocks[] = { "ATTACHMENTS", "CONFIGURATIONS", "SETTINGS",
					      "STATISTICS",  "TAGS",           NULL };
	const json_t *references = api_input_member(call, "clusters");
	_cleanup_json_ json_t *clusters = json_array();
	_cleanup_json_ json_t *failures = json_array();
	size_t i;
	json_t *reference;
	int r;

	if (json_array_size(references) > DESCRIBE_CLUSTERS_MAX)
		return api_error(call, API_INVALID, "Clusters can have at most %d items.",
				 DESCRIBE_CLUSTERS_MAX);
	r = api_check_include(call, blocks);
	if (r < 0)
		return r;
	const struct cluster_view view = {
		.settings = api_includes(call, "SETTINGS"),
		.configuration = api_includes(call, "CONFIGURATIONS"),
		.statistics = api_includes(call, "STATISTICS"),
		.tags = api_includes(call, "TAGS"),
	};
	if (json_array_size(references) == 0)
		r = describe_one(call, "default", &view, clusters, failures);
	json_array_foreach (references, i, reference) {
		r = describe_one(call, json_string_value(reference), &view, clusters, failures);
		if (r < 0)
			break;
	}
	if (r < 0)
		return r;
	*ret_output = json_pack("{s:O, s:O}", "clusters", clusters, "failures", failures);
	return 0;
}

static int list_clusters(struct api_call *call, json_t **ret_output)
{
	_cleanup_(cluster_list_clear) struct cluster_list list = { 0 };
	_cleanup_(api_page_clear) struct api_page page = { 0 };
	_cleanup_json_ json_t *arns = json_array();
	struct error err = ERROR_INIT;
	json_t *output;
	int r;

	r = api_page_read(call, LIST_CLUSTERS_PAGE, LIST_CLUSTERS_PAGE, "", &page);
	if (r < 0)
		return r;
	if (cluster_find(call->store, page.after, page.limit + 1, &list, &err) < 0)
		return api_server_error(call, &err);
	for (size_t i = 0; i < list.count && (int64_t)i < page.limit; i++) {
		_cleanup_free_ char *arn =
			arn_cluster(store_scope(call->store), list.items[i].name);

		json_array_append_new(arns, json_string(arn));
	}
	output = json_pack("{s:O}", "clusterArns", arns);
	if ((int64_t)list.count > page.limit)
		api_page_next(&page, output, list.items[page.limit - 1].name);
	*ret_output = output;
	return 0;
}

static int delete_cluster(struct api_call *call, json_t **ret_output)
{
	static const struct cluster_view whole = { true, true, false, false };
	_cleanup_(cluster_row_clear) struct cluster_row row = { 0 };
	_cleanup_free_ char *arn = NULL;
	struct cluster_counts counts = { 0 };
	struct error err = ERROR_INIT;
	const char *reference;
	json_t *cluster = NULL;

	if (api_input_required(call, "cluster", API_INVALID, "Cluster", &reference) < 0 ||
	    api_cluster(call, &row) < 0 || count(call, row.name, &counts) < 0)
		return -EINVAL;
	if (counts.instances > 0)
		return api_error(call, "ClusterContainsContainerInstancesException",
				 "The Cluster cannot be deleted while Container Instances are "
				 "active or draining.");
	if (counts.live > 0)
		return api_error(call, "ClusterContainsTasksException",
				 "The Cluster cannot be deleted while Tasks are active.");

	arn = arn_cluster(store_scope(call->store), row.name);
	if (cluster_set_status(call->store, row.name, "INACTIVE", &err) < 0 ||
	    tags_delete_all(call->store, arn, &err) < 0)
		return api_server_error(call, &err);
	str_replace(&row.status, "INACTIVE");
	if (cluster_json(call, &row, &whole, &cluster) < 0)
		return -EINVAL;
	*ret_output = json_pack("{s:o}", "cluster", cluster);
	return 0;
}

static const struct api_member describe_clusters_input[] = {
	{ "clusters", API_STRINGS, NULL },
	{ "include", API_STRINGS, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member list_clusters_input[] = {
	{ "nextToken", API_STRING, NULL },
	{ "maxResults", API_INTEGER, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member delete_cluster_input[] = {
	{ "cluster", API_STRING, NULL },
	{ NULL, 0, NULL },
};

const struct api_operation api_cluster_operations[] = {
	{ "CreateCluster", create_cluster_members, create_cluster, true },
	{ "DescribeClusters", describe_clusters_input, describe_clusters, false },
	{ "ListClusters", list_clusters_input, list_clusters, false },
	{ "DeleteCluster", delete_cluster_input, delete_cluster, true },
	{ NULL, NULL, NULL, false },
};
