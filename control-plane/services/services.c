/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/services.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "control-plane/services/networks.h"
#include "control-plane/services/private.h"
#include "control-plane/services/run.h"
#include "control-plane/store/container_instances.h"
#include "control-plane/store/security_groups.h"
#include "control-plane/store/tags.h"
#include "control-plane/store/tasks.h"

enum {
	RETENTION_DEFAULT_MS = 3600 * 1000,
	STOPPED_TASKS_DEFAULT = 10000,
	LIVE_TASKS_DEFAULT = 5000,
	CREDENTIALS_TTL_DEFAULT_MS = 6 * 3600 * 1000,
	CHECK_EVERY_MS = 30 * 1000,
	RETRY_WRITE_MS = 1000,
};

static void flush(struct services *services);

static void on_turn_end(void *data)
{
	flush(data);
}

/* A timer of 0 ms runs before the loop waits again; unlike loop_defer() it can be taken back. */
static void schedule_flush(struct services *services)
{
	if (!loop_timer_is_running(services->flush_timer))
		loop_timer_start(services->flush_timer, 0);
}

static void push(struct services *services, struct task *task)
{
	if (task->queued)
		return;
	if (services->queue_count == services->queue_capacity) {
		services->queue_capacity = services->queue_capacity * 2 + 16;
		services->queue = xreallocarray(services->queue, services->queue_capacity,
						sizeof(struct task *));
	}
	services->queue[services->queue_count++] = task;
	task->queued = true;
}

static void enqueue(struct services *services, struct task *task)
{
	schedule_flush(services);
	push(services, task);
}

void services_network_changed(struct services *services)
{
	services->network_changed = true;
	schedule_flush(services);
}

void services_tell_network(struct services *services)
{
	if (!services->network_changed || !services->outlet || !services->outlet->network_changed)
		return;
	services->network_changed = false;
	services->outlet->network_changed(services->outlet_data);
}

static int put_task(struct services *services, const struct task *task, struct error *err)
{
	_cleanup_free_ char *document = task_to_document(task);
	const struct task_row row = {
		.arn = task->arn,
		.cluster = task->cluster_name,
		.created_ms = task->created_ms,
		.document = document,
	};

	return task_put(services->store, &row, err);
}

int services_write_task(struct services *services, struct task *task, struct error *err)
{
	int r = put_task(services, task, err);

	services->wrote = true;
	schedule_flush(services);
	if (r == 0)
		task->dirty = false;
	return r;
}

void services_write_later(struct services *services, struct task *task)
{
	task->dirty = true;
	enqueue(services, task);
}

void services_notify_later(struct services *services, struct task *task)
{
	task->notify = true;
	enqueue(services, task);
}

static int write_dirty(struct services *services, struct error *err)
{
	bool any = false;
	int r;

	for (size_t i = 0; i < services->queue_count; i++)
		any = any || services->queue[i]->dirty;
	if (!any)
		return 0;
	r = store_begin(services->store, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < services->queue_count; i++)
		if (services->queue[i]->dirty)
			r = put_task(services, services->queue[i], err);
	if (r == 0)
		r = store_commit(services->store, err);
	if (r < 0) {
		store_rollback(services->store);
		return r;
	}
	for (size_t i = 0; i < services->queue_count; i++)
		services->queue[i]->dirty = false;
	return 0;
}

static int64_t scaled(const struct services *services, int64_t ms)
{
	return (int64_t)((double)ms * services->time_scale) + 1;
}

