/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners, routes and answers. */
#include "agent/endpoints/endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/endpoints/document.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "wire/writer.h"

#define JSON "application/json"

/* A container asks for little, and seldom: more at once is a mistake, or an attack on the host
 * through its agent. */
#define TASK_CONNECTIONS 64
#define IDLE_MS          5000
#define BODY_LIMIT       4096

struct task_socket {
	struct endpoints *endpoints;
	char *task_id;
	struct web_listener *listener;
};

struct endpoints {
	struct endpoints_config config;
	struct document_context context;
	struct web_listener *introspection;
	struct web_listener *host_metadata;
	struct map *sockets;  /* task id -> struct task_socket */
	struct map *previous; /* runtime id -> struct document_previous */
};

static void answer_text(struct web_request *request, int status, const char *json)
{
	web_respond_text(request, status, JSON, json);
}

/* The body of these errors is a JSON string. */
static void answer_error(struct web_request *request, int status, const char *message,
			 const char *detail)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	_cleanup_free_ char *text = xasprintf("%s%s", message, detail);

	strbuf_append_json(&body, text);
	answer_text(request, status, strbuf_text(&body));
}

static void answer_not_found(struct web_request *request)
{
	web_respond_text(request, 404, "text/plain; charset=utf-8", "404 page not found\n");
}

/* ---- credentials ---- */

static void answer_credentials_error(struct web_request *request, int status, const char *code,
				     const char *message)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct writer writer = writer_to(&body);

	write_object(&writer, NULL);
	write_text(&writer, "code", code);
	write_text(&writer, "message", message);
	write_i64(&writer, "HTTPErrorCode", status);
	write_object_end(&writer);
	answer_text(request, status, strbuf_text(&body));
}

/* `asker`: the task whose socket it is; NULL: the host's port, where the id alone decides. */
static void answer_credentials(struct endpoints *endpoints, struct web_request *request,
			       const char *asker, const char *id)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct writer writer = writer_to(&body);
	struct credentials_entry entry;

	if (!*id) {
		answer_credentials_error(request, 400, "NoIdInRequest",
					 "CredentialsV2Request: No Credential ID in the request");
		return;
	}
	if (!credentials_store_get(endpoints->config.credentials, id, &entry) ||
	    (asker && !str_eq(task_id_of_arn(entry.task_arn), asker))) {
		answer_credentials_error(request, 400, "InvalidIdInRequest",
					 "CredentialsV2Request: Credentials not found");
		return;
	}
	if (!entry.credentials) {
		answer_credentials_error(request, 503, "CredentialsUninitialized",
					 "CredentialsV2Request: Credentials uninitialized for ID");
		return;
	}
	log_info("credentials given out", "task", task_id_of_arn(entry.task_arn), "role",
		 entry.credentials->role_arn, "peer", web_request_peer(request));
	write_object(&writer, NULL);
	write_text(&writer, "RoleArn", entry.credentials->role_arn);
	write_text(&writer, "AccessKeyId", entry.credentials->access_key_id);
	write_text(&writer, "SecretAccessKey", entry.credentials->secret_access_key);
	write_text(&writer, "Token", entry.credentials->session_token);
	write_text(&writer, "Expiration", entry.credentials->expiration);
	write_object_end(&writer);
	answer_text(request, 200, strbuf_text(&body));
}

/* ---- statistics ---- */

static bool append_stats(struct endpoints *endpoints, const struct task_state *task,
			 const struct container_state *container, struct strbuf *out)
{
	static const struct document_previous nothing;
	_cleanup_free_ struct container_stats *stats = xmalloc(sizeof(*stats));
	_cleanup_free_ struct network_stats *network = xcalloc(1, sizeof(*network));
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	bool own_network = task_has_own_network(task->spec);
	struct document_previous *previous = map_get(endpoints->previous, container->runtime_id);
	struct document_reading reading = {
		.stats = stats,
		.network = own_network ? network : NULL,
		.runtime_id = container->runtime_id,
	};

	if (endpoints->config.config->disable_metrics ||
	    endpoints->config.read_stats(endpoints->config.data, task->spec->id,
					 container->spec->name, stats, own_network ? network : NULL,
					 NULL) < 0)
		return false;
	stats_host_cpu(&reading.host_cpu_ns, &reading.online_cpus, NULL);
	strbuf_append_char(&name, '/');
	document_runtime_name(task, container, &name);
	reading.name = strbuf_text(&name);
	document_stats(&reading, previous ? previous : &nothing, out);
	if (!previous) {
		previous = xcalloc(1, sizeof(*previous));
		map_set(endpoints->previous, container->runtime_id, previous);
	}
	document_remember(&reading, previous);
	return true;
}

static void answer_container_stats(struct endpoints *endpoints, struct web_request *request,
				   const struct task_state *task,
				   const struct container_state *container)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	if (append_stats(endpoints, task, container, &body))
		answer_text(request, 200, strbuf_text(&body));
	else
		answer_error(request, 500,
			     "Unable to get container stats for: ", container->runtime_id);
}

