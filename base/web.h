/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 servers, and websockets on both ends: libwebsockets on the loop. One struct web a
 * process.
 *
 * Everything that a peer sends is bounded: request line and headers (8 KiB), bodies, messages,
 * connections, what waits to be sent, idle time.
 */
#ifndef BERTH_BASE_WEB_H
#define BERTH_BASE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/header.h"
#include "base/loop.h"

struct web;
struct web_listener;
struct web_request;
struct ws;

struct web_config {
	unsigned max_connections; /* of all listeners together; more wait in the kernel, until
				     one ends or has let its request be waited for; 0: 512 */
};

/* `config` NULL: the defaults. */
int web_new(struct loop *loop, const struct web_config *config, struct web **ret,
	    struct error *err);
/* Drops every connection (their callbacks come, from here) and listener. Not from a callback of it.
 */
void web_free(struct web *web);

/* ------------------------------------------------------------------------------------------------
 * server */

struct web_listener_config {
	/* Where: a numeric address and port (0: any, see web_listener_port) ... */
	const char *address; /* NULL with listen_fd < 0 too: no socket, only web_adopt() */
	uint16_t port;
	/* ... or a listening stream socket made elsewhere (another namespace, systemd), which is
	   taken over on success; used when has_listen_fd. */
	bool has_listen_fd;
	int listen_fd;

	const char *cert_file; /* PEM chain and key: TLS; NULL: plain */
	const char *key_file;
	const char *client_ca_file; /* with TLS: clients may show a certificate of these
				       authorities, see web_request_identity(); NULL: they are not
				       asked */

	size_t body_limit;        /* bytes, else 413; 0: 1 MiB */
	unsigned max_connections; /* of this listener, more are closed at once; 0: the web's bound
				     only */
	int64_t idle_timeout_ms;  /* a connection without request in progress; 0: 60 s */
	void *tag;                /* web_request_tag() of its requests */

	/*
	 * Every request ends in exactly one web_respond() or, should the peer leave first, one
	 * on_cancel. Answer at once or later.
	 */
	void (*on_request)(void *data, struct web_request *request);
	/*
	 * A websocket handshake. Decide before returning: web_accept_ws(), or refuse with
	 * web_respond() (the body reaches the peer). NULL: handshakes are refused with 400.
	 */
	void (*on_upgrade)(void *data, struct web_request *request);
	void *data;
};

int web_listen(struct web *web, const struct web_listener_config *config, struct web_listener **ret,
	       struct error *err);
/* The port that it is bound to; 0 when it is none of TCP. */
uint16_t web_listener_port(const struct web_listener *listener);
/* Closes its socket and drops its connections (requests get on_cancel, websockets on_close). */
void web_listener_free(struct web_listener *listener);

/*
 * Hands in an accepted stream socket, as if `listener` had accepted it. The fd is taken over in any
 * case. `tag` is that of its requests instead of the listener's.
 */
int web_adopt(struct web_listener *listener, int fd, void *tag, struct error *err);

/* All strings are valid until web_respond(), web_accept_ws() or on_cancel. */
const char *web_request_method(const struct web_request *request); /* "GET" */
const char *web_request_path(const struct web_request *request);   /* raw, up to the ?; "/a%20b" */
const char *web_request_query(const struct web_request *request); /* raw, after the ?; "" if none */
/* NUL-terminated; "" if none. */
const char *web_request_body(const struct web_request *request, size_t *ret_size);
/* By name in any case; NULL: not sent. */
const char *web_request_header(struct web_request *request, const char *name);
/* "127.0.0.1", "::1", or "unix" */
const char *web_request_peer(const struct web_request *request);
uint16_t web_request_peer_port(const struct web_request *request);
/* The identity in the client's certificate (base/certificate.h), which was verified; NULL: none. */
const char *web_request_identity(struct web_request *request);
void *web_request_tag(const struct web_request *request);
/* For the handler's own use. */
void web_request_set_data(struct web_request *request, void *data);
void *web_request_data(const struct web_request *request);
/* Called when the peer has left before the answer; the request is gone after it. */
void web_request_on_cancel(struct web_request *request,
			   void (*callback)(void *data, struct web_request *request), void *data);
