/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/task.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include "wire/attachment.h"
#include "wire/reader.h"
#include "wire/service_connect.h"
#include "wire/task_text.h"

#define TASK_ID_LIMIT       128
#define TASK_LIST_LIMIT     1000
#define TASK_REFUSAL_PREFIX "UnrecogniedTaskError: Error loading task - " /* so on the wire */

struct task_spec_private {
	struct arena *arena;
	size_t references;
	const char *text; /* what task_spec_encode() gives */
};

const char *task_id_of_arn(const char *arn)
{
	const char *slash = strrchr(arn, '/');

	return slash ? slash + 1 : arn;
}

char *task_refusal_reason(const char *detail)
{
	return xasprintf("%s%s", TASK_REFUSAL_PREFIX, detail);
}

void task_credentials_clear(struct task_credentials *credentials)
{
	role_credentials_free(credentials->role);
	role_credentials_free(credentials->execution);
	credentials->role = NULL;
	credentials->execution = NULL;
}

/* It names directories, cgroups and namespaces: nothing in it may lead elsewhere. */
static int take_id(struct task_spec *task, struct error *err)
{
	const char *id = task_id_of_arn(task->arn);
	size_t length = strlen(id);

	if (length == 0)
		return error_say(err, EINVAL, "arn: \"%s\" ends without a task id", task->arn);
	if (length > TASK_ID_LIMIT)
		return error_say(err, EINVAL, "arn: the task id is longer than %d bytes",
				 TASK_ID_LIMIT);
	for (const char *at = id; *at; at++) {
		if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_' &&
		    (*at != '.' || at == id))
			return error_say(err, EINVAL,
					 "arn: the task id \"%s\" may hold only letters, digits, "
					 "'-', '_' and, after the first, '.'",
					 id);
	}
	task->id = id;
	return 0;
}

static enum network_mode network_mode_of(const char *name)
{
	if (strcmp(name, "awsvpc") == 0)
		return NETWORK_MODE_AWSVPC;
	if (strcmp(name, "host") == 0)
		return NETWORK_MODE_HOST;
	if (strcmp(name, "bridge") == 0)
		return NETWORK_MODE_BRIDGE;
	return strcmp(name, "none") == 0 ? NETWORK_MODE_NONE : NETWORK_MODE_OTHER;
}

static int read_scalars(const struct json_at *at, struct arena *arena, struct task_spec *task,
			struct error *err)
{
	const char *desired_status = NULL;
	const char *pid_mode = "";
	const char *ipc_mode = "";
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{ "arn", &task->arn },
		{ "family", &task->family },
		{ "version", &task->version },
		{ "serviceName", &task->service_name },
		{ "group", &task->group },
		{ "taskClusterArn", &task->cluster },
		{ "launchType", &task->launch_type },
		{ "networkMode", &task->network_mode_name },
		{ "desiredStatus", &desired_status },
		{ "pidMode", &pid_mode },
		{ "ipcMode", &ipc_mode },
	};
	int result = 0;

	task->network_mode_name = "bridge";
	for (size_t i = 0; result == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		result = read_text(at, texts[i].name, arena, texts[i].text, err);
	if (result == 0)
		result = read_double(at, "cpu", &task->cpu, err);
	if (result == 0)
		result = read_i64(at, "memory", 0, INT32_MAX, &task->memory_mib, err);
	if (result == 0)
		result = read_bool(at, "enableFaultInjection", &task->enable_fault_injection, err);
	if (result < 0)
		return result;
	if (!task->arn)
		return error_say(err, EINVAL, "arn is missing or empty");
	result = take_id(task, err);
	if (result < 0)
		return result;
	if (task->cpu < 0)
		return error_say(err, EINVAL, "cpu must not be negative");
	if (desired_status) {
		result = task_status_parse(desired_status, &task->desired_status, err);
		if (result < 0) {
			error_prefix(err, "desiredStatus");
			return result;
		}
	}
	task->network_mode = network_mode_of(task->network_mode_name);
	if (strcmp(pid_mode, "host") == 0 || strcmp(pid_mode, "task") == 0)
		task->pid_mode = strcmp(pid_mode, "host") == 0 ? PID_MODE_HOST : PID_MODE_TASK;
	if (strcmp(ipc_mode, "host") == 0)
		task->ipc_mode = IPC_MODE_HOST;
	else if (strcmp(ipc_mode, "task") == 0)
		task->ipc_mode = IPC_MODE_TASK;
	else if (strcmp(ipc_mode, "none") == 0)
		task->ipc_mode = IPC_MODE_NONE;
	task->skips_host_resources =
		task->launch_type && str_eq_nocase(task->launch_type, "FARGATE");
	return 0;
}

