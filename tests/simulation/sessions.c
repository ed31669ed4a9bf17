/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane's end of ACS and TCS: whatever is not acknowledged is sent again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "simulation.h"
#include "wire/acs.h"
#include "wire/tcs.h"

#define CLUSTER  "arn:aws:ecs:here:1:cluster/c"
#define INSTANCE "arn:aws:ecs:here:1:container-instance/c/i"

#define DELIVER_MS   2000
#define HEARTBEAT_MS 30000
#define ATTACH_MS    300000

static void send_owned(struct sim *sim, struct ws *ws, char *text)
{
	socket_send(sim, ws, text);
	free(text);
}

/* ---- what goes out ---- */

/* Which tasks it holds is in its id: "12 r3 s4 ". */
static void send_payload(struct sim *sim, const int *tasks, const bool *stops, size_t count)
{
	_cleanup_strbuf_ struct strbuf id = STRBUF_INIT;
	_cleanup_free_ const char **texts = xcalloc(count, sizeof(*texts));
	char *text;

	strbuf_appendf(&id, "%lld ", (long long)++sim->sequence);
	for (size_t i = 0; i < count; i++) {
		strbuf_appendf(&id, "%c%d ", stops[i] ? 's' : 'r', tasks[i]);
		texts[i] =
			stops[i] ? sim->tasks[tasks[i]].stop_json : sim->tasks[tasks[i]].run_json;
	}
	sim_trace(sim, "control: payload %s", strbuf_text(&id));
	sim->payloads++;
	text = acs_encode_payload(&(struct acs_payload_out){
		.message_id = strbuf_text(&id),
		.cluster_arn = CLUSTER,
		.container_instance_arn = INSTANCE,
		.seq_num = sim->sequence,
		.generated_at_ms = clock_wall_ms(),
		.tasks = texts,
		.task_count = count,
	});
	socket_send(sim, sim->acs, text);
	if (sim_fault(sim, 10)) /* twice */
		socket_send(sim, sim->acs, text);
	if (sim_fault(sim, 2)) { /* and once cut off in the middle */
		text[sim_random(sim) % strlen(text)] = '\0';
		socket_send(sim, sim->acs, text);
	}
	free(text);
}

static void send_attach(struct sim *sim, int task)
{
	char attachment[32], mac[32], id[32];
	const struct acs_eni_out eni = {
		.attachment_arn = attachment,
		.ec2_id = "e",
		.mac_address = mac,
		.ipv4_address = "10.0.0.7",
		.ipv4_gateway = "10.0.0.1/24",
	};

	snprintf(attachment, sizeof(attachment), "attachment-%d", task);
	snprintf(mac, sizeof(mac), "0a:00:00:00:%02x:%02x", (unsigned)task >> 8,
		 (unsigned)task & 0xff);
	snprintf(id, sizeof(id), "attach %d", task);
	send_owned(sim, sim->acs,
		   acs_encode_attach_interfaces(&(struct acs_attach_interfaces_out){
			   .message_id = id,
			   .cluster_arn = CLUSTER,
			   .container_instance_arn = INSTANCE,
			   .task_arn = sim->tasks[task].arn,
			   .wait_timeout_ms = ATTACH_MS,
			   .generated_at_ms = clock_wall_ms(),
			   .enis = &eni,
			   .eni_count = 1,
		   }));
}

static bool must_send_run(const struct sim_task *task)
{
	return task->wanted && !task->stop_wanted && !task->run_acknowledged &&
	       task->reported != TASK_STATUS_STOPPED && !task->end_refused &&
	       (!task->own_network || task->attach_reported);
}

/* The end of a task that was never heard of is asked for too. */
static bool must_send_stop(const struct sim_task *task)
{
	return task->stop_wanted && !task->stop_acknowledged &&
	       task->reported != TASK_STATUS_STOPPED;
}

