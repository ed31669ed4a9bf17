/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/executor/cni_awsvpc.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"

#define DISK_RETRY_MS 1000

static void save_boot_id(struct agent *agent)
{
	_cleanup_free_ char *id = TAKE(agent->new_boot_id);
	struct error err = ERROR_INIT;

	if (id && store_set_fact(agent->store, STORE_BOOT_ID, id, &err) < 0)
		log_warn("that the host has started anew is not saved", "error", err.text);
}

void drive_flush(struct agent *agent)
{
	bool writes = outbox_commits(agent->outbox);
	struct error err = ERROR_INIT;

	if (writes)
		crash_point_commit_begins(agent->crash_points);
	if (outbox_flush(agent->outbox, &err) == 0) {
		if (writes)
			condition_store(agent, NULL);
		crash_point_commit_over(agent->crash_points);
		loop_timer_stop(agent->retry);
		save_boot_id(agent);
		return;
	}
	condition_store(agent, err.text);
	if (!loop_timer_is_running(agent->retry)) {
		log_error("the state cannot be saved: nothing is acknowledged or done until it "
			  "can; is the disk full?",
			  "data_dir", agent->config->data_dir, "error", err.text);
		loop_timer_start(agent->retry, DISK_RETRY_MS);
	}
}

static void flush_deferred(void *data)
{
	struct agent *agent = data;

	agent->flush_deferred = false;
	if (agent->outbox)
		drive_flush(agent);
}

static void retry_flush(void *data)
{
	drive_flush(data);
}

void drive_post(struct agent *agent, const struct engine_event *event)
{
	int64_t now = clock_monotonic_ms();
	int64_t wake;
	const struct engine_effects *effects = engine_step(agent->engine, now, event, &wake);

	outbox_add(agent->outbox, effects);
	if (!agent->flush_deferred && outbox_waits(agent->outbox)) {
		agent->flush_deferred = true;
		loop_defer(agent->loop, flush_deferred, agent);
	}
	if (wake == ENGINE_NEVER)
		loop_timer_stop(agent->wake);
	else
		loop_timer_start(agent->wake, wake > now ? wake - now : 0);
}

static void time_passed(void *data)
{
	const struct engine_event event = { .type = EVENT_TIME_PASSED, .wall_ms = clock_wall_ms() };

	drive_post(data, &event);
}

struct waits {
	struct strbuf text;
	const char *container; /* whose are wanted; NULL: the task's */
};

static void append_wait(void *data, const char *container, const char *sentence)
{
	struct waits *waits = data;

	if (!str_eq(container, waits->container))
		return;
	if (waits->text.length > 0)
		strbuf_append(&waits->text, "; ");
	strbuf_append(&waits->text, sentence);
}

/* One line for each change of a task or container, with what it waits for now. */
static void log_status(struct agent *agent, const struct engine_effect *effect)
{
	const struct task_state *task = engine_task(agent->engine, effect->task_id);
	const struct container_state *container =
		task && effect->container ? task_state_container(task, effect->container) : NULL;
	struct waits waits = { .text = STRBUF_INIT, .container = effect->container };
	char since[CLOCK_ISO8601_SIZE];

	if (!task || !log_wants(LOG_INFO))
		return;
	engine_waits(agent->engine, effect->task_id, append_wait, &waits);
	if (container)
		log_info("container status", "task", effect->task_id, "container",
			 effect->container, "known", container_status_name(container->known),
			 "desired", container_status_name(container->desired), "since",
			 format_iso8601_ms(container->known_since_ms, since), "reason",
			 container->reason, "waits_for", strbuf_text(&waits.text));
	else
		log_info("task status", "task", effect->task_id, "known",
			 task_status_name(task->known), "desired", task_status_name(task->desired),
			 "since", format_iso8601_ms(task->known_since_ms, since), "reason",
			 task->reason, "waits_for", strbuf_text(&waits.text));
	strbuf_free(&waits.text);
}

/* The role of a task ends with it, and so does its part of the security groups. */
static void end_with_task(struct agent *agent, const struct engine_effect *effect)
{
	const struct task_state *task = engine_task(agent->engine, effect->task_id);

	if (!task || task->known != TASK_STATUS_STOPPED)
		return;
	credentials_store_drop_role(agent->task_credentials, task->spec->arn);
	if (agent->network && task->spec->eni_count > 0 && !effect->container)
		network_changed(agent->network);
}

void drive_interfaces(void *data,
		      void (*tell)(void *to, const char *mac, const char *link, bool over),
		      void *to)
{
	const struct agent *agent = data;
	const struct task_state *task = NULL;

	while ((task = engine_next_task(agent->engine, task)))
		for (size_t i = 0; i < task->spec->eni_count; i++) {
			char link[16];

			awsvpc_link_name(task->spec->id, i, link);
			tell(to, task->spec->enis[i].mac_address, link,
			     task->known == TASK_STATUS_STOPPED);
		}
}

