/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/http_head.h"

static int parse_request(const char *text, struct http_head *ret)
{
	long size = http_head_size(text, strlen(text));

	if (size < 0)
		return (int)size;
	assert_int_equal(size, strlen(text));
	return http_head_parse_request(text, (size_t)size, ret);
}

static void a_head_ends_with_an_empty_line(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nA: b\r\n\r\nbody";

	for (size_t size = 0; size < 24; size++)
		assert_int_equal(http_head_size(text, size), 0);
	for (size_t size = 24; size < sizeof(text); size++)
		assert_int_equal(http_head_size(text, size), 24);
	assert_int_equal(http_head_size("\r\n\r\nGET / HTTP/1.0\r\n\r\n", 22), 22);
	assert_int_equal(http_head_size("GET / HTTP/1.0\n\n", 16), -EBADMSG);
	assert_int_equal(http_head_size("G\0T / HTTP/1.0\r\n\r\n", 18), -EBADMSG);
}

static void requests_are_taken_apart(void **state)
{
	_cleanup_http_head_ struct http_head head = { .method = NULL };

	assert_int_equal(parse_request("POST /a%2Fb?x=1?y HTTP/1.1\r\nHost:h\r\nEmpty:\r\n"
				       "Spaces: \t a b \t\r\nhost: second\r\n\r\n",
				       &head),
			 0);
	assert_string_equal(head.method, "POST");
	assert_string_equal(head.path, "/a%2Fb");
	assert_string_equal(head.query, "x=1?y");
	assert_int_equal(head.minor, 1);
	assert_string_equal(http_head_field(&head, "HOST"), "h");
	assert_string_equal(http_head_field(&head, "empty"), "");
	assert_string_equal(http_head_field(&head, "spaces"), "a b");
	assert_null(http_head_field(&head, "none"));
}

static void ambiguous_requests_are_refused(void **state)
{
	static const char *const bad[] = {
		"GET /\r\n\r\n",
		" GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1 \r\n\r\n",
		"GET /a b HTTP/1.1\r\n\r\n",
		"GET /#f HTTP/1.1\r\n\r\n",
		"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
		"GET * HTTP/1.1\r\n\r\n",
		"VERYLONGMETHODNAME / HTTP/1.1\r\n\r\n",
		"GET / http/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nNoColon\r\n\r\n",
		"GET / HTTP/1.1\r\n: value\r\n\r\n",
		"GET / HTTP/1.1\r\nA : b\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
		"GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
	};
	struct http_head head = { .method = NULL };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse_request(bad[i], &head) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		assert_null(head.method);
	}
	assert_int_equal(parse_request("GET / HTTP/1.2\r\n\r\n", &head), -EPROTONOSUPPORT);
	assert_int_equal(parse_request("GET / HTTP/3.0\r\n\r\n", &head), -EPROTONOSUPPORT);
}

static void the_number_of_fields_is_bounded(void **state)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct http_head head = { .method = NULL };

	strbuf_append(&text, "GET / HTTP/1.1\r\n");
	for (int i = 0; i <= HTTP_MAX_HEADERS; i++)
		strbuf_append(&text, "a:b\r\n");
	strbuf_append(&text, "\r\n");
	assert_int_equal(parse_request(text.data, &head), -EBADMSG);
}

