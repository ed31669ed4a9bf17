/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of one metrics interval: at most 10 tasks and 1 MiB each.
 *
 * Sizes are counted without writing anything twice: each task's JSON is written once, into the list
 * of the request that is being gathered, and what surrounds the list has a known length.
 */
#include <string.h>

#include "wire/tcs_out.h"

struct batch {
	const struct tcs_metrics *metrics;
	int64_t now_ms;
	struct tcs_requests *requests;
	struct strbuf tasks; /* "{...},{...}" */
	size_t task_count;
	size_t frame_size; /* of the request without its tasks */
};

static void write_metadata(struct writer *writer, const struct tcs_metrics *metrics, bool fin)
{
	write_object(writer, "metadata");
	write_text(writer, "cluster", metrics->cluster);
	write_text(writer, "containerInstance", metrics->container_instance);
	write_bool(writer, "fin", fin);
	write_bool(writer, "idle", metrics->idle);
	write_text(writer, "messageId", metrics->message_id);
	write_object_end(writer);
}

/* The length of the inner request with an empty list; "false" is the longer `fin`. */
static size_t frame_size(const struct batch *batch)
{
	_cleanup_strbuf_ struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_object(&writer, NULL);
	write_metadata(&writer, batch->metrics, false);
	write_list(&writer, "taskMetrics");
	write_list_end(&writer);
	write_epoch(&writer, "timestamp", batch->now_ms);
	write_object_end(&writer);
	return buffer.length;
}

static void emit(struct batch *batch, bool fin)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = tcs_out_begin(&buffer, TCS_PUBLISH_METRICS);

	write_metadata(&writer, batch->metrics, fin);
	if (batch->task_count > 0) {
		write_list(&writer, "taskMetrics");
		write_raw(&writer, NULL, strbuf_text(&batch->tasks));
		write_list_end(&writer);
	}
	write_epoch(&writer, "timestamp", batch->now_ms);
	tcs_requests_add(batch->requests, tcs_out_end(&writer));
	strbuf_reset(&batch->tasks);
	batch->task_count = 0;
}

/* The task up to its Service Connect part, which stays open. */
static struct writer open_task(struct strbuf *buffer, const struct tcs_task_metric *task,
			       bool with_containers)
{
	struct writer writer = writer_to(buffer);

	write_object(&writer, NULL);
	if (with_containers) {
		write_list(&writer, "containerMetrics");
		for (size_t i = 0; i < task->container_count; i++)
			write_container_metric(&writer, &task->containers[i]);
		write_list_end(&writer);
	}
	return writer;
}

static void write_rest(struct writer *writer, const struct tcs_task_metric *task)
{
	write_text(writer, "taskArn", task->task_arn);
	write_text(writer, "taskDefinitionFamily", task->family);
	write_text(writer, "taskDefinitionVersion", task->version);
	if (task->volume_count > 0) {
		write_list(writer, "volumeMetrics");
		for (size_t i = 0; i < task->volume_count; i++)
			write_volume_metric(writer, &task->volumes[i]);
		write_list_end(writer);
	}
	write_object_end(writer);
}

/* The task with the already written wrappers "{...},{...}" (empty: none), as one element. */
static void add_task(struct batch *batch, const struct tcs_task_metric *task, bool with_containers,
		     const struct strbuf *wrappers)
{
	struct writer writer;

	if (batch->task_count > 0)
		strbuf_append_char(&batch->tasks, ',');
	writer = open_task(&batch->tasks, task, with_containers);
	if (wrappers->length > 0) {
		write_list(&writer, "serviceConnectMetricsWrapper");
		write_raw(&writer, NULL, wrappers->data);
		write_list_end(&writer);
	}
	write_rest(&writer, task);
	batch->task_count++;
}

static size_t task_size(const struct tcs_task_metric *task, bool with_containers)
{
	_cleanup_strbuf_ struct strbuf buffer = STRBUF_INIT;
	struct writer writer = open_task(&buffer, task, with_containers);

	write_rest(&writer, task);
	return buffer.length;
}

static size_t gathered_size(const struct batch *batch)
{
	return batch->frame_size + batch->tasks.length + (batch->task_count > 0);
}

static void walk_task(struct batch *batch, const struct tcs_task_metric *task)
{
	_cleanup_strbuf_ struct strbuf wrappers = STRBUF_INIT;
	static const size_t list_size = sizeof("\"serviceConnectMetricsWrapper\":[],") - 1;
	bool with_containers = task->container_count > 0;
	size_t own_size = task_size(task, with_containers);

	if (batch->task_count > 0 && gathered_size(batch) + own_size > TCS_REQUEST_LIMIT)
		emit(batch, false);
	for (size_t i = 0; i < task->service_connect_count; i++) {
		_cleanup_strbuf_ struct strbuf one = STRBUF_INIT;
		struct writer writer = writer_to(&one);

		write_general_metrics(&writer, &task->service_connect[i]);
		if (gathered_size(batch) + own_size + list_size + wrappers.length + one.length + 1 >
			    TCS_REQUEST_LIMIT &&
		    (wrappers.length > 0 || batch->task_count > 0 || with_containers)) {
			add_task(batch, task, with_containers, &wrappers);
			emit(batch, false);
			strbuf_reset(&wrappers);
			with_containers = false;
			own_size = task_size(task, false);
		}
		if (wrappers.length > 0)
			strbuf_append_char(&wrappers, ',');
		strbuf_append_n(&wrappers, one.data, one.length);
	}
	add_task(batch, task, with_containers, &wrappers);
}

void tcs_encode_metrics(const struct tcs_metrics *metrics, int64_t now_ms, struct tcs_requests *ret)
{
	struct batch batch = { .metrics = metrics, .now_ms = now_ms, .requests = ret };

	*ret = (struct tcs_requests){ .items = NULL };
	if (metrics->idle) {
		emit(&batch, true);
		return;
	}
	batch.frame_size = frame_size(&batch);
	for (size_t i = 0; i < metrics->task_count; i++) {
		bool last = i + 1 == metrics->task_count;

		walk_task(&batch, &metrics->tasks[i]);
		if (last || batch.task_count == TCS_TASKS_PER_REQUEST)
			emit(&batch, last);
	}
	strbuf_free(&batch.tasks);
}
