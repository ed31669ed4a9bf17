/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of the introspection API. */
#include <stdlib.h>
#include <string.h>

#include "agent/endpoints/internal.h"
#include "agent/endpoints/path.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

#define SHORT_ID 12 /* ids up to this long are taken for the beginning of one */

static const char no_task[] = "{\"Arn\":\"\",\"KnownStatus\":\"\",\"Family\":\"\","
			      "\"Version\":\"\",\"Containers\":null}";

/* The task of the one container with this id, or whose id begins with it; *ret_count says how many
 * there are. */
static const struct task_state *find_container(const struct engine *engine, const char *id,
					       size_t *ret_count)
{
	const struct task_state *found = NULL;
	bool is_prefix = strlen(id) <= SHORT_ID;

	*ret_count = 0;
	for (const struct task_state *task = NULL; (task = engine_next_task(engine, task));) {
		for (size_t i = 0; i < task->container_count; i++) {
			const struct container_state *container = &task->containers[i];

			if (!document_has(container) ||
			    !(is_prefix ? str_starts_with(container->runtime_id, id)
					: str_eq(container->runtime_id, id)))
				continue;
			found = task;
			++*ret_count;
		}
	}
	return found;
}

/* How one task is shown. */
typedef void document(const struct engine *engine, const struct task_state *task,
		      struct strbuf *out);

static void answer_one(struct asking *asking, const struct engine *engine,
		       const struct task_state *task, document *show)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	if (!task) {
		answer_json(asking, 404, no_task);
		return;
	}
	show(engine, task, &body);
	answer_json(asking, 200, strbuf_text(&body));
}

static void answer_all(struct asking *asking, const struct engine *engine, document *show)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	bool first = true;

	strbuf_append(&body, "{\"Tasks\":[");
	for (const struct task_state *task = NULL; (task = engine_next_task(engine, task));) {
		if (!first)
			strbuf_append_char(&body, ',');
		first = false;
		show(engine, task, &body);
	}
	strbuf_append(&body, "]}");
	answer_json(asking, 200, strbuf_text(&body));
}

static void answer_tasks(const struct endpoints *endpoints, struct asking *asking, document *show)
{
	const char *query = web_request_query(asking->request);
	_cleanup_free_ char *arn = path_query_value(query, "taskarn");
	_cleanup_free_ char *id = path_query_value(query, "dockerid");
	const struct engine *engine = endpoints->config.engine;
	const struct task_state *task;
	size_t count;

	if (arn && id) {
		answer_json(asking, 400, no_task);
	} else if (id) {
		task = find_container(engine, id, &count);
		if (count > 1)
			answer_json(asking, 400, no_task);
		else
			answer_one(asking, engine, task, show);
	} else if (arn) {
		answer_one(asking, engine, engine_task_by_arn(engine, arn), show);
	} else {
		answer_all(asking, engine, show);
	}
}

/* ---- health ---- */

/* One who waits. The listener bounds how many there are. */
struct health_request {
	struct health_request *next, **link;
	struct web_request *request;
};

static void leave_queue(struct health_request *waiting)
{
	*waiting->link = waiting->next;
	if (waiting->next)
		waiting->next->link = waiting->link;
	free(waiting);
}

static void on_cancel(void *data, struct web_request *request)
{
	(void)request;
	leave_queue(data);
}

static void ask_health(struct endpoints *endpoints, struct web_request *request)
{
	struct health_request *waiting = xcalloc(1, sizeof(*waiting));

	waiting->request = request;
	waiting->next = endpoints->health;
	waiting->link = &endpoints->health;
	if (waiting->next)
		waiting->next->link = &waiting->next;
	endpoints->health = waiting;
	web_request_on_cancel(request, on_cancel, waiting);
	endpoints->config.ask_health(endpoints->config.data);
}

void endpoints_tell_health(struct endpoints *endpoints, bool healthy, const char *json)
{
	while (endpoints->health) {
		struct web_request *request = endpoints->health->request;

		leave_queue(endpoints->health);
		web_respond_text(request, healthy ? 200 : 503, ANSWER_JSON, json);
	}
}

void introspection_request(void *data, struct web_request *request)
{
	struct endpoints *endpoints = data;
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct asking asking;

	if (!asking_begin(&asking, request, true))
		return;
	if (str_eq(asking.path, "/v1/metadata")) {
		document_metadata(endpoints->config.identity, &body);
		answer_json(&asking, 200, strbuf_text(&body));
	} else if (str_eq(asking.path, "/v1/tasks")) {
		answer_tasks(endpoints, &asking, document_introspected_task);
	} else if (str_eq(asking.path, "/v1/health")) {
		ask_health(endpoints, request);
	} else if (str_eq(asking.path, "/berth/v1/tasks")) {
		answer_tasks(endpoints, &asking, document_why);
	} else {
		web_respond_text(request, 200, "text/plain; charset=utf-8",
				 "{\"AvailableCommands\":[\"/v1/metadata\",\"/v1/tasks\",\"/v1/"
				 "health\",\"/berth/v1/tasks\"]}");
	}
	asking_end(&asking);
}
