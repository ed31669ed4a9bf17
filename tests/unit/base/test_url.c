/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/url.h"

static void urls_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
		const char *authority, *path, *query;
		bool tls;
	} cases[] = {
		{ "http://h", "h", 80, "h", "/", "", false },
		{ "HTTPS://ecs.us-west-2.amazonaws.com/", "ecs.us-west-2.amazonaws.com", 443,
		  "ecs.us-west-2.amazonaws.com", "/", "", true },
		{ "ws://127.0.0.1:36163/ws?a=b+c&d=%2F", "127.0.0.1", 36163, "127.0.0.1:36163",
		  "/ws", "a=b+c&d=%2F", false },
		{ "wss://h:443/x/ws", "h", 443, "h", "/x/ws", "", true },
		{ "http://[::1]:8080/p", "::1", 8080, "[::1]:8080", "/p", "", false },
		{ "http://[fe80::1%25eth0]?q", "fe80::1%25eth0", 80, "[fe80::1%25eth0]", "/", "q",
		  false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_url_ struct url url = { .scheme = NULL };

		assert_ok(url_parse(cases[i].text, &url, why));
		assert_string_equal(url.host, cases[i].host);
		assert_int_equal(url.port, cases[i].port);
		assert_string_equal(url.authority, cases[i].authority);
		assert_string_equal(url.path, cases[i].path);
		assert_string_equal(url.query, cases[i].query);
		assert_int_equal(url.tls, cases[i].tls);
	}
}

static void what_is_no_url_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"h",
		"ftp://h/",
		"http:/h",
		"http://",
		"http:///x",
		"http://h:0/",
		"http://h:65536/",
		"http://h:/",
		"http://user@h/",
		"http://u:p@h/",
		"http://h/#fragment",
		"http://h/a b",
		"http://h/a\r\nX: y",
		"http://[::1/",
		"http://[::1]x/",
		"http://h\\x/",
		"http://[h]/",
		"http://[127.0.0.1]/",
		"http://h/\xc3\xa9",
		"http://h:80x/x",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct url url = { .scheme = NULL };
		struct error err = ERROR_INIT;

		if (url_parse(bad[i], &url, &err) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_contains(err.text, "URL");
		assert_null(url.host);
	}
}

static void parameters_are_found_and_decoded(void **state)
{
	static const char query[] = "a=b+c&flag&a=second&d%20e=%2Fx%zz%4&end=%41";
	static const char *const pairs[][2] = {
		{ "a", "b c" },
		{ "flag", "" },
		{ "d e", "/x%zz%4" },
		{ "end", "A" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		_cleanup_free_ char *value = url_query_param(query, pairs[i][0]);

		assert_non_null(value);
		assert_string_equal(value, pairs[i][1]);
	}
	assert_null(url_query_param(query, "none"));
	assert_null(url_query_param("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(what_is_no_url_is_refused),
		cmocka_unit_test(parameters_are_found_and_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
