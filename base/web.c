/* SPDX-License-Identifier: Apache-2.0 */
#include "base/web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/tls.h"
#include "base/web_private.h"

#define DEFAULT_MAX_CONNECTIONS 512
#define DEFAULT_BODY_LIMIT      (1024 * 1024UL)
#define DEFAULT_IDLE_MS         (60 * 1000L)
#define CLIENT_SOCKETS          256 /* kept free for websockets to others */
#define BACKLOG                 512
#define ACCEPTS_A_TURN          64
#define ACCEPT_RETRY_MS         100
#define FULL_MS                 1000

static bool is_full(const struct web_listener *listener)
{
	const struct web *web = listener->web;

	return web->connection_count >= web->max_connections ||
	       transport_room(web->transport) <= CLIENT_SOCKETS;
}

/* At the bound nobody accepts: who comes waits in the kernel's queue, until one of those that are
 * there has ended, or has said nothing for too long. */
static void update_watch(struct web_listener *listener)
{
	if (!listener->watch)
		return;
	loop_fd_set(listener->watch, is_full(listener) ? 0 : LOOP_READ);
	if (is_full(listener))
		loop_timer_start(listener->retry, FULL_MS);
}

static void update_all_watches(struct web *web)
{
	for (struct web_listener *listener = web->listeners; listener; listener = listener->next)
		update_watch(listener);
}

static void on_socket_gone(void *data)
{
	struct web *web = data;

	if (transport_room(web->transport) == CLIENT_SOCKETS + 1)
		update_all_watches(web);
}

int web_new(struct loop *loop, const struct web_config *config, struct web **ret, struct error *err)
{
	struct web *web = xcalloc(1, sizeof(*web));
	int result;

	web->loop = loop;
	web->max_connections = config && config->max_connections ? config->max_connections
								 : DEFAULT_MAX_CONNECTIONS;
	/* as many again for those that are closed politely: they stay for a moment */
	result = transport_new(loop, 2 * web->max_connections + CLIENT_SOCKETS, on_socket_gone, web,
			       &web->transport, err);
	if (result < 0) {
		free(web);
		return result;
	}
	*ret = web;
	return 0;
}

void web_free(struct web *web)
{
	while (web->listeners)
		web_listener_free(web->listeners);
	while (web->clients)
		ws_abort(web->clients);
	transport_free(web->transport);
	SSL_CTX_free(web->client_tls);
	free(web->client_tls_key);
	free(web);
}

void web_listener_left(struct web_listener *listener)
{
	bool was_full = is_full(listener);

	listener->connection_count--;
	listener->web->connection_count--;
	if (was_full)
		update_all_watches(listener->web);
}

int web_adopt(struct web_listener *listener, int fd, void *tag, struct error *err)
{
	int on = 1;
	int result;

	if (listener->max_connections > 0 &&
	    listener->connection_count >= listener->max_connections) {
		close(fd);
		return error_say(err, EMFILE, "a connection is refused: there are %u already",
				 listener->connection_count);
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	/* an answer is one write, but not always one packet; a unix socket knows no such option */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	result = web_connection_new(listener, fd, tag, err);
	if (result < 0)
		return result;
	if (is_full(listener))
		web_connection_evict(listener->web);
	if (is_full(listener))
		update_all_watches(listener->web);
	return 0;
}

static void on_retry(void *data)
{
	struct web_listener *listener = data;

	if (is_full(listener))
		web_connection_evict(listener->web);
	update_watch(listener);
}

static void on_accept(void *data, int events)
{
	struct web_listener *listener = data;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN && !is_full(listener); i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM) {
				log_warn("no more connections are accepted for a moment", "reason",
					 strerror(errno), NULL);
				loop_fd_set(listener->watch, 0);
				loop_timer_start(listener->retry, ACCEPT_RETRY_MS);
			}
			return;
		}
		web_adopt(listener, fd, listener->tag, NULL);
	}
	/* websockets to others may have taken the room */
	if (is_full(listener))
		update_all_watches(listener->web);
}

