/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/store/internal.h"
#include "agent/store/store.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"

static const char json[] =
	"{\"arn\":\"arn:aws:ecs:here:1:task/c/"
	"t\",\"desiredStatus\":\"RUNNING\",\"networkMode\":\"host\","
	"\"family\":\"f\",\"roleCredentials\":{\"credentialsId\":\"id-1\",\"accessKeyId\":\"AKIA\","
	"\"secretAccessKey\":\"verysecret\",\"sessionToken\":\"token\",\"roleArn\":\"arn:role\","
	"\"expiration\":\"2030-01-01T00:00:00Z\"},"
	"\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"essential\":true},{\"name\":\"b\","
	"\"image\":\"i\"}]}";

static struct task_state *sample(void)
{
	struct task_spec *spec = NULL;
	struct task_state *task;
	struct error err = ERROR_INIT;

	if (task_spec_decode_text(json, strlen(json), &spec, &err) < 0)
		fail_msg("%s", err.text);
	task = task_state_new(spec);
	task_spec_unref(spec);
	task->arrival = 5;
	for (int i = 0; i < 2; i++) {
		task->containers[i].runtime_id = xasprintf("t-%c-1", 'a' + i);
		memcpy(task->containers[i].endpoint_id, "11111111-1111-4111-8111-111111111111", 37);
	}
	return task;
}

static struct store *open_memory(void)
{
	struct store *store = NULL;

	assert_int_equal(store_open(NULL, &store, NULL), 0);
	return store;
}

static void save(struct store *store, const struct task_state *task)
{
	assert_int_equal(store_save_task(store, task, NULL), 0);
	for (size_t i = 0; i < task->container_count; i++)
		assert_int_equal(store_save_container(store, task, &task->containers[i], NULL), 0);
}

static struct store_tasks load(struct store *store)
{
	struct store_tasks tasks;

	assert_int_equal(store_load_tasks(store, &tasks, NULL), 0);
	return tasks;
}

