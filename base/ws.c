/* SPDX-License-Identifier: Apache-2.0 */
/* A websocket that is open: the same for both ends. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/random.h"
#include "base/web_private.h"

#define DEFAULT_MESSAGE_LIMIT (1024 * 1024UL)
#define DEFAULT_QUEUE_LIMIT   (4UL * 1024 * 1024)
#define SERVER_CLOSE_WAIT_MS  5000

static void on_data(void *data, const char *bytes, size_t size);
static void on_end(void *data, enum stream_end how, const char *why);

static const struct stream_callbacks frame_callbacks = {
	.on_data = on_data,
	.on_end = on_end,
};

struct ws *ws_new(struct loop *loop, bool is_server, size_t message_limit,
		  const struct ws_callbacks *callbacks, void *data)
{
	struct ws *ws = xcalloc(1, sizeof(*ws));

	ws->loop = loop;
	ws->is_server = is_server;
	ws->queue_limit = DEFAULT_QUEUE_LIMIT;
	ws->callbacks = callbacks;
	ws->data = data;
	ws_decoder_init(&ws->decoder, is_server,
			message_limit ? message_limit : DEFAULT_MESSAGE_LIMIT);
	return ws;
}

static void free_memory(void *data)
{
	struct ws *ws = data;

	ws_decoder_free(&ws->decoder);
	free(ws->end_reason);
	free(ws->end_body);
	free(ws->rest);
	free(ws);
}

/* Everything but the memory, and the report. */
static void release(struct ws *ws, bool polite)
{
	if (ws->stream)
		stream_close(TAKE(ws->stream), polite);
	if (ws->handshake)
		ws_handshake_free(TAKE(ws->handshake));
	loop_timer_free(TAKE(ws->deadline));
	ws->is_open = false;
	if (ws->connection)
		web_connection_forget(TAKE(ws->connection));
	if (ws->web) {
		if (ws->previous)
			ws->previous->next = ws->next;
		else
			ws->web->clients = ws->next;
		if (ws->next)
			ws->next->previous = ws->previous;
		ws->web = NULL;
	}
}

static void report(void *data)
{
	struct ws *ws = data;

	if (!ws->reported && !ws->forgotten) {
		ws->reported = true;
		ws->callbacks->on_close(ws->data, ws, &ws->end);
	}
	/* later: ws_abort() reports from a stack that may still hold it */
	loop_defer(ws->loop, free_memory, ws);
}

void ws_end(struct ws *ws, const struct ws_close *end)
{
	bool polite = end->clean_frame || (end->local && ws->close_sent);

	if (ws->ended)
		return;
	ws->ended = true;
	ws->end = *end;
	ws->end.was_open = ws->is_open;
	ws->end.reason = ws->end_reason = xstrdup(end->reason ? end->reason : "");
	ws->end.body = ws->end_body = xstrdup(end->body ? end->body : "");
	release(ws, polite);
	loop_defer(ws->loop, report, ws);
}

static void end_locally(struct ws *ws, const char *reason)
{
	struct ws_close end = {
		.code = WS_CLOSE_ABNORMAL,
		.reset = true,
		.local = true,
		.reason = reason,
	};

	ws_end(ws, &end);
}

void ws_abort(struct ws *ws)
{
	bool was_ended = ws->ended;

	end_locally(ws, "dropped");
	/* the deferred report then finds it done, and frees */
	if (!was_ended && !ws->forgotten) {
		ws->reported = true;
		ws->callbacks->on_close(ws->data, ws, &ws->end);
	}
}

static void send_frame(struct ws *ws, enum ws_opcode opcode, const void *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	unsigned char mask[4];

	random_bytes(mask, sizeof(mask));
	ws_frame_append(&out, opcode, true, ws->is_server ? NULL : mask, data, size);
	stream_write(ws->stream, out.data, out.length);
}

static void send_close(struct ws *ws, int code, const char *reason)
{
	char payload[125];
	size_t size = 0;

	if (code != WS_CLOSE_NO_STATUS) {
		size = strnlen(reason, sizeof(payload) - 2);
		payload[0] = (char)(code >> 8);
		payload[1] = (char)code;
		memcpy(payload + 2, reason, size);
		size += 2;
	}
	ws->close_sent = true;
	send_frame(ws, WS_CLOSE, payload, size);
}

static void on_close_frame(struct ws *ws, const struct ws_event *event)
{
	struct ws_close end = {
		.code = event->code,
		.clean_frame = true,
		.reason = event->data,
	};

	/* the same code, no reason; what is none is answered by none */
	if (!ws->close_sent)
		send_close(ws, event->code, "");
	ws_end(ws, &end);
}

