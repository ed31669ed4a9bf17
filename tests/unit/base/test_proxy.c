/* SPDX-License-Identifier: Apache-2.0 */
/* Which proxy leads to what, as the environment has it. */
#include "base/proxy.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

#define P "http://proxy:3128"

/* "kind host port user password" of what is chosen, or "direct". */
static void expect_chosen(char *const *environment, const char *url_text, const char *expected)
{
	static const char *const kinds[] = { "direct", "http", "https", "socks5" };
	_cleanup_url_ struct url url = { .scheme = NULL };
	_cleanup_proxy_ struct proxy proxy = { .kind = PROXY_NONE };
	struct error err = ERROR_INIT;
	char text[256];

	assert_int_equal(url_parse(url_text, &url, &err), 0);
	if (proxy_choose(environment, &url, &proxy, &err) < 0)
		fail_msg("%s", err.text);
	if (proxy.kind == PROXY_NONE)
		snprintf(text, sizeof(text), "direct");
	else
		snprintf(text, sizeof(text), "%s %s %u%s%s%s%s", kinds[proxy.kind], proxy.host,
			 proxy.port, proxy.user ? " " : "", proxy.user ? proxy.user : "",
			 proxy.user ? " " : "", proxy.password ? proxy.password : "");
	if (strcmp(text, expected) != 0)
		fail_msg("%s: %s, not %s", url_text, text, expected);
}

static void each_scheme_has_its_variable(void **state)
{
	char *both[] = { "A=b", "HTTP_PROXY=plain", "HTTPS_PROXY=secret", NULL };
	char *plain[] = { "HTTP_PROXY=http://plain:3128/", NULL };
	char *secret[] = { "https_proxy=secret:1", NULL };
	char *lower[] = { "http_proxy=lower", "HTTP_PROXY=", NULL };

	(void)state;
	expect_chosen(both, "http://a.b/", "http plain 80");
	expect_chosen(both, "ws://a.b/", "http plain 80");
	expect_chosen(both, "https://a.b/", "http secret 80");
	expect_chosen(both, "wss://a.b/", "http secret 80");
	expect_chosen(plain, "wss://a.b/", "http plain 3128");
	expect_chosen(plain, "https://a.b:8443/", "http plain 3128");
	expect_chosen(secret, "http://a.b/", "direct");
	expect_chosen(secret, "https://a.b/", "http secret 1");
	expect_chosen(lower, "http://a.b/", "http lower 80");
	expect_chosen(NULL, "http://a.b/", "direct");
}

