/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/enroll.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

#define ID          "0123456789abcdef"
#define SECRET      "00112233445566778899aabbccddeeff"
#define FINGERPRINT SECRET SECRET
#define TOKEN       "berth1-" ID "-" SECRET "-" FINGERPRINT

static void a_token_is_taken_apart_and_put_together(void **state)
{
	struct enroll_token token;
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(enroll_token_parse(" \t" TOKEN "\r\n", &token, NULL), 0);
	assert_string_equal(token.id, ID);
	assert_string_equal(token.secret, SECRET);
	assert_string_equal(token.fingerprint, FINGERPRINT);
	text = enroll_token_format(&token);
	assert_string_equal(text, TOKEN);
}

static void what_is_no_token_is_refused_and_not_repeated(void **state)
{
	static const char *const table[] = {
		"",
		" ",
		"berth1-",
		"berth2-" ID "-" SECRET "-" FINGERPRINT,
		"berth1-" ID "-" SECRET,
		"berth1-" ID "-" SECRET "-",
		"berth1-" ID "-" SECRET "-" SECRET,
		"berth1-" ID "0-" SECRET "-" FINGERPRINT,
		"berth1-" ID "-" SECRET "0-" FINGERPRINT,
		"berth1-0123456789ABCDEF-" SECRET "-" FINGERPRINT,
		TOKEN "0",
		TOKEN "-",
		TOKEN " " TOKEN,
		"x" TOKEN,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct enroll_token token = { .id = "same" };
		struct error err = ERROR_INIT;

		assert_int_equal(enroll_token_parse(table[i], &token, &err), -EINVAL);
		assert_non_null(strstr(err.text, "berth-control token create"));
		assert_null(strstr(err.text, SECRET));
		assert_string_equal(token.id, "same");
	}
}

static void requests_come_back_as_they_were(void **state)
{
	char name[] = "a host", text[] = "AAAA";
	const struct enroll_request sent = {
		.token_id = ID, .token_secret = SECRET, .name = name, .request = text
	};
	const struct enroll_request renewal = { .name = name, .request = text };
	struct enroll_request got = { .name = NULL };
	_cleanup_free_ char *body = enroll_encode_request(&sent);
	_cleanup_free_ char *plain = enroll_encode_request(&renewal);

	(void)state;
	assert_int_equal(enroll_decode_request(body, strlen(body), true, &got, NULL), 0);
	assert_string_equal(got.token_id, ID);
	assert_string_equal(got.token_secret, SECRET);
	assert_string_equal(got.name, "a host");
	assert_string_equal(got.request, "AAAA");
	enroll_request_clear(&got);
	assert_null(strstr(plain, "token"));
	assert_int_equal(enroll_decode_request(plain, strlen(plain), true, &got, NULL), -EINVAL);
	assert_int_equal(enroll_decode_request(plain, strlen(plain), false, &got, NULL), 0);
	assert_string_equal(got.token_id, "");
	enroll_request_clear(&got);
}

static void bad_requests_name_the_member(void **state)
{
	static const struct {
		const char *body;
		const char *why;
	} table[] = {
		{ "", "" },
		{ "[]", "no JSON object" },
		{ "{}", "tokenId" },
		{ "{\"tokenId\":\"0123456789abcdef\"}", "tokenSecret" },
		{ "{\"tokenId\":\"0123456789abcdeg\"}", "tokenId: must be 16 hex digits" },
		{ "{\"tokenId\":\"" ID "\",\"tokenSecret\":\"" ID "\"}",
		  "tokenSecret: must be 32 hex digits" },
		{ "{\"tokenId\":\"" ID "\",\"tokenSecret\":\"" SECRET "\"}", "request" },
		{ "{\"tokenId\":\"" ID "\",\"tokenSecret\":\"" SECRET "\",\"request\":[]}",
		  "request" },
		{ "{\"tokenId\":\"" ID "\",\"tokenSecret\":\"" SECRET
		  "\",\"request\":\"\",\"name\":\"\\u001b[2J\"}",
		  "name: must be at most" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct enroll_request got = { .name = NULL };
		struct error err = ERROR_INIT;

		assert_int_equal(enroll_decode_request(table[i].body, strlen(table[i].body), true,
						       &got, &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, table[i].why));
		assert_null(got.name);
	}
}

static void answers_give_the_certificate(void **state)
{
	_cleanup_free_ char *body = enroll_encode_answer("id", "-----BEGIN\nx\n");
	_cleanup_free_ char *pem = NULL;
	static const char *const bad[] = { "", "[]", "{}", "{\"certificate\":1}" };

	(void)state;
	assert_int_equal(enroll_decode_answer(body, strlen(body), &pem, NULL), 0);
	assert_string_equal(pem, "-----BEGIN\nx\n");
	for (size_t i = 0; i < 4; i++) {
		struct error err = ERROR_INIT;
		char *none = NULL;

		assert_int_equal(enroll_decode_answer(bad[i], strlen(bad[i]), &none, &err),
				 -EBADMSG);
		assert_null(none);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_taken_apart_and_put_together),
		cmocka_unit_test(what_is_no_token_is_refused_and_not_repeated),
		cmocka_unit_test(requests_come_back_as_they_were),
		cmocka_unit_test(bad_requests_name_the_member),
		cmocka_unit_test(answers_give_the_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
