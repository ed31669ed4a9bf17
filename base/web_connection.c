/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An accepted connection: requests one after another (what a peer sends ahead waits), each answered
 * before the next is begun, until either side ends it or it becomes a websocket.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/tls.h"
#include "base/url.h"
#include "base/web_private.h"

#define AHEAD_LIMIT (64 * 1024UL) /* bytes taken while a request is worked on */
#define PATIENCE_MS 1000          /* for a request, when others wait */

enum phase {
	READING_HEAD,
	READING_BODY,
	ANSWERING, /* the handler has the request */
	UPGRADED,
	OVER, /* nothing is read any more */
};

struct web_connection {
	struct web_listener *listener;
	struct web_connection *previous, *next;
	struct loop *loop;
	struct stream *stream;
	struct loop_timer *idle;
	int64_t waiting_since_ms; /* for the present request */
	void *tag;
	char peer[INET6_ADDRSTRLEN];
	uint16_t peer_port;
	char identity[IDENTITY_SIZE]; /* "": none that was verified */
	enum phase phase;
	bool keep_alive; /* as the present request has it */
	bool is_old;     /* it is of HTTP/1.0, where keeping is not the rule */
	bool deciding;   /* within on_upgrade */
	bool processing; /* process() is on the stack */
	bool freed;
	struct strbuf in;
	enum http_body_kind body_kind;
	uint64_t body_length;
	struct http_chunks chunks;
	struct web_request *request;
	struct ws *ws;
};

static void process(struct web_connection *connection);

static void free_request(struct web_request *request)
{
	http_head_free(&request->head);
	strbuf_free(&request->body);
	free(request);
}

static void free_memory(void *data)
{
	struct web_connection *connection = data;

	strbuf_free(&connection->in);
	free(connection);
}

/* Out of every list; the memory goes at the end of the turn, when nobody on the stack uses it. */
static void leave(struct web_connection *connection)
{
	if (connection->freed)
		return;
	connection->freed = true;
	connection->phase = OVER;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connection->listener->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	loop_timer_free(connection->idle);
	web_listener_left(connection->listener);
	loop_defer(connection->loop, free_memory, connection);
}

/* The peer has left, or has to: what was going on is cancelled. */
static void end(struct web_connection *connection, bool polite)
{
	struct web_request *request = TAKE(connection->request);

	if (connection->freed)
		return;
	if (connection->stream)
		stream_close(TAKE(connection->stream), polite);
	if (request) {
		if (connection->phase == ANSWERING && request->on_cancel)
			request->on_cancel(request->cancel_data, request);
		free_request(request);
	}
	leave(connection);
}

void web_connection_drop(struct web_connection *connection)
{
	if (connection->ws)
		ws_abort(connection->ws);
	else
		end(connection, false);
}

static bool is_waiting(const struct web_connection *connection)
{
	return !connection->freed &&
	       (connection->phase == READING_HEAD || connection->phase == READING_BODY);
}

void web_connection_evict(struct web *web)
{
	int64_t before_ms = clock_monotonic_ms() - PATIENCE_MS;
	struct web_connection *longest = NULL;

	for (struct web_listener *listener = web->listeners; listener; listener = listener->next)
		for (struct web_connection *one = listener->connections; one; one = one->next)
			if (is_waiting(one) && one->waiting_since_ms <= before_ms &&
			    (!longest || one->waiting_since_ms <= longest->waiting_since_ms))
				longest = one;
	if (longest)
		end(longest, false);
}

void web_connection_forget(struct web_connection *connection)
{
	connection->ws = NULL;
	leave(connection);
}

static void append_date(struct strbuf *out)
{
	char text[40];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	strbuf_appendf(out, "Date: %s\r\n", text);
}

