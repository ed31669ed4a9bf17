/* SPDX-License-Identifier: Apache-2.0 */
/* What agents submit. */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/operations.h"
#include "control-plane/api/tasks.h"
#include "control-plane/services/report.h"

#define CONTAINERS_MAX  128
#define ATTACHMENTS_MAX 100

static const struct api_member binding_members[] = {
	{ "bindIP", API_STRING, NULL },
	{ "containerPort", API_INTEGER, NULL },
	{ "hostPort", API_INTEGER, NULL },
	{ "protocol", API_STRING, NULL },
	{ "containerPortRange", API_STRING, NULL },
	{ "hostPortRange", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member container_members[] = {
	{ "containerName", API_STRING, NULL },
	{ "imageDigest", API_STRING, NULL },
	{ "runtimeId", API_STRING, NULL },
	{ "exitCode", API_INTEGER, NULL },
	{ "networkBindings", API_STRUCTS, binding_members },
	{ "reason", API_STRING, NULL },
	{ "status", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member attachment_members[] = {
	{ "attachmentArn", API_STRING, NULL },
	{ "status", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member managed_agent_members[] = {
	{ "containerName", API_STRING, NULL },
	{ "managedAgentName", API_STRING, NULL },
	{ "status", API_STRING, NULL },
	{ "reason", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member task_change_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "task", API_STRING, NULL },
	{ "status", API_STRING, NULL },
	{ "reason", API_STRING, NULL },
	{ "containers", API_STRUCTS, container_members },
	{ "attachments", API_STRUCTS, attachment_members },
	{ "managedAgents", API_STRUCTS, managed_agent_members },
	{ "pullStartedAt", API_TIMESTAMP, NULL },
	{ "pullStoppedAt", API_TIMESTAMP, NULL },
	{ "executionStoppedAt", API_TIMESTAMP, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member container_change_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "task", API_STRING, NULL },
	{ "containerName", API_STRING, NULL },
	{ "runtimeId", API_STRING, NULL },
	{ "status", API_STRING, NULL },
	{ "exitCode", API_INTEGER, NULL },
	{ "reason", API_STRING, NULL },
	{ "networkBindings", API_STRUCTS, binding_members },
	{ NULL, 0, NULL },
};

static const struct api_member attachments_change_input[] = {
	{ "cluster", API_STRING, NULL },
	{ "attachments", API_STRUCTS, attachment_members },
	{ NULL, 0, NULL },
};

static int64_t input_time(const struct api_call *call, const char *name)
{
	const json_t *value = api_input_member(call, name);

	return json_is_number(value) ? (int64_t)(json_number_value(value) * 1000 + 0.5) : 0;
}

/* Texts are borrowed from the JSON: the report is over before it goes. */
static struct task_binding *read_bindings(const json_t *list, size_t *ret_count)
{
	size_t count = json_array_size(list);
	struct task_binding *bindings;
	const json_t *item;
	size_t i;

	if (count > TASK_BINDINGS_MAX)
		count = TASK_BINDINGS_MAX;
	bindings = xcalloc(count + 1, sizeof(*bindings));
	json_array_foreach (list, i, item) {
		if (i == count)
			break;
		bindings[i] = (struct task_binding){
			.bind_ip = (char *)member_string(item, "bindIP"),
			.protocol = (char *)member_string(item, "protocol"),
			.container_port = (int)member_integer(item, "containerPort", 0),
			.host_port = (int)member_integer(item, "hostPort", 0),
			.container_port_range = (char *)member_string(item, "containerPortRange"),
			.host_port_range = (char *)member_string(item, "hostPortRange"),
		};
	}
	*ret_count = count;
	return bindings;
}

static void read_container(const json_t *item, struct report_container *container)
{
	*container = (struct report_container){
		.name = member_string(item, "containerName"),
		.status = member_string(item, "status"),
		.runtime_id = member_string(item, "runtimeId"),
		.image_digest = member_string(item, "imageDigest"),
		.reason = member_string(item, "reason"),
		.has_exit_code = member_has(item, "exitCode"),
		.exit_code = (int)member_integer(item, "exitCode", 0),
		.has_bindings = member_has(item, "networkBindings"),
	};
	if (!container->name)
		container->name = "";
	container->bindings =
		read_bindings(member_list(item, "networkBindings"), &container->binding_count);
}

static void free_containers(struct report_container *containers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)containers[i].bindings);
	free(containers);
}

static int find_task(struct api_call *call, struct task **ret_task)
{
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	const char *reference = NULL;
	struct task *task = NULL;
	int r = api_input_required(call, "task", API_INVALID, "Task", &reference);

	if (r == 0)
		r = api_cluster(call, &cluster);
	if (r == 0)
		r = api_task(call, cluster.name, reference, &task);
	/* An agent gives this report up, and goes on with the next. */
	if (r == -ENOENT)
		return api_error(call, API_INVALID, "The referenced task was not found.");
	if (r < 0 || !task)
		return r;
	*ret_task = task;
	return api_guard_instance_arn(call, task->instance_arn);
}

static int submit(struct api_call *call, const struct report *report, json_t **ret_output)
{
	struct error err = ERROR_INIT;
	struct task *task = NULL;
	int r = find_task(call, &task);

	if (r < 0)
		return r;
	r = services_report(call->api->services, task, report, &err);
	if (r == -EINVAL)
		return api_error(call, API_INVALID, "%s", err.text);
	if (r < 0)
		return api_server_error(call, &err);
	*ret_output = json_pack("{s:s}", "acknowledgment", "ACCEPT");
	return 0;
}

static void read_attachments(const json_t *list, struct report_attachment *attachments)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		attachments[i] = (struct report_attachment){
			.arn = member_string(item, "attachmentArn"),
			.status = member_string(item, "status"),
		};
}

static int submit_task_state_change(struct api_call *call, json_t **ret_output)
{
	const json_t *containers = api_input_member(call, "containers");
	const json_t *attachments = api_input_member(call, "attachments");
	_cleanup_free_ struct report_attachment *given = NULL;
	struct report report = {
		.status = api_input_string(call, "status"),
		.reason = api_input_string(call, "reason"),
		.pull_started_ms = input_time(call, "pullStartedAt"),
		.pull_stopped_ms = input_time(call, "pullStoppedAt"),
		.execution_stopped_ms = input_time(call, "executionStoppedAt"),
		.container_count = json_array_size(containers),
		.attachment_count = json_array_size(attachments),
	};
	struct report_container *list;
	int r;

	if (report.container_count > CONTAINERS_MAX)
		return api_error(call, API_INVALID, "containers can have at most %d items.",
				 CONTAINERS_MAX);
	if (report.attachment_count > ATTACHMENTS_MAX)
		return api_error(call, API_INVALID, "attachments can have at most %d items.",
				 ATTACHMENTS_MAX);
	given = xcalloc(report.attachment_count + 1, sizeof(*given));
	read_attachments(attachments, given);
	list = xcalloc(report.container_count + 1, sizeof(*list));
	for (size_t i = 0; i < report.container_count; i++)
		read_container(json_array_get(containers, i), &list[i]);
	report.containers = list;
	report.attachments = given;
	r = submit(call, &report, ret_output);
	free_containers(list, report.container_count);
	return r;
}

static int submit_container_state_change(struct api_call *call, json_t **ret_output)
{
	struct report_container *container = xcalloc(1, sizeof(*container));
	const struct report report = { .containers = container, .container_count = 1 };
	int r;

	read_container(call->input, container);
	r = submit(call, &report, ret_output);
	free_containers(container, 1);
	return r;
}

static int guard_attachment(struct api_call *call, const char *arn)
{
	const struct task *task = services_find_attachment(call->api->services, arn);

	return api_guard_instance_arn(call, task ? task->instance_arn : NULL);
}

static int submit_attachment_state_changes(struct api_call *call, json_t **ret_output)
{
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_free_ struct report_attachment *given = NULL;
	struct error err = ERROR_INIT;
	json_t *list;
	int r = api_input_list(call, "attachments", API_INVALID, "Attachments", ATTACHMENTS_MAX,
			       &list);

	if (r == 0)
		r = api_cluster(call, &cluster);
	if (r < 0)
		return r;
	given = xcalloc(json_array_size(list), sizeof(*given));
	read_attachments(list, given);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (guard_attachment(call, given[i].arn) < 0)
			return -EACCES;
	for (size_t i = 0; i < json_array_size(list); i++) {
		r = services_report_attachment(call->api->services, &given[i], &err);
		if (r == -ENOENT)
			return api_error(call, API_INVALID,
					 "The referenced attachment was not found.");
		if (r < 0)
			return api_server_error(call, &err);
	}
	*ret_output = json_pack("{s:s}", "acknowledgment", "ACCEPT");
	return 0;
}

const struct api_operation api_task_submit_operations[] = {
	{ "SubmitTaskStateChange", task_change_input, submit_task_state_change, true },
	{ "SubmitContainerStateChange", container_change_input, submit_container_state_change,
	  true },
	{ "SubmitAttachmentStateChanges", attachments_change_input, submit_attachment_state_changes,
	  true },
	{ NULL, NULL, NULL, false },
};
