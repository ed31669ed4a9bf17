/* SPDX-License-Identifier: Apache-2.0 */
/* The containerInstance object. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"
#include "control-plane/api/api.h"
#include "control-plane/api/member.h"
#include "control-plane/services/services.h"
#include "control-plane/store/attributes.h"

static int set_attributes(struct api_call *call, const struct container_instance_row *row,
			  json_t *object)
{
	_cleanup_(attribute_list_clear) struct attribute_list attributes = { 0 };
	struct error err = ERROR_INIT;
	json_t *list;

	if (attribute_of_instance(call->store, row->cluster, row->id, &attributes, &err) < 0)
		return api_server_error(call, &err);
	list = json_array();
	for (size_t i = 0; i < attributes.count; i++) {
		json_t *attribute = json_object();

		api_set_string(attribute, "name", attributes.items[i].name);
		api_set_string(attribute, "value", attributes.items[i].value);
		json_array_append_new(list, attribute);
	}
	json_object_set_new(object, "attributes", list);
	return 0;
}

static void subtract(json_t *resource, int64_t used)
{
	int64_t left = member_integer(resource, "integerValue", 0) - used;

	json_object_set_new(resource, "integerValue", json_integer(left > 0 ? left : 0));
}

static bool has_port(const json_t *ports, int64_t port)
{
	size_t i;
	json_t *item;
	int64_t number;

	json_array_foreach (ports, i, item)
		if (number_parse_i64(json_string_value(item), 0, 65535, &number, NULL) == 0 &&
		    number == port)
			return true;
	return false;
}

static void reserve(json_t *resource, const uint16_t *ports, size_t count)
{
	json_t *set = json_object_get(resource, "stringSetValue");

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = xasprintf("%u", (unsigned)ports[i]);

		if (!has_port(set, ports[i]))
			json_array_append_new(set, json_string(text));
	}
}

/* What was registered, less what tasks hold. */
static json_t *remaining(const json_t *registered, const struct services_usage *usage)
{
	json_t *list = json_deep_copy(registered);
	size_t i;
	json_t *resource;

	json_array_foreach (list, i, resource) {
		const char *name = member_string(resource, "name");

		if (str_eq(name, "CPU"))
			subtract(resource, usage->cpu);
		else if (str_eq(name, "MEMORY"))
			subtract(resource, usage->memory);
		else if (str_eq(name, "PORTS"))
			reserve(resource, usage->tcp, usage->tcp_count);
		else if (str_eq(name, "PORTS_UDP"))
			reserve(resource, usage->udp, usage->udp_count);
	}
	return list;
}

static void set_usage(struct api_call *call, const char *arn,
		      const struct container_instance_row *row, json_t *object)
{
	json_t *registered = json_loads(row->resources, 0, NULL);
	struct services_usage usage = { 0 };

	if (call->api->services)
		services_instance_usage(call->api->services, arn, &usage);
	json_object_set_new(object, "remainingResources", remaining(registered, &usage));
	json_object_set_new(object, "registeredResources", registered);
	json_object_set_new(object, "runningTasksCount", json_integer(usage.running_tasks));
	json_object_set_new(object, "pendingTasksCount", json_integer(usage.pending_tasks));
	services_usage_free(&usage);
}

int api_container_instance_json(struct api_call *call, const struct container_instance_row *row,
				bool with_tags, json_t **ret_object)
{
	_cleanup_free_ char *arn =
		arn_container_instance(store_scope(call->store), row->cluster, row->id);
	_cleanup_json_ json_t *object = json_object();
	json_t *tags = NULL;

	if (with_tags && api_tags_read(call, arn, &tags) < 0)
		return -EINVAL;
	json_object_set_new(object, "tags", tags ? tags : json_array());
	api_set_string(object, "containerInstanceArn", arn);
	api_set_string(object, "ec2InstanceId", row->ec2_instance_id);
	json_object_set_new(object, "version", json_integer(row->version));
	api_set_document(object, "versionInfo", row->version_info);
	api_set_string(object, "status", row->status);
	api_set_string(object, "statusReason", row->status_reason);
	json_object_set_new(object, "agentConnected", json_boolean(row->agent_connected));
	api_set_time(object, "registeredAt", row->registered_at_ms);
	json_object_set_new(object, "attachments", json_array());
	if (set_attributes(call, row, object) < 0)
		return -EINVAL;
	set_usage(call, arn, row, object);
	*ret_object = TAKE(object);
	return 0;
}

void api_container_instance_set_health(json_t *object, const struct container_instance_row *row)
{
	json_t *health = json_object();

	api_set_string(health, "overallStatus",
		       row->health_status ? row->health_status : "INSUFFICIENT_DATA");
	api_set_document(health, "details", row->health_details ? row->health_details : "[]");
	json_object_set_new(object, "healthStatus", health);
}