/* One write: head and body together. */
static void send_answer(struct web_connection *connection, const char *method, int status,
			const char *content_type, const void *body, size_t size,
			const struct header *headers, size_t header_count)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	bool has_body = status >= 200 && status != 204 && status != 304;

	strbuf_reserve(&out, size + 512);
	strbuf_appendf(&out, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
	if (!header_find(headers, header_count, "Date"))
		append_date(&out);
	if (content_type)
		strbuf_appendf(&out, "Content-Type: %s\r\n", content_type);
	if (has_body)
		strbuf_appendf(&out, "Content-Length: %zu\r\n", size);
	for (size_t i = 0; i < header_count; i++)
		if (!strpbrk(headers[i].name, "\r\n") && !strpbrk(headers[i].value, "\r\n"))
			strbuf_appendf(&out, "%s: %s\r\n", headers[i].name, headers[i].value);
	if (!connection->keep_alive)
		strbuf_append(&out, "Connection: close\r\n");
	else if (connection->is_old)
		strbuf_append(&out, "Connection: keep-alive\r\n");
	strbuf_append(&out, "\r\n");
	if (has_body && !str_eq(method, "HEAD"))
		strbuf_append_n(&out, body, size);
	stream_write(connection->stream, out.data, out.length);
}

/* Answers what cannot be a request, and ends: where the next one would begin is not known. */
static void refuse(struct web_connection *connection, int status, const char *text)
{
	_cleanup_free_ char *body = xasprintf("%s\n", text);

	connection->keep_alive = false;
	send_answer(connection, "GET", status, "text/plain", body, strlen(body), NULL, 0);
	end(connection, true);
}

static bool wants_keep_alive(const struct http_head *head)
{
	if (http_head_has_token(head, "Connection", "close"))
		return false;
	return head->minor == 1 || http_head_has_token(head, "Connection", "keep-alive");
}

static bool is_websocket_key(const char *key)
{
	unsigned char *data = NULL;
	size_t size = 0;

	if (!key || base64_decode(key, &data, &size) < 0)
		return false;
	free(data);
	return size == 16;
}

static bool wants_websocket(const struct http_head *head)
{
	return http_head_has_token(head, "Upgrade", "websocket") &&
	       http_head_has_token(head, "Connection", "upgrade");
}

static void handle_upgrade(struct web_connection *connection)
{
	struct web_listener *listener = connection->listener;
	const struct http_head *head = &connection->request->head;
	static const struct header version = { "Sec-WebSocket-Version", "13" };

	if (!listener->on_upgrade || !str_eq(head->method, "GET") || head->minor == 0 ||
	    !is_websocket_key(http_head_field(head, "Sec-WebSocket-Key"))) {
		web_respond_text(connection->request, 400, "text/plain",
				 listener->on_upgrade ? "not a valid websocket handshake\n"
						      : "there is no websocket here\n");
		return;
	}
	if (!str_eq(http_head_field(head, "Sec-WebSocket-Version"), "13")) {
		web_respond(connection->request, 426, "text/plain", "", 0, &version, 1);
		return;
	}
	connection->deciding = true;
	listener->on_upgrade(listener->data, connection->request);
	connection->deciding = false;
	/* neither accepted nor refused: a bug of the handler, but the peer must not wait for ever
	 */
	if (connection->phase == ANSWERING)
		web_respond_text(connection->request, 500, "text/plain", "no decision\n");
}

/* The request is whole. */
static void handle(struct web_connection *connection)
{
	struct web_listener *listener = connection->listener;

	connection->phase = ANSWERING;
	loop_timer_stop(connection->idle);
	if (wants_websocket(&connection->request->head))
		handle_upgrade(connection);
	else
		listener->on_request(listener->data, connection->request);
}

