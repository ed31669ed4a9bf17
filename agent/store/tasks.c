/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tasks and containers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store/bindings.h"
#include "agent/store/internal.h"
#include "base/alloc.h"
#include "base/str.h"

static const char *const network_names[] = {
	[NETWORK_NONE] = "NONE",   [NETWORK_OPENING] = "OPENING",
	[NETWORK_OPEN] = "OPEN",   [NETWORK_ATTACHING] = "ATTACHING",
	[NETWORK_READY] = "READY", [NETWORK_CLOSING] = "CLOSING",
	[NETWORK_GONE] = "GONE",
};

static int network_parse(const char *text, enum network_status *ret, struct error *err)
{
	for (size_t i = 0; i < sizeof(network_names) / sizeof(*network_names); i++)
		if (str_eq(text, network_names[i])) {
			*ret = (enum network_status)i;
			return 0;
		}
	return error_say(err, EINVAL, "unknown network status \"%s\"", text ? text : "");
}

static void bind_code(struct stmt *stmt, int index, bool has, int code)
{
	if (has)
		stmt_bind_i64(stmt, index, code);
	else
		stmt_bind_null(stmt, index);
}

/* Parameters 2 to 25 of both statements below; 1 is the id. */
static void bind_task(struct stmt *stmt, const struct task_state *task)
{
	const struct network_state *network = &task->network;

	stmt_bind_text(stmt, 1, task->spec->id);
	stmt_bind_i64(stmt, 2, (int64_t)task->arrival);
	stmt_bind_text(stmt, 3, task_status_name(task->known));
	stmt_bind_text(stmt, 4, task_status_name(task->desired));
	stmt_bind_text(stmt, 5, task_status_name(task->sent));
	stmt_bind_i64(stmt, 6, task->admitted);
	stmt_bind_i64(stmt, 7, task->report_refused);
	stmt_bind_text(stmt, 8, task->reason);
	stmt_bind_i64(stmt, 9, task->received_at_ms);
	stmt_bind_i64(stmt, 10, task->pull_started_at_ms);
	stmt_bind_i64(stmt, 11, task->pull_stopped_at_ms);
	stmt_bind_i64(stmt, 12, task->running_at_ms);
	stmt_bind_i64(stmt, 13, task->execution_stopped_at_ms);
	stmt_bind_i64(stmt, 14, task->stopped_at_ms);
	stmt_bind_text(stmt, 15, network_names[network->status]);
	stmt_bind_i64(stmt, 16, network->created_at_ms);
	stmt_bind_i64(stmt, 17, network->started_at_ms);
	stmt_bind_i64(stmt, 18, network->finished_at_ms);
	stmt_bind_text(stmt, 19, network->netns_path);
	stmt_bind_text(stmt, 20, network->interface);
	stmt_bind_text(stmt, 21, network->address);
	stmt_bind_text(stmt, 22, network->details);
	bind_code(stmt, 23, network->has_exit_code, network->exit_code);
	stmt_bind_i64(stmt, 24, task->begun);
	stmt_bind_i64(stmt, 25, task->known_since_ms);
}

/* The specification never changes, and is by far the largest part: it is written once. */
int store_save_task(struct store *store, const struct task_state *task, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *update = NULL, *insert = NULL;
	int r = db_cached(
		store->db,
		"UPDATE task SET arrival = ?2, known = ?3, desired = ?4, sent = ?5, admitted = ?6,"
		" report_refused = ?7, reason = ?8, received_at = ?9, pull_started_at = ?10,"
		" pull_stopped_at = ?11, running_at = ?12, execution_stopped_at = ?13,"
		" stopped_at = ?14, network = ?15, network_created_at = ?16,"
		" network_started_at = ?17, network_finished_at = ?18, netns_path = ?19,"
		" interface = ?20, address = ?21, network_details = ?22, pause_exit_code = ?23,"
		" begun = ?24, known_since = ?25"
		" WHERE id = ?1",
		&update, err);

	if (r < 0)
		return r;
	bind_task(update, task);
	r = stmt_run(update, err);
	if (r < 0)
		return r;
	if (db_changes(store->db) > 0)
		return 0;
	r = db_cached(store->db,
		      "INSERT INTO task VALUES (?1, ?26, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
		      "?12, ?13, ?14,"
		      " ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
		      &insert, err);
	if (r < 0)
		return r;
	bind_task(insert, task);
	stmt_bind_text(insert, 26, task_spec_encode(task->spec));
	return stmt_run(insert, err);
}

