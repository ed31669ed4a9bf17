/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task as a JSON document in the store. The tables below name every durable field once; reading
 * and writing both follow them, so that a field cannot be written and not read.
 */
#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "control-plane/services/task.h"

enum field_type {
	FIELD_TEXT, /* char *; NULL is left out */
	FIELD_I64,
	FIELD_INT,
	FIELD_BOOL,
	FIELD_ENUM, /* int, 0 .. max */
};

struct field {
	const char *name;
	size_t offset;
	enum field_type type;
	int max; /* FIELD_ENUM */
};

#define TEXT(type, member)                                                                         \
	{                                                                                          \
#member, offsetof(struct type, member), FIELD_TEXT, 0                              \
	}
#define I64(type, member)                                                                          \
	{                                                                                          \
#member, offsetof(struct type, member), FIELD_I64, 0                               \
	}
#define INT(type, member)                                                                          \
	{                                                                                          \
#member, offsetof(struct type, member), FIELD_INT, 0                               \
	}
#define BOOL(type, member)                                                                         \
	{                                                                                          \
#member, offsetof(struct type, member), FIELD_BOOL, 0                              \
	}
#define ENUM(type, member, last)                                                                   \
	{                                                                                          \
#member, offsetof(struct type, member), FIELD_ENUM, last                           \
	}

static const struct field task_fields[] = {
	TEXT(task, id),
	TEXT(task, arn),
	TEXT(task, cluster_arn),
	TEXT(task, cluster_name),
	TEXT(task, instance_arn),
	TEXT(task, definition_arn),
	TEXT(task, family),
	I64(task, revision),
	TEXT(task, network_mode),
	TEXT(task, group),
	TEXT(task, started_by),
	TEXT(task, launch_type),
	TEXT(task, zone),
	TEXT(task, cpu_architecture),
	TEXT(task, overrides),
	TEXT(task, cpu),
	TEXT(task, memory),
	BOOL(task, enable_execute_command),
	I64(task, cpu_units),
	I64(task, memory_mib),
	ENUM(task, state, TASK_STOPPED),
	ENUM(task, desired, TASK_STOPPED),
	ENUM(task, health, HEALTH_STATUS_UNHEALTHY),
	I64(task, version),
	BOOL(task, connected),
	I64(task, connectivity_ms),
	I64(task, created_ms),
	I64(task, pull_started_ms),
	I64(task, pull_stopped_ms),
	I64(task, started_ms),
	I64(task, stopping_ms),
	I64(task, execution_stopped_ms),
	I64(task, stopped_ms),
	ENUM(task, stop_code, TASK_STOP_TERMINATION_NOTICE),
	TEXT(task, stopped_reason),
	BOOL(task, sent),
	BOOL(task, run_acknowledged),
	BOOL(task, stop_acknowledged),
	BOOL(task, attach_acknowledged),
	I64(task, attach_sent_ms),
};

static const struct field container_fields[] = {
	TEXT(task_container, name),
	TEXT(task_container, arn),
	TEXT(task_container, image),
	TEXT(task_container, cpu),
	TEXT(task_container, memory),
	TEXT(task_container, memory_reservation),
	BOOL(task_container, essential),
	BOOL(task_container, has_health_check),
	ENUM(task_container, state, CONTAINER_STOPPED),
	TEXT(task_container, runtime_id),
	TEXT(task_container, image_digest),
	TEXT(task_container, reason),
	BOOL(task_container, has_exit_code),
	INT(task_container, exit_code),
	ENUM(task_container, health, HEALTH_STATUS_UNHEALTHY),
	I64(task_container, health_since_ms),
};

static const struct field binding_fields[] = {
	TEXT(task_binding, bind_ip),
	TEXT(task_binding, protocol),
	INT(task_binding, container_port),
	INT(task_binding, host_port),
	TEXT(task_binding, container_port_range),
	TEXT(task_binding, host_port_range),
};

static const struct field eni_fields[] = {
	TEXT(task_eni, id),
	TEXT(task_eni, arn),
	ENUM(task_eni, state, ATTACHMENT_FAILED),
	TEXT(task_eni, subnet_id),
	TEXT(task_eni, eni_id),
	TEXT(task_eni, mac),
	TEXT(task_eni, private_ip),
	TEXT(task_eni, ipv6),
	TEXT(task_eni, private_dns_name),
	TEXT(task_eni, gateway),
	TEXT(task_eni, ipv6_gateway),
	TEXT(task_eni, dns_server),
};

