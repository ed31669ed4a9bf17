/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tcs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void headers_end_at_the_first_empty_line(void **state)
{
	static const char text[] = "Authorization: AWS4-HMAC-SHA256 Credential=a:b\r\n"
				   "Host: 127.0.0.1:39555\r\n"
				   "X-Amz-Date:20261120T102732Z\r\n"
				   "\r\n"
				   "{\"a\":\"\r\n\r\n\"}";
	_cleanup_free_ char *host = NULL;
	_cleanup_free_ char *date = NULL;
	_cleanup_free_ char *authorization = NULL;
	struct tcs_frame frame;

	assert_int_equal(tcs_frame_split(text, strlen(text), &frame, NULL), 0);
	assert_int_equal(frame.body_size, strlen("{\"a\":\"\r\n\r\n\"}"));
	assert_memory_equal(frame.body, "{\"a\":", 5);
	assert_memory_equal(frame.headers + frame.headers_size - 4, "2Z\r\n", 4);
	host = tcs_frame_header(&frame, "host");
	date = tcs_frame_header(&frame, "X-Amz-Date");
	authorization = tcs_frame_header(&frame, "AUTHORIZATION");
	assert_string_equal(host, "127.0.0.1:39555");
	assert_string_equal(date, "20261120T102732Z");
	assert_string_equal(authorization, "AWS4-HMAC-SHA256 Credential=a:b");
	assert_null(tcs_frame_header(&frame, "X-Amz-Security-Token"));
	assert_null(tcs_frame_header(&frame, "Hos"));
}

static void an_empty_body_is_a_body(void **state)
{
	struct tcs_frame frame;

	assert_int_equal(tcs_frame_split("A: b\r\n\r\n", 8, &frame, NULL), 0);
	assert_int_equal(frame.body_size, 0);
}

static void others_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{ "{\"type\":\"PublishMetricsRequest\"}",
		  "the frame has no header block: there is no empty line in it" },
		{ "", "the frame has no header block: there is no empty line in it" },
		{ "Host: a\n\n{}", "the frame has no header block: there is no empty line in it" },
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n{}",
		  "the header line \"GET / HTTP/1.1\" has no name" },
		{ ": x\r\n\r\n{}", "the header line \": x\" has no name" },
		{ "\r\n\r\n{}", "the header line \"\" has no name" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		struct tcs_frame frame;

		assert_int_equal(
			tcs_frame_split(cases[i].text, strlen(cases[i].text), &frame, &err),
			-EBADMSG);
		assert_string_equal(err.text, cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_end_at_the_first_empty_line),
		cmocka_unit_test(an_empty_body_is_a_body),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