int store_save_container(struct store *store, const struct task_state *task,
			 const struct container_state *container, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	_cleanup_free_ char *bindings = NULL;
	int r = db_cached(store->db,
			  "INSERT OR REPLACE INTO container VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
			  "?8, ?9, ?10, ?11,"
			  " ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, "
			  "?25, ?26, ?27, ?28, ?29)",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, task->spec->id);
	stmt_bind_text(stmt, 2, container->spec->name);
	stmt_bind_i64(stmt, 3, container->attempt);
	stmt_bind_text(stmt, 4, container->runtime_id);
	stmt_bind_text(stmt, 5, container->endpoint_id);
	stmt_bind_text(stmt, 6, container_status_name(container->known));
	stmt_bind_text(stmt, 7, container_status_name(container->desired));
	stmt_bind_text(stmt, 8, container_status_name(container->sent));
	stmt_bind_i64(stmt, 9, container->start_intended);
	stmt_bind_i64(stmt, 10, container->removed);
	stmt_bind_text(stmt, 11, container->image_digest);
	stmt_bind_i64(stmt, 12, container->digest_resolved);
	stmt_bind_text(stmt, 13, container->image_id);
	stmt_bind_i64(stmt, 14, container->stop_signal);
	stmt_bind_i64(stmt, 15, container->created_at_ms);
	stmt_bind_i64(stmt, 16, container->started_at_ms);
	stmt_bind_i64(stmt, 17, container->finished_at_ms);
	bind_code(stmt, 18, container->has_exit_code, container->exit_code);
	stmt_bind_i64(stmt, 19, container->oom_killed);
	stmt_bind_text(stmt, 20, container->reason);
	stmt_bind_i64(stmt, 21, container->restarting);
	stmt_bind_i64(stmt, 22, container->last_restart_at_ms);
	stmt_bind_text(stmt, 23, container->pull_error);
	stmt_bind_i64(stmt, 24, container->known_since_ms);
	stmt_bind_i64(stmt, 25, container->stop_begun_ms);
	stmt_bind_text(stmt, 26, network_names[container->connection.status]);
	stmt_bind_text(stmt, 27, container->connection.address);
	bindings = bindings_encode(&container->connection);
	stmt_bind_text(stmt, 28, bindings);
	stmt_bind_text(stmt, 29, container->connection.ipv6_address);
	return stmt_run(stmt, err);
}

static int delete_row(struct store *store, const char *task_id, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db, "DELETE FROM task WHERE id = ?", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, task_id);
	return stmt_run(stmt, err);
}

static int leave_images(struct store *store, const char *task_id, int64_t at_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db,
			  "UPDATE image SET last_used_at = ?2 WHERE id IN"
			  " (SELECT image_id FROM container WHERE task_id = ?1)",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, task_id);
	stmt_bind_i64(stmt, 2, at_ms);
	return stmt_run(stmt, err);
}

int store_delete_task(struct store *store, const char *task_id, int64_t at_ms, struct error *err)
{
	int r = store_begin(store, err);

	if (r < 0)
		return r;
	r = leave_images(store, task_id, at_ms, err);
	if (r == 0)
		r = delete_row(store, task_id, err);
	if (r < 0) {
		store_rollback(store);
		return r;
	}
	return store_commit(store, err);
}

/* ---- reading ---- */

static int read_task(struct stmt *stmt, struct task_state *task, struct error *err)
{
	struct network_state *network = &task->network;
	int r;

	task->arrival = (uint64_t)stmt_i64(stmt, 2);
	r = task_status_parse(stmt_text(stmt, 3), &task->known, err);
	if (r == 0)
		r = task_status_parse(stmt_text(stmt, 4), &task->desired, err);
	if (r == 0)
		r = task_status_parse(stmt_text(stmt, 5), &task->sent, err);
	if (r == 0)
		r = network_parse(stmt_text(stmt, 15), &network->status, err);
	if (r < 0)
		return r;
	task->admitted = stmt_i64(stmt, 6) != 0;
	task->report_refused = stmt_i64(stmt, 7) != 0;
	task->reason = xstrdup_null(stmt_text(stmt, 8));
	task->begun = stmt_i64(stmt, 24) != 0;
	task->known_since_ms = stmt_i64(stmt, 25);
	task->received_at_ms = stmt_i64(stmt, 9);
	task->pull_started_at_ms = stmt_i64(stmt, 10);
	task->pull_stopped_at_ms = stmt_i64(stmt, 11);
	task->running_at_ms = stmt_i64(stmt, 12);
	task->execution_stopped_at_ms = stmt_i64(stmt, 13);
	task->stopped_at_ms = stmt_i64(stmt, 14);
	network->created_at_ms = stmt_i64(stmt, 16);
	network->started_at_ms = stmt_i64(stmt, 17);
	network->finished_at_ms = stmt_i64(stmt, 18);
	network->netns_path = xstrdup_null(stmt_text(stmt, 19));
	network->interface = xstrdup_null(stmt_text(stmt, 20));
	network->address = xstrdup_null(stmt_text(stmt, 21));
	network->details = xstrdup_null(stmt_text(stmt, 22));
	network->has_exit_code = !stmt_is_null(stmt, 23);
	network->exit_code = (int)stmt_i64(stmt, 23);
	return 0;
}