void control_deliver(struct sim *sim, const struct sim_event *event)
{
	_cleanup_free_ int *tasks = xcalloc(2 * (size_t)sim->task_count, sizeof(*tasks));
	_cleanup_free_ bool *stops = xcalloc(2 * (size_t)sim->task_count, sizeof(*stops));
	size_t count = 0;

	(void)event;
	sim_schedule(sim, DELIVER_MS, control_deliver);
	if (!sim->acs)
		return;
	for (int i = 0; i < sim->task_count; i++) {
		const struct sim_task *task = &sim->tasks[i];

		if (task->wanted && task->own_network && !task->attach_reported &&
		    sim->now_ms >= task->attach_again_ms && task->reported != TASK_STATUS_STOPPED)
			send_attach(sim, i);
		if (must_send_run(task) || must_send_stop(task)) {
			stops[count] = task->stop_wanted;
			tasks[count++] = i;
		}
		/* Long after: a copy of the order to run it, perhaps overtaken by the order to
		 * stop, or by its end. */
		if (task->run_acknowledged && !task->end_refused && sim_fault(sim, 2)) {
			stops[count] = false;
			tasks[count++] = i;
		}
		if (count > 0 && sim_chance(sim, 70)) { /* else with the next one */
			send_payload(sim, tasks, stops, count);
			count = 0;
		}
	}
	if (count > 0)
		send_payload(sim, tasks, stops, count);
	if (sim->manifest_due)
		control_manifest(sim);
}

/* What should run here. */
void control_manifest(struct sim *sim)
{
	_cleanup_free_ struct acs_task_identifier *tasks =
		xcalloc((size_t)sim->task_count, sizeof(*tasks));
	struct acs_manifest manifest = {
		.message_id = "manifest",
		.cluster_arn = CLUSTER,
		.container_instance_arn = INSTANCE,
		.timeline = ++sim->sequence,
		.tasks = tasks,
	};

	sim->manifest_due = false;
	for (int i = 0; i < sim->task_count; i++)
		/* It may have been made a while ago: a task that is new is not in it. */
		if (sim->tasks[i].wanted && !sim->tasks[i].stop_wanted && !sim_fault(sim, 10))
			tasks[manifest.task_count++] =
				(struct acs_task_identifier){ .arn = sim->tasks[i].arn,
							      .cluster_arn = CLUSTER,
							      .desired_status = "RUNNING" };
	send_owned(sim, sim->acs, acs_encode_manifest(&manifest, clock_wall_ms()));
}

/* Of the tasks that the agent asks about, those that are not wanted any more. */
static void answer_verification(struct sim *sim, const struct acs_stop_verification *asked)
{
	_cleanup_free_ struct acs_task_identifier *stops =
		xcalloc(asked->task_count + 1, sizeof(*stops));
	size_t count = 0;

	for (size_t i = 0; i < asked->task_count; i++) {
		int task = task_index(sim, asked->tasks[i].arn);

		if (task < 0)
			sim_fail(sim, "the agent asks about an unknown task: %s",
				 asked->tasks[i].arn);
		else if (sim->tasks[task].stop_wanted || !sim->tasks[task].wanted)
			stops[count++] = asked->tasks[i];
	}
	if (count > 0)
		send_owned(sim, sim->acs,
			   acs_encode_stop_verification_ack(asked->message_id, clock_wall_ms(),
							    stops, count));
}

/* number: of the connection */
static void heartbeat(struct sim *sim, const struct sim_event *event)
{
	struct ws *ws = sim->acs && socket_serial(sim->acs) == event->number   ? sim->acs
			: sim->tcs && socket_serial(sim->tcs) == event->number ? sim->tcs
									       : NULL;

	if (!ws)
		return;
	send_owned(sim, ws,
		   ws == sim->acs ? acs_encode_heartbeat("beat", true)
				  : tcs_encode_heartbeat(true));
	sim_schedule(sim, HEARTBEAT_MS, heartbeat)->number = socket_serial(ws);
}

/* Renewed credentials of a task with a role; the agent may not know it (any more). */
static void send_credentials(struct sim *sim)
{
	int task = (int)(sim_random(sim) % (uint64_t)sim->task_count);
	char id[32];
	struct role_credentials renewed = {
		.id = id,
		.role_arn = (char[]){ "role" },
		.access_key_id = (char[]){ "a2" },
		.secret_access_key = (char[]){ "s2" },
		.session_token = (char[]){ "t2" },
		.expiration = (char[]){ "2031-01-01T00:00:00Z" },
	};

	snprintf(id, sizeof(id), "credentials-%d", task);
	if (sim->tasks[task].has_role)
		send_owned(sim, sim->acs,
			   acs_encode_credentials("renewed", sim->tasks[task].arn,
						  CREDENTIALS_ROLE_TASK, &renewed));
}

