/* SPDX-License-Identifier: Apache-2.0 */
/* PutAttributes, DeleteAttributes, ListAttributes. */
#include "control-plane/store/attributes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/instance_document.h"
#include "control-plane/api/member.h"
#include "control-plane/api/operations.h"

#define ATTRIBUTES_MAX     10
#define CUSTOM_MAX         10
#define LENGTH_MAX         128
#define LIST_PAGE          100
#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const char *const target_types[] = { "container-instance", NULL };

static bool is_text_of(const char *text, const char *characters)
{
	size_t length = strlen(text);

	return length > 0 && length <= LENGTH_MAX && strspn(text, characters) == length;
}

static int check_attribute(struct api_call *call, const json_t *attribute)
{
	const char *name = member_string(attribute, "name");
	const char *value = member_string(attribute, "value");
	const char *type = member_string(attribute, "targetType");

	if (!name || !is_text_of(name, LETTERS_AND_DIGITS "_./\\-"))
		return api_error(call, API_INVALID,
				 "Attribute name '%.200s' is invalid: 1 to %d letters, numbers and "
				 "- _ . / \\ are allowed.",
				 name ? name : "", LENGTH_MAX);
	if (!attribute_is_custom(name))
		return api_error(call, API_INVALID,
				 "Attribute name '%s' is reserved: names that start with %s.", name,
				 str_starts_with(name, "berth.")
					 ? "berth. are given by Berth's agents"
					 : "ecs. or com.amazonaws. are given by Amazon ECS");
	if (value && (!is_text_of(value, LETTERS_AND_DIGITS "_.@/\\: -") || value[0] == ' ' ||
		      value[strlen(value) - 1] == ' '))
		return api_error(
			call, API_INVALID,
			"The value of attribute '%s' is invalid: 1 to %d letters, numbers, "
			"spaces and - _ . @ / \\ : are allowed, without spaces at the ends.",
			name, LENGTH_MAX);
	if (type)
		return api_check_enum(call, API_INVALID, "targetType", type, target_types);
	return 0;
}

/* The instance that an attribute is of. */
static int find_target(struct api_call *call, const char *cluster, const json_t *attribute,
		       struct container_instance_row *ret_row)
{
	const char *target = member_string(attribute, "targetId");
	int r;

	if (str_is_empty(target))
		return api_error(call, API_INVALID, "Target Id can not be blank.");
	if (!arn_looks_like(target) && !member_has(attribute, "targetType"))
		return api_error(call, API_INVALID,
				 "targetType is required when targetId is not an ARN.");
	r = api_container_instance(call, cluster, target, ret_row);
	if (r == -ENOENT || (r == 0 && str_eq(ret_row->status, CONTAINER_INSTANCE_INACTIVE)))
		return api_error(call, "TargetNotFoundException", "Could not find %s", target);
	return r;
}

static json_t *attribute_json(struct api_call *call, const char *cluster, const char *instance,
			      const char *name, const char *value)
{
	_cleanup_free_ char *arn =
		arn_container_instance(store_scope(call->store), cluster, instance);
	json_t *object = json_object();

	api_set_string(object, "name", name);
	api_set_string(object, "value", value);
	api_set_string(object, "targetId", arn);
	return object;
}

static int put_one(struct api_call *call, const char *cluster, const json_t *attribute,
		   json_t *result)
{
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	const char *name = member_string(attribute, "name");
	const char *value = member_string(attribute, "value");
	struct error err = ERROR_INIT;
	int64_t custom = 0;

	if (check_attribute(call, attribute) < 0 || find_target(call, cluster, attribute, &row) < 0)
		return -EINVAL;
	if (attribute_put(call->store, cluster, row.id, name, value, true, &err) < 0 ||
	    attribute_count_custom(call->store, cluster, row.id, &custom, &err) < 0 ||
	    container_instance_touch(call->store, cluster, row.id, &err) < 0)
		return api_server_error(call, &err);
	if (custom > CUSTOM_MAX)
		return api_error(call, "AttributeLimitExceededException",
				 "A container instance can have at most %d custom attributes.",
				 CUSTOM_MAX);
	json_array_append_new(result, attribute_json(call, cluster, row.id, name, value));
	return 0;
}