static int read_container(struct stmt *stmt, struct container_state *container, struct error *err)
{
	int r = container_status_parse(stmt_text(stmt, 4), &container->known, err);

	if (r == 0)
		r = container_status_parse(stmt_text(stmt, 5), &container->desired, err);
	if (r == 0)
		r = container_status_parse(stmt_text(stmt, 6), &container->sent, err);
	if (r == 0)
		r = network_parse(stmt_text(stmt, 24), &container->connection.status, err);
	if (r == 0)
		r = bindings_decode(stmt_text(stmt, 26), &container->connection, err);
	if (r < 0)
		return r;
	str_replace(&container->connection.address, stmt_text(stmt, 25));
	str_replace(&container->connection.ipv6_address, stmt_text(stmt, 27));
	container->attempt = (uint32_t)stmt_i64(stmt, 1);
	str_replace(&container->runtime_id, stmt_text(stmt, 2));
	snprintf(container->endpoint_id, sizeof(container->endpoint_id), "%s", stmt_text(stmt, 3));
	container->start_intended = stmt_i64(stmt, 7) != 0;
	container->removed = stmt_i64(stmt, 8) != 0;
	str_replace(&container->image_digest, stmt_text(stmt, 9));
	container->digest_resolved = stmt_i64(stmt, 10) != 0;
	str_replace(&container->image_id, stmt_text(stmt, 11));
	container->stop_signal = (int)stmt_i64(stmt, 12);
	container->created_at_ms = stmt_i64(stmt, 13);
	container->started_at_ms = stmt_i64(stmt, 14);
	container->finished_at_ms = stmt_i64(stmt, 15);
	container->has_exit_code = !stmt_is_null(stmt, 16);
	container->exit_code = (int)stmt_i64(stmt, 16);
	container->oom_killed = stmt_i64(stmt, 17) != 0;
	str_replace(&container->reason, stmt_text(stmt, 18));
	container->restarting = stmt_i64(stmt, 19) != 0;
	container->last_restart_at_ms = stmt_i64(stmt, 20);
	str_replace(&container->pull_error, stmt_text(stmt, 21));
	container->known_since_ms = stmt_i64(stmt, 22);
	container->stop_begun_ms = stmt_i64(stmt, 23);
	return 0;
}

static int read_containers(struct store *store, struct task_state *task, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(
		store->db,
		"SELECT name, attempt, runtime_id, endpoint_id, known, desired, sent, "
		"start_intended,"
		" removed, image_digest, digest_resolved, image_id, stop_signal, created_at, "
		"started_at,"
		" finished_at, exit_code, oom_killed, reason, restarting, last_restart_at,"
		" pull_error, known_since, stop_begun, connection, address, bindings, ipv6_address"
		" FROM container WHERE task_id = ?",
		&stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, task->spec->id);
	while ((r = stmt_step(stmt, err)) == 1) {
		struct container_state *container = task_state_container(task, stmt_text(stmt, 0));

		if (!container)
			return error_say(err, EINVAL,
					 "container %s is not in the task's definition",
					 stmt_text(stmt, 0));
		r = read_container(stmt, container, err);
		if (r < 0) {
			error_prefix(err, "container %s", container->spec->name);
			return r;
		}
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < task->container_count; i++)
		if (!task->containers[i].runtime_id)
			return error_say(err, EINVAL, "container %s has no row",
					 task->containers[i].spec->name);
	return 0;
}

/* Whatever goes wrong here concerns this task alone. */
static int load_task(struct store *store, struct stmt *stmt, struct task_state **ret,
		     struct error *err)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *spec = NULL;
	_cleanup_(task_state_free_cleanup) struct task_state *task = NULL;
	const char *text = stmt_text(stmt, 1);
	int r = task_spec_decode_text(text, strlen(text), &spec, err);

	if (r < 0)
		return r;
	task = task_state_new(spec);
	r = read_task(stmt, task, err);
	if (r == 0)
		r = read_containers(store, task, err);
	if (r < 0)
		return r;
	*ret = TAKE(task);
	return 0;
}

int store_load_tasks(struct store *store, struct store_tasks *ret, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	struct store_tasks tasks = { 0 };
	int r = db_cached(store->db, "SELECT * FROM task ORDER BY arrival", &stmt, err);

	if (r < 0)
		return r;
	while ((r = stmt_step(stmt, err)) == 1) {
		struct task_state *task = NULL;
		struct error why = ERROR_INIT;

		if (load_task(store, stmt, &task, &why) == 0) {
			tasks.items = xreallocarray(tasks.items, tasks.count + 1,
						    sizeof(struct task_state *));
			tasks.items[tasks.count++] = task;
			continue;
		}
		tasks.damaged = xreallocarray(tasks.damaged, tasks.damaged_count + 1,
					      sizeof(*tasks.damaged));
		tasks.damaged[tasks.damaged_count].task_id = xstrdup(stmt_text(stmt, 0));
		tasks.damaged[tasks.damaged_count++].what =
			xasprintf("the saved task cannot be read, and is left alone: %s", why.text);
	}
	if (r < 0) {
		store_tasks_free(&tasks);
		return r;
	}
	*ret = tasks;
	return 0;
}

void store_tasks_free(struct store_tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++)
		task_state_free(tasks->items[i]);
	for (size_t i = 0; i < tasks->damaged_count; i++) {
		free(tasks->damaged[i].task_id);
		free(tasks->damaged[i].what);
	}
	free(tasks->items);
	free(tasks->damaged);
	*tasks = (struct store_tasks){ 0 };
}