static void carry_out(struct agent *agent, const struct engine_effect *effect)
{
	if (executor_does(effect->type)) {
		executor_act(agent->executor, effect);
		return;
	}
	switch (effect->type) {
	case EFFECT_ACKNOWLEDGE:
		if (agent->acs)
			acs_session_acknowledge(agent->acs, effect->message_id);
		break;
	case EFFECT_STOP_CANDIDATES:
		if (agent->acs)
			acs_session_stop_candidates(agent->acs, effect->candidates.message_id,
						    effect->candidates.cluster_arn,
						    effect->candidates.arns,
						    effect->candidates.count);
		break;
	case EFFECT_REPORT:
		reporter_submit(agent->reporter, &effect->report);
		break;
	case EFFECT_FORGET_TASK:
		log_info("task forgotten", "task", effect->task_id);
		if (effect->spec) {
			credentials_store_drop_task(agent->task_credentials, effect->spec->arn);
			attachments_forget_task(agent->attachments, effect->spec->arn);
		}
		break;
	case EFFECT_STATUS_CHANGED:
		end_with_task(agent, effect);
		log_status(agent, effect);
		watch_status(agent, effect);
		break;
	case EFFECT_HEALTH_CHANGED:
		watch_health(agent, effect);
		break;
	default:
		break;
	}
}

static void act(void *data, const struct engine_effect *effect)
{
	struct agent *agent = data;

	crash_point_commit_over(agent->crash_points);
	crash_point_effect(agent->crash_points, "act-before", effect);
	carry_out(agent, effect);
	crash_point_effect(agent->crash_points, "act-after", effect);
}

/* ---- what the executor asks of us ---- */

static const struct task_state *task_of(void *data, const char *task_id)
{
	const struct agent *agent = data;

	return engine_task(agent->engine, task_id);
}

static const struct task_state *next_task(void *data, const struct task_state *previous)
{
	const struct agent *agent = data;

	return engine_next_task(agent->engine, previous);
}

static void executor_posts(void *data, const struct engine_event *event)
{
	struct agent *agent = data;

	crash_point_event(agent->crash_points, event);
	drive_post(agent, event);
}

static void namespace_opened(void *data, const char *task_id, const char *place, int listen_fd)
{
	struct agent *agent = data;

	endpoints_serve_task(agent->endpoints, task_id, place, listen_fd);
}

static void task_addressed(void *data, const char *task_id, const char *address)
{
	struct agent *agent = data;

	endpoints_know_task(agent->endpoints, task_id, address);
}

static void namespace_closing(void *data, const char *task_id, const char *place)
{
	struct agent *agent = data;

	endpoints_leave_task(agent->endpoints, task_id, place);
}

static bool wait_for_rules(void *data, const struct task_spec *spec,
			   void (*ready)(void *data, const struct error *err), void *ready_data)
{
	const struct agent *agent = data;

	if (!agent->network)
		return false;
	for (size_t i = 0; i < spec->eni_count; i++) {
		char link[16];

		awsvpc_link_name(spec->id, i, link);
		network_link_comes(agent->network, spec->enis[i].mac_address, link);
	}
	return network_wait(agent->network, ready, ready_data);
}

static uint32_t task_mtu(void *data)
{
	const struct agent *agent = data;

	return agent->network ? network_mtu(agent->network) : 0;
}

static uint32_t routing_table(void *data, const char *mac)
{
	const struct agent *agent = data;

	return agent->network ? network_routing_table(agent->network, mac) : 0;
}

static struct engine_habits habits_of(const struct agent_config *config)
{
	return (struct engine_habits){
		.stop_timeout_ms = config->container_stop_timeout_ms,
		.cleanup_wait_ms = config->task_cleanup_wait_ms,
		.cleanup_jitter_ms = config->task_cleanup_wait_jitter_ms,
		.pull_failure_stops_task = config->image_pull_behavior == CONFIG_PULL_ALWAYS ||
					   config->image_pull_behavior == CONFIG_PULL_ONCE,
		.pull_dependents_upfront = config->pull_dependents_upfront,
	};
}

void drive_settings_changed(struct agent *agent)
{
	const struct engine_habits habits = habits_of(agent->config);

	engine_set_habits(agent->engine, &habits);
	executor_settings_changed(agent->executor);
}