static void on_event(struct ws *ws, const struct ws_event *event)
{
	switch (event->type) {
	case WS_EVENT_MESSAGE:
		ws->callbacks->on_message(ws->data, ws, event->data, event->size, event->is_binary);
		break;
	case WS_EVENT_PING:
		/* a peer that pings and does not read must not make us hold its pings */
		if (stream_queued(ws->stream) > ws->queue_limit)
			end_locally(ws, "the peer does not read");
		else if (!ws->close_sent)
			send_frame(ws, WS_PONG, event->data, event->size);
		break;
	case WS_EVENT_PONG:
		if (ws->callbacks->on_pong)
			ws->callbacks->on_pong(ws->data, ws);
		break;
	case WS_EVENT_CLOSE:
		on_close_frame(ws, event);
		break;
	case WS_EVENT_ERROR:
		if (!ws->close_sent)
			send_close(ws, event->code, event->reason);
		end_locally(ws, event->reason);
		break;
	case WS_EVENT_NONE:
		break;
	}
}

static void on_data(void *data, const char *bytes, size_t size)
{
	struct ws *ws = data;
	struct ws_event event;

	/* The kernel asks a peer whose window is closed, and puts that off with each of its
	 * packets: one that goes on sending, and reads nothing, is left by us. */
	if (ws->send_timeout_ms > 0 && stream_stalled_ms(ws->stream) > ws->send_timeout_ms) {
		end_locally(ws, "the peer does not read");
		return;
	}
	do {
		size_t used;

		ws_decoder_feed(&ws->decoder, bytes, size, &used, &event);
		bytes += used;
		size -= used;
		on_event(ws, &event);
	} while (!ws->ended && event.type != WS_EVENT_NONE);
}

static void on_end(void *data, enum stream_end how, const char *why)
{
	struct ws_close end = {
		.code = WS_CLOSE_ABNORMAL,
		.reset = how != STREAM_ENDED,
		.reason = why,
	};

	ws_end(data, &end);
}

static void on_deadline(void *data)
{
	end_locally(data, "the peer has not closed the websocket in time");
}

/* At the end of the turn: who accepted or connected has its pointer by now. */
static void open_now(void *data)
{
	struct ws *ws = data;

	if (ws->ended)
		return;
	if (ws->callbacks->on_open)
		ws->callbacks->on_open(ws->data, ws);
	if (ws->ended)
		return;
	stream_pause(ws->stream, false);
	if (ws->rest_size > 0)
		on_data(ws, ws->rest, ws->rest_size);
	free(TAKE(ws->rest));
}

void ws_begin(struct ws *ws, const char *rest, size_t rest_size)
{
	ws->is_open = true;
	ws->rest = xmemdup(rest, rest_size);
	ws->rest_size = rest_size;
	stream_set_callbacks(ws->stream, &frame_callbacks, ws);
	stream_pause(ws->stream, true);
	loop_defer(ws->loop, open_now, ws);
}

struct ws *ws_new_accepted(struct web_connection *connection, struct loop *loop,
			   struct stream *stream, const char *rest, size_t rest_size,
			   const struct ws_callbacks *callbacks, void *data, size_t message_limit)
{
	struct ws *ws = ws_new(loop, true, message_limit, callbacks, data);

	ws->connection = connection;
	ws->stream = stream;
	ws_begin(ws, rest, rest_size);
	return ws;
}

int ws_send(struct ws *ws, const char *text, size_t size)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	if (!ws->is_open || ws->close_sent)
		return -ENOTCONN;
	if (size > ws->queue_limit || stream_queued(ws->stream) > ws->queue_limit - size)
		return -ENOBUFS;
	strbuf_reserve(&out, size + 64);
	ws_message_append(&out, ws->is_server, text, size);
	stream_write(ws->stream, out.data, out.length);
	return 0;
}

int ws_ping(struct ws *ws)
{
	if (!ws->is_open || ws->close_sent)
		return -ENOTCONN;
	send_frame(ws, WS_PING, "", 0);
	return 0;
}

void ws_close(struct ws *ws, int code, const char *reason)
{
	if (ws->ended || ws->close_sent)
		return;
	if (!ws->is_open) {
		end_locally(ws, "closed before it was open");
		return;
	}
	send_close(ws, code, reason ? reason : "");
	/* a client waits as long as its owner likes (the agent goes on by its heartbeats) */
	if (ws->is_server) {
		ws->deadline = loop_timer_new(ws->loop, on_deadline, ws);
		loop_timer_start(ws->deadline, SERVER_CLOSE_WAIT_MS);
	}
}

void ws_drop(struct ws *ws)
{
	end_locally(ws, "dropped");
}

void ws_forget(struct ws *ws)
{
	ws->forgotten = true;
	end_locally(ws, "forgotten");
}

void ws_set_data(struct ws *ws, void *data)
{
	ws->data = data;
}
