/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/ws_frame.h"

static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

/* All events of `bytes`, fed `step` at a time, as one text. */
static char *decode(const char *bytes, size_t size, bool is_server, size_t limit, size_t step)
{
	struct strbuf seen = STRBUF_INIT;
	struct ws_decoder decoder;
	struct ws_event event = { .type = WS_EVENT_NONE };

	ws_decoder_init(&decoder, is_server, limit);
	for (size_t at = 0; at < size && event.type != WS_EVENT_ERROR; at += step) {
		size_t part = size - at < step ? size - at : step;
		const char *data = bytes + at;

		do {
			size_t used;

			ws_decoder_feed(&decoder, data, part, &used, &event);
			assert_true(used <= part);
			data += used;
			part -= used;
			if (event.type == WS_EVENT_MESSAGE)
				strbuf_appendf(&seen, "%s(%s)", event.is_binary ? "bin" : "text",
					       event.data);
			else if (event.type == WS_EVENT_PING || event.type == WS_EVENT_PONG)
				strbuf_appendf(&seen, "%s(%s)",
					       event.type == WS_EVENT_PING ? "ping" : "pong",
					       event.data);
			else if (event.type == WS_EVENT_CLOSE)
				strbuf_appendf(&seen, "close(%d %s)", event.code, event.data);
			else if (event.type == WS_EVENT_ERROR)
				strbuf_appendf(&seen, "error(%d %s)", event.code, event.reason);
		} while (event.type != WS_EVENT_NONE && event.type != WS_EVENT_ERROR);
	}
	ws_decoder_free(&decoder);
	return strbuf_take(&seen);
}

/* RFC 6455 section 5.7 */
static void the_examples_of_the_rfc(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool is_server;
		const char *events;
	} cases[] = {
		{ "\x81\x05\x48\x65\x6c\x6c\x6f", 7, false, "text(Hello)" },
		{ "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, true, "text(Hello)" },
		{ "\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", 9, false, "text(Hello)" },
		{ "\x89\x05\x48\x65\x6c\x6c\x6f", 7, false, "ping(Hello)" },
		{ "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, true, "pong(Hello)" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t step = 1; step <= cases[i].size; step++) {
			_cleanup_free_ char *events = decode(cases[i].bytes, cases[i].size,
							     cases[i].is_server, 100, step);

			assert_string_equal(events, cases[i].events);
		}
	}
}

static void what_is_written_is_read_whatever_the_pieces(void **state)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 100000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		_cleanup_free_ char *text = xmalloc(sizes[i] + 1);
		_cleanup_free_ char *expected = NULL;

		memset(text, 'a' + (int)i, sizes[i]);
		text[sizes[i]] = '\0';
		expected = xasprintf("text(%s)ping(p)", text);
		for (int is_server = 0; is_server < 2; is_server++) {
			_cleanup_strbuf_ struct strbuf wire = STRBUF_INIT;
			_cleanup_free_ char *bytewise = NULL, *pieces = NULL;

			ws_message_append(&wire, is_server, text, sizes[i]);
			ws_frame_append(&wire, WS_PING, true, is_server ? NULL : mask, "p", 1);
			bytewise = decode(wire.data, wire.length, !is_server, 200000, 1);
			pieces = decode(wire.data, wire.length, !is_server, 200000, 7777);
			assert_string_equal(bytewise, expected);
			assert_string_equal(pieces, expected);
		}
	}
}

/* acs 1.9 (acs-C23): first opcode 1 FIN 0, then opcode 0 of 32768 bytes, last FIN 1; always masked
 */
static void a_client_fragments_at_32768(void **state)
{
	_cleanup_strbuf_ struct strbuf wire = STRBUF_INIT;
	_cleanup_free_ char *text = xcalloc(1, 2 * 32768 + 10);
	const unsigned char *bytes;

	ws_message_append(&wire, false, text, 32768);
	bytes = (const unsigned char *)wire.data;
	assert_int_equal(bytes[0], 0x81);
	assert_int_equal(wire.length, 32768 + 8);

	strbuf_reset(&wire);
	ws_message_append(&wire, false, text, 2 * 32768 + 10);
	bytes = (const unsigned char *)wire.data;
	assert_int_equal(wire.length, 2 * 32768 + 10 + 8 + 8 + 6);
	assert_int_equal(bytes[0], 0x01);
	assert_int_equal(bytes[1], 0x80 | 126);
	assert_int_equal(bytes[2] << 8 | bytes[3], 32768);
	assert_int_equal(bytes[32768 + 8], 0x00);
	assert_int_equal(bytes[2 * (32768 + 8)], 0x80);
	assert_int_equal(bytes[2 * (32768 + 8) + 1], 0x80 | 10);
}

