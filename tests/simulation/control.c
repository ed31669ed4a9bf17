/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: the calls of its API that an agent makes, and what it believes of tasks. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/str.h"
#include "simulation.h"

#define INSTANCE "arn:aws:ecs:here:1:container-instance/c/i"

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

/* ---- what is believed of containers: the invariants as they look from here ---- */

static enum container_status container_status_of(const char *wire)
{
	return str_eq(wire, "RUNNING")   ? CONTAINER_STATUS_RUNNING
	       : str_eq(wire, "STOPPED") ? CONTAINER_STATUS_STOPPED
					 : CONTAINER_STATUS_MANIFEST_PULLED;
}

static int container_named(const struct sim_task *task, const char *name)
{
	for (int i = 0; i < task->container_count; i++)
		if (str_eq(task->containers[i].name, name))
			return i;
	return -1;
}

/* The end of a container: its first true exit code, and never another one. */
static void believe_end(struct sim *sim, const struct sim_task *task,
			struct sim_container *container, const json_t *code)
{
	const struct engine_exit *truth = &container->exit;
	int said = (int)json_integer_value(code);

	if (container->reported_code && (!code || said != container->reported_exit_code))
		sim_fail(sim, "%s/%s was reported with another exit code than before", task->id,
			 container->name);
	if (code) {
		container->reported_code = true;
		container->reported_exit_code = said;
	}
	if (container->started == 0) {
		if (code && said != 143)
			sim_fail(sim, "%s/%s never ran, and exited with %d", task->id,
				 container->name, said);
		return;
	}
	if (container->host == HOST_RUNNING && !container->stop_failed)
		sim_fail(sim, "%s/%s runs, and was reported STOPPED", task->id, container->name);
	if (!truth->code_known || container->stop_failed)
		return;
	int true_code = truth->signal ? 128 + truth->signal : truth->exit_code;

	if (!code)
		sim_fail(sim, "%s/%s was reported without its exit code %d", task->id,
			 container->name, true_code);
	else if (said != true_code)
		sim_fail(sim, "%s/%s exited with %d, and %d was reported", task->id,
			 container->name, true_code, said);
}

/* Ports are told with the container that has them, and are free when it and its task have ended. */
static void believe_bindings(struct sim *sim, const struct sim_task *task,
			     const struct sim_container *container, const json_t *bindings)
{
	json_int_t port =
		json_integer_value(json_object_get(json_array_get(bindings, 0), "hostPort"));

	if (!task->connects)
		return;
	if (container->reported == CONTAINER_STATUS_RUNNING && container->host == HOST_RUNNING &&
	    port != container->host_port)
		sim_fail(sim, "%s/%s has host port %d, and %d was reported", task->id,
			 container->name, container->host_port, (int)port);
}

static void believe_container(struct sim *sim, struct sim_task *task, const json_t *said)
{
	int which = container_named(task, text_of(said, "containerName"));
	enum container_status status = container_status_of(text_of(said, "status"));
	const json_t *code = json_object_get(said, "exitCode");
	struct sim_container *container;

	if (which < 0) {
		sim_fail(sim, "%s has no container %s", task->id, text_of(said, "containerName"));
		return;
	}
	container = &task->containers[which];
	sim_trace(sim, "control: %s/%s %s exit %d %s", task->id, container->name,
		  text_of(said, "status"), code ? (int)json_integer_value(code) : -1,
		  text_of(said, "reason"));
	if (strlen(text_of(said, "reason")) > 1024)
		sim_fail(sim, "the reason of %s/%s is too long", task->id, container->name);
	if (status < container->reported)
		sim_fail(sim, "%s/%s was reported %s after %s", task->id, container->name,
			 text_of(said, "status"), container_status_name(container->reported));
	container->reported = status;
	believe_bindings(sim, task, container, json_object_get(said, "networkBindings"));
	if (status == CONTAINER_STATUS_STOPPED)
		believe_end(sim, task, container, code);
	else if (code)
		sim_fail(sim, "%s/%s has an exit code, and is %s", task->id, container->name,
			 text_of(said, "status"));
}

/* The agent knows that all of it is known here. */
static bool is_repetition(const struct sim_task *task, enum task_status status, const json_t *said)
{
	const json_t *container;
	size_t i;

	if (status > task->answered || task->invalid || !task->known_here)
		return false;
	json_array_foreach (json_object_get(said, "containers"), i, container)
		if (container_status_of(text_of(container, "status")) >
		    task->containers[container_named(task, text_of(container, "containerName"))]
			    .answered)
			return false;
	return true;
}

static enum task_status task_status_of(const char *wire)
{
	return str_eq(wire, "RUNNING")   ? TASK_STATUS_RUNNING
	       : str_eq(wire, "STOPPED") ? TASK_STATUS_STOPPED
					 : TASK_STATUS_MANIFEST_PULLED;
}

