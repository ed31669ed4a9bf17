/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/str.h"

static void keep_credentials(struct agent *agent, struct acs_task *task)
{
	if (task->credentials.role)
		credentials_store_put(agent->task_credentials, task->spec->arn,
				      CREDENTIALS_ROLE_TASK, TAKE(task->credentials.role));
	if (task->credentials.execution)
		credentials_store_put(agent->task_credentials, task->spec->arn,
				      CREDENTIALS_ROLE_EXECUTION,
				      TAKE(task->credentials.execution));
}

static void payload(void *data, struct acs_payload *message)
{
	struct agent *agent = data;
	_cleanup_free_ struct task_spec **tasks = xcalloc(message->task_count + 1, sizeof(*tasks));
	_cleanup_free_ struct engine_refused_task *refused =
		xcalloc(message->task_count + 1, sizeof(*refused));
	struct engine_event event = {
		.type = EVENT_PAYLOAD,
		.wall_ms = clock_wall_ms(),
		.payload = {
			.message_id = message->message_id,
			.sequence_number = message->seq_num,
			.tasks = tasks,
			.refused = refused,
			.random = { random_u64(), random_u64() },
		},
	};

	for (size_t i = 0; i < message->task_count; i++) {
		struct acs_task *task = &message->tasks[i];

		if (task->spec) {
			if (task->spec->desired_status != TASK_STATUS_STOPPED)
				keep_credentials(agent, task);
			tasks[event.payload.task_count++] = task->spec;
			continue;
		}
		log_warn("a task of the payload is refused", "task", task->arn, "error",
			 task->error);
		refused[event.payload.refused_count++] =
			(struct engine_refused_task){ task->arn, task_refusal_reason(task->error) };
	}
	log_info("payload", "message", message->message_id, "tasks",
		 LOG_NUM(event.payload.task_count), "refused",
		 LOG_NUM(event.payload.refused_count));
	drive_post(agent, &event);
	for (size_t i = 0; i < event.payload.refused_count; i++)
		free((char *)(uintptr_t)refused[i].reason);
}

static void manifest(void *data, const struct acs_manifest *message)
{
	struct agent *agent = data;
	_cleanup_free_ struct engine_manifest_task *tasks =
		xcalloc(message->task_count + 1, sizeof(*tasks));
	const struct engine_event event = {
		.type = EVENT_MANIFEST,
		.wall_ms = clock_wall_ms(),
		.manifest = {
			.message_id = message->message_id,
			.cluster_arn = message->cluster_arn,
			.timeline = message->timeline,
			.tasks = tasks,
			.task_count = message->task_count,
		},
	};

	for (size_t i = 0; i < message->task_count; i++)
		tasks[i] = (struct engine_manifest_task){ message->tasks[i].arn,
							  str_eq(message->tasks[i].desired_status,
								 "RUNNING") };
	drive_post(agent, &event);
}

static void stop_verified(void *data, const struct acs_stop_verification *message)
{
	struct agent *agent = data;
	_cleanup_free_ const char **arns = xcalloc(message->task_count + 1, sizeof(*arns));
	const struct engine_event event = {
		.type = EVENT_STOP_VERIFIED,
		.wall_ms = clock_wall_ms(),
		.stop_verified = { .message_id = message->message_id,
				   .arns = arns,
				   .count = message->task_count },
	};

	for (size_t i = 0; i < message->task_count; i++)
		arns[i] = message->tasks[i].arn;
	drive_post(agent, &event);
}

static int credentials(void *data, struct acs_credentials *message, struct error *err)
{
	struct agent *agent = data;

	/* Kept, those of tasks that never come would gather; not acknowledged, they are sent again.
	 */
	if (!engine_task_by_arn(agent->engine, message->task_arn))
		return error_say(err, ENOENT, "credentials for task %s, which is not known here",
				 message->task_arn);
	credentials_store_put(agent->task_credentials, message->task_arn, message->role,
			      TAKE(message->credentials));
	return 0;
}

static int attach(void *data, const struct acs_attach_interfaces *message)
{
	struct agent *agent = data;
	int r;

	/* Forgotten with its task, it would be taken for a new one. */
	if (message->task_arn && engine_has_ended(agent->engine, message->task_arn))
		return 0;
	r = attachments_add(agent->attachments, message);
	devices_look(agent);
	return r;
}

static void network(void *data, const struct acs_network *message)
{
	const struct agent *agent = data;

	network_take(agent->network, message);
}

void inbox_in_force(void *data, const char *message_id)
{
	const struct agent *agent = data;

	if (agent->acs)
		acs_session_acknowledge(agent->acs, message_id);
}

static void heartbeat(void *data)
{
	watch_runtime(data);
}

static void inactive(void *data)
{
	struct agent *agent = data;

	log_error("the control plane does not know this container instance any more; running tasks "
		  "go on. Remove the saved "
		  "state of the agent to register anew",
		  "instance", agent->container_instance);
	if (agent->tcs)
		tcs_session_drop(agent->tcs);
}

static void connection(void *data, bool open)
{
	const struct agent *agent = data;

	if (open && agent->network)
		network_begin(agent->network);
	if (open)
		reporter_hurry(agent->reporter);
	log_info(open ? "connected to the control plane" : "not connected to the control plane");
}

void inbox_handler(struct agent *agent, struct acs_handler *ret)
{
	*ret = (struct acs_handler){
		.payload = payload,
		.manifest = manifest,
		.stop_verified = stop_verified,
		.credentials = credentials,
		.attach = attach,
		.network = agent->network ? network : NULL,
		.heartbeat = heartbeat,
		.inactive = inactive,
		.connection = connection,
		.data = agent,
	};
}

void inbox_reported(void *data, const char *task_arn, uint64_t serial, bool accepted)
{
	const struct engine_event event = {
		.type = accepted ? EVENT_REPORT_ACCEPTED : EVENT_REPORT_REFUSED,
		.wall_ms = clock_wall_ms(),
		.task_id = task_id_of_arn(task_arn),
		.report = serial,
	};
	struct agent *agent = data;

	crash_point(agent->crash_points, "accepted-before", NULL, NULL);
	drive_post(agent, &event);
	crash_point(agent->crash_points, "accepted-after", NULL, NULL);
}