static int delete_one(struct api_call *call, const char *cluster, const json_t *attribute,
		      json_t *result)
{
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	const char *name = member_string(attribute, "name");
	_cleanup_free_ char *value = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (check_attribute(call, attribute) < 0 || find_target(call, cluster, attribute, &row) < 0)
		return -EINVAL;
	r = attribute_get(call->store, cluster, row.id, name, &value, &err);
	if (r == -ENOENT)
		return 0;
	if (r < 0 || attribute_delete(call->store, cluster, row.id, name, NULL, &err) < 0 ||
	    container_instance_touch(call->store, cluster, row.id, &err) < 0)
		return api_server_error(call, &err);
	json_array_append_new(result, attribute_json(call, cluster, row.id, name, value));
	return 0;
}

static int each_attribute(struct api_call *call,
			  int (*one)(struct api_call *call, const char *cluster,
				     const json_t *attribute, json_t *result),
			  json_t **ret_output)
{
	const json_t *attributes = api_input_member(call, "attributes");
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_json_ json_t *result = json_array();
	size_t i;
	json_t *attribute;

	if (json_array_size(attributes) == 0)
		return api_error(call, API_INVALID, "attributes can not be empty");
	if (json_array_size(attributes) > ATTRIBUTES_MAX)
		return api_error(call, API_INVALID, "attributes can have at most %d items.",
				 ATTRIBUTES_MAX);
	if (api_cluster(call, &cluster) < 0)
		return -EINVAL;
	json_array_foreach (attributes, i, attribute) {
		int r = one(call, cluster.name, attribute, result);

		if (r < 0)
			return r;
	}
	*ret_output = json_pack("{s:O}", "attributes", result);
	return 0;
}

static int put_attributes(struct api_call *call, json_t **ret_output)
{
	return each_attribute(call, put_one, ret_output);
}

static int delete_attributes(struct api_call *call, json_t **ret_output)
{
	return each_attribute(call, delete_one, ret_output);
}

static int list_attributes(struct api_call *call, json_t **ret_output)
{
	const char *type = api_input_string(call, "targetType");
	const char *name = api_input_string(call, "attributeName");
	const char *value = api_input_string(call, "attributeValue");
	_cleanup_(attribute_list_clear) struct attribute_list list = { 0 };
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_(api_page_clear) struct api_page page = { 0 };
	_cleanup_json_ json_t *attributes = json_array();
	_cleanup_free_ char *bound = NULL;
	struct error err = ERROR_INIT;
	char *slash = NULL;
	json_t *output;

	if (api_check_enum(call, API_INVALID, "targetType", type, target_types) < 0)
		return -EINVAL;
	if (value && !name)
		return api_error(call, API_INVALID,
				 "attributeName is required when attributeValue is given.");
	if (api_cluster(call, &cluster) < 0)
		return -EINVAL;
	bound = xasprintf("%s %s %s", cluster.name, name ? name : "", value ? value : "");
	if (api_page_read(call, LIST_PAGE, LIST_PAGE, bound, &page) < 0)
		return -EINVAL;
	/* The key of a page is "<instance>/<name>"; an id has no slash. */
	if (page.after && (slash = strchr(page.after, '/')))
		*slash = '\0';
	if (attribute_find(call->store, cluster.name, name, value, page.after,
			   slash ? slash + 1 : NULL, page.limit + 1, &list, &err) < 0)
		return api_server_error(call, &err);
	for (size_t i = 0; i < list.count && (int64_t)i < page.limit; i++)
		json_array_append_new(attributes,
				      attribute_json(call, cluster.name, list.items[i].instance,
						     list.items[i].name, list.items[i].value));
	output = json_pack("{s:O}", "attributes", attributes);
	if ((int64_t)list.count > page.limit) {
		const struct attribute_row *last = &list.items[page.limit - 1];
		_cleanup_free_ char *key = xasprintf("%s/%s", last->instance, last->name);

		api_page_next(&page, output, key);
	}
	*ret_output = output;
	return 0;
}

static const struct api_member attribute_members[] = {
	{ "name", API_STRING, NULL },
	{ "value", API_STRING, NULL },
	{ "targetType", API_STRING, NULL },
	{ "targetId", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member change_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "attributes", API_STRUCTS, attribute_members },
	{ NULL, 0, NULL },
};

static const struct api_member list_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "targetType", API_STRING, NULL },
	{ "attributeName", API_STRING, NULL },
	{ "attributeValue", API_STRING, NULL },
	{ "nextToken", API_STRING, NULL },
	{ "maxResults", API_INTEGER, NULL },
	{ NULL, 0, NULL },
};

const struct api_operation api_attribute_operations[] = {
	{ "PutAttributes", change_input, put_attributes, true },
	{ "DeleteAttributes", change_input, delete_attributes, true },
	{ "ListAttributes", list_input, list_attributes, false },
	{ NULL, NULL, NULL, false },
};