static void every_saved_fact_comes_back(void **state)
{
	static const struct port_binding bindings[] = {
		{ .container_port = 80, .host_port = 49153, .count = 1 },
		{ TRANSPORT_UDP, 8000, 50000, 3, true },
	};
	struct store *store = open_memory();
	struct task_state *task = sample();
	struct container_state *a = &task->containers[0];
	struct store_tasks tasks;

	task->known = TASK_STATUS_RUNNING;
	task->desired = TASK_STATUS_STOPPED;
	task->sent = TASK_STATUS_MANIFEST_PULLED;
	task->admitted = task->report_refused = true;
	task->reason = xstrdup("why");
	task->received_at_ms = 11;
	task->pull_started_at_ms = 12;
	task->pull_stopped_at_ms = 13;
	task->running_at_ms = 14;
	task->execution_stopped_at_ms = 15;
	task->stopped_at_ms = 16;
	task->network = (struct network_state){ .status = NETWORK_CLOSING,
						.created_at_ms = 21,
						.started_at_ms = 22,
						.finished_at_ms = 23,
						.netns_path = xstrdup("/run/netns/t"),
						.interface = xstrdup("eth0"),
						.address = xstrdup("10.0.0.7"),
						.details = xstrdup("{}"),
						.has_exit_code = true,
						.exit_code = 137 };
	a->attempt = 3;
	a->known = CONTAINER_STATUS_STOPPED;
	a->desired = CONTAINER_STATUS_STOPPED;
	a->sent = CONTAINER_STATUS_RUNNING;
	a->start_intended = a->removed = a->digest_resolved = a->oom_killed = true;
	a->image_digest = xstrdup("sha256:d");
	a->image_id = xstrdup("sha256:i");
	a->stop_signal = 3;
	a->created_at_ms = 31;
	a->started_at_ms = 32;
	a->finished_at_ms = 33;
	a->restarting = true;
	a->last_restart_at_ms = 34;
	a->known_since_ms = 35;
	a->stop_begun_ms = 36;
	a->pull_error = xstrdup("no registry");
	a->connection.status = NETWORK_READY;
	a->connection.address = xstrdup("172.29.0.2");
	a->connection.ipv6_address = xstrdup("fd00:172:29::2");
	connection_set_bindings(&a->connection, bindings, 2);
	a->has_exit_code = true;
	a->exit_code = 0;
	a->reason = xstrdup("OutOfMemoryError: ...");
	save(store, task);

	tasks = load(store);
	assert_int_equal(tasks.count, 1);
	assert_int_equal(tasks.damaged_count, 0);
	const struct task_state *back = tasks.items[0];
	const struct container_state *back_a = &back->containers[0], *back_b = &back->containers[1];

	assert_string_equal(back->spec->arn, task->spec->arn);
	assert_int_equal(back->arrival, 5);
	assert_int_equal(back->known, TASK_STATUS_RUNNING);
	assert_int_equal(back->desired, TASK_STATUS_STOPPED);
	assert_int_equal(back->sent, TASK_STATUS_MANIFEST_PULLED);
	assert_true(back->admitted && back->report_refused);
	assert_string_equal(back->reason, "why");
	assert_int_equal(back->received_at_ms, 11);
	assert_int_equal(back->pull_started_at_ms, 12);
	assert_int_equal(back->pull_stopped_at_ms, 13);
	assert_int_equal(back->running_at_ms, 14);
	assert_int_equal(back->execution_stopped_at_ms, 15);
	assert_int_equal(back->stopped_at_ms, 16);
	assert_int_equal(back->network.status, NETWORK_CLOSING);
	assert_int_equal(back->network.created_at_ms, 21);
	assert_int_equal(back->network.started_at_ms, 22);
	assert_int_equal(back->network.finished_at_ms, 23);
	assert_string_equal(back->network.netns_path, "/run/netns/t");
	assert_string_equal(back->network.interface, "eth0");
	assert_string_equal(back->network.address, "10.0.0.7");
	assert_string_equal(back->network.details, "{}");
	assert_true(back->network.has_exit_code);
	assert_int_equal(back->network.exit_code, 137);
	assert_int_equal(back_a->attempt, 3);
	assert_string_equal(back_a->runtime_id, "t-a-1");
	assert_string_equal(back_a->endpoint_id, "11111111-1111-4111-8111-111111111111");
	assert_int_equal(back_a->known, CONTAINER_STATUS_STOPPED);
	assert_int_equal(back_a->desired, CONTAINER_STATUS_STOPPED);
	assert_int_equal(back_a->sent, CONTAINER_STATUS_RUNNING);
	assert_true(back_a->start_intended && back_a->removed && back_a->digest_resolved &&
		    back_a->oom_killed);
	assert_string_equal(back_a->image_digest, "sha256:d");
	assert_string_equal(back_a->image_id, "sha256:i");
	assert_int_equal(back_a->stop_signal, 3);
	assert_int_equal(back_a->created_at_ms, 31);
	assert_int_equal(back_a->started_at_ms, 32);
	assert_int_equal(back_a->finished_at_ms, 33);
	assert_true(back_a->has_exit_code);
	assert_int_equal(back_a->exit_code, 0);
	assert_string_equal(back_a->reason, "OutOfMemoryError: ...");
	assert_true(back_a->restarting);
	assert_int_equal(back_a->last_restart_at_ms, 34);
	assert_int_equal(back_a->known_since_ms, 35);
	assert_int_equal(back_a->stop_begun_ms, 36);
	assert_string_equal(back_a->pull_error, "no registry");
	assert_int_equal(back_a->connection.status, NETWORK_READY);
	assert_string_equal(back_a->connection.address, "172.29.0.2");
	assert_string_equal(back_a->connection.ipv6_address, "fd00:172:29::2");
	assert_null(back_b->connection.ipv6_address);
	assert_int_equal(back_a->connection.binding_count, 2);
	assert_memory_equal(back_a->connection.bindings, bindings, sizeof(bindings));
	assert_null(back_b->connection.bindings);
	/* What is not there stays away. */
	assert_false(back_b->has_exit_code || back_b->removed || back_b->start_intended);
	assert_null(back_b->reason);
	assert_null(back_b->image_digest);
	assert_int_equal(back_b->attempt, 1);

	store_tasks_free(&tasks);
	task_state_free(task);
	store_close(store);
}