static void answer_task_stats(struct endpoints *endpoints, struct web_request *request,
			      const struct task_state *task)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct writer writer = writer_to(&body);

	write_object(&writer, NULL);
	for (size_t i = 0; i < task->container_count; i++) {
		const struct container_state *container = &task->containers[i];
		_cleanup_strbuf_ struct strbuf one = STRBUF_INIT;

		if (document_has(container))
			write_raw(&writer, container->runtime_id,
				  append_stats(endpoints, task, container, &one) ? strbuf_text(&one)
										 : "{}");
	}
	write_object_end(&writer);
	answer_text(request, 200, strbuf_text(&body));
}

/* ---- routes of the metadata endpoint ---- */

static void unknown_endpoint(struct web_request *request, const char *what, const char *lookup,
			     const char *id)
{
	_cleanup_free_ char *text =
		xasprintf("V4 %s handler: unable to get %s from v4 endpoint ID: ", what, lookup);

	/* The texts of the reference name version 3 in all versions. */
	char *four = strstr(text, "from v4");

	four[6] = '3';
	answer_error(request, 404, text, id);
}

static void route_v4(struct endpoints *endpoints, struct web_request *request, const char *asker,
		     const char *rest)
{
	size_t length = strcspn(rest, "/");
	_cleanup_free_ char *id = xstrndup(rest, length);
	const char *what = rest + length;
	const struct task_state *task = NULL;
	const struct container_state *container =
		engine_find_endpoint(endpoints->config.engine, id, &task);
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	bool for_task = str_eq(what, "/task") || str_eq(what, "/task/stats");

	if (!for_task && *what && !str_eq(what, "/stats")) {
		answer_not_found(request);
		return;
	}
	if (!container || (asker && !str_eq(task->spec->id, asker))) {
		if (str_eq(what, "/task/stats"))
			unknown_endpoint(request, "task stats",
					 "task arn from request: unable to get task Arn", id);
		else if (for_task)
			unknown_endpoint(request, "task metadata",
					 "task arn from request: unable to get task Arn", id);
		else if (*what)
			unknown_endpoint(request, "container stats",
					 "task arn from request: unable to get task Arn", id);
		else
			unknown_endpoint(request, "container metadata",
					 "container ID from request: unable to get docker ID", id);
		return;
	}
	if (str_eq(what, "/stats")) {
		answer_container_stats(endpoints, request, task, container);
	} else if (str_eq(what, "/task/stats")) {
		answer_task_stats(endpoints, request, task);
	} else {
		if (for_task)
			document_task(&endpoints->context, task, &body);
		else
			document_container(&endpoints->context, task, container, &body);
		answer_text(request, 200, strbuf_text(&body));
	}
}

static void metadata_request(struct endpoints *endpoints, struct web_request *request,
			     const char *asker)
{
	const char *path = web_request_path(request);

	if (str_starts_with(path, "/v4/"))
		route_v4(endpoints, request, asker, path + strlen("/v4/"));
	else if (str_starts_with(path, "/v2/credentials/"))
		answer_credentials(endpoints, request, asker, path + strlen("/v2/credentials/"));
	else
		answer_not_found(request);
}

static void task_request(void *data, struct web_request *request)
{
	const struct task_socket *socket = data;

	metadata_request(socket->endpoints, request, socket->task_id);
}

static void host_request(void *data, struct web_request *request)
{
	metadata_request(data, request, NULL);
}

/* ---- introspection ---- */

static void answer_tasks(struct endpoints *endpoints, struct web_request *request)
{
	_cleanup_free_ char *arn = web_request_param(request, "taskarn");
	_cleanup_free_ char *runtime_id = web_request_param(request, "dockerid");
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	bool first = true;

	if (arn && runtime_id) {
		answer_text(request, 400,
			    "{\"Arn\":\"\",\"KnownStatus\":\"\",\"Family\":\"\",\"Version\":\"\","
			    "\"Containers\":null}");
		return;
	}
	if (!arn && !runtime_id)
		strbuf_append(&body, "{\"Tasks\":[");
	for (const struct task_state *task = NULL;
	     (task = engine_next_task(endpoints->config.engine, task));) {
		bool wanted = !arn || str_eq(task->spec->arn, arn);

		for (size_t i = 0; runtime_id && i < task->container_count && (i == 0 || !wanted);
		     i++)
			wanted = str_eq(task->containers[i].runtime_id, runtime_id);
		if (!wanted)
			continue;
		if (!first)
			strbuf_append_char(&body, ',');
		first = false;
		document_introspected_task(task, &body);
		if (arn || runtime_id) {
			answer_text(request, 200, strbuf_text(&body));
			return;
		}
	}
	if (arn || runtime_id) {
		answer_text(request, 404,
			    "{\"Arn\":\"\",\"KnownStatus\":\"\",\"Family\":\"\",\"Version\":\"\","
			    "\"Containers\":null}");
		return;
	}
	strbuf_append(&body, "]}");
	answer_text(request, 200, strbuf_text(&body));
}

