/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Websocket frames (RFC 6455), pure: bytes in, events out. No extension: reserved bits are an
 * error.
 */
#ifndef BERTH_BASE_WS_FRAME_H
#define BERTH_BASE_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define WS_FRAGMENT_SIZE 32768

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

enum ws_close_code {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_NO_STATUS = 1005, /* never on the wire: a close frame without code */
	WS_CLOSE_ABNORMAL = 1006,  /* never on the wire: no close frame */
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL_ERROR = 1011,
};

struct ws_decoder {
	bool is_server; /* frames of the peer must be masked; on the other end they must not */
	size_t limit;   /* bytes of a message */
	unsigned char head[14];
	size_t head_size; /* bytes in head */
	bool in_payload;
	bool final;
	enum ws_opcode opcode; /* of the frame */
	uint64_t left;         /* of the frame's payload */
	unsigned char mask[4];
	bool masked;
	unsigned mask_at;
	bool in_message; /* fragments came, the last not yet */
	bool is_binary;
	struct strbuf message;
	struct strbuf
		control; /* payload of a ping, pong or close, which may come between fragments */
};

enum ws_event_type {
	WS_EVENT_NONE,    /* more bytes are needed */
	WS_EVENT_MESSAGE, /* data, is_binary */
	WS_EVENT_PING,    /* data */
	WS_EVENT_PONG,
	WS_EVENT_CLOSE, /* code (WS_CLOSE_NO_STATUS: none), data: the reason */
	WS_EVENT_ERROR, /* code: what to close with, reason: why; nothing can be decoded any more */
};

struct ws_event {
	enum ws_event_type type;
	const char *data; /* NUL-terminated; valid until the next call */
	size_t size;
	bool is_binary;
	int code;
	const char *reason;
};

void ws_decoder_init(struct ws_decoder *decoder, bool is_server, size_t limit);
void ws_decoder_free(struct ws_decoder *decoder);
/* Takes bytes up to the next event; *ret_used is how many. Call again with the rest until
 * WS_EVENT_NONE. */
void ws_decoder_feed(struct ws_decoder *decoder, const char *data, size_t size, size_t *ret_used,
		     struct ws_event *ret);

/* Appends one frame. `mask`: 4 bytes, for a client; NULL for a server. */
void ws_frame_append(struct strbuf *out, enum ws_opcode opcode, bool final,
		     const unsigned char *mask, const void *data, size_t size);
/* Appends a text message: as a client masked, and in fragments when it is over WS_FRAGMENT_SIZE. */
void ws_message_append(struct strbuf *out, bool is_server, const char *text, size_t size);

/* A code that may stand in a close frame. */
bool ws_close_code_is_valid(int code);

/* The answer to a Sec-WebSocket-Key; the caller frees. */
char *ws_accept_key(const char *key);

#endif
