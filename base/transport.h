/* SPDX-License-Identifier: Apache-2.0 */
/* The libwebsockets context that carries the sockets of base/stream.h, on the loop. */
#ifndef BERTH_BASE_TRANSPORT_H
#define BERTH_BASE_TRANSPORT_H

#include <libwebsockets.h>

#include "base/error.h"
#include "base/loop.h"

struct transport;

/* Who is told of what happens on a socket; part of the caller's struct. */
struct transport_socket {
	/* LWS_CALLBACK_RAW_RX, RAW_WRITEABLE, RAW_CLOSE. Other than 0: the socket is closed. */
	int (*callback)(struct transport_socket *socket, struct lws *wsi,
			enum lws_callback_reasons reason, const char *bytes, size_t size);
};

/*
 * At most `max_sockets` at a time: libwebsockets has a table of them. on_gone(data) when there is
 * one less; may be NULL.
 */
int transport_new(struct loop *loop, unsigned max_sockets, void (*on_gone)(void *data), void *data,
		  struct transport **ret, struct error *err);
/*
 * Its sockets end at once, and nothing is called back any more. What libwebsockets has on the loop
 * goes when the loop turns, the rest with loop_free(). Not from a callback.
 */
void transport_free(struct transport *transport);
struct loop *transport_loop(const struct transport *transport);
/* How many more sockets it takes; those that are still closing count. */
unsigned transport_room(const struct transport *transport);

/* Takes over the non-blocking stream socket in any case. */
int transport_adopt(struct transport *transport, int fd, struct transport_socket *socket,
		    struct lws **ret, struct error *err);
/* Nothing is called back any more for this one. */
void transport_release(struct lws *wsi);

#endif