static void credentials_are_not_saved(void **state)
{
	struct store *store = open_memory();
	struct task_state *task = sample();
	struct stmt *stmt = NULL;

	save(store, task);
	assert_int_equal(db_prepare(store->db, "SELECT spec FROM task", &stmt, NULL), 0);
	assert_int_equal(stmt_step(stmt, NULL), 1);
	assert_non_null(strstr(stmt_text(stmt, 0), "id-1"));
	assert_null(strstr(stmt_text(stmt, 0), "verysecret"));
	assert_null(strstr(stmt_text(stmt, 0), "token\""));
	stmt_free(stmt);
	task_state_free(task);
	store_close(store);
}

static void saving_again_changes_the_row(void **state)
{
	struct store *store = open_memory();
	struct task_state *task = sample();
	struct store_tasks tasks;

	save(store, task);
	task->known = TASK_STATUS_RUNNING;
	task->containers[1].has_exit_code = true;
	task->containers[1].exit_code = 9;
	save(store, task);
	tasks = load(store);
	assert_int_equal(tasks.count, 1);
	assert_int_equal(tasks.items[0]->known, TASK_STATUS_RUNNING);
	assert_int_equal(tasks.items[0]->containers[1].exit_code, 9);
	store_tasks_free(&tasks);

	assert_int_equal(store_delete_task(store, "t", 1, NULL), 0);
	assert_int_equal(store_delete_task(store, "t", 1, NULL), 0);
	tasks = load(store);
	assert_int_equal(tasks.count, 0);
	store_tasks_free(&tasks);
	task_state_free(task);
	store_close(store);
}

static void what_was_not_committed_never_was(void **state)
{
	struct store *store = open_memory();
	struct task_state *task = sample();
	struct store_tasks tasks;

	assert_int_equal(store_begin(store, NULL), 0);
	save(store, task);
	store_rollback(store);
	tasks = load(store);
	assert_int_equal(tasks.count, 0);
	store_tasks_free(&tasks);
	assert_int_equal(store_begin(store, NULL), 0);
	save(store, task);
	assert_int_equal(store_commit(store, NULL), 0);
	tasks = load(store);
	assert_int_equal(tasks.count, 1);
	store_tasks_free(&tasks);
	task_state_free(task);
	store_close(store);
}

/* A full disk is said so, and what was there stays. */
static void a_full_disk_is_an_error_and_loses_nothing(void **state)
{
	struct store *store = open_memory();
	struct task_state *task = sample();
	struct store_tasks tasks;
	struct error err = ERROR_INIT;
	int r;

	save(store, task);
	assert_int_equal(db_exec(store->db, "PRAGMA max_page_count = 1", NULL), 0);
	task->reason = xmalloc(100001);
	memset(task->reason, 'x', 100000);
	task->reason[100000] = '\0';
	assert_int_equal(store_begin(store, NULL), 0);
	r = store_save_task(store, task, &err);
	assert_int_equal(r, -ENOSPC);
	assert_true(err.text[0] != '\0');
	store_rollback(store);
	assert_int_equal(db_exec(store->db, "PRAGMA max_page_count = 100000", NULL), 0);
	tasks = load(store);
	assert_int_equal(tasks.count, 1);
	assert_null(tasks.items[0]->reason);
	store_tasks_free(&tasks);
	task_state_free(task);
	store_close(store);
}