static void introspection_request(void *data, struct web_request *request)
{
	struct endpoints *endpoints = data;
	const char *path = web_request_path(request);
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	if (str_eq(path, "/v1/metadata")) {
		document_metadata(endpoints->config.identity, &body);
		answer_text(request, 200, strbuf_text(&body));
	} else if (str_eq(path, "/v1/tasks")) {
		answer_tasks(endpoints, request);
	} else {
		web_respond_text(request, 200, "text/plain; charset=utf-8",
				 "{\"AvailableCommands\":[\"/v1/metadata\",\"/v1/tasks\"]}");
	}
}

/* ---- life ---- */

static int listen_on(struct endpoints *endpoints, const char *address, int64_t port,
		     const char *what, const char *setting,
		     void (*handler)(void *data, struct web_request *request),
		     struct web_listener **ret, struct error *err)
{
	const struct web_listener_config config = {
		.address = address,
		.port = (uint16_t)port,
		.body_limit = BODY_LIMIT,
		.idle_timeout_ms = IDLE_MS,
		.on_request = handler,
		.data = endpoints,
	};
	int r = web_listen(endpoints->config.web, &config, ret, err);

	if (r < 0)
		error_prefix(err,
			     "open the %s (another agent on this host? %s chooses another port)",
			     what, setting);
	return r;
}

int endpoints_new(const struct endpoints_config *config, struct endpoints **ret, struct error *err)
{
	struct endpoints *endpoints = xcalloc(1, sizeof(*endpoints));
	const struct agent_config *settings = config->config;
	int r;

	endpoints->config = *config;
	endpoints->context =
		(struct document_context){ config->identity, settings->disable_metadata_az };
	endpoints->sockets = map_new();
	endpoints->previous = map_new();
	r = listen_on(endpoints, settings->introspection_address, settings->introspection_port,
		      "introspection API", "BERTH_INTROSPECTION_PORT", introspection_request,
		      &endpoints->introspection, err);
	if (r == 0)
		r = listen_on(endpoints, settings->metadata_address, settings->metadata_port,
			      "task metadata endpoint", "BERTH_METADATA_PORT", host_request,
			      &endpoints->host_metadata, err);
	if (r < 0) {
		endpoints_free(endpoints);
		return r;
	}
	*ret = endpoints;
	return 0;
}

static void socket_free(struct task_socket *socket)
{
	if (socket->listener)
		web_listener_free(socket->listener);
	free(socket->task_id);
	free(socket);
}

void endpoints_free(struct endpoints *endpoints)
{
	struct task_socket *socket;
	void *previous;
	size_t cursor = 0;

	if (!endpoints)
		return;
	while ((socket = map_next(endpoints->sockets, &cursor, NULL)))
		socket_free(socket);
	for (cursor = 0; (previous = map_next(endpoints->previous, &cursor, NULL));)
		free(previous);
	map_free(endpoints->sockets);
	map_free(endpoints->previous);
	if (endpoints->introspection)
		web_listener_free(endpoints->introspection);
	if (endpoints->host_metadata)
		web_listener_free(endpoints->host_metadata);
	free(endpoints);
}

void endpoints_serve_task(struct endpoints *endpoints, const char *task_id, int listen_fd)
{
	struct task_socket *socket = xcalloc(1, sizeof(*socket));
	struct web_listener_config config = {
		.has_listen_fd = true,
		.listen_fd = listen_fd,
		.body_limit = BODY_LIMIT,
		.max_connections = TASK_CONNECTIONS,
		.idle_timeout_ms = IDLE_MS,
		.on_request = task_request,
		.data = socket,
	};
	struct error err = ERROR_INIT;

	endpoints_leave_task(endpoints, task_id);
	socket->endpoints = endpoints;
	socket->task_id = xstrdup(task_id);
	if (web_listen(endpoints->config.web, &config, &socket->listener, &err) < 0) {
		log_error("the metadata endpoint of a task cannot be served", "task", task_id,
			  "error", err.text);
		close(listen_fd);
		socket_free(socket);
		return;
	}
	map_set(endpoints->sockets, task_id, socket);
}

static void forget_previous(struct endpoints *endpoints, const char *task_id)
{
	const char *runtime_id;
	void *previous;
	size_t cursor = 0;

	while ((previous = map_next(endpoints->previous, &cursor, &runtime_id))) {
		if (!str_starts_with(runtime_id, task_id))
			continue;
		map_remove(endpoints->previous, runtime_id);
		free(previous);
		cursor = 0;
	}
}

void endpoints_leave_task(struct endpoints *endpoints, const char *task_id)
{
	struct task_socket *socket = map_remove(endpoints->sockets, task_id);

	if (!socket)
		return;
	forget_previous(endpoints, task_id);
	socket_free(socket);
}