/* The first value of a query parameter, decoded (+ and %XX), or NULL. The caller frees. */
char *web_request_param(const struct web_request *request, const char *name);

/*
 * Answers; the request is gone after it. Body and headers are copied. content_type may be NULL.
 * Content-Length and Connection are set here; HEAD requests get no body.
 */
void web_respond(struct web_request *request, int status, const char *content_type,
		 const void *body, size_t size, const struct header *headers, size_t header_count);
/* The same for a text. */
void web_respond_text(struct web_request *request, int status, const char *content_type,
		      const char *text);

/* ---------------------------------------------------------------------------------------------
 * websockets */

struct ws_close {
	bool was_open;    /* false: the handshake did not succeed (client) */
	int code;         /* the peer's close frame; 1005: it had none; 1006: no close frame came */
	bool clean_frame; /* a close frame came from the peer */
	bool reset; /* TCP reset, time-out, or dropped by us; false with 1006: the peer ended with a
		       FIN */
	bool local; /* we dropped it: ws_drop(), or a bound was broken */
	const char *reason; /* of the close frame, or a sentence of what failed; never NULL */
	int http_status;    /* the handshake was answered with this and not 101; 0: no answer */
	const char *body;   /* the first 1024 bytes of that answer's body; "" if none */
};

struct ws_callbacks {
	/* The handshake is done. May be NULL. */
	void (*on_open)(void *data, struct ws *ws);
	/* A whole message, NUL-terminated. Binary ones are given too. */
	void (*on_message)(void *data, struct ws *ws, const char *text, size_t size,
			   bool is_binary);
	/* Exactly once, unless ws_forget(); the ws is gone after it. Never from within
	 * ws_connect(). */
	void (*on_close)(void *data, struct ws *ws, const struct ws_close *close);
	/* May be NULL. Pings are answered with their own payload, and not reported. */
	void (*on_pong)(void *data, struct ws *ws);
};

/* Accepts the handshake in on_upgrade; the request is gone after it. message_limit 0: 1 MiB. */
struct ws *web_accept_ws(struct web_request *request, const struct ws_callbacks *callbacks,
			 void *data, size_t message_limit);

struct ws_connect_config {
	const char *url;              /* ws, wss, http or https */
	const struct header *headers; /* added to the handshake (Authorization, ...); copied */
	size_t header_count;
	const char *user_agent; /* NULL: none */
	const char *ca_file;    /* NULL: the system's */
	const char *cert_file;  /* PEM, shown to a server that asks; NULL: none */
	const char *key_file;
	bool insecure;                /* do not verify the certificate */
	bool use_proxy;               /* that of the environment, as it is now: see proxy.h */
	int64_t connect_timeout_ms;   /* name, TCP and proxy; 0: 30 s */
	int64_t handshake_timeout_ms; /* TLS and upgrade; 0: 30 s */
	/* What is written and not taken by the peer for so long ends the connection, also when
	   it goes on sending. 0: no limit. */
	int64_t send_timeout_ms;
	size_t message_limit; /* 0: 4 MiB; longer messages drop the connection */
	size_t queue_limit;   /* bytes waiting to be sent; 0: 4 MiB */
};

/* Returns at once; on_open or on_close follows. -EINVAL: the URL is none. */
int ws_connect(struct web *web, const struct ws_connect_config *config,
	       const struct ws_callbacks *callbacks, void *data, struct ws **ret,
	       struct error *err);

/*
 * Queues a text message; in order, whole. Over 32768 bytes it leaves in fragments of that size.
 * -ENOBUFS at the bound of the queue, -ENOTCONN not open, or closing.
 */
int ws_send(struct ws *ws, const char *text, size_t size);
int ws_ping(struct ws *ws);
/*
 * Sends a close frame (after what is queued), then goes on reading and giving messages until the
 * peer closes; nothing can be sent any more.
 */
void ws_close(struct ws *ws, int code, const char *reason);
/* Drops TCP without a close frame; on_close follows, not from within. */
void ws_drop(struct ws *ws);
/* The same, but no callback comes any more and the ws is gone. */
void ws_forget(struct ws *ws);
void ws_set_data(struct ws *ws, void *data);

#endif
