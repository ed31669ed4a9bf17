/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of the metadata endpoint: /v4/<id>... and the credentials. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/endpoints/internal.h"
#include "agent/endpoints/path.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "wire/writer.h"

/* ---- credentials ---- */

static void refuse_credentials(struct asking *asking, int version, int status, const char *code,
			       const char *message)
{
	_cleanup_free_ char *text = xasprintf("CredentialsV%dRequest: %s", version, message);
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct writer writer = writer_to(&body);

	write_object(&writer, NULL);
	write_text(&writer, "code", code);
	write_text(&writer, "message", text);
	write_i64(&writer, "HTTPErrorCode", status);
	write_object_end(&writer);
	answer_json(asking, status, strbuf_text(&body));
}

/* The id is that of a task that may have it: on a task's own socket, of that task alone. The role
 * of a task ends with it; the execution role is kept until the task is forgotten. */
static bool may_have(const struct endpoints *endpoints, const struct asking *asking,
		     const struct credentials_entry *entry)
{
	const struct task_state *task =
		engine_task_by_arn(endpoints->config.engine, entry->task_arn);

	if (asking->task_id && !str_eq(task_id_of_arn(entry->task_arn), asking->task_id))
		return false;
	return !task || task->known != TASK_STATUS_STOPPED ||
	       entry->role == CREDENTIALS_ROLE_EXECUTION;
}

static void credentials_request(struct endpoints *endpoints, struct asking *asking, int version,
				const char *id)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct writer writer = writer_to(&body);
	struct credentials_entry entry;

	if (str_is_empty(id)) {
		refuse_credentials(asking, version, 400, "NoIdInRequest",
				   "No Credential ID in the request");
		return;
	}
	if (!credentials_store_get(endpoints->config.credentials, id, &entry) ||
	    !may_have(endpoints, asking, &entry)) {
		refuse_credentials(asking, version, 400, "InvalidIdInRequest",
				   "Credentials not found");
		return;
	}
	if (!entry.credentials) {
		refuse_credentials(asking, version, 503, "CredentialsUninitialized",
				   "Credentials uninitialized for ID");
		return;
	}
	log_info("credentials given out", "task", task_id_of_arn(entry.task_arn), "role",
		 entry.credentials->role_arn, "peer", web_request_peer(asking->request));
	write_object(&writer, NULL);
	write_text(&writer, "RoleArn", entry.credentials->role_arn);
	write_text(&writer, "AccessKeyId", entry.credentials->access_key_id);
	write_text(&writer, "SecretAccessKey", entry.credentials->secret_access_key);
	write_text(&writer, "Token", entry.credentials->session_token);
	write_text(&writer, "Expiration", entry.credentials->expiration);
	write_object_end(&writer);
	answer_json(asking, 200, strbuf_text(&body));
	if (body.data)
		explicit_bzero(body.data, body.length);
}

/* ---- /v4/<id> ---- */

static void answer_container(struct endpoints *endpoints, struct asking *asking,
			     const struct task_state *task, const struct container_state *container)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	document_container(&endpoints->context, task, container, &body);
	answer_json(asking, 200, strbuf_text(&body));
}

static void answer_task(struct endpoints *endpoints, struct asking *asking,
			const struct task_state *task, const struct container_state *container)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	(void)container;
	document_task(&endpoints->context, task, &body);
	answer_json(asking, 200, strbuf_text(&body));
}

static void answer_task_stats(struct endpoints *endpoints, struct asking *asking,
			      const struct task_state *task,
			      const struct container_state *container)
{
	(void)container;
	statistics_of_task(endpoints, asking, task);
}

/* "v3 endpoint ID" is what the reference says in all versions. */
#define NO_TASK "unable to get task arn from request: unable to get task Arn from v3 endpoint ID: "

/* By what follows the id. */
static const struct {
	const char *rest;
	const char *unknown; /* the error for an id that is nobody's, which is put behind it */
	void (*answer)(struct endpoints *endpoints, struct asking *asking,
		       const struct task_state *task, const struct container_state *container);
} routes[] = {
	{ "",
	  "V4 container metadata handler: unable to get container ID from request: unable to get "
	  "docker ID from v3 endpoint ID: ",
	  answer_container },
	{ "/task", "V4 task metadata handler: " NO_TASK, answer_task },
	{ "/stats", "V4 container stats handler: " NO_TASK, statistics_of_container },
	{ "/task/stats", "V4 task stats handler: " NO_TASK, answer_task_stats },
};

static void route_v4(struct endpoints *endpoints, struct asking *asking, const char *rest)
{
	size_t length = strcspn(rest, "/");
	_cleanup_free_ char *id = xstrndup(rest, length);
	const struct task_state *task = NULL;
	const struct container_state *container =
		engine_find_endpoint(endpoints->config.engine, id, &task);

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!str_eq(rest + length, routes[i].rest))
			continue;
		if (!container || !document_has(container) ||
		    (asking->task_id && !str_eq(task->spec->id, asking->task_id)))
			answer_message(asking, 404, routes[i].unknown, id);
		else
			routes[i].answer(endpoints, asking, task, container);
		return;
	}
	answer_not_found(asking);
}

/* ---- all of them ---- */

static void add_rate_headers(const struct endpoints *endpoints, struct asking *asking)
{
	struct web_request *request = asking->request;
	const char *forwarded = web_request_header(request, "X-Forwarded-For");
	_cleanup_free_ char *limit =
		xasprintf("%" PRId64 ".00", endpoints->config.config->metadata_steady_rps);
	_cleanup_free_ char *peer =
		xasprintf("%s:%u", web_request_peer(request), web_request_peer_port(request));

	header_list_add(&asking->headers, "X-Rate-Limit-Limit", limit);
	header_list_add(&asking->headers, "X-Rate-Limit-Duration", "1");
	header_list_add(&asking->headers, "X-Rate-Limit-Request-Forwarded-For",
			forwarded ? forwarded : "");
	header_list_add(&asking->headers, "X-Rate-Limit-Request-Remote-Addr", peer);
}

static void route(struct endpoints *endpoints, struct asking *asking)
{
	const char *path = asking->path;
	_cleanup_free_ char *id = NULL;

	if (str_starts_with(path, "/v4/")) {
		route_v4(endpoints, asking, path + strlen("/v4/"));
	} else if (str_starts_with(path, "/v2/credentials/")) {
		credentials_request(endpoints, asking, 2, path + strlen("/v2/credentials/"));
	} else if (str_eq(path, "/v1/credentials")) {
		id = path_query_value(web_request_query(asking->request), "id");
		credentials_request(endpoints, asking, 1, id);
	} else {
		answer_not_found(asking);
	}
}

void metadata_request(struct endpoints *endpoints, struct rate_limiter *rate, const char *task_id,
		      struct web_request *request)
{
	const struct agent_config *config = endpoints->config.config;
	struct asking asking;

	if (!asking_begin(&asking, request, false))
		return;
	asking.task_id = task_id;
	/* As they are now: they may change while the agent runs. */
	rate_limiter_set(rate, config->metadata_steady_rps, config->metadata_burst_rps);
	add_rate_headers(endpoints, &asking);
	if (rate_limiter_take(rate, web_request_peer(request), asking.path, clock_monotonic_ms()))
		route(endpoints, &asking);
	else
		answer_too_many(&asking);
	asking_end(&asking);
}
