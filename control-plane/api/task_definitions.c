/* SPDX-License-Identifier: Apache-2.0 */
/* RegisterTaskDefinition and what becomes of a revision. */
#include "control-plane/store/task_definitions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/operations.h"
#include "control-plane/api/task_definition.h"

#define LIST_PAGE 100

json_t *task_definition_json(struct api_call *call, const struct task_definition_row *row)
{
	_cleanup_free_ char *arn =
		arn_task_definition(store_scope(call->store), row->family, row->revision);
	json_t *object = json_loads(row->document, 0, NULL);

	api_set_string(object, "taskDefinitionArn", arn);
	json_object_set_new(object, "revision", json_integer(row->revision));
	api_set_string(object, "status", row->status);
	api_set_time(object, "registeredAt", row->registered_at_ms);
	api_set_string(object, "registeredBy", row->registered_by);
	api_set_time(object, "deregisteredAt", row->deregistered_at_ms);
	api_set_time(object, "deleteRequestedAt", row->delete_requested_at_ms);
	return object;
}

static int register_task_definition(struct api_call *call, json_t **ret_output)
{
	_cleanup_(task_definition_row_clear) struct task_definition_row row = { 0 };
	_cleanup_json_ json_t *definition = json_deep_copy(call->input);
	_cleanup_json_ json_t *tags = json_incref(json_object_get(definition, "tags"));
	_cleanup_free_ char *registered_by = arn_root_user(store_scope(call->store));
	_cleanup_free_ char *document = NULL;
	_cleanup_free_ char *arn = NULL;
	struct error err = ERROR_INIT;
	const char *family;
	int64_t revision = -1;
	json_t *output;

	if (task_definition_check(call, definition) < 0)
		return -EINVAL;
	json_object_del(definition, "tags");
	task_definition_fill(definition);

	family = member_string(definition, "family");
	document = json_dump_compact(definition);
	if (task_definition_add(call->store, family, document, registered_by, call->now_ms,
				&revision, &err) < 0 ||
	    task_definition_get(call->store, family, revision, &row, &err) < 0)
		return api_server_error(call, &err);
	arn = arn_task_definition(store_scope(call->store), family, revision);
	if (api_tags_write(call, arn, tags) < 0)
		return -EINVAL;

	output = json_pack("{s:o}", "taskDefinition", task_definition_json(call, &row));
	if (json_array_size(tags) > 0)
		json_object_set(output, "tags", tags);
	*ret_output = output;
	return 0;
}

static int not_found(struct api_call *call, int code)
{
	return code == -ENOENT ? api_error(call, API_CLIENT, "Unable to describe task definition.")
			       : code;
}

static int describe_task_definition(struct api_call *call, json_t **ret_output)
{
	static const char *const blocks[] = { "TAGS", NULL };
	_cleanup_(task_definition_row_clear) struct task_definition_row row = { 0 };
	_cleanup_json_ json_t *tags = NULL;
	_cleanup_free_ char *arn = NULL;
	const char *reference;
	json_t *output;
	int r;

	if (api_input_required(call, "taskDefinition", API_CLIENT, "Task Definition", &reference) <
		    0 ||
	    api_check_include(call, blocks) < 0)
		return -EINVAL;
	r = task_definitions_purge(call);
	if (r == 0)
		r = api_task_definition(call, reference, &row);
	if (r < 0)
		return not_found(call, r);
	if (api_includes(call, "TAGS")) {
		arn = arn_task_definition(store_scope(call->store), row.family, row.revision);
		if (api_tags_read(call, arn, &tags) < 0)
			return -EINVAL;
	}
	output = json_pack("{s:o}", "taskDefinition", task_definition_json(call, &row));
	if (tags)
		json_object_set(output, "tags", tags);
	*ret_output = output;
	return 0;
}

static int deregister_task_definition(struct api_call *call, json_t **ret_output)
{
	_cleanup_(task_definition_row_clear) struct task_definition_row row = { 0 };
	_cleanup_free_ char *family = NULL;
	struct error err = ERROR_INIT;
	const char *reference;
	int64_t revision = -1;
	int r;

	r = api_input_required(call, "taskDefinition", API_CLIENT, "Task Definition", &reference);
	if (r == 0)
		r = api_task_definition_reference(call, reference, &family, &revision);
	if (r < 0)
		return not_found(call, r);
	if (revision < 0)
		return api_error(call, API_CLIENT, "Revision is missing.");
	r = task_definition_get(call->store, family, revision, &row, &err);
	if (r < 0)
		return r == -ENOENT ? not_found(call, r) : api_server_error(call, &err);
	if (str_eq(row.status, TASK_DEFINITION_ACTIVE)) {
		if (task_definition_set_status(call->store, family, revision,
					       TASK_DEFINITION_INACTIVE, call->now_ms, &err) < 0)
			return api_server_error(call, &err);
		str_replace(&row.status, TASK_DEFINITION_INACTIVE);
		row.deregistered_at_ms = call->now_ms;
	}
	*ret_output = json_pack("{s:o}", "taskDefinition", task_definition_json(call, &row));
	return 0;
}

