/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners: the introspection's, the host's metadata port, and a socket within each task that has
 * a network of its own. */
#include "agent/endpoints/endpoints.h"

#include <stdlib.h>
#include <unistd.h>

#include "agent/endpoints/internal.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

/* A container asks for little, and seldom: more at once is a mistake, or an attack on the host
 * through its agent. */
#define TASK_CONNECTIONS 64
#define IDLE_MS          5000
#define BODY_LIMIT       4096
#define TASK_RATES       256  /* pairs of peer and path whose rate is kept */
#define HOST_RATES       4096 /* the same for all tasks on the host's network */

struct task_socket {
	struct endpoints *endpoints;
	char *task_id;
	struct rate_limiter *rate;
	struct web_listener *listener;
};

static void task_request(void *data, struct web_request *request)
{
	const struct task_socket *socket = data;

	metadata_request(socket->endpoints, socket->rate, socket->task_id, request);
}

/* Of a task that asks the host's port. */
struct task_address {
	char *task_id;
	struct rate_limiter *rate;
};

static bool is_address_of_tasks(const struct endpoints *endpoints, const char *text)
{
	struct ip_address address;

	return ip_parse(text, &address, NULL) == 0 &&
	       ip_prefix_contains(&endpoints->task_subnet, &address);
}

static void host_request(void *data, struct web_request *request)
{
	struct endpoints *endpoints = data;
	const char *peer = web_request_peer(request);
	const struct task_address *asking = map_get(endpoints->addresses, peer);

	if (asking)
		metadata_request(endpoints, asking->rate, asking->task_id, request);
	else
		metadata_request(endpoints, endpoints->host_rate,
				 is_address_of_tasks(endpoints, peer) ? "" : NULL, request);
}

static struct rate_limiter *new_rate(const struct endpoints *endpoints, size_t bound)
{
	const struct agent_config *config = endpoints->config.config;

	return rate_limiter_new(config->metadata_steady_rps, config->metadata_burst_rps, bound);
}

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
	endpoints->addresses = map_new();
	endpoints->readings = map_new();
	endpoints->host_rate = new_rate(endpoints, HOST_RATES);
	r = ip_prefix_parse(CONFIG_EC2_SUBNET, &endpoints->task_subnet, err);
	if (r == 0)
		r = listen_on(endpoints, settings->introspection_address,
			      settings->introspection_port, "introspection API",
			      "BERTH_INTROSPECTION_PORT", introspection_request,
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
	rate_limiter_free(socket->rate);
	free(socket->task_id);
	free(socket);
}

static void address_free(struct task_address *address)
{
	rate_limiter_free(address->rate);
	free(address->task_id);
	free(address);
}

void endpoints_free(struct endpoints *endpoints)
{
	struct task_socket *socket;
	struct task_address *address;
	size_t cursor = 0, next = 0;

	if (!endpoints)
		return;
	while ((socket = map_next(endpoints->sockets, &cursor, NULL)))
		socket_free(socket);
	map_free(endpoints->sockets);
	while ((address = map_next(endpoints->addresses, &next, NULL)))
		address_free(address);
	map_free(endpoints->addresses);
	statistics_free(endpoints);
	rate_limiter_free(endpoints->host_rate);
	if (endpoints->introspection)
		web_listener_free(endpoints->introspection);
	if (endpoints->host_metadata)
		web_listener_free(endpoints->host_metadata);
	free(endpoints);
}

uint16_t endpoints_introspection_port(const struct endpoints *endpoints)
{
	return web_listener_port(endpoints->introspection);
}

uint16_t endpoints_metadata_port(const struct endpoints *endpoints)
{
	return web_listener_port(endpoints->host_metadata);
}

void endpoints_serve_task(struct endpoints *endpoints, const char *task_id, const char *place,
			  int listen_fd)
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

	endpoints_leave_task(endpoints, task_id, place);
	socket->endpoints = endpoints;
	socket->task_id = xstrdup(task_id);
	socket->rate = new_rate(endpoints, TASK_RATES);
	if (web_listen(endpoints->config.web, &config, &socket->listener, &err) < 0) {
		log_error("the metadata endpoint of a task cannot be served", "task", task_id,
			  "error", err.text);
		close(listen_fd);
		socket_free(socket);
		return;
	}
	map_set(endpoints->sockets, place, socket);
}

void endpoints_know_task(struct endpoints *endpoints, const char *task_id, const char *address)
{
	struct task_address *known = map_remove(endpoints->addresses, address);

	if (known)
		address_free(known);
	known = xcalloc(1, sizeof(*known));
	known->task_id = xstrdup(task_id);
	known->rate = new_rate(endpoints, TASK_RATES);
	map_set(endpoints->addresses, address, known);
}

static void forget_address(struct endpoints *endpoints, const char *task_id)
{
	struct task_address *known;
	const char *address;
	size_t cursor = 0;

	while ((known = map_next(endpoints->addresses, &cursor, &address))) {
		if (!str_eq(known->task_id, task_id))
			continue;
		map_remove(endpoints->addresses, address);
		address_free(known);
		return;
	}
}

void endpoints_leave_task(struct endpoints *endpoints, const char *task_id, const char *place)
{
	struct task_socket *socket = map_remove(endpoints->sockets, place);

	forget_address(endpoints, task_id);
	/* Of a container's they are bounded by themselves. */
	if (str_eq(task_id, place))
		statistics_forget(endpoints, task_id);
	if (socket)
		socket_free(socket);
}