static int read_containers(const struct json_at *at, struct arena *arena, struct task_spec *task,
			   struct error *err)
{
	struct json_at list = { .value = NULL };
	struct container_spec *containers;
	int result = read_list(at, "containers", TASK_CONTAINER_LIMIT, &list, err);

	if (result < 0)
		return result;
	containers = arena_calloc(arena, json_count(&list), sizeof(*containers));
	task->containers = containers;
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = container_spec_decode(&item, arena, &containers[i], err);
		if (result < 0)
			return result;
		if (task_spec_container(task, containers[i].name))
			return json_fail(&item, err, "name: there are two containers named \"%s\"",
					 containers[i].name);
		task->container_count = i + 1;
	}
	return 0;
}

static int read_attachments(const struct json_at *at, struct arena *arena, struct task_spec *task,
			    struct error *err)
{
	struct json_at list = { .value = NULL };
	struct task_attachment *attachments;
	int result = read_list(at, "attachments", TASK_LIST_LIMIT, &list, err);

	if (result < 0)
		return result;
	attachments = arena_calloc(arena, json_count(&list), sizeof(*attachments));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = task_attachment_decode(&item, arena, &attachments[i], err);
		if (result == 0)
			result = task_attachment_check(&item, &attachments[i], err);
		if (result < 0)
			return result;
	}
	task->attachments = attachments;
	task->attachment_count = json_count(&list);
	return 0;
}

static int read_volumes(const struct json_at *at, struct arena *arena, struct task_spec *task,
			struct error *err)
{
	struct json_at list = { .value = NULL };
	struct volume_spec *volumes;
	int result = read_list(at, "volumes", TASK_VOLUME_LIMIT, &list, err);

	if (result < 0)
		return result;
	volumes = arena_calloc(arena, json_count(&list), sizeof(*volumes));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = volume_spec_decode(&item, task->attachments, task->attachment_count, arena,
					    &volumes[i], err);
		if (result < 0)
			return result;
	}
	task->volumes = volumes;
	task->volume_count = json_count(&list);
	return 0;
}

static int read_enis(const struct json_at *at, struct arena *arena, struct task_spec *task,
		     struct error *err)
{
	struct json_at list = { .value = NULL };
	int result = read_list(at, "elasticNetworkInterfaces", TASK_ENI_LIMIT, &list, err);

	if (result < 0)
		return result;
	return eni_specs_decode(&list, arena, &task->enis, &task->eni_count, err);
}

static int read_association(const struct json_at *at, struct arena *arena,
			    struct task_association *association, struct error *err)
{
	struct json_at content = { .value = NULL };
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "name", arena, &association->name, err);
	if (result == 0)
		result = read_text(at, "type", arena, &association->type, err);
	if (result == 0)
		result = read_texts(at, "containers", arena, &association->containers, NULL, err);
	if (result == 0)
		result = read_object(at, "content", &content, err);
	if (result < 0 || !json_present(&content))
		return result;
	result = read_text(&content, "encoding", arena, &association->encoding, err);
	if (result == 0)
		result = read_text(&content, "value", arena, &association->value, err);
	return result;
}

static int read_associations(const struct json_at *at, struct arena *arena, struct task_spec *task,
			     struct error *err)
{
	struct json_at list = { .value = NULL };
	struct task_association *associations;
	int result = read_list(at, "associations", TASK_LIST_LIMIT, &list, err);

	if (result < 0)
		return result;
	associations = arena_calloc(arena, json_count(&list), sizeof(*associations));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_association(&item, arena, &associations[i], err);
		if (result < 0)
			return result;
	}
	task->associations = associations;
	task->association_count = json_count(&list);
	return 0;
}

static int read_proxy(const struct json_at *at, struct arena *arena, struct task_spec *task,
		      struct error *err)
{
	struct json_at proxy = { .value = NULL };
	const char *type = "";
	int result = read_object(at, "proxyConfiguration", &proxy, err);

	if (result < 0 || !json_present(&proxy))
		return result;
	result = read_text(&proxy, "type", arena, &type, err);
	if (result == 0)
		result = read_text(&proxy, "containerName", arena, &task->proxy_container, err);
	if (result == 0)
		result = read_map(&proxy, "properties", arena, &task->proxy_properties, err);
	if (result < 0)
		return result;
	if (strcmp(type, "APPMESH") != 0)
		return json_fail(&proxy, err, "type: \"%s\" is not \"APPMESH\"", type);
	if (!task->proxy_container)
		return json_fail(&proxy, err, "containerName is missing");
	return 0;
}