static void begin_body(struct web_connection *connection)
{
	struct web_request *request = connection->request;
	int result =
		http_head_body(&request->head, &connection->body_kind, &connection->body_length);

	if (result == -ENOTSUP) {
		refuse(connection, 501, "this transfer coding is not known here");
	} else if (result < 0) {
		refuse(connection, 400, "the length of the body is not clear");
	} else if (connection->body_length > connection->listener->body_limit) {
		refuse(connection, 413, "the body is too long");
	} else if (connection->body_kind == HTTP_BODY_NONE) {
		handle(connection);
	} else {
		connection->phase = READING_BODY;
		connection->chunks = (struct http_chunks){ .state = 0 };
		if (http_head_has_token(&request->head, "Expect", "100-continue") &&
		    connection->in.length == 0)
			stream_write(connection->stream, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	}
}

static bool read_head(struct web_connection *connection)
{
	long size = http_head_size(strbuf_text(&connection->in), connection->in.length);
	struct http_head head;
	int result;

	if (size == 0 && connection->in.length < WEB_HEAD_LIMIT)
		return false;
	if (size == 0 || size > (long)WEB_HEAD_LIMIT) {
		refuse(connection, 431, "the request line and headers are too long");
		return false;
	}
	result = size < 0 ? (int)size
			  : http_head_parse_request(connection->in.data, (size_t)size, &head);
	if (result < 0) {
		refuse(connection, result == -EPROTONOSUPPORT ? 505 : 400,
		       result == -EPROTONOSUPPORT ? "only HTTP/1.0 and 1.1 are spoken here"
						  : "not a valid HTTP request");
		return false;
	}
	strbuf_consume(&connection->in, (size_t)size);
	connection->request = xcalloc(1, sizeof(*connection->request));
	connection->request->connection = connection;
	connection->request->head = head;
	connection->keep_alive = wants_keep_alive(&head);
	connection->is_old = head.minor == 0;
	if (head.minor == 1 && !http_head_field(&head, "Host"))
		refuse(connection, 400, "the Host header is missing");
	else
		begin_body(connection);
	return true;
}

static bool read_body(struct web_connection *connection)
{
	struct strbuf *body = &connection->request->body;
	struct strbuf *in = &connection->in;
	size_t used;
	int result;

	if (connection->body_kind == HTTP_BODY_LENGTH) {
		size_t left = (size_t)connection->body_length - body->length;

		used = in->length < left ? in->length : left;
		strbuf_append_n(body, strbuf_text(in), used);
		result = used == left;
	} else {
		result = http_chunks_feed(&connection->chunks, strbuf_text(in), in->length,
					  connection->listener->body_limit, body, &used);
	}
	strbuf_consume(in, used);
	if (result == -EFBIG)
		refuse(connection, 413, "the body is too long");
	else if (result < 0)
		refuse(connection, 400, "the chunks of the body are not valid");
	else if (result > 0)
		handle(connection);
	return result != 0;
}

/* As far as the bytes go, and until a handler wants time. */
static void process(struct web_connection *connection)
{
	bool more = true;

	connection->processing = true;
	while (more && !connection->freed) {
		switch (connection->phase) {
		case READING_HEAD:
			more = connection->in.length > 0 && read_head(connection);
			break;
		case READING_BODY:
			more = read_body(connection);
			break;
		default:
			more = false;
		}
	}
	connection->processing = false;
}

static void restart_idle(struct web_connection *connection)
{
	if (is_waiting(connection))
		loop_timer_start(connection->idle, connection->listener->idle_timeout_ms);
}

static void on_data(void *data, const char *bytes, size_t size)
{
	struct web_connection *connection = data;
	bool was_empty = connection->in.length == 0;

	strbuf_append_n(&connection->in, bytes, size);
	if (connection->phase == ANSWERING && connection->in.length > AHEAD_LIMIT)
		stream_pause(connection->stream, true);
	/* a head that comes byte by byte does not hold the connection longer than a silent one */
	if (connection->phase == READING_BODY || was_empty)
		restart_idle(connection);
	process(connection);
}

static void on_end(void *data, enum stream_end how, const char *why)
{
	(void)how;
	(void)why;
	end(data, false);
}

static const struct stream_callbacks http_callbacks = {
	.on_data = on_data,
	.on_end = on_end,
};

static void on_idle(void *data)
{
	end(data, true);
}

static void name_peer(struct web_connection *connection, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} address = { .any.sa_family = AF_UNSPEC };
	socklen_t size = sizeof(address);

	strcpy(connection->peer, "unix");
	if (getpeername(fd, &address.any, &size) < 0)
		return;
	if (address.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address.ipv4.sin_addr, connection->peer,
			  sizeof(connection->peer));
		connection->peer_port = ntohs(address.ipv4.sin_port);
	} else if (address.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address.ipv6.sin6_addr, connection->peer,
			  sizeof(connection->peer));
		connection->peer_port = ntohs(address.ipv6.sin6_port);
	}
}