/* The transactions of this turn are over: write what may be written late, then tell the agents. */
static void flush(struct services *services)
{
	_cleanup_free_ struct task **queue = NULL;
	struct error err = ERROR_INIT;
	size_t count;

	services->wrote = false;
	if (write_dirty(services, &err) < 0) {
		log_error("task changes could not be written; they stay in memory and are tried "
			  "again",
			  "error", err.text);
		loop_timer_start(services->timer, scaled(services, RETRY_WRITE_MS));
	}
	services_tell_network(services);
	queue = TAKE(services->queue);
	count = services->queue_count;
	services->queue_count = services->queue_capacity = 0;
	for (size_t i = 0; i < count; i++)
		queue[i]->queued = false;
	for (size_t i = 0; i < count; i++) {
		bool notify = queue[i]->notify;

		queue[i]->notify = false;
		if (queue[i]->dirty)
			push(services, queue[i]);
		if (notify && services->outlet)
			services->outlet->task_changed(services->outlet_data, queue[i]);
	}
}

void services_add_task(struct services *services, struct task *task)
{
	if (services->task_count == services->task_capacity) {
		services->task_capacity = services->task_capacity * 2 + 64;
		services->tasks = xreallocarray(services->tasks, services->task_capacity,
						sizeof(struct task *));
	}
	services->tasks[services->task_count++] = task;
	map_set(services->by_arn, task->arn, task);
}

/* Out of the service, and to the caller. */
static struct task **take_all(struct services *services, size_t *ret_count)
{
	struct task **tasks = TAKE(services->tasks);

	for (size_t i = 0; i < services->task_count; i++)
		map_remove(services->by_arn, tasks[i]->arn);
	*ret_count = services->task_count;
	services->task_count = services->task_capacity = 0;
	services->queue_count = 0;
	for (size_t i = 0; i < services->subnet_count; i++)
		subnet_reset(services->subnets[i]);
	return tasks;
}

/* Of a task from a time when groups meant nothing. */
static int give_default_group(struct services *services, struct task_eni *eni, const char *vpc,
			      struct error *err)
{
	char *group = NULL;
	int r;

	if (eni->security_group_count > 0)
		return 0;
	r = security_group_default(services->store, vpc, &group, err);
	if (r < 0)
		return r;
	free(eni->security_groups);
	eni->security_groups = xcalloc(1, sizeof(*eni->security_groups));
	eni->security_groups[eni->security_group_count++] = group;
	return 0;
}

static int load_task(void *data, const struct task_row *row, struct error *err)
{
	struct services *services = data;
	struct task *task = NULL;
	struct subnet *subnet;
	int r = task_from_document(row->document, strlen(row->document), &task, err);

	if (r < 0) {
		error_prefix(err, "read task %s from the store", row->arn);
		return r;
	}
	services_add_task(services, task);
	if (task->eni && task->state != TASK_STOPPED) {
		subnet = services_find_subnet(services, task->eni->subnet_id);
		if (!subnet || !subnet_mark(subnet, task->eni->private_ip, task->eni->ipv6))
			log_warn("a task's address is in no configured subnet any more", "task",
				 task->arn, "subnet", task->eni->subnet_id, "address",
				 task->eni->private_ip, "ipv6", task->eni->ipv6);
		if (subnet)
			return give_default_group(services, task->eni, subnet_vpc(subnet), err);
	}
	return 0;
}

static int load_all(struct services *services, struct error *err)
{
	return task_each(services->store, load_task, services, err);
}

void services_begin(struct services *services)
{
	struct error err = ERROR_INIT;

	services->wrote = false;
	if (write_dirty(services, &err) < 0)
		log_error("task changes could not be written; they stay in memory and are tried "
			  "again",
			  "error", err.text);
}

/* What is not worth a write of its own, and must not be forgotten all the same: a task that its
 * agent has is not stopped without it. */
static void take_unwritten(struct task *task, const struct task *before)
{
	task->sent = task->sent || before->sent;
	if (task->attach_sent_ms == 0)
		task->attach_sent_ms = before->attach_sent_ms;
}