static void believe(struct sim *sim, struct sim_task *task, const json_t *said)
{
	const char *wire = text_of(said, "status");
	enum task_status status = task_status_of(wire);
	const json_t *container;
	size_t i;

	sim_trace(sim, "control: %s %s %s", task->id, wire, text_of(said, "reason"));
	sim->reports++;
	if (is_repetition(task, status, said))
		sim_fail(sim, "%s is reported %s once more", task->id, wire);
	if (status < task->reported)
		sim_fail(sim, "%s was reported %s after %s", task->id, wire,
			 task_status_name(task->reported));
	task->reported = status;
	json_array_foreach (json_object_get(said, "containers"), i, container)
		believe_container(sim, task, container);
	/* One that was refused does not tell what it would have told. */
	if (task->invalid || task->refused || status != TASK_STATUS_STOPPED)
		return;
	for (int j = 0; j < task->container_count; j++) {
		if (task->containers[j].reported != CONTAINER_STATUS_STOPPED)
			sim_fail(sim, "%s was reported STOPPED before its container %s", task->id,
				 task->containers[j].name);
		if (task->containers[j].connected && !task->containers[j].disconnect_failed)
			sim_fail(sim, "%s was reported STOPPED, and %s still has its port",
				 task->id, task->containers[j].name);
	}
}

static void believe_attachment(struct sim *sim, struct sim_task *task, const json_t *attachments)
{
	const json_t *attachment = json_array_get(attachments, 0);

	if (!str_eq(text_of(attachment, "status"), "ATTACHED"))
		sim_fail(sim, "the interface of %s is reported as %s", task->id,
			 text_of(attachment, "status"));
	sim_trace(sim, "control: the interface of %s is attached", task->id);
	if (task->attach_answered)
		sim_fail(sim, "the interface of %s is reported once more", task->id);
	task->attach_reported = true;
}

/* ---- calls ---- */

static bool is_told_again(const struct sim_task *task, const json_t *body)
{
	return !task->invalid && task->refused_report &&
	       json_array_size(json_object_get(body, "containers")) > 0 &&
	       json_equal(task->refused_report, body);
}

static char *submit(struct sim *sim, const json_t *body, int *ret_status)
{
	int index = task_index(sim, text_of(body, "task"));
	const json_t *attachments = json_object_get(body, "attachments");

	if (index < 0) {
		sim_fail(sim, "a report of an unknown task: %s", text_of(body, "task"));
		return xstrdup("{}");
	}
	if (is_told_again(&sim->tasks[index], body))
		sim_fail(sim, "of %s is told again what was refused", sim->tasks[index].id);
	if (json_array_size(attachments) > 0) {
		believe_attachment(sim, &sim->tasks[index], attachments);
	} else if (sim_fault(sim, 1)) {
		sim_trace(sim, "control: refuses a report of %s for good", sim->tasks[index].id);
		sim->tasks[index].refused = true;
		sim->tasks[index].end_refused |=
			task_status_of(text_of(body, "status")) == TASK_STATUS_STOPPED;
		*ret_status = 400;
		return xstrdup("{\"__type\":\"InvalidParameterException\",\"message\":\"no\"}");
	} else {
		believe(sim, &sim->tasks[index], body);
	}
	return xstrdup("{\"acknowledgment\":\"ok\"}");
}

static char *register_instance(struct sim *sim, const json_t *body)
{
	json_t *answer = json_pack("{s:{s:s,s:O}}", "containerInstance", "containerInstanceArn",
				   INSTANCE, "attributes", json_object_get(body, "attributes"));
	char *text = json_dumps(answer, JSON_COMPACT);

	sim->registered = true;
	json_decref(answer);
	return text;
}

void control_call(struct sim *sim, const char *operation, const char *body, int *ret_status,
		  char **ret_answer)
{
	json_t *root = json_loads(body, 0, NULL);

	*ret_status = 200;
	if (!root)
		sim_fail(sim, "%s has a body that is not JSON: %s", operation, body);
	if (str_eq(operation, "SubmitTaskStateChange"))
		*ret_answer = submit(sim, root, ret_status);
	else if (str_eq(operation, "RegisterContainerInstance"))
		*ret_answer = register_instance(sim, root);
	else if (str_eq(operation, "DiscoverPollEndpoint"))
		*ret_answer = xstrdup(
			"{\"endpoint\":\"http://acs/\",\"telemetryEndpoint\":\"http://tcs/\"}");
	else
		sim_fail(sim, "nobody should call %s", operation);
	json_decref(root);
}

void control_answered(struct sim *sim, const char *operation, const char *body, bool taken)
{
	json_t *root = json_loads(body, 0, NULL);
	int index = str_eq(operation, "SubmitTaskStateChange")
			    ? task_index(sim, text_of(root, "task"))
			    : -1;
	struct sim_task *task = index >= 0 ? &sim->tasks[index] : NULL;
	const json_t *container;
	size_t i;

	if (task && !taken) {
		json_decref(task->refused_report);
		task->refused_report = json_incref(root);
	} else if (task && json_array_size(json_object_get(root, "attachments")) > 0) {
		task->attach_answered = true;
	} else if (task) {
		task->answered = task_status_of(text_of(root, "status"));
		json_array_foreach (json_object_get(root, "containers"), i, container)
			task->containers[container_named(task, text_of(container, "containerName"))]
				.answered = container_status_of(text_of(container, "status"));
	}
	json_decref(root);
}

/* ---- what is wanted ---- */

void control_want_task(struct sim *sim, int index)
{
	sim->tasks[index].wanted = true;
}

void control_want_stop(struct sim *sim, int index)
{
	sim->tasks[index].stop_wanted = true;
}
