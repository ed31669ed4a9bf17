/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ws_frame.h"

#include <string.h>

#include <openssl/sha.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/random.h"
#include "base/str.h"

#define KEPT_SIZE (64 * 1024UL)

void ws_decoder_init(struct ws_decoder *decoder, bool is_server, size_t limit)
{
	*decoder = (struct ws_decoder){ .is_server = is_server, .limit = limit };
}

void ws_decoder_free(struct ws_decoder *decoder)
{
	strbuf_free(&decoder->message);
	strbuf_free(&decoder->control);
}

static struct ws_event fail(int code, const char *reason)
{
	return (struct ws_event){ .type = WS_EVENT_ERROR, .code = code, .reason = reason };
}

static struct ws_event wrong(const char *reason)
{
	return fail(WS_CLOSE_PROTOCOL_ERROR, reason);
}

/* How many bytes the head has, as far as those that are there tell. */
static size_t head_need(const struct ws_decoder *decoder)
{
	size_t need = 2;

	if (decoder->head_size < 2)
		return need;
	if ((decoder->head[1] & 0x7F) == 126)
		need += 2;
	else if ((decoder->head[1] & 0x7F) == 127)
		need += 8;
	return decoder->head[1] & 0x80 ? need + 4 : need;
}

static bool is_control(enum ws_opcode opcode)
{
	return opcode & 8;
}

static struct ws_event check_head(const struct ws_decoder *decoder)
{
	if (decoder->head[0] & 0x70)
		return wrong("a frame with reserved bits");
	switch (decoder->opcode) {
	case WS_CONTINUATION:
		if (!decoder->in_message)
			return wrong("a continuation without a message");
		break;
	case WS_TEXT:
	case WS_BINARY:
		if (decoder->in_message)
			return wrong("a new message within another");
		break;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		if (!decoder->final || decoder->left > 125)
			return wrong("a control frame that is fragmented or too long");
		break;
	default:
		return wrong("a frame of unknown type");
	}
	if (decoder->masked != decoder->is_server)
		return wrong(decoder->is_server ? "a frame that is not masked"
						: "a frame that is masked");
	if (decoder->left >> 63)
		return wrong("a frame of negative length");
	if (!is_control(decoder->opcode) &&
	    decoder->left > decoder->limit - decoder->message.length)
		return fail(WS_CLOSE_TOO_BIG, "a message that is too long");
	return (struct ws_event){ .type = WS_EVENT_NONE };
}

/* The memory of a long message is not kept for the next. */
static void forget_message(struct ws_decoder *decoder)
{
	if (decoder->message.capacity > KEPT_SIZE)
		strbuf_free(&decoder->message);
	else
		strbuf_reset(&decoder->message);
}

/* The head is whole. */
static struct ws_event begin_frame(struct ws_decoder *decoder)
{
	const unsigned char *head = decoder->head;
	size_t at = 2;
	struct ws_event event;

	decoder->final = head[0] & 0x80;
	decoder->opcode = head[0] & 0x0F;
	decoder->masked = head[1] & 0x80;
	decoder->left = head[1] & 0x7F;
	if (decoder->left >= 126) {
		size_t bytes = decoder->left == 126 ? 2 : 8;

		decoder->left = 0;
		for (size_t i = 0; i < bytes; i++)
			decoder->left = decoder->left << 8 | head[at++];
	}
	if (decoder->masked)
		memcpy(decoder->mask, head + at, 4);
	decoder->mask_at = 0;
	/* the last message was given out with the last event */
	if (!is_control(decoder->opcode) && !decoder->in_message)
		forget_message(decoder);
	event = check_head(decoder);
	if (event.type == WS_EVENT_ERROR)
		return event;
	if (is_control(decoder->opcode)) {
		strbuf_reset(&decoder->control);
	} else if (decoder->opcode != WS_CONTINUATION) {
		decoder->is_binary = decoder->opcode == WS_BINARY;
		decoder->in_message = true;
	}
	decoder->in_payload = true;
	return event;
}

static size_t take_payload(struct ws_decoder *decoder, const char *data, size_t size)
{
	struct strbuf *to = is_control(decoder->opcode) ? &decoder->control : &decoder->message;
	size_t part = size < decoder->left ? size : (size_t)decoder->left;
	char *at;

	strbuf_append_n(to, data, part);
	decoder->left -= part;
	if (decoder->masked) {
		at = to->data + to->length - part;
		for (size_t i = 0; i < part; i++)
			at[i] = (char)(at[i] ^ decoder->mask[decoder->mask_at++ & 3]);
	}
	return part;
}