int drive_new(struct agent *agent, struct error *err)
{
	const struct agent_config *config = agent->config;
	const struct host_resources *host = &agent->host;
	const struct engine_habits habits = habits_of(config);
	struct engine_config engine;
	const struct executor_config executor = {
		.loop = agent->loop,
		.config = config,
		.store = agent->store,
		.task = task_of,
		.next_task = next_task,
		.post = executor_posts,
		.namespace_opened = namespace_opened,
		.task_addressed = task_addressed,
		.namespace_closing = namespace_closing,
		.wait_for_rules = wait_for_rules,
		.task_mtu = task_mtu,
		.routing_table = routing_table,
		.data = agent,
	};

	engine_config_defaults(&engine);
	engine.cpu_units = host->cpu_units;
	engine.memory_mib = host->memory_mib;
	engine.reserved_tcp = config->reserved_ports.items;
	engine.reserved_tcp_count = config->reserved_ports.count;
	engine.reserved_udp = config->reserved_ports_udp.items;
	engine.reserved_udp_count = config->reserved_ports_udp.count;
	engine.gpus = (const char *const *)host->gpus.items;
	engine.gpu_count = host->gpus.count;
	engine.time_scale = config->time_scale;
	agent->engine = engine_new(&engine);
	engine_set_habits(agent->engine, &habits);
	agent->outbox = outbox_new(agent->engine, agent->store, act, agent);
	agent->wake = loop_timer_new(agent->loop, time_passed, agent);
	agent->retry = loop_timer_new(agent->loop, retry_flush, agent);
	return executor_new(&executor, &agent->executor, err);
}

void drive_free(struct agent *agent)
{
	executor_free(agent->executor);
	loop_timer_free(agent->wake);
	loop_timer_free(agent->retry);
	if (agent->outbox)
		outbox_free(agent->outbox);
	agent->outbox = NULL;
	if (agent->engine)
		engine_free(agent->engine);
	free(agent->new_boot_id);
}

static void expect_credentials(struct agent *agent, const struct task_spec *spec)
{
	if (spec->role_credentials_id)
		credentials_store_expect(agent->task_credentials, spec->arn, CREDENTIALS_ROLE_TASK,
					 spec->role_credentials_id);
	if (spec->execution_role_credentials_id)
		credentials_store_expect(agent->task_credentials, spec->arn,
					 CREDENTIALS_ROLE_EXECUTION,
					 spec->execution_role_credentials_id);
}

/* What was saved of the task, and what the host says of it. */
static void recover_task(struct agent *agent, struct task_state *task)
{
	_cleanup_free_ struct engine_observation *containers =
		xcalloc(task->container_count + 1, sizeof(*containers));
	struct engine_event event = { .type = EVENT_TASK_RECOVERED, .wall_ms = clock_wall_ms() };

	expect_credentials(agent, task->spec);
	executor_observe(agent->executor, task, &event.recovered.pause, containers);
	event.task_id = task->spec->id;
	event.recovered.task = task;
	event.recovered.containers = containers;
	event.recovered.rebooted = agent->new_boot_id != NULL;
	drive_post(agent, &event);
}

static int notice_reboot(struct agent *agent, struct error *err)
{
	_cleanup_free_ char *id = host_boot_id(), *saved = NULL;
	int r = store_get_fact(agent->store, STORE_BOOT_ID, &saved, err);

	if (r == 0 && !str_eq(id, saved))
		agent->new_boot_id = TAKE(id);
	return r;
}

static void finish_recovery(struct agent *agent, int64_t sequence_number,
			    const struct store_ended *ended)
{
	_cleanup_free_ struct engine_ended_task *items = xcalloc(ended->count + 1, sizeof(*items));
	const struct engine_event event = {
		.type = EVENT_RECOVERY_FINISHED,
		.wall_ms = clock_wall_ms(),
		.recovery_end = { .sequence_number = sequence_number,
				  .ended = items,
				  .ended_count = ended->count },
	};

	for (size_t i = 0; i < ended->count; i++)
		items[i] =
			(struct engine_ended_task){ ended->items[i].arn, ended->items[i].serial };
	drive_post(agent, &event);
}

int drive_recover(struct agent *agent, struct error *err)
{
	struct store_tasks tasks = { 0 };
	struct store_ended ended = { 0 };
	int64_t sequence_number = -1;
	bool damaged;
	int r;

	r = notice_reboot(agent, err);
	if (r == 0)
		r = store_get_sequence_number(agent->store, &sequence_number, err);
	if (r == 0)
		r = store_load_ended(agent->store, &ended, err);
	if (r == 0)
		r = store_load_tasks(agent->store, &tasks, err);
	if (r < 0) {
		store_ended_free(&ended);
		return r;
	}
	for (size_t i = 0; i < tasks.count; i++)
		recover_task(agent, TAKE(tasks.items[i]));
	if (tasks.count > 0)
		log_info("tasks recovered", "count", LOG_NUM(tasks.count));
	finish_recovery(agent, sequence_number, &ended);

	damaged = tasks.damaged_count > 0;
	for (size_t i = 0; i < tasks.damaged_count; i++)
		log_error("a saved task cannot be read; what is there of it is left alone, as are "
			  "images that it may need",
			  "task", tasks.damaged[i].task_id, "error", tasks.damaged[i].what);
	store_tasks_free(&tasks);
	store_ended_free(&ended);
	if (damaged)
		return 0;
	executor_sweep(agent->executor);
	executor_start_image_cleanup(agent->executor);
	return 0;
}