static const struct field role_fields[] = {
	TEXT(task_role, role_arn),
	TEXT(task_role, credentials_id),
	I64(task_role, expires_ms),
	BOOL(task_role, acknowledged),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *write_fields(const void *object, const struct field *fields, size_t count)
{
	json_t *json = json_object();

	for (size_t i = 0; i < count; i++) {
		const void *at = (const char *)object + fields[i].offset;
		json_t *value = NULL;
		int number;

		switch (fields[i].type) {
		case FIELD_TEXT:
			if (*(char *const *)at)
				value = json_string(*(char *const *)at);
			break;
		case FIELD_I64:
			value = json_integer(*(const int64_t *)at);
			break;
		case FIELD_BOOL:
			value = json_boolean(*(const bool *)at);
			break;
		case FIELD_INT:
		case FIELD_ENUM:
			memcpy(&number, at, sizeof(number));
			value = json_integer(number);
			break;
		}
		if (value)
			json_object_set_new(json, fields[i].name, value);
	}
	return json;
}

static int read_fields(const struct json_at *at, void *object, const struct field *fields,
		       size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		void *to = (char *)object + fields[i].offset;
		const char *text = NULL;
		int64_t number = 0;
		int value;
		int r = 0;

		switch (fields[i].type) {
		case FIELD_TEXT:
			r = json_get_string(at, fields[i].name, JSON_OPTIONAL, &text, err);
			if (r == 0)
				*(char **)to = xstrdup_null(text);
			break;
		case FIELD_I64:
			r = json_get_i64(at, fields[i].name, JSON_OPTIONAL, INT64_MIN, INT64_MAX,
					 (int64_t *)to, err);
			break;
		case FIELD_BOOL:
			r = json_get_bool(at, fields[i].name, JSON_OPTIONAL, (bool *)to, err);
			break;
		case FIELD_INT:
		case FIELD_ENUM:
			r = json_get_i64(at, fields[i].name, JSON_OPTIONAL,
					 fields[i].type == FIELD_ENUM ? 0 : INT32_MIN,
					 fields[i].type == FIELD_ENUM ? fields[i].max : INT32_MAX,
					 &number, err);
			value = (int)number;
			if (r == 0)
				memcpy(to, &value, sizeof(value));
			break;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static json_t *write_ports(const uint16_t *ports, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer(ports[i]));
	return list;
}

static int read_ports(const struct json_at *at, const char *name, uint16_t **ret_ports,
		      size_t *ret_count, struct error *err)
{
	struct json_at list = { .value = NULL };
	int r = json_get_array(at, name, JSON_OPTIONAL, 4096, &list, err);

	if (r < 0)
		return r;
	*ret_ports = xcalloc(json_count(&list) + 1, sizeof(**ret_ports));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);
		int64_t port;

		r = json_as_i64(&item, 1, UINT16_MAX, &port, err);
		if (r < 0)
			return r;
		(*ret_ports)[(*ret_count)++] = (uint16_t)port;
	}
	return 0;
}

char *task_to_document(const struct task *task)
{
	_cleanup_json_ json_t *json = write_fields(task, task_fields, COUNT(task_fields));
	json_t *containers = json_array();

	json_object_set_new(json, "tcp", write_ports(task->ports.tcp, task->ports.tcp_count));
	json_object_set_new(json, "udp", write_ports(task->ports.udp, task->ports.udp_count));
	for (size_t i = 0; i < task->container_count; i++) {
		const struct task_container *container = &task->containers[i];
		json_t *object = write_fields(container, container_fields, COUNT(container_fields));
		json_t *bindings = json_array();

		for (size_t k = 0; k < container->binding_count; k++)
			json_array_append_new(bindings,
					      write_fields(&container->bindings[k], binding_fields,
							   COUNT(binding_fields)));
		json_object_set_new(object, "bindings", bindings);
		json_array_append_new(containers, object);
	}
	json_object_set_new(json, "containers", containers);
	json_object_set_new(json, "role",
			    write_fields(&task->role, role_fields, COUNT(role_fields)));
	json_object_set_new(json, "execution_role",
			    write_fields(&task->execution_role, role_fields, COUNT(role_fields)));
	if (task->eni) {
		json_t *eni = write_fields(task->eni, eni_fields, COUNT(eni_fields));
		json_t *groups = json_array();

		for (size_t i = 0; i < task->eni->security_group_count; i++)
			json_array_append_new(groups, json_string(task->eni->security_groups[i]));
		json_object_set_new(eni, "security_groups", groups);
		json_object_set_new(json, "eni", eni);
	}
	return json_dump_compact(json);
}