/* A row that cannot be read is named and left; the others are read. */
static void a_damaged_row_does_not_hide_the_others(void **state)
{
	static const struct {
		const char *damage, *what;
	} cases[] = {
		{ "UPDATE task SET spec = '{nonsense' WHERE id = 't'", "is left alone: " },
		{ "UPDATE task SET known = 'WHAT' WHERE id = 't'", "WHAT" },
		{ "UPDATE task SET network = 'WHAT' WHERE id = 't'",
		  "unknown network status \"WHAT\"" },
		{ "UPDATE container SET sent = 'WHAT' WHERE name = 'b'", "container b: " },
		{ "DELETE FROM container WHERE name = 'b'", "container b has no row" },
		{ "UPDATE container SET name = 'x' WHERE name = 'b'", "container x is not in" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct store *store = open_memory();
		struct task_state *task = sample();
		struct store_tasks tasks;

		save(store, task);
		assert_int_equal(
			db_exec(store->db,
				"INSERT INTO task SELECT 'good', replace(spec, '/c/t', '/c/good'), "
				"9, known,"
				" desired, sent, admitted, report_refused, reason, received_at,"
				" pull_started_at, pull_stopped_at, running_at, "
				"execution_stopped_at,"
				" stopped_at, network, network_created_at, network_started_at,"
				" network_finished_at, netns_path, interface, address, "
				"network_details,"
				" pause_exit_code, begun, known_since FROM task;"
				"INSERT INTO container SELECT 'good', name || '', attempt, "
				"runtime_id,"
				" endpoint_id, known, desired, sent, start_intended, removed, "
				"image_digest,"
				" digest_resolved, image_id, stop_signal, created_at, started_at,"
				" finished_at, exit_code, oom_killed, reason, restarting,"
				" last_restart_at, pull_error, known_since, stop_begun, connection,"
				" address, bindings, ipv6_address FROM container",
				NULL),
			0);
		char *damage = strstr(cases[i].damage, "container")
				       ? xasprintf("%s AND task_id = 't'", cases[i].damage)
				       : xstrdup(cases[i].damage);

		assert_int_equal(db_exec(store->db, damage, NULL), 0);
		free(damage);
		tasks = load(store);
		assert_int_equal(tasks.count, 1);
		assert_string_equal(tasks.items[0]->spec->id, "good");
		assert_int_equal(tasks.damaged_count, 1);
		assert_string_equal(tasks.damaged[0].task_id, "t");
		assert_non_null(strstr(tasks.damaged[0].what, cases[i].what));
		store_tasks_free(&tasks);
		task_state_free(task);
		store_close(store);
	}
}

static void names_of_ended_tasks_are_kept_as_long_as_said(void **state)
{
	struct store *store = open_memory();
	struct store_ended ended;

	assert_int_equal(store_load_ended(store, &ended, NULL), 0);
	assert_int_equal(ended.count, 0);
	assert_int_equal(store_save_ended(store, "arn:a", 1, 1, NULL), 0);
	assert_int_equal(store_save_ended(store, "arn:b", 2, 1, NULL), 0);
	assert_int_equal(store_save_ended(store, "arn:c", 3, 2, NULL), 0);
	assert_int_equal(store_load_ended(store, &ended, NULL), 0);
	assert_int_equal(ended.count, 2);
	assert_string_equal(ended.items[0].arn, "arn:b");
	assert_int_equal(ended.items[0].serial, 2);
	assert_string_equal(ended.items[1].arn, "arn:c");
	store_ended_free(&ended);
	assert_int_equal(store_clear(store, NULL), 0);
	assert_int_equal(store_load_ended(store, &ended, NULL), 0);
	assert_int_equal(ended.count, 0);
	store_close(store);
}

/* cfg and acs facts: kept until replaced or removed. */
static void facts_and_sequence_number_are_kept(void **state)
{
	struct store *store = open_memory();
	char *value = NULL;
	int64_t number = 0;

	assert_int_equal(store_get_fact(store, STORE_CLUSTER, &value, NULL), 0);
	assert_null(value);
	assert_int_equal(store_set_fact(store, STORE_CLUSTER, "one", NULL), 0);
	assert_int_equal(store_set_fact(store, STORE_CLUSTER, "two", NULL), 0);
	assert_int_equal(store_get_fact(store, STORE_CLUSTER, &value, NULL), 0);
	assert_string_equal(value, "two");
	free(value);
	assert_int_equal(store_set_fact(store, STORE_CLUSTER, NULL, NULL), 0);
	assert_int_equal(store_get_fact(store, STORE_CLUSTER, &value, NULL), 0);
	assert_null(value);

	assert_int_equal(store_get_sequence_number(store, &number, NULL), 0);
	assert_int_equal(number, -1);
	assert_int_equal(store_set_sequence_number(store, 60, NULL), 0);
	assert_int_equal(store_get_sequence_number(store, &number, NULL), 0);
	assert_int_equal(number, 60);
	store_close(store);
}

static void attachments_are_kept_until_deleted(void **state)
{
	struct store *store = open_memory();
	struct store_attachment attachment = { .arn = (char *)"arn:a",
					       .task_arn = (char *)"arn:t",
					       .mac = (char *)"0a:00:00:00:00:01",
					       .message = (char *)"{}",
					       .expires_at_ms = 77 };
	struct store_attachments all;

	assert_int_equal(store_save_attachment(store, &attachment, NULL), 0);
	attachment.sent = true;
	assert_int_equal(store_save_attachment(store, &attachment, NULL), 0);
	assert_int_equal(store_load_attachments(store, &all, NULL), 0);
	assert_int_equal(all.count, 1);
	assert_string_equal(all.items[0].arn, "arn:a");
	assert_string_equal(all.items[0].task_arn, "arn:t");
	assert_string_equal(all.items[0].mac, "0a:00:00:00:00:01");
	assert_string_equal(all.items[0].message, "{}");
	assert_int_equal(all.items[0].expires_at_ms, 77);
	assert_true(all.items[0].sent);
	store_attachments_free(&all);
	assert_int_equal(store_delete_attachment(store, "arn:a", NULL), 0);
	assert_int_equal(store_load_attachments(store, &all, NULL), 0);
	assert_int_equal(all.count, 0);
	store_attachments_free(&all);
	store_close(store);
}

static void clearing_forgets_everything(void **state)
{
	struct store *store = open_memory();
	struct task_state *task = sample();
	struct store_tasks tasks;
	char *value = NULL;

	save(store, task);
	assert_int_equal(store_set_fact(store, STORE_CLUSTER, "one", NULL), 0);
	assert_int_equal(store_clear(store, NULL), 0);
	tasks = load(store);
	assert_int_equal(tasks.count, 0);
	assert_int_equal(store_get_fact(store, STORE_CLUSTER, &value, NULL), 0);
	assert_null(value);
	store_tasks_free(&tasks);
	task_state_free(task);
	store_close(store);
}

/* One agent at a time, and the second is told which process is in its way. */
static void a_second_agent_is_refused(void **state)
{
	char directory[] = "/tmp/berth-store-XXXXXX";
	struct store *first = NULL, *second = NULL;
	struct task_state *task = sample();
	struct store_tasks tasks;
	struct error err = ERROR_INIT;
	char pid[32];

	assert_non_null(mkdtemp(directory));
	assert_int_equal(store_open(directory, &first, &err), 0);
	save(first, task);
	assert_int_equal(store_open(directory, &second, &err), -EWOULDBLOCK);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_non_null(strstr(err.text, "another agent works on the data directory"));
	assert_non_null(strstr(err.text, directory));
	assert_non_null(strstr(err.text, pid));
	store_close(first);

	/* It was all on the disk. */
	assert_int_equal(store_open(directory, &second, &err), 0);
	tasks = load(second);
	assert_int_equal(tasks.count, 1);
	store_tasks_free(&tasks);
	store_close(second);
	task_state_free(task);
	assert_int_equal(file_remove_tree(AT_FDCWD, directory, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_saved_fact_comes_back),
		cmocka_unit_test(credentials_are_not_saved),
		cmocka_unit_test(saving_again_changes_the_row),
		cmocka_unit_test(what_was_not_committed_never_was),
		cmocka_unit_test(a_full_disk_is_an_error_and_loses_nothing),
		cmocka_unit_test(a_damaged_row_does_not_hide_the_others),
		cmocka_unit_test(names_of_ended_tasks_are_kept_as_long_as_said),
		cmocka_unit_test(facts_and_sequence_number_are_kept),
		cmocka_unit_test(attachments_are_kept_until_deleted),
		cmocka_unit_test(clearing_forgets_everything),
		cmocka_unit_test(a_second_agent_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
