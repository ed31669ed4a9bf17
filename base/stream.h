/* SPDX-License-Identifier: Apache-2.0 */
/* A connected stream socket, carried by libwebsockets, with or without TLS: bytes in, queued bytes
 * out, and how it ended. */
#ifndef BERTH_BASE_STREAM_H
#define BERTH_BASE_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "base/error.h"
#include "base/transport.h"

struct stream;

enum stream_end {
	STREAM_ENDED,  /* the peer has sent all (FIN, or TLS close) */
	STREAM_RESET,  /* reset, time-out, or another failure of the socket */
	STREAM_FAILED, /* TLS: handshake or record; `why` says */
};

struct stream_callbacks {
	/* TLS is up (without TLS: at the end of the turn in which it was made). May be NULL. */
	void (*on_ready)(void *data);
	void (*on_data)(void *data, const char *bytes, size_t size);
	/* At most once; nothing follows. Not after stream_close(). */
	void (*on_end)(void *data, enum stream_end end, const char *why);
};

/*
 * Takes over `fd` (non-blocking) and `ssl` (NULL: plain; else bound to nothing yet, with connect or
 * accept state set). On failure both are released too.
 */
int stream_new(struct transport *transport, int fd, SSL *ssl,
	       const struct stream_callbacks *callbacks, void *data, struct stream **ret,
	       struct error *err);
/* Other callbacks from now on (a connection becomes a websocket); on_ready is not called again. */
void stream_set_callbacks(struct stream *stream, const struct stream_callbacks *callbacks,
			  void *data);

/* NULL: without TLS. */
const SSL *stream_tls(const struct stream *stream);

/* Sends what the socket takes and queues the rest. Nothing is sent any more when the peer is gone.
 */
void stream_write(struct stream *stream, const void *bytes, size_t size);
/* Bytes that wait to be sent. */
size_t stream_queued(const struct stream *stream);
/* How long the peer has taken none of them; 0: there are none. */
int64_t stream_stalled_ms(const struct stream *stream);
/* Reading stops (and with it the notice of the peer's end), or goes on. */
void stream_pause(struct stream *stream, bool pause);

/*
 * Nothing is called any more and the stream is gone for the caller. `polite`: what is queued is
 * sent, then the peer may read it before the socket goes (a second at most). Otherwise it is closed
 * at once. May be called within the callbacks.
 */
void stream_close(struct stream *stream, bool polite);

#endif
