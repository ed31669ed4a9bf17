/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/api/instance_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/store/attributes.h"
#include "wire/architecture.h"

#define RESOURCES_MAX        64
#define PORTS_MAX            65536
#define ATTRIBUTES_MAX       1000
#define CUSTOM_MAX           10
#define ATTRIBUTE_LENGTH_MAX 1024
#define DOCUMENT_MAX         ((size_t)64 * 1024)

static int check_port_set(struct api_call *call, const char *name, const json_t *set)
{
	if (json_array_size(set) > PORTS_MAX)
		return api_error(call, API_CLIENT, "Resource %s has more than %d values.", name,
				 PORTS_MAX);
	return 0;
}

/* {name, type, doubleValue, longValue, integerValue, stringSetValue?}: 0 is not sent by agents. */
static int resource(struct api_call *call, const json_t *given, json_t *list)
{
	static const char *const types[] = { "INTEGER", "LONG", "DOUBLE", "STRINGSET", NULL };
	const char *name = member_string(given, "name");
	const char *type = member_string(given, "type");
	json_t *set = member_list(given, "stringSetValue");
	json_t *real = json_object_get(given, "doubleValue");
	json_t *object;

	if (str_is_empty(name))
		return api_error(call, API_CLIENT, "Resource name can not be blank.");
	if (api_check_enum(call, API_CLIENT, "resource type", type, types) < 0 ||
	    check_port_set(call, name, set) < 0)
		return -EINVAL;
	if (member_integer(given, "integerValue", 0) < 0 ||
	    member_integer(given, "longValue", 0) < 0)
		return api_error(call, API_CLIENT, "Resource %s can not be negative.", name);
	object = json_pack("{s:s, s:s, s:I, s:I}", "name", name, "type", type, "longValue",
			   member_integer(given, "longValue", 0), "integerValue",
			   member_integer(given, "integerValue", 0));
	json_object_set_new(object, "doubleValue", json_real(real ? json_number_value(real) : 0.0));
	if (str_eq(type, "STRINGSET"))
		json_object_set_new(object, "stringSetValue",
				    set ? json_deep_copy(set) : json_array());
	json_array_append_new(list, object);
	return 0;
}

int instance_resources(struct api_call *call, json_t **ret_list)
{
	const json_t *given = api_input_member(call, "totalResources");
	_cleanup_json_ json_t *list = json_array();
	size_t i;
	json_t *item;

	if (json_array_size(given) > RESOURCES_MAX)
		return api_error(call, API_CLIENT, "totalResources can have at most %d items.",
				 RESOURCES_MAX);
	json_array_foreach (given, i, item) {
		if (resource(call, item, list) < 0)
			return -EINVAL;
	}
	*ret_list = TAKE(list);
	return 0;
}

bool attribute_is_custom(const char *name)
{
	return !str_starts_with(name, "ecs.") && !str_starts_with(name, "com.amazonaws.") &&
	       !str_starts_with(name, "berth.");
}

int instance_attributes_check(struct api_call *call)
{
	const json_t *given = api_input_member(call, "attributes");
	size_t custom = 0;
	size_t i;
	json_t *item;

	if (json_array_size(given) > ATTRIBUTES_MAX)
		return api_error(call, API_CLIENT, "attributes can have at most %d items.",
				 ATTRIBUTES_MAX);
	json_array_foreach (given, i, item) {
		const char *name = member_string(item, "name");
		const char *value = member_string(item, "value");

		if (str_is_empty(name) || strlen(name) > ATTRIBUTE_LENGTH_MAX ||
		    (value && strlen(value) > ATTRIBUTE_LENGTH_MAX))
			return api_error(call, API_CLIENT,
					 "Attribute '%.64s': name and value can have up to %d "
					 "characters, and the name can not be blank.",
					 name ? name : "", ATTRIBUTE_LENGTH_MAX);
		custom += attribute_is_custom(name);
	}
	if (custom > CUSTOM_MAX)
		return api_error(call, "AttributeLimitExceededException",
				 "A container instance can have at most %d custom attributes.",
				 CUSTOM_MAX);
	return 0;
}

char *instance_identity(struct api_call *call, const char *member)
{
	const char *text = api_input_string(call, "instanceIdentityDocument");
	static const struct json_limits limits = { .size = DOCUMENT_MAX };
	_cleanup_json_ json_t *document = NULL;

	if (str_is_empty(text) || json_parse(text, strlen(text), &limits, &document, NULL) < 0)
		return NULL;
	return xstrdup_null(member_string(document, member));
}

static bool is_given(struct api_call *call, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach (api_input_member(call, "attributes"), i, item)
		if (str_eq(member_string(item, "name"), name))
			return true;
	return false;
}

static int write_one(struct api_call *call, const char *cluster, const char *id, const char *name,
		     const char *value)
{
	struct error err = ERROR_INIT;

	if (attribute_put(call->store, cluster, id, name, value, attribute_is_custom(name), &err) <
	    0)
		return api_server_error(call, &err);
	return 0;
}

/* `value` belongs to this function; NULL: nothing is known. */
static int write_if_absent(struct api_call *call, const char *cluster, const char *id,
			   const char *name, char *value)
{
	_cleanup_free_ char *owned = value;

	if (!owned || is_given(call, name))
		return 0;
	return write_one(call, cluster, id, name, owned);
}

static char *zone(struct api_call *call)
{
	_cleanup_free_ char *name = instance_identity(call, "availabilityZone");

	if (name)
		return TAKE(name);
	if (call->api->config.default_zone)
		return xstrdup(call->api->config.default_zone);
	return xasprintf("%sa", store_scope(call->store)->region);
}

/* Of an agent that says nothing of it: it is most likely where this control plane is. */
static char *architecture(struct api_call *call)
{
	char *name = instance_identity(call, "architecture");

	return name ? name : ecs_architecture_of_host();
}

int instance_attributes_write(struct api_call *call, const char *cluster, const char *id)
{
	size_t i;
	json_t *item;

	json_array_foreach (api_input_member(call, "attributes"), i, item) {
		if (write_one(call, cluster, id, member_string(item, "name"),
			      member_string(item, "value")) < 0)
			return -EINVAL;
	}
	if (write_if_absent(call, cluster, id, "ecs.availability-zone", zone(call)) < 0 ||
	    write_if_absent(call, cluster, id, "ecs.os-type", xstrdup("linux")) < 0 ||
	    write_if_absent(call, cluster, id, "ecs.cpu-architecture", architecture(call)) < 0 ||
	    write_if_absent(call, cluster, id, "ecs.instance-type",
			    instance_identity(call, "instanceType")) < 0 ||
	    write_if_absent(call, cluster, id, "ecs.ami-id", instance_identity(call, "imageId")) <
		    0)
		return -EINVAL;
	return 0;
}