static int read_credentials(const struct json_at *at, const char *name, struct arena *arena,
			    struct role_credentials **ret, const char **ret_id, struct error *err)
{
	struct json_at object = { .value = NULL };
	int result = read_object(at, name, &object, err);

	if (result < 0 || !json_present(&object))
		return result;
	result = role_credentials_decode(&object, ret, err);
	if (result == 0)
		*ret_id = arena_strdup(arena, (*ret)->id);
	return result;
}

/* Of several the first one counts. */
static int read_service_connect(struct arena *arena, struct task_spec *task, struct error *err)
{
	for (size_t i = 0; i < task->attachment_count; i++) {
		const struct service_connect_spec *spec = NULL;
		int result;

		if (strcmp(task->attachments[i].type, ATTACHMENT_SERVICE_CONNECT) != 0)
			continue;
		result = service_connect_decode(&task->attachments[i], task, arena, &spec, err);
		if (result < 0)
			return result;
		if (!task->service_connect)
			task->service_connect = spec;
	}
	return 0;
}

static int read_task(const struct json_at *at, struct arena *arena, struct task_spec *task,
		     struct task_credentials *credentials, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_scalars(at, arena, task, err);
	/* Before the volumes, which they may name. */
	if (result == 0)
		result = read_attachments(at, arena, task, err);
	if (result == 0)
		result = read_volumes(at, arena, task, err);
	if (result == 0)
		result = read_containers(at, arena, task, err);
	if (result == 0)
		result = read_enis(at, arena, task, err);
	if (result == 0)
		result = read_associations(at, arena, task, err);
	if (result == 0)
		result = read_proxy(at, arena, task, err);
	if (result == 0)
		result = read_service_connect(arena, task, err);
	if (result == 0)
		result = read_credentials(at, "roleCredentials", arena, &credentials->role,
					  &task->role_credentials_id, err);
	if (result == 0)
		result = read_credentials(at, "executionRoleCredentials", arena,
					  &credentials->execution,
					  &task->execution_role_credentials_id, err);
	return result;
}

int task_spec_decode(const struct json_at *at, struct task_spec **ret_spec,
		     struct task_credentials *ret_credentials, struct error *err)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	struct task_credentials credentials = { .role = NULL };
	/* The task's own root, so that errors say "containers[0].name" wherever the task stands. */
	struct json_at root = json_root(at->value);
	struct task_spec *task = arena_calloc(arena, 1, sizeof(*task));
	int result = read_task(&root, arena, task, &credentials, err);

	if (result < 0) {
		task_credentials_clear(&credentials);
		return result;
	}
	task->private = arena_calloc(arena, 1, sizeof(*task->private));
	task->private->references = 1;
	task->private->text = task_text_without_secrets(root.value, task, arena);
	if (strlen(task->private->text) > TASK_TEXT_LIMIT) {
		task_credentials_clear(&credentials);
		return error_say(err, EINVAL, "the task is larger than %zu bytes", TASK_TEXT_LIMIT);
	}
	task->private->arena = TAKE(arena);
	if (ret_credentials)
		*ret_credentials = credentials;
	else
		task_credentials_clear(&credentials);
	*ret_spec = task;
	return 0;
}

int task_spec_decode_text(const char *text, size_t size, struct task_spec **ret, struct error *err)
{
	const struct json_limits limits = { .size = TASK_TEXT_LIMIT };
	_cleanup_json_ json_t *value = NULL;
	struct json_at root = { .value = NULL };
	int result = json_parse(text, size, &limits, &value, err);

	if (result < 0) {
		error_prefix(err, "task");
		return result;
	}
	root = json_root(value);
	return task_spec_decode(&root, ret, NULL, err);
}

const char *task_spec_encode(const struct task_spec *spec)
{
	return spec->private->text;
}

struct task_spec *task_spec_ref(struct task_spec *spec)
{
	spec->private->references++;
	return spec;
}

void task_spec_unref(struct task_spec *spec)
{
	if (spec && --spec->private->references == 0)
		arena_free(spec->private->arena);
}

const struct container_spec *task_spec_container(const struct task_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->container_count; i++) {
		if (strcmp(spec->containers[i].name, name) == 0)
			return &spec->containers[i];
	}
	return NULL;
}

const struct volume_spec *task_spec_volume(const struct task_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->volume_count; i++) {
		if (strcmp(spec->volumes[i].name, name) == 0)
			return &spec->volumes[i];
	}
	return NULL;
}