/* The key of a page is "family:revision". */
static void place_after(struct api_page *page, struct task_definition_query *query)
{
	char *colon = page->after ? strrchr(page->after, ':') : NULL;

	if (!colon || number_parse_i64(colon + 1, 1, INT32_MAX, &query->after_revision, NULL) < 0)
		return;
	*colon = '\0';
	query->after_family = page->after;
}

static int list_task_definitions(struct api_call *call, json_t **ret_output)
{
	static const char *const states[] = { TASK_DEFINITION_ACTIVE, TASK_DEFINITION_INACTIVE,
					      TASK_DEFINITION_DELETE_IN_PROGRESS, NULL };
	static const char *const orders[] = { "ASC", "DESC", NULL };
	const char *status = api_input_string(call, "status");
	const char *sort = api_input_string(call, "sort");
	struct task_definition_query query = {
		.status = status ? status : TASK_DEFINITION_ACTIVE,
		.family = api_input_string(call, "familyPrefix"),
		.descending = str_eq(sort, "DESC"),
	};
	_cleanup_(task_definition_list_clear) struct task_definition_list list = { 0 };
	_cleanup_(api_page_clear) struct api_page page = { 0 };
	_cleanup_json_ json_t *arns = json_array();
	_cleanup_free_ char *filter = NULL;
	struct error err = ERROR_INIT;
	json_t *output;

	if ((status && api_check_enum(call, API_INVALID, "status", status, states) < 0) ||
	    (sort && api_check_enum(call, API_INVALID, "sort", sort, orders) < 0))
		return -EINVAL;
	if (task_definitions_purge(call) < 0)
		return -EINVAL;
	filter = xasprintf("%s %s %s", query.status, query.descending ? "DESC" : "ASC",
			   query.family ? query.family : "");
	if (api_page_read(call, LIST_PAGE, LIST_PAGE, filter, &page) < 0)
		return -EINVAL;
	place_after(&page, &query);
	query.limit = page.limit + 1;
	if (task_definition_find(call->store, &query, &list, &err) < 0)
		return api_server_error(call, &err);
	for (size_t i = 0; i < list.count && (int64_t)i < page.limit; i++) {
		_cleanup_free_ char *arn = arn_task_definition(
			store_scope(call->store), list.items[i].family, list.items[i].revision);

		json_array_append_new(arns, json_string(arn));
	}
	output = json_pack("{s:O}", "taskDefinitionArns", arns);
	if ((int64_t)list.count > page.limit) {
		const struct task_definition_row *last = &list.items[page.limit - 1];
		_cleanup_free_ char *key = xasprintf("%s:%" PRId64, last->family, last->revision);

		api_page_next(&page, output, key);
	}
	*ret_output = output;
	return 0;
}

static int list_families(struct api_call *call, json_t **ret_output)
{
	static const char *const states[] = { TASK_DEFINITION_ACTIVE, TASK_DEFINITION_INACTIVE,
					      "ALL", NULL };
	const char *prefix = api_input_string(call, "familyPrefix");
	const char *status = api_input_string(call, "status");
	_cleanup_(family_list_clear) struct family_list list = { 0 };
	_cleanup_(api_page_clear) struct api_page page = { 0 };
	_cleanup_json_ json_t *families = json_array();
	_cleanup_free_ char *filter = NULL;
	struct error err = ERROR_INIT;
	json_t *output;

	if (status && api_check_enum(call, API_INVALID, "status", status, states) < 0)
		return -EINVAL;
	if (str_eq(status, "ALL"))
		status = NULL;
	if (task_definitions_purge(call) < 0)
		return -EINVAL;
	filter = xasprintf("%s %s", status ? status : "ALL", prefix ? prefix : "");
	if (api_page_read(call, LIST_PAGE, LIST_PAGE, filter, &page) < 0)
		return -EINVAL;
	if (task_definition_families(call->store, prefix, status, page.after, page.limit + 1, &list,
				     &err) < 0)
		return api_server_error(call, &err);
	for (size_t i = 0; i < list.count && (int64_t)i < page.limit; i++)
		json_array_append_new(families, json_string(list.items[i]));
	output = json_pack("{s:O}", "families", families);
	if ((int64_t)list.count > page.limit)
		api_page_next(&page, output, list.items[page.limit - 1]);
	*ret_output = output;
	return 0;
}

static const struct api_member describe_input[] = {
	{ "taskDefinition", API_STRING, NULL },
	{ "include", API_STRINGS, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member deregister_input[] = {
	{ "taskDefinition", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member list_input[] = {
	{ "familyPrefix", API_STRING, NULL }, { "status", API_STRING, NULL },
	{ "sort", API_STRING, NULL },         { "nextToken", API_STRING, NULL },
	{ "maxResults", API_INTEGER, NULL },  { NULL, 0, NULL },
};

const struct api_operation api_task_definition_operations[] = {
	{ "RegisterTaskDefinition", task_definition_members, register_task_definition, true },
	{ "DescribeTaskDefinition", describe_input, describe_task_definition, false },
	{ "DeregisterTaskDefinition", deregister_input, deregister_task_definition, true },
	{ "ListTaskDefinitions", list_input, list_task_definitions, false },
	{ "ListTaskDefinitionFamilies", list_input, list_families, false },
	{ NULL, NULL, NULL, false },
};