static int read_container(const struct json_at *at, struct task_container *container,
			  struct error *err)
{
	struct json_at bindings = { .value = NULL };
	int r = read_fields(at, container, container_fields, COUNT(container_fields), err);

	if (r == 0)
		r = json_get_array(at, "bindings", JSON_OPTIONAL, TASK_BINDINGS_MAX, &bindings,
				   err);
	if (r < 0)
		return r;
	container->bindings = xcalloc(json_count(&bindings) + 1, sizeof(*container->bindings));
	for (size_t i = 0; r == 0 && i < json_count(&bindings); i++) {
		struct json_at item = json_item(&bindings, i);

		container->binding_count++;
		r = read_fields(&item, &container->bindings[i], binding_fields,
				COUNT(binding_fields), err);
	}
	if (r == 0 && (!container->name || !container->arn || !container->image || !container->cpu))
		r = json_fail(at, err, "it lacks its name, ARN, image or cpu");
	return r;
}

static int read_eni(const struct json_at *at, struct task *task, struct error *err)
{
	struct json_at object = { .value = NULL };
	struct str_list groups = STR_LIST_INIT;
	int r = json_get_object(at, "eni", JSON_OPTIONAL, &object, err);

	if (r < 0 || !json_present(&object))
		return r;
	task->eni = xcalloc(1, sizeof(*task->eni));
	r = read_fields(&object, task->eni, eni_fields, COUNT(eni_fields), err);
	if (r == 0)
		r = json_get_string_list(&object, "security_groups", JSON_OPTIONAL, 64, &groups,
					 err);
	task->eni->security_groups = groups.items;
	task->eni->security_group_count = groups.count;
	if (r == 0 && (!task->eni->id || !task->eni->arn || !task->eni->subnet_id))
		r = json_fail(&object, err, "it lacks its id, ARN or subnet");
	return r;
}

static int read_role(const struct json_at *at, const char *name, struct task_role *role,
		     struct error *err)
{
	struct json_at object = { .value = NULL };
	int r = json_get_object(at, name, JSON_REQUIRED, &object, err);

	if (r < 0)
		return r;
	return read_fields(&object, role, role_fields, COUNT(role_fields), err);
}

int task_from_document(const char *text, size_t size, struct task **ret_task, struct error *err)
{
	_cleanup_(task_free_cleanup) struct task *task = xcalloc(1, sizeof(*task));
	_cleanup_json_ json_t *json = NULL;
	struct json_at root, containers = { .value = NULL };
	int r = json_parse(text, size, NULL, &json, err);

	if (r < 0)
		return r;
	root = json_root(json);
	r = json_expect_object(&root, err);
	if (r == 0)
		r = read_fields(&root, task, task_fields, COUNT(task_fields), err);
	if (r == 0)
		r = read_ports(&root, "tcp", &task->ports.tcp, &task->ports.tcp_count, err);
	if (r == 0)
		r = read_ports(&root, "udp", &task->ports.udp, &task->ports.udp_count, err);
	if (r == 0)
		r = json_get_array(&root, "containers", JSON_REQUIRED, 64, &containers, err);
	if (r < 0)
		return r;
	task->containers = xcalloc(json_count(&containers) + 1, sizeof(*task->containers));
	for (size_t i = 0; i < json_count(&containers); i++) {
		struct json_at item = json_item(&containers, i);

		task->container_count++;
		r = read_container(&item, &task->containers[i], err);
		if (r < 0)
			return r;
	}
	r = read_role(&root, "role", &task->role, err);
	if (r == 0)
		r = read_role(&root, "execution_role", &task->execution_role, err);
	if (r == 0)
		r = read_eni(&root, task, err);
	if (r < 0)
		return r;
	if (!task->id || !task->arn || !task->cluster_arn || !task->cluster_name ||
	    !task->instance_arn || !task->definition_arn || !task->family || !task->network_mode ||
	    !task->group || !task->launch_type || !task->cpu || !task->memory ||
	    !task->cpu_architecture)
		return json_fail(&root, err, "it lacks a field that every task has");
	*ret_task = TAKE(task);
	return 0;
}