void services_rolled_back(struct services *services)
{
	_cleanup_free_ struct task **before = NULL;
	struct error err = ERROR_INIT;
	size_t before_count;

	if (!services->wrote)
		return;
	services->wrote = false;
	before = take_all(services, &before_count);
	if (networks_load(services, &err) < 0 || load_all(services, &err) < 0) {
		/* Memory and store would differ from here on: start anew from the store. */
		log_critical("tasks cannot be read back after a failed transaction", "error",
			     err.text);
		abort();
	}
	for (size_t i = 0; i < before_count; i++) {
		struct task *task = services_find_task(services, before[i]->arn);

		if (task)
			take_unwritten(task, before[i]);
		task_free(before[i]);
	}
	for (size_t i = 0; i < services->task_count; i++)
		if (services->tasks[i]->state != TASK_STOPPED)
			services_notify_later(services, services->tasks[i]);
	services_network_changed(services);
}

static void drop_metrics(struct services *services, const char *task_arn)
{
	free(map_remove(services->metrics, task_arn));
}

/* Stopped tasks that are too old, or too many, are forgotten with their tags. */
static void evict(struct services *services)
{
	int64_t now_ms = clock_wall_ms();
	size_t stopped = 0, kept = 0, surplus;
	struct error err = ERROR_INIT;
	int r;

	for (size_t i = 0; i < services->task_count; i++)
		stopped += services->tasks[i]->state == TASK_STOPPED;
	surplus = stopped > services->stopped_tasks_max ? stopped - services->stopped_tasks_max : 0;

	r = store_begin(services->store, &err);
	if (r == 0)
		r = task_tokens_expire(services->store, now_ms - RUN_TOKEN_LIFE_MS, &err);
	for (size_t i = 0; i < services->task_count; i++) {
		struct task *task = services->tasks[i];
		bool old =
			task->state == TASK_STOPPED && !task->queued && r == 0 &&
			(surplus > 0 || now_ms - task->stopped_ms > services->stopped_retention_ms);

		if (old)
			r = task_delete(services->store, task->arn, &err);
		if (old && r == 0)
			r = tags_delete_all(services->store, task->arn, &err);
		if (!old || r < 0) {
			services->tasks[kept++] = task;
			continue;
		}
		surplus -= surplus > 0;
		drop_metrics(services, task->arn);
		map_remove(services->by_arn, task->arn);
		task_free(task);
	}
	services->task_count = kept;
	if (r == 0)
		r = store_commit(services->store, &err);
	if (r < 0) {
		/* Rows that stay in the store are read and forgotten again after the next start. */
		store_rollback(services->store);
		log_error("old tasks could not be taken out of the store", "error", err.text);
	}
}

static bool nothing_reported(const struct task *task)
{
	for (size_t i = 0; i < task->container_count; i++)
		if (task->containers[i].state != CONTAINER_PENDING ||
		    task->containers[i].image_digest)
			return false;
	return task->pull_started_ms == 0;
}

/*
 * The agent knows of the interface and has said nothing of it, nor of the task, for the whole wait:
 * the task is given up, and the agent is told so.
 */
static void give_up_attachments(struct services *services)
{
	int64_t latest_ms = clock_wall_ms() - scaled(services, SERVICES_ATTACH_WAIT_MS);

	for (size_t i = 0; i < services->task_count; i++) {
		struct task *task = services->tasks[i];

		if (!task->eni || task->state != TASK_PENDING || task->desired != TASK_RUNNING ||
		    task->eni->state != ATTACHMENT_ATTACHING || !task->attach_acknowledged ||
		    task->attach_sent_ms == 0 || task->attach_sent_ms > latest_ms ||
		    !nothing_reported(task))
			continue;
		task->desired = TASK_STOPPED;
		task->stop_code = TASK_STOP_FAILED_TO_START;
		str_replace(&task->stopped_reason,
			    "Timeout waiting for network interface provisioning to complete.");
		task->stopping_ms = clock_wall_ms();
		task->version++;
		services_write_later(services, task);
		services_notify_later(services, task);
	}
}

static void on_timer(void *data)
{
	struct services *services = data;

	if (services->queue_count > 0)
		schedule_flush(services);
	give_up_attachments(services);
	evict(services);
	loop_timer_start(services->timer, scaled(services, CHECK_EVERY_MS));
}