static int open_socket(const struct web_listener_config *config, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(config->port) };
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(config->port) };
	bool is_ipv6 = strchr(config->address, ':') != NULL;
	int on = 1;
	int result;

	if ((is_ipv6 ? inet_pton(AF_INET6, config->address, &ipv6.sin6_addr)
		     : inet_pton(AF_INET, config->address, &ipv4.sin_addr)) != 1)
		return error_say(err, EINVAL, "listen on \"%.64s\": it is not an IP address",
				 config->address);
	fd = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, errno, "open a socket to listen on %s", config->address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	result = is_ipv6 ? bind(fd, (struct sockaddr *)&ipv6, sizeof(ipv6))
			 : bind(fd, (struct sockaddr *)&ipv4, sizeof(ipv4));
	if (result < 0 || listen(fd, BACKLOG) < 0)
		return error_set(err, errno, "listen on %s port %u", config->address, config->port);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int start_listening(struct web_listener *listener, const struct web_listener_config *config,
			   struct error *err)
{
	int result = 0;

	if (config->has_listen_fd) {
		fcntl(config->listen_fd, F_SETFL, fcntl(config->listen_fd, F_GETFL) | O_NONBLOCK);
		listener->fd = config->listen_fd;
	} else if (config->address) {
		result = open_socket(config, &listener->fd, err);
	}
	if (result == 0 && listener->fd >= 0)
		result = loop_fd_new(listener->web->loop, listener->fd, LOOP_READ, on_accept,
				     listener, &listener->watch, err);
	/* on failure it stays the caller's */
	if (result < 0 && config->has_listen_fd)
		listener->fd = -1;
	return result;
}

int web_listen(struct web *web, const struct web_listener_config *config, struct web_listener **ret,
	       struct error *err)
{
	struct web_listener *listener = xcalloc(1, sizeof(*listener));
	int result = 0;

	listener->web = web;
	listener->fd = -1;
	listener->body_limit = config->body_limit ? config->body_limit : DEFAULT_BODY_LIMIT;
	listener->max_connections = config->max_connections;
	listener->idle_timeout_ms =
		config->idle_timeout_ms ? config->idle_timeout_ms : DEFAULT_IDLE_MS;
	listener->tag = config->tag;
	listener->on_request = config->on_request;
	listener->on_upgrade = config->on_upgrade;
	listener->data = config->data;
	listener->retry = loop_timer_new(web->loop, on_retry, listener);
	listener->next = web->listeners;
	if (web->listeners)
		web->listeners->previous = listener;
	web->listeners = listener;

	if (config->cert_file)
		result = tls_server_context(config->cert_file, config->key_file,
					    config->client_ca_file, &listener->tls, err);
	if (result == 0)
		result = start_listening(listener, config, err);
	if (result < 0) {
		web_listener_free(listener);
		return result;
	}
	update_watch(listener);
	*ret = listener;
	return 0;
}

uint16_t web_listener_port(const struct web_listener *listener)
{
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} address = { .any.sa_family = AF_UNSPEC };
	socklen_t size = sizeof(address);

	if (listener->fd < 0 || getsockname(listener->fd, &address.any, &size) < 0)
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.ipv4.sin_port);
	if (address.any.sa_family == AF_INET6)
		return ntohs(address.ipv6.sin6_port);
	return 0;
}

void web_listener_free(struct web_listener *listener)
{
	struct web *web = listener->web;

	loop_fd_free(listener->watch);
	listener->watch = NULL;
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
	while (listener->connections)
		web_connection_drop(listener->connections);
	loop_timer_free(listener->retry);
	SSL_CTX_free(listener->tls);
	if (listener->previous)
		listener->previous->next = listener->next;
	else
		web->listeners = listener->next;
	if (listener->next)
		listener->next->previous = listener->previous;
	free(listener);
}