static struct ws_event close_event(struct ws_decoder *decoder)
{
	const char *payload = strbuf_text(&decoder->control);
	size_t size = decoder->control.length;
	struct ws_event event = { .type = WS_EVENT_CLOSE, .code = WS_CLOSE_NO_STATUS, .data = "" };

	if (size == 1)
		return wrong("a close frame of one byte");
	if (size >= 2) {
		event.code = (unsigned char)payload[0] << 8 | (unsigned char)payload[1];
		event.data = payload + 2;
		event.size = size - 2;
		if (!ws_close_code_is_valid(event.code) || !str_is_utf8(event.data, event.size))
			return wrong("a close frame with an invalid code or reason");
	}
	return event;
}

static struct ws_event end_frame(struct ws_decoder *decoder)
{
	struct ws_event event = { .type = WS_EVENT_NONE };

	decoder->in_payload = false;
	decoder->head_size = 0;
	switch (decoder->opcode) {
	case WS_CLOSE:
		return close_event(decoder);
	case WS_PING:
	case WS_PONG:
		event.type = decoder->opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
		event.data = strbuf_text(&decoder->control);
		event.size = decoder->control.length;
		return event;
	default:
		if (!decoder->final)
			return event;
		decoder->in_message = false;
		event.type = WS_EVENT_MESSAGE;
		event.data = strbuf_text(&decoder->message);
		event.size = decoder->message.length;
		event.is_binary = decoder->is_binary;
		return event;
	}
}

void ws_decoder_feed(struct ws_decoder *decoder, const char *data, size_t size, size_t *ret_used,
		     struct ws_event *ret)
{
	size_t used = 0;

	*ret = (struct ws_event){ .type = WS_EVENT_NONE };
	while (ret->type == WS_EVENT_NONE) {
		if (!decoder->in_payload) {
			if (used == size)
				break;
			decoder->head[decoder->head_size++] = (unsigned char)data[used++];
			if (decoder->head_size < head_need(decoder))
				continue;
			*ret = begin_frame(decoder);
			if (ret->type == WS_EVENT_NONE && decoder->left == 0)
				*ret = end_frame(decoder);
			continue;
		}
		if (used == size)
			break;
		used += take_payload(decoder, data + used, size - used);
		if (decoder->left == 0)
			*ret = end_frame(decoder);
	}
	*ret_used = used;
}

void ws_frame_append(struct strbuf *out, enum ws_opcode opcode, bool final,
		     const unsigned char *mask, const void *data, size_t size)
{
	unsigned char head[14];
	size_t at = 2;
	char *payload;

	head[0] = (unsigned char)((final ? 0x80 : 0) | opcode);
	head[1] = mask ? 0x80 : 0;
	if (size < 126) {
		head[1] |= (unsigned char)size;
	} else {
		int bytes = size < 65536 ? 2 : 8;

		head[1] |= bytes == 2 ? 126 : 127;
		for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
			head[at++] = (unsigned char)((uint64_t)size >> shift);
	}
	if (mask) {
		memcpy(head + at, mask, 4);
		at += 4;
	}
	strbuf_append_n(out, head, at);
	strbuf_append_n(out, data, size);
	if (mask) {
		payload = out->data + out->length - size;
		for (size_t i = 0; i < size; i++)
			payload[i] = (char)(payload[i] ^ mask[i & 3]);
	}
}

void ws_message_append(struct strbuf *out, bool is_server, const char *text, size_t size)
{
	enum ws_opcode opcode = WS_TEXT;
	unsigned char mask[4];

	if (is_server) {
		ws_frame_append(out, WS_TEXT, true, NULL, text, size);
		return;
	}
	do {
		size_t part = size < WS_FRAGMENT_SIZE ? size : WS_FRAGMENT_SIZE;

		random_bytes(mask, sizeof(mask));
		ws_frame_append(out, opcode, part == size, mask, text, part);
		opcode = WS_CONTINUATION;
		text += part;
		size -= part;
	} while (size > 0);
}

bool ws_close_code_is_valid(int code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

char *ws_accept_key(const char *key)
{
	_cleanup_free_ char *text = xasprintf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	unsigned char digest[SHA_DIGEST_LENGTH];

	SHA1((const unsigned char *)text, strlen(text), digest);
	return base64_encode(digest, sizeof(digest));
}
