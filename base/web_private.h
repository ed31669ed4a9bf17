/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the web layer (web*.c, ws*.c) know of each other. */
#ifndef BERTH_BASE_WEB_PRIVATE_H
#define BERTH_BASE_WEB_PRIVATE_H

#include "base/http_head.h"
#include "base/stream.h"
#include "base/web.h"
#include "base/ws_frame.h"

#define WEB_HEAD_LIMIT (8 * 1024UL)

struct web_connection;

struct web {
	struct loop *loop;
	struct transport *transport;
	unsigned max_connections;
	unsigned connection_count; /* of listeners */
	struct web_listener *listeners;
	struct ws *clients;
	SSL_CTX *client_tls;  /* the last one used */
	char *client_tls_key; /* of what it was made */
};

struct web_listener {
	struct web *web;
	struct web_listener *previous, *next;
	int fd; /* -1: only web_adopt() */
	struct loop_fd *watch;
	struct loop_timer
		*retry; /* after accept() failed for want of descriptors, and at the bound */
	SSL_CTX *tls;
	size_t body_limit;
	unsigned max_connections;
	unsigned connection_count;
	int64_t idle_timeout_ms;
	void *tag;
	void (*on_request)(void *data, struct web_request *request);
	void (*on_upgrade)(void *data, struct web_request *request);
	void *data;
	struct web_connection *connections;
};

struct web_request {
	struct web_connection *connection;
	struct http_head head;
	struct strbuf body;
	void *data;
	void (*on_cancel)(void *data, struct web_request *request);
	void *cancel_data;
};

/* web_connection.c: an accepted connection, and HTTP on it. Takes over the fd in any case. */
int web_connection_new(struct web_listener *listener, int fd, void *tag, struct error *err);
/* Ends it at once, with the callbacks of what was going on. */
void web_connection_drop(struct web_connection *connection);
/*
 * Ends the connection whose request has been waited for longest, if that is a second or more: who
 * says nothing, or little at a time, does not keep others out.
 */
void web_connection_evict(struct web *web);
/* The websocket of a connection has ended: its place is free. */
void web_connection_forget(struct web_connection *connection);
/* One connection less: listeners that were waiting accept again. */
void web_listener_left(struct web_listener *listener);

/* ws.c */
/* The server's end; `stream` is taken over, `rest` came behind the handshake. */
struct ws *ws_new_accepted(struct web_connection *connection, struct loop *loop,
			   struct stream *stream, const char *rest, size_t rest_size,
			   const struct ws_callbacks *callbacks, void *data, size_t message_limit);
/* Ends it at once, and on_close comes now. */
void ws_abort(struct ws *ws);

/* ws_client.c: what a ws has while it connects. */
struct ws_handshake;
void ws_handshake_free(struct ws_handshake *handshake);

struct ws {
	struct loop *loop;
	struct web *web;                   /* of a client */
	struct ws *previous, *next;        /* of web->clients */
	struct web_connection *connection; /* of a server's end */
	bool is_server;
	struct stream *stream;
	struct ws_handshake *handshake; /* of a client, until it is open */
	struct ws_decoder decoder;
	size_t queue_limit;
	int64_t send_timeout_ms; /* 0: none */
	bool is_open;
	bool close_sent;
	bool ended;     /* on_close was called or is due */
	bool forgotten; /* by the owner: no callback */
	bool reported;
	struct loop_timer *deadline; /* handshake; a server's wait for the peer's close */
	struct ws_close end;
	char *end_reason;
	char *end_body;
	char *rest; /* bytes behind the handshake, until on_open was called */
	size_t rest_size;
	const struct ws_callbacks *callbacks;
	void *data;
};

struct ws *ws_new(struct loop *loop, bool is_server, size_t message_limit,
		  const struct ws_callbacks *callbacks, void *data);
/* The handshake is done: frames from now on, beginning with `rest`. */
void ws_begin(struct ws *ws, const char *rest, size_t rest_size);
/* It is over; on_close comes at the end of the turn. The strings are copied. */
void ws_end(struct ws *ws, const struct ws_close *end);

#endif
