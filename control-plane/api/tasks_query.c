/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeTasks, ListTasks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "control-plane/api/operations.h"
#include "control-plane/api/tasks.h"
#include "control-plane/services/services.h"

#define DESCRIBE_MAX 100
#define PAGE_MAX     100

static const struct api_member describe_tasks_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "tasks", API_STRINGS, NULL },
	{ "include", API_STRINGS, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member list_tasks_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "containerInstance", API_STRING, NULL },
	{ "daemonName", API_STRING, NULL },
	{ "desiredStatus", API_STRING, NULL },
	{ "family", API_STRING, NULL },
	{ "launchType", API_STRING, NULL },
	{ "maxResults", API_INTEGER, NULL },
	{ "nextToken", API_STRING, NULL },
	{ "serviceName", API_STRING, NULL },
	{ "startedBy", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static int describe_one(struct api_call *call, const char *cluster, const char *reference,
			json_t *tasks, json_t *failures)
{
	_cleanup_free_ char *asked = api_asked_arn(call, ARN_TASK, cluster, reference);
	struct task *task;
	json_t *object;
	int r = api_task(call, cluster, reference, &task);

	if (r == -ENOENT) {
		api_failure(failures, asked, "MISSING", NULL);
		return 0;
	}
	if (r == 0)
		r = api_task_json(call, task, api_includes(call, "TAGS"), &object);
	if (r == 0)
		json_array_append_new(tasks, object);
	return r;
}

static int describe_tasks(struct api_call *call, json_t **ret_output)
{
	static const char *const include[] = { "TAGS", NULL };
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_json_ json_t *tasks = json_array();
	_cleanup_json_ json_t *failures = json_array();
	const json_t *item;
	json_t *list;
	size_t i;
	int r = api_input_list(call, "tasks", API_INVALID, "Tasks", DESCRIBE_MAX, &list);

	if (r == 0)
		r = api_check_include(call, include);
	if (r == 0)
		r = api_cluster(call, &cluster);
	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		r = describe_one(call, cluster.name, json_string_value(item), tasks, failures);
		if (r < 0)
			return r;
	}
	*ret_output = json_pack("{s:O, s:O}", "tasks", tasks, "failures", failures);
	return 0;
}

struct filter {
	const char *cluster_arn;
	const char *instance_arn; /* the rest: NULL: any */
	const char *family;
	const char *started_by;
	const char *launch_type;
	enum task_state desired;
	bool none; /* desiredStatus PENDING: nothing is ever desired to be that */
};

static bool matches(const struct filter *filter, const struct task *task)
{
	return !filter->none && task->desired == filter->desired &&
	       str_eq(task->cluster_arn, filter->cluster_arn) &&
	       (!filter->instance_arn || str_eq(task->instance_arn, filter->instance_arn)) &&
	       (!filter->family || str_eq(task->family, filter->family)) &&
	       (!filter->started_by || str_eq(task->started_by, filter->started_by)) &&
	       (!filter->launch_type || str_eq(task->launch_type, filter->launch_type));
}

