/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a peer may send as websocket frames; the first byte says which end we are. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 1000

/* The events as a text. */
static char *decode(const char *bytes, size_t size, bool is_server, size_t step)
{
	struct strbuf seen = STRBUF_INIT;
	struct ws_decoder decoder;
	struct ws_event event = { .type = WS_EVENT_NONE };

	ws_decoder_init(&decoder, is_server, LIMIT);
	for (size_t at = 0; at < size && event.type != WS_EVENT_ERROR; at += step) {
		const char *piece = bytes + at;
		size_t left = size - at < step ? size - at : step;

		do {
			size_t used;

			ws_decoder_feed(&decoder, piece, left, &used, &event);
			if (used > left || event.size > LIMIT)
				abort();
			piece += used;
			left -= used;
			if (event.type != WS_EVENT_NONE)
				strbuf_appendf(&seen, "%d %d ", event.type, event.code);
			if (event.data)
				strbuf_append_n(&seen, event.data, event.size);
		} while (event.type != WS_EVENT_NONE && event.type != WS_EVENT_ERROR);
	}
	ws_decoder_free(&decoder);
	return strbuf_take(&seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *whole, *bytewise;

	if (size < 1)
		return 0;
	whole = decode((const char *)data + 1, size - 1, data[0] & 1, size);
	bytewise = decode((const char *)data + 1, size - 1, data[0] & 1, 1);
	if (!str_eq(whole, bytewise))
		abort();
	free(whole);
	free(bytewise);
	return 0;
}