int web_connection_new(struct web_listener *listener, int fd, void *tag, struct error *err)
{
	struct web_connection *connection = xcalloc(1, sizeof(*connection));
	SSL *ssl = NULL;
	int result;

	name_peer(connection, fd);
	if (listener->tls) {
		ssl = SSL_new(listener->tls);
		if (ssl)
			SSL_set_accept_state(ssl);
	}
	result = stream_new(listener->web->transport, fd, ssl, &http_callbacks, connection,
			    &connection->stream, err);
	if (result < 0) {
		free(connection);
		return result;
	}
	connection->listener = listener;
	connection->loop = listener->web->loop;
	connection->tag = tag;
	connection->idle = loop_timer_new(connection->loop, on_idle, connection);
	connection->next = listener->connections;
	if (listener->connections)
		listener->connections->previous = connection;
	listener->connections = connection;
	listener->connection_count++;
	listener->web->connection_count++;
	connection->waiting_since_ms = clock_monotonic_ms();
	restart_idle(connection);
	return 0;
}

static void go_on(void *data)
{
	struct web_connection *connection = data;

	if (!connection->freed && connection->stream) {
		stream_pause(connection->stream, false);
		process(connection);
	}
}

void web_respond(struct web_request *request, int status, const char *content_type,
		 const void *body, size_t size, const struct header *headers, size_t header_count)
{
	struct web_connection *connection = request->connection;

	assert(connection->phase == ANSWERING && connection->request == request);
	send_answer(connection, request->head.method, status, content_type, body, size, headers,
		    header_count);
	connection->request = NULL;
	free_request(request);
	if (!connection->keep_alive) {
		end(connection, true);
		return;
	}
	connection->phase = READING_HEAD;
	connection->waiting_since_ms = clock_monotonic_ms();
	restart_idle(connection);
	/* what came ahead: by the loop in process(), or when the handler has answered later */
	if (!connection->processing)
		loop_defer(connection->loop, go_on, connection);
}

void web_respond_text(struct web_request *request, int status, const char *content_type,
		      const char *text)
{
	web_respond(request, status, content_type, text, strlen(text), NULL, 0);
}

struct ws *web_accept_ws(struct web_request *request, const struct ws_callbacks *callbacks,
			 void *data, size_t message_limit)
{
	struct web_connection *connection = request->connection;
	_cleanup_free_ char *accept =
		ws_accept_key(http_head_field(&request->head, "Sec-WebSocket-Key"));
	_cleanup_free_ char *answer = xasprintf("HTTP/1.1 101 Switching Protocols\r\n"
						"Upgrade: websocket\r\n"
						"Connection: Upgrade\r\n"
						"Sec-WebSocket-Accept: %s\r\n\r\n",
						accept);

	assert(connection->deciding && connection->request == request);
	stream_write(connection->stream, answer, strlen(answer));
	connection->request = NULL;
	free_request(request);
	connection->phase = UPGRADED;
	connection->ws = ws_new_accepted(connection, connection->loop, TAKE(connection->stream),
					 strbuf_text(&connection->in), connection->in.length,
					 callbacks, data, message_limit);
	strbuf_free(&connection->in);
	return connection->ws;
}

const char *web_request_method(const struct web_request *request)
{
	return request->head.method;
}

const char *web_request_path(const struct web_request *request)
{
	return request->head.path;
}

const char *web_request_query(const struct web_request *request)
{
	return request->head.query;
}

const char *web_request_body(const struct web_request *request, size_t *ret_size)
{
	if (ret_size)
		*ret_size = request->body.length;
	return strbuf_text(&request->body);
}

const char *web_request_header(struct web_request *request, const char *name)
{
	return http_head_field(&request->head, name);
}

const char *web_request_peer(const struct web_request *request)
{
	return request->connection->peer;
}

const char *web_request_identity(struct web_request *request)
{
	struct web_connection *connection = request->connection;
	const SSL *ssl = connection->stream ? stream_tls(connection->stream) : NULL;

	if (!*connection->identity && ssl)
		tls_peer_identity(ssl, connection->identity);
	return *connection->identity ? connection->identity : NULL;
}

uint16_t web_request_peer_port(const struct web_request *request)
{
	return request->connection->peer_port;
}

void *web_request_tag(const struct web_request *request)
{
	return request->connection->tag;
}

void web_request_set_data(struct web_request *request, void *data)
{
	request->data = data;
}

void *web_request_data(const struct web_request *request)
{
	return request->data;
}

void web_request_on_cancel(struct web_request *request,
			   void (*callback)(void *data, struct web_request *request), void *data)
{
	request->on_cancel = callback;
	request->cancel_data = data;
}

char *web_request_param(const struct web_request *request, const char *name)
{
	return url_query_param(request->head.query, name);
}