static void send_nonsense(struct sim *sim)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"nonsense",
		"{\"type\":\"PayloadMessage\"}",
		"{\"type\":\"PayloadMessage\",\"message\":7}",
		"{\"type\":\"TaskManifestMessage\",\"message\":{\"tasks\":{}}}",
		"{\"type\":\"WhoKnows\",\"message\":{}}",
		"{\"type\":\"PayloadMessage\",\"message\":{\"messageId\":\"x\",\"clusterArn\":"
		"\"c\","
		"\"containerInstanceArn\":\"i\",\"tasks\":[null,7,{}]}}",
		"{\"type\":\"TaskStopVerificationAck\",\"message\":{\"messageId\":\"manifest\","
		"\"stopTasks\":7}}",
	};

	socket_send(sim, sim->acs, texts[sim_random(sim) % (sizeof(texts) / sizeof(*texts))]);
}

/* ---- what comes in ---- */

void control_opened(struct sim *sim, struct ws *ws)
{
	struct ws **session = socket_is_acs(ws) ? &sim->acs : &sim->tcs;

	sim_trace(sim, "control: %s is open", socket_is_acs(ws) ? "ACS" : "TCS");
	if (*session)
		socket_close(sim, *session, 1000);
	*session = ws;
	sim_schedule(sim, HEARTBEAT_MS, heartbeat)->number = socket_serial(ws);
	if (socket_is_acs(ws))
		sim->manifest_due |= sim_chance(sim, 30);
}

void control_closed(struct sim *sim, struct ws *ws)
{
	if (sim->acs == ws)
		sim->acs = NULL;
	if (sim->tcs == ws)
		sim->tcs = NULL;
}

static void acknowledged(struct sim *sim, const char *id)
{
	for (const char *at = strchr(id, ' '); at && at[1]; at = strchr(at + 1, ' ')) {
		struct sim_task *task = &sim->tasks[atoi(at + 2)];

		if (at[1] == 's') {
			task->stop_acknowledged = task->stop_safe = true;
		} else if (at[1] == 'r') {
			task->run_acknowledged = task->run_safe = true;
			if (task->invalid)
				sim_fail(sim, "%s cannot be read, and was acknowledged", task->id);
		}
	}
}

static void acs_message(struct sim *sim, const char *text, size_t size)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	struct error err = ERROR_INIT;
	int task;

	if (acs_decode(text, size, &message, &err) < 0) {
		sim_fail(sim, "the agent sent %s: %s", text, err.text);
		return;
	}
	switch (message->type) {
	case ACS_ACK:
		if (message->ack.message_id[0] >= '0' && message->ack.message_id[0] <= '9')
			acknowledged(sim, message->ack.message_id);
		else if (sscanf(message->ack.message_id, "attach %d", &task) == 1)
			sim->tasks[task].attach_again_ms = sim->now_ms + ATTACH_MS;
		break;
	case ACS_STOP_VERIFICATION:
		answer_verification(sim, &message->stop_verification);
		break;
	case ACS_HEARTBEAT_ACK:
		if (sim_fault(sim, 20))
			send_nonsense(sim);
		if (sim_fault(sim, 20))
			send_credentials(sim);
		break;
	case ACS_CREDENTIALS_ACK:
		break;
	default:
		sim_fail(sim, "the agent sent a %s", acs_type_name(message->type));
		break;
	}
}

/* What is measured is measured of tasks that it was given. */
static void check_metrics(struct sim *sim, const struct tcs_metrics *metrics)
{
	for (size_t i = 0; i < metrics->task_count; i++)
		if (task_index(sim, metrics->tasks[i].task_arn) < 0)
			sim_fail(sim, "figures of an unknown task: %s", metrics->tasks[i].task_arn);
	if (metrics->idle && metrics->task_count > 0)
		sim_fail(sim, "the agent says that it is idle, and has %zu tasks",
			 metrics->task_count);
}

static void tcs_message(struct sim *sim, const char *text, size_t size)
{
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message = NULL;
	struct tcs_frame frame;
	struct error err = ERROR_INIT;

	if (tcs_frame_split(text, size, &frame, &err) < 0 ||
	    tcs_decode(frame.body, frame.body_size, &message, &err) < 0) {
		sim_fail(sim, "the agent sent %s: %s", text, err.text);
		return;
	}
	if (message->type == TCS_PUBLISH_METRICS)
		check_metrics(sim, &message->metrics);
	send_owned(sim, sim->tcs,
		   tcs_encode_text(message->type == TCS_PUBLISH_METRICS  ? TCS_ACK_METRICS
				   : message->type == TCS_PUBLISH_HEALTH ? TCS_ACK_HEALTH
									 : TCS_ACK_INSTANCE_STATUS,
				   ""));
}

void control_message(struct sim *sim, struct ws *ws, const char *text, size_t size)
{
	if (ws == sim->acs)
		acs_message(sim, text, size);
	else if (ws == sim->tcs)
		tcs_message(sim, text, size);
}