static int compare_arns(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Ordered by ARN, so that the last one of a page is a place to go on from. */
static void list_page(struct api_call *call, const struct filter *filter,
		      const struct api_page *page, json_t *output)
{
	_cleanup_free_ const char **arns = NULL;
	json_t *list = json_array();
	size_t count = 0, capacity = 0, cursor = 0;
	const struct task *task;

	while ((task = services_next_task(call->api->services, &cursor))) {
		if (!matches(filter, task) || (page->after && strcmp(task->arn, page->after) <= 0))
			continue;
		if (count == capacity) {
			capacity = capacity * 2 + 64;
			arns = xreallocarray(arns, capacity, sizeof(*arns));
		}
		arns[count++] = task->arn;
	}
	if (count > 0)
		qsort(arns, count, sizeof(*arns), compare_arns);
	for (size_t i = 0; i < count && i < (size_t)page->limit; i++)
		json_array_append_new(list, json_string(arns[i]));
	json_object_set_new(output, "taskArns", list);
	if (count > (size_t)page->limit)
		api_page_next(page, output, arns[page->limit - 1]);
}

/* startedBy stands alone, but for the desired status. */
static int check_started_by(struct api_call *call)
{
	static const char *const others[] = { "family", "serviceName", "containerInstance",
					      "launchType", "daemonName" };

	if (!api_input_string(call, "startedBy"))
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (api_input_string(call, others[i]))
			return api_error(call, API_INVALID,
					 "startedBy can not be combined with %s.", others[i]);
	return 0;
}

static int read_instance(struct api_call *call, const char *cluster, char **ret_arn)
{
	const char *reference = api_input_string(call, "containerInstance");
	struct container_instance_row row = { 0 };
	int r;

	if (str_is_empty(reference))
		return 0;
	r = api_container_instance(call, cluster, reference, &row);
	if (r == -ENOENT)
		return api_error(call, API_INVALID,
				 "The referenced container instance was not found.");
	if (r == 0)
		*ret_arn = arn_container_instance(store_scope(call->store), cluster, row.id);
	container_instance_row_clear(&row);
	return r;
}

/* The filters as text: a page token counts for these only. */
static char *filter_text(const struct api_call *call)
{
	_cleanup_json_ json_t *filters = json_copy(call->input);

	json_object_del(filters, "nextToken");
	json_object_del(filters, "maxResults");
	return json_dump_sorted(filters);
}

static int list_tasks(struct api_call *call, json_t **ret_output)
{
	static const char *const desired[] = { "RUNNING", "PENDING", "STOPPED", NULL };
	static const char *const launch_types[] = { "EC2", "FARGATE", "EXTERNAL",
						    "MANAGED_INSTANCES", NULL };
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_(api_page_clear) struct api_page page = { 0 };
	_cleanup_free_ char *cluster_arn = NULL;
	_cleanup_free_ char *instance_arn = NULL;
	_cleanup_free_ char *filters = filter_text(call);
	const char *status = api_input_string(call, "desiredStatus");
	const char *launch_type = api_input_string(call, "launchType");
	struct filter filter;
	int r = 0;

	if (status)
		r = api_check_enum(call, API_INVALID, "desired status", status, desired);
	if (r == 0 && launch_type)
		r = api_check_enum(call, API_INVALID, "launch type", launch_type, launch_types);
	if (r == 0)
		r = check_started_by(call);
	if (r == 0)
		r = api_page_read(call, PAGE_MAX, PAGE_MAX, filters, &page);
	if (r == 0)
		r = api_cluster(call, &cluster);
	if (r == 0 && api_input_string(call, "serviceName"))
		r = api_error(call, "ServiceNotFoundException", "Service not found.");
	if (r == 0 && api_input_string(call, "daemonName"))
		r = api_error(call, "DaemonNotFoundException", "Daemon not found.");
	if (r == 0)
		r = read_instance(call, cluster.name, &instance_arn);
	if (r < 0)
		return r;
	cluster_arn = arn_cluster(store_scope(call->store), cluster.name);
	filter = (struct filter){
		.cluster_arn = cluster_arn,
		.instance_arn = instance_arn,
		.family = api_input_string(call, "family"),
		.started_by = api_input_string(call, "startedBy"),
		.launch_type = launch_type,
		.desired = str_eq(status, "STOPPED") ? TASK_STOPPED : TASK_RUNNING,
		.none = str_eq(status, "PENDING"),
	};
	*ret_output = json_object();
	list_page(call, &filter, &page, *ret_output);
	return 0;
}

const struct api_operation api_task_query_operations[] = {
	{ "DescribeTasks", describe_tasks_input, describe_tasks, false },
	{ "ListTasks", list_tasks_input, list_tasks, false },
	{ NULL, NULL, NULL, false },
};