int services_new(struct loop *loop, struct store *store, const struct services_config *config,
		 struct services **ret_services, struct error *err)
{
	_cleanup_(services_free_cleanup) struct services *services = xcalloc(1, sizeof(*services));
	int r;

	services->loop = loop;
	services->store = store;
	services->region = xstrdup(config->region);
	services->account = xstrdup(config->account);
	services->enis_per_instance = config->enis_per_instance;
	services->stopped_retention_ms = config->stopped_retention_ms > 0
						 ? config->stopped_retention_ms
						 : RETENTION_DEFAULT_MS;
	services->stopped_tasks_max =
		config->stopped_tasks_max ? config->stopped_tasks_max : STOPPED_TASKS_DEFAULT;
	services->live_tasks_max =
		config->live_tasks_max ? config->live_tasks_max : LIVE_TASKS_DEFAULT;
	services->access_key = xstrdup_null(config->role_credentials.access_key);
	services->secret_key = xstrdup_null(config->role_credentials.secret_key);
	services->session_token = xstrdup_null(config->role_credentials.session_token);
	services->credentials_ttl_ms = config->credentials_ttl_ms > 0 ? config->credentials_ttl_ms
								      : CREDENTIALS_TTL_DEFAULT_MS;
	services->time_scale = config->time_scale > 0 ? config->time_scale : 1.0;
	services->by_arn = map_new();
	services->connected = map_new();
	services->metrics = map_new();
	if (services->access_key && !services->secret_key)
		return error_say(err, EINVAL,
				 "task role credentials: the access key has no secret key");
	r = networks_open(services, config, err);
	if (r == 0)
		r = load_all(services, err);
	if (r == 0)
		r = container_instance_disconnect_all(store, err);
	if (r < 0)
		return r;
	services->flush_timer = loop_timer_new(loop, on_turn_end, services);
	services->timer = loop_timer_new(loop, on_timer, services);
	loop_timer_start(services->timer, scaled(services, CHECK_EVERY_MS));
	*ret_services = TAKE(services);
	return 0;
}

void services_free(struct services *services)
{
	size_t cursor = 0;
	char *text;

	if (!services)
		return;
	services->outlet = NULL;
	if (services->timer && services->queue_count > 0)
		flush(services);
	loop_timer_free(services->flush_timer);
	loop_timer_free(services->timer);
	for (size_t i = 0; i < services->task_count; i++)
		task_free(services->tasks[i]);
	free(services->tasks);
	free(services->queue);
	for (size_t i = 0; i < services->subnet_count; i++)
		subnet_free(services->subnets[i]);
	free(services->subnets);
	while (services->metrics && (text = map_next(services->metrics, &cursor, NULL)))
		free(text);
	map_free(services->metrics);
	map_free(services->by_arn);
	map_free(services->connected);
	free(services->region);
	free(services->account);
	free(services->access_key);
	if (services->secret_key)
		explicit_bzero(services->secret_key, strlen(services->secret_key));
	free(services->secret_key);
	if (services->session_token)
		explicit_bzero(services->session_token, strlen(services->session_token));
	free(services->session_token);
	free(services);
}

struct task *services_find_task(struct services *services, const char *arn)
{
	return map_get(services->by_arn, arn);
}

struct task *services_next_task(struct services *services, size_t *cursor)
{
	return *cursor < services->task_count ? services->tasks[(*cursor)++] : NULL;
}

struct subnet *services_find_subnet(const struct services *services, const char *id)
{
	for (size_t i = 0; i < services->subnet_count; i++)
		if (str_eq(subnet_id(services->subnets[i]), id))
			return services->subnets[i];
	return NULL;
}

void services_set_outlet(struct services *services, const struct services_outlet *outlet,
			 void *data)
{
	services->outlet = outlet;
	services->outlet_data = data;
}

bool services_agent_connected(const struct services *services, const char *instance_arn)
{
	return map_get(services->connected, instance_arn) != NULL;
}