static void the_forms_of_a_proxy(void **state)
{
	static const char *const forms[][2] = {
		{ "HTTP_PROXY=p:8080", "http p 8080" },
		{ "HTTP_PROXY=http://p", "http p 80" },
		{ "HTTP_PROXY=https://p", "https p 443" },
		{ "HTTP_PROXY=socks5://p", "socks5 p 1080" },
		{ "HTTP_PROXY=socks5h://10.0.0.1:9", "socks5 10.0.0.1 9" },
		{ "HTTP_PROXY=http://[fd00::1]:3128/x", "http fd00::1 3128" },
		{ "HTTP_PROXY=http://me:p%40ss@p:1", "http p 1 me p@ss" },
		{ "HTTP_PROXY=me@p:1", "http p 1 me " },
	};
	static const char *const wrong[] = {
		"HTTP_PROXY=ftp://p",       "HTTP_PROXY=http://",     "HTTP_PROXY=http://p:0",
		"HTTP_PROXY=http://p:x",    "HTTP_PROXY=http://[::1", "HTTP_PROXY=http://a b:1",
		"HTTP_PROXY=http://[::1]x",
	};
	_cleanup_url_ struct url url = { .scheme = NULL };

	(void)state;
	assert_int_equal(url_parse("http://a.b/", &url, NULL), 0);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char *environment[] = { (char *)(uintptr_t)forms[i][0], NULL };

		expect_chosen(environment, "http://a.b/", forms[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *environment[] = { (char *)(uintptr_t)wrong[i], NULL };
		struct proxy proxy = { .kind = PROXY_NONE };
		struct error err = ERROR_INIT;

		if (proxy_choose(environment, &url, &proxy, &err) != -EINVAL)
			fail_msg("%s was taken", wrong[i]);
		assert_string_equal(err.text, "HTTP_PROXY is none of http://HOST:PORT, "
					      "https://HOST:PORT, socks5://HOST:PORT and "
					      "HOST:PORT");
	}
}

static void this_host_is_never_led_through_one(void **state)
{
	char *environment[] = { "HTTP_PROXY=" P, "NO_PROXY=x", NULL };

	(void)state;
	expect_chosen(environment, "http://localhost:8080/", "direct");
	expect_chosen(environment, "http://LocalHost/", "direct");
	expect_chosen(environment, "http://127.9.9.9/", "direct");
	expect_chosen(environment, "http://[::1]:1/", "direct");
	expect_chosen(environment, "http://localhost.example/", "http proxy 3128");
	expect_chosen(environment, "http://128.0.0.1/", "http proxy 3128");
}

static void metadata_is_excepted_unless_told_otherwise(void **state)
{
	char *silent[] = { "HTTP_PROXY=" P, "NO_PROXY=", NULL };
	char *told[] = { "HTTP_PROXY=" P, "NO_PROXY=a", NULL };

	(void)state;
	expect_chosen(silent, "http://169.254.169.254/", "direct");
	expect_chosen(silent, "http://169.254.170.2/v2", "direct");
	expect_chosen(silent, "http://169.254.170.3/v2", "http proxy 3128");
	expect_chosen(told, "http://169.254.169.254/", "http proxy 3128");
}

static void what_no_proxy_names_is_excepted(void **state)
{
	static const struct {
		const char *list, *url;
		bool direct;
	} cases[] = {
		{ "NO_PROXY=*", "http://a/", true },
		{ "NO_PROXY=a.b", "http://a.b/", true },
		{ "NO_PROXY=A.B", "http://x.y.a.b/", true },
		{ "NO_PROXY=a.b", "http://xa.b/", false },
		{ "NO_PROXY=.a.b", "http://a.b/", false },
		{ "NO_PROXY=.a.b", "http://x.a.b/", true },
		{ "NO_PROXY=*.a.b", "http://x.a.b/", true },
		{ "NO_PROXY=*.a.b", "http://a.b/", false },
		{ "NO_PROXY=a.b:80", "http://a.b/", true },
		{ "NO_PROXY=a.b:80", "http://a.b:81/", false },
		{ "NO_PROXY=a.b:443", "https://a.b/", true },
		{ "NO_PROXY= c , a.b ,", "http://a.b/", true },
		{ "no_proxy=a.b", "http://a.b/", true },
		{ "NO_PROXY=10.0.0.1", "http://10.0.0.1/", true },
		{ "NO_PROXY=10.0.0.1", "http://10.0.0.2/", false },
		{ "NO_PROXY=10.0.0.1:80", "http://10.0.0.1:81/", false },
		{ "NO_PROXY=10.0.0.1:81", "http://10.0.0.1:81/", true },
		{ "NO_PROXY=10.0.0.0/8", "http://10.200.0.1/", true },
		{ "NO_PROXY=10.0.0.0/8", "http://11.0.0.1/", false },
		{ "NO_PROXY=fd00::/16", "http://[fd00::7]/", true },
		{ "NO_PROXY=fd00::7", "http://[fd00::7]/", true },
		{ "NO_PROXY=[fd00::7]:81", "http://[fd00::7]:81/", true },
		{ "NO_PROXY=fd00::/16", "http://10.0.0.1/", false },
		{ "NO_PROXY=0.0.1", "http://10.0.0.1/", false },
		{ "NO_PROXY=:80,[,a.b:x", "http://a.b/", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *environment[] = { "HTTP_PROXY=" P, "HTTPS_PROXY=" P,
					(char *)(uintptr_t)cases[i].list, NULL };

		expect_chosen(environment, cases[i].url,
			      cases[i].direct ? "direct" : "http proxy 3128");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_scheme_has_its_variable),
		cmocka_unit_test(the_forms_of_a_proxy),
		cmocka_unit_test(this_host_is_never_led_through_one),
		cmocka_unit_test(metadata_is_excepted_unless_told_otherwise),
		cmocka_unit_test(what_no_proxy_names_is_excepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