static void broken_frames_are_errors(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool is_server;
		const char *says;
	} cases[] = {
		{ "\xc1\x00", 2, false, "error(1002 a frame with reserved bits)" },
		{ "\x83\x00", 2, false, "error(1002 a frame of unknown type)" },
		{ "\x8b\x00", 2, false, "error(1002 a frame of unknown type)" },
		{ "\x80\x00", 2, false, "error(1002 a continuation without a message)" },
		{ "\x01\x01x\x81\x01y", 6, false, "error(1002 a new message within another)" },
		{ "\x09\x00", 2, false,
		  "error(1002 a control frame that is fragmented or too long)" },
		{ "\x89\x7e\x00\x80", 4, false,
		  "error(1002 a control frame that is fragmented or too long)" },
		{ "\x81\x01x", 3, true, "error(1002 a frame that is not masked)" },
		{ "\x81\x81\x00\x00\x00\x00x", 7, false, "error(1002 a frame that is masked)" },
		{ "\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 10, false,
		  "error(1002 a frame of negative length)" },
		{ "\x81\x65", 2, false, "error(1009 a message that is too long)" },
		{ "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10, false,
		  "error(1009 a message that is too long)" },
		{ "\x01\x03xxx\x80\x62", 7, false, "error(1009 a message that is too long)" },
		{ "\x88\x01x", 3, false, "error(1002 a close frame of one byte)" },
		{ "\x88\x02\x03\xe7", 4, false,
		  "error(1002 a close frame with an invalid code or reason)" },
		{ "\x88\x02\x03\xed", 4, false,
		  "error(1002 a close frame with an invalid code or reason)" },
		{ "\x88\x03\x03\xe8\xff", 5, false,
		  "error(1002 a close frame with an invalid code or reason)" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *events =
			decode(cases[i].bytes, cases[i].size, cases[i].is_server, 100, 1);

		assert_string_equal(events, cases[i].says);
	}
}

static void closes_are_read(void **state)
{
	_cleanup_free_ char *empty = decode("\x88\x00", 2, false, 100, 1);
	_cleanup_free_ char *normal = decode("\x88\x05\x03\xe8"
					     "bye",
					     7, false, 100, 7);
	_cleanup_free_ char *restart = decode("\x88\x02\x03\xf4", 4, false, 100, 1);

	assert_string_equal(empty, "close(1005 )");
	assert_string_equal(normal, "close(1000 bye)");
	assert_string_equal(restart, "close(1012 )");
}

static void control_frames_come_between_fragments(void **state)
{
	_cleanup_free_ char *events = decode("\x01\x02"
					     "ab\x89\x01p\x00\x01"
					     "c\x8a\x00\x80\x01"
					     "d\x82\x00",
					     17, false, 100, 3);

	assert_string_equal(events, "ping(p)pong()text(abcd)bin()");
}

static void the_limit_is_of_the_whole_message(void **state)
{
	_cleanup_free_ char *events = decode("\x01\x03"
					     "abc\x80\x02"
					     "de\x81\x05"
					     "fghij",
					     16, false, 5, 16);

	assert_string_equal(events, "text(abcde)text(fghij)");
}

/* RFC 6455 section 1.3 */
static void the_accept_key(void **state)
{
	_cleanup_free_ char *key = ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==");

	assert_string_equal(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc),
		cmocka_unit_test(what_is_written_is_read_whatever_the_pieces),
		cmocka_unit_test(a_client_fragments_at_32768),
		cmocka_unit_test(broken_frames_are_errors),
		cmocka_unit_test(closes_are_read),
		cmocka_unit_test(control_frames_come_between_fragments),
		cmocka_unit_test(the_limit_is_of_the_whole_message),
		cmocka_unit_test(the_accept_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