static void answers_are_taken_apart(void **state)
{
	static const char *const bad[] = { "HTTP/1.1 2000 X\r\n\r\n", "HTTP/1.1 99 X\r\n\r\n",
					   "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1\r\n\r\n",
					   "GET / HTTP/1.1\r\n\r\n" };
	struct http_head head = { .method = NULL };
	static const char good[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
				   "Connection: keep-alive,Upgrade\r\n\r\n";
	static const char bare[] = "HTTP/1.0 200\r\n\r\n";

	assert_int_equal(http_head_parse_response(good, strlen(good), &head), 0);
	assert_int_equal(head.status, 101);
	assert_true(http_head_has_token(&head, "connection", "upgrade"));
	assert_true(http_head_has_token(&head, "connection", "keep-alive"));
	assert_false(http_head_has_token(&head, "connection", "up"));
	assert_false(http_head_has_token(&head, "connection", "close"));
	http_head_free(&head);
	assert_int_equal(http_head_parse_response(bare, strlen(bare), &head), 0);
	assert_int_equal(head.status, 200);
	assert_int_equal(head.minor, 0);
	http_head_free(&head);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(http_head_parse_response(bad[i], strlen(bad[i]), &head) < 0);
}

static void the_length_of_a_body_is_clear_or_refused(void **state)
{
	static const struct {
		const char *fields;
		int result;
		enum http_body_kind kind;
		uint64_t length;
	} cases[] = {
		{ "", 0, HTTP_BODY_NONE, 0 },
		{ "Content-Length: 0\r\n", 0, HTTP_BODY_NONE, 0 },
		{ "Content-Length: 12\r\n", 0, HTTP_BODY_LENGTH, 12 },
		{ "Transfer-Encoding: Chunked\r\n", 0, HTTP_BODY_CHUNKED, 0 },
		{ "Content-Length: 1, 1\r\n", -EBADMSG, 0, 0 },
		{ "Content-Length: +1\r\n", -EBADMSG, 0, 0 },
		{ "Content-Length: 0x1\r\n", -EBADMSG, 0, 0 },
		{ "Content-Length:\r\n", -EBADMSG, 0, 0 },
		{ "Content-Length: 99999999999999999999\r\n", -EBADMSG, 0, 0 },
		{ "Content-Length: 1\r\nContent-Length: 1\r\n", -EBADMSG, 0, 0 },
		{ "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", -EBADMSG, 0, 0 },
		{ "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", -EBADMSG, 0, 0 },
		{ "Transfer-Encoding: gzip, chunked\r\n", -ENOTSUP, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_http_head_ struct http_head head = { .method = NULL };
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		enum http_body_kind kind = HTTP_BODY_TO_END;
		uint64_t length;

		strbuf_appendf(&text, "POST / HTTP/1.1\r\n%s\r\n", cases[i].fields);
		assert_int_equal(parse_request(text.data, &head), 0);
		assert_int_equal(http_head_body(&head, &kind, &length), cases[i].result);
		if (cases[i].result == 0) {
			assert_int_equal(kind, cases[i].kind);
			assert_int_equal(length, cases[i].length);
		}
	}
}

static int feed(const char *text, size_t limit, size_t step, struct strbuf *body, size_t *ret_used)
{
	struct http_chunks chunks = { .state = 0 };
	size_t size = strlen(text);
	int result = 0;

	*ret_used = 0;
	while (result == 0 && *ret_used < size) {
		size_t used;
		size_t part = size - *ret_used < step ? size - *ret_used : step;

		result = http_chunks_feed(&chunks, text + *ret_used, part, limit, body, &used);
		*ret_used += used;
	}
	return result;
}

static void chunks_are_put_together(void **state)
{
	static const char text[] =
		"4\r\nWiki\r\nA; ext=\"v\"\r\n0123456789\r\n000\r\nT: x\r\n\r\nnext";

	for (size_t step = 1; step < sizeof(text); step++) {
		_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
		size_t used;

		assert_int_equal(feed(text, 14, step, &body, &used), 1);
		assert_string_equal(body.data, "Wiki0123456789");
		assert_int_equal(used, strlen(text) - 4);
	}
}

static void broken_chunks_are_refused(void **state)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{ "\r\n", -EBADMSG },
		{ "g\r\n", -EBADMSG },
		{ "-1\r\n", -EBADMSG },
		{ "0x1\r\n", -EBADMSG },
		{ "1\n", -EBADMSG },
		{ "1\rx", -EBADMSG },
		{ ";x\r\n", -EBADMSG },
		{ "1\r\nab", -EBADMSG },
		{ "1\r\na\n", -EBADMSG },
		{ "1;\x01\r\n", -EBADMSG },
		{ "0\r\n\x01", -EBADMSG },
		{ "0\r\na\rb", -EBADMSG },
		{ "15\r\n", -EFBIG },
		{ "ffffffffffffffffff\r\n", -EFBIG },
		{ "a\r\n0123456789\r\nb\r\n", -EFBIG },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
		size_t used;

		if (feed(cases[i].text, 20, 1, &body, &used) != cases[i].result)
			fail_msg("taken: %s", cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_ends_with_an_empty_line),
		cmocka_unit_test(requests_are_taken_apart),
		cmocka_unit_test(ambiguous_requests_are_refused),
		cmocka_unit_test(the_number_of_fields_is_bounded),
		cmocka_unit_test(answers_are_taken_apart),
		cmocka_unit_test(the_length_of_a_body_is_clear_or_refused),
		cmocka_unit_test(chunks_are_put_together),
		cmocka_unit_test(broken_chunks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
