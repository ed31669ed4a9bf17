/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: sends payloads until they are acknowledged, and believes what is reported. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "simulation.h"

#define REDELIVER_MS 2000

/* number: 0 RUNNING, 1 STOPPED */
static void send_payload(struct sim *sim, int task, bool stop)
{
	int copies = sim_fault(sim, 10) ? 0 : sim_fault(sim, 10) ? 2 : 1;

	while (copies-- > 0) {
		struct sim_event *payload = sim_schedule(
			sim, SIM_PAYLOAD,
			sim_chance(sim, 5) ? sim_between(sim, 0, 4000) : sim_between(sim, 1, 20));

		payload->task = task;
		payload->number = stop;
	}
}

void control_redeliver(struct sim *sim, int index)
{
	struct sim_task *task = &sim->tasks[index];
	bool again = false;

	if (task->sent && !task->run_acknowledged && !task->stop_wanted) {
		send_payload(sim, index, false);
		again = true;
	}
	if (task->stop_wanted && !task->stop_acknowledged) {
		send_payload(sim, index, true);
		again = true;
	}
	if (again)
		sim_schedule(sim, SIM_REDELIVER, REDELIVER_MS)->task = index;
}

void control_want_task(struct sim *sim, int index)
{
	sim->tasks[index].sent = true;
	control_redeliver(sim, index);
}

void control_want_stop(struct sim *sim, int index)
{
	if (sim->tasks[index].stop_wanted)
		return;
	sim->tasks[index].stop_wanted = true;
	control_redeliver(sim, index);
}

void control_acknowledged(struct sim *sim, const struct sim_event *event)
{
	struct sim_task *task = &sim->tasks[event->task];

	if (event->number)
		task->stop_acknowledged = true;
	else
		task->run_acknowledged = true;
}

static int container_named(const struct sim_task *task, const char *name)
{
	for (int i = 0; i < task->container_count; i++)
		if (str_eq(task->containers[i].name, name))
			return i;
	return -1;
}

/* Invariants 3 and 4 as they look from here. */
static void believe_container(struct sim *sim, int index,
			      const struct engine_report_container *said)
{
	int which = container_named(&sim->tasks[index], said->name);
	struct sim_container *container = &sim->tasks[index].containers[which];
	const struct engine_exit *truth = &container->exit;

	sim_trace(sim, "control: t%d/%s %s exit %d %s", index, said->name,
		  container_status_name(said->status), said->has_exit_code ? said->exit_code : -1,
		  said->reason ? said->reason : "");
	if (said->status < container->reported)
		sim_fail(sim, "t%d/%s was reported %s after %s", index, said->name,
			 container_status_name(said->status),
			 container_status_name(container->reported));
	container->reported = said->status;
	if (container->reported_code &&
	    (!said->has_exit_code || said->exit_code != container->reported_exit_code))
		sim_fail(sim, "t%d/%s was reported with another exit code than before", index,
			 said->name);
	if (said->status != CONTAINER_STATUS_STOPPED)
		return;
	if (said->has_exit_code) {
		container->reported_code = true;
		container->reported_exit_code = said->exit_code;
	}
	if (container->starts == 0) {
		if (said->has_exit_code && said->exit_code != 143)
			sim_fail(sim, "t%d/%s never ran, and exited with %d", index, said->name,
				 said->exit_code);
		return;
	}
	if (container->host == HOST_RUNNING && !container->stop_failed)
		sim_fail(sim, "t%d/%s runs, and was reported STOPPED", index, said->name);
	if (!truth->code_known || container->stop_failed)
		return;
	int code = truth->signal ? 128 + truth->signal : truth->exit_code;

	if (!said->has_exit_code)
		sim_fail(sim, "t%d/%s was reported without its exit code %d", index, said->name,
			 code);
	else if (said->exit_code != code)
		sim_fail(sim, "t%d/%s exited with %d, and %d was reported", index, said->name, code,
			 said->exit_code);
}

static void believe(struct sim *sim, const struct engine_report *report, int index)
{
	struct sim_task *task = &sim->tasks[index];
	enum task_status status =
		report->status == TASK_STATUS_RUNNING || report->status == TASK_STATUS_STOPPED
			? report->status
			: TASK_STATUS_MANIFEST_PULLED; /* PENDING */

	sim_trace(sim, "control: t%d %s %s", index, task_status_wire(report->status),
		  report->reason);
	if (status < task->reported)
		sim_fail(sim, "t%d was reported %s after %s", index, task_status_name(status),
			 task_status_name(task->reported));
	task->reported = status;
	for (size_t i = 0; i < report->container_count && !sim->failed; i++)
		believe_container(sim, index, &report->containers[i]);
	for (int i = 0; status == TASK_STATUS_STOPPED && i < task->container_count && !sim->failed;
	     i++)
		if (task->containers[i].reported != CONTAINER_STATUS_STOPPED)
			sim_fail(sim, "t%d was reported STOPPED before its container c%d", index,
				 i);
}

/* A report arrives. The answer may be lost: then the agent sends it again. */
void control_report(struct sim *sim, const struct sim_event *event)
{
	int lost = sim_fault(sim, 5) ? 2 : sim_fault(sim, 5) ? 1 : 0;
	struct sim_event *answer;
	bool refused = sim_fault(sim, 1);

	/* An answer that nobody waits for any more may still be a report that counts. */
	if (lost < 2 && !refused)
		believe(sim, &event->report->report, event->task);
	if (refused)
		sim->tasks[event->task].refused = true;
	answer = sim_schedule(sim, lost ? SIM_REPORT_RETRY : SIM_REPORT_ANSWER,
			      lost ? 1000 : sim_between(sim, 0, 30));
	answer->task = event->task;
	answer->generation = event->generation;
	answer->number = event->report->report.serial;
	answer->failed = refused;
	if (lost)
		answer->report = engine_effect_copy(event->report);
}

/* What was on its way has arrived, or never will. */
void control_agent_died(struct sim *sim)
{
	for (size_t i = 0; i < sim->event_count; i++) {
		const struct sim_event *event = &sim->events[i];

		if (event->type == SIM_REPORT && event->generation == sim->generation &&
		    sim_chance(sim, 50))
			believe(sim, &event->report->report, event->task);
	}
}

/* What should run here; the answer is honoured for tasks that we do not want. */
void control_manifest(struct sim *sim)
{
	struct engine_manifest_task tasks[MAX_TASKS];
	struct engine_event event = { .type = EVENT_MANIFEST };
	size_t count = 0;

	if (sim->generation == 0)
		return;
	for (int i = 0; i < sim->task_count; i++)
		if (sim->tasks[i].sent && !sim->tasks[i].stop_wanted)
			tasks[count++] = (struct engine_manifest_task){ .arn = sim->tasks[i].arn,
									.running = true };
	event.manifest = (struct engine_manifest){ .message_id = "manifest",
						   .cluster_arn = "arn:cluster",
						   .timeline = ++sim->sequence,
						   .tasks = tasks,
						   .task_count = count };
	agent_step(sim, &event);
}
