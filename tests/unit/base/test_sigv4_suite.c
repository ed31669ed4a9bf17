/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS's published test suite for Signature Version 4 (aws-signing-test-suite, v4, signatures in
 * headers), as far as it applies: all that is signed here is for services that are not S3, and no
 * signature is in a query.
 */
#include "unit.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/sigv4.h"
#include "base/str.h"
#include "base/strbuf.h"

#define SECRET     "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define DATE       "20150830T123600Z"
#define HOST       "example.amazonaws.com"
#define CREDENTIAL "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define VANILLA    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
#define TOKEN      "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
#define STS_TOKEN                                                                                  \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRX"   \
	"mxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsbur"    \
	"EDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkU"   \
	"L64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
#define BODY      "Param1=value1"
#define BODY_HASH "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"

/* What stands in a request line unencoded is only what a server may get, not what a client sends.
 */
enum { BOTH, SERVER_ONLY };

static const struct vector {
	const char *name;
	const char *method, *path, *query;
	const char *token;
	struct header headers[4]; /* signed ones, beside host, date and token */
	const char *signed_headers;
	const char *signature;
	int who;
} vectors[] = {
	{ "get-vanilla", "GET", "/", "", NULL, { { 0 } }, "host;x-amz-date", VANILLA, BOTH },
	{ "get-vanilla-empty-query-key",
	  "GET",
	  "/",
	  "Param1=value1",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
	  BOTH },
	{ "get-vanilla-query-order-key-case",
	  "GET",
	  "/",
	  "Param2=value2&Param1=value1",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
	  BOTH },
	{ "get-vanilla-query-order-encoded",
	  "GET",
	  "/",
	  "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
	  BOTH },
	{ "get-vanilla-query-unreserved",
	  "GET",
	  "/",
	  UNRESERVED "=" UNRESERVED,
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
	  BOTH },
	{ "get-vanilla-utf8-query",
	  "GET",
	  "/",
	  "\xe1\x88\xb4=bar",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
	  SERVER_ONLY },
	{ "get-unreserved",
	  "GET",
	  "/" UNRESERVED,
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
	  BOTH },
	{ "get-utf8",
	  "GET",
	  "/\xe1\x88\xb4",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
	  SERVER_ONLY },
	{ "get-space-normalized",
	  "GET",
	  "/example space/",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
	  SERVER_ONLY },
	{ "get-slash-normalized",
	  "GET",
	  "//",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  VANILLA,
	  BOTH },
	{ "get-slashes-normalized",
	  "GET",
	  "//example//",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
	  BOTH },
	{ "get-slash-dot-slash-normalized",
	  "GET",
	  "/./",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  VANILLA,
	  BOTH },
	{ "get-slash-pointless-dot-normalized",
	  "GET",
	  "/./example",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
	  BOTH },
	{ "get-relative-normalized",
	  "GET",
	  "/example/..",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  VANILLA,
	  BOTH },
	{ "get-relative-relative-normalized",
	  "GET",
	  "/example1/example2/../..",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  VANILLA,
	  BOTH },
	{ "get-header-key-duplicate",
	  "GET",
	  "/",
	  "",
	  NULL,
	  { { "My-Header1", "value2" }, { "My-Header1", "value2" }, { "My-Header1", "value1" } },
	  "host;my-header1;x-amz-date",
	  "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
	  BOTH },
	{ "get-header-value-order",
	  "GET",
	  "/",
	  "",
	  NULL,
	  { { "My-Header1", "value4" },
	    { "My-Header1", "value1" },
	    { "My-Header1", "value3" },
	    { "My-Header1", "value2" } },
	  "host;my-header1;x-amz-date",
	  "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
	  BOTH },
	/* The suite takes the lines of a folded header for values of their own. */
	{ "get-header-value-multiline",
	  "GET",
	  "/",
	  "",
	  NULL,
	  { { "My-Header1", "value1" },
	    { "My-Header1", "  value2" },
	    { "My-Header1", "     value3" } },
	  "host;my-header1;x-amz-date",
	  "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790",
	  BOTH },
	{ "get-header-value-trim",
	  "GET",
	  "/",
	  "",
	  NULL,
	  { { "My-Header1", " value1" }, { "My-Header2", " \"a   b   c\"" } },
	  "host;my-header1;my-header2;x-amz-date",
	  "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
	  BOTH },
	{ "get-vanilla-with-session-token",
	  "GET",
	  "/",
	  "",
	  TOKEN,
	  { { 0 } },
	  "host;x-amz-date;x-amz-security-token",
	  "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
	  BOTH },
	{ "post-vanilla",
	  "POST",
	  "/",
	  "",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
	  BOTH },
	{ "post-vanilla-query",
	  "POST",
	  "/",
	  "Param1=value1",
	  NULL,
	  { { 0 } },
	  "host;x-amz-date",
	  "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
	  BOTH },
	{ "post-header-key-sort",
	  "POST",
	  "/",
	  "",
	  NULL,
	  { { "My-Header1", "value1" } },
	  "host;my-header1;x-amz-date",
	  "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
	  BOTH },
	{ "post-header-value-case",
	  "POST",
	  "/",
	  "",
	  NULL,
	  { { "My-Header1", "VALUE1" } },
	  "host;my-header1;x-amz-date",
	  "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
	  BOTH },
	{ "post-sts-header-before",
	  "POST",
	  "/",
	  "",
	  STS_TOKEN,
	  { { 0 } },
	  "host;x-amz-date;x-amz-security-token",
	  "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
	  BOTH },
	{ "post-x-www-form-urlencoded",
	  "POST",
	  "/",
	  "",
	  NULL,
	  { { "Content-Type", "application/x-www-form-urlencoded" },
	    { "x-amz-content-sha256", BODY_HASH } },
	  "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
	  "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
	  BOTH },
	{ "post-x-www-form-urlencoded-parameters",
	  "POST",
	  "/",
	  "",
	  NULL,
	  { { "Content-Type", "application/x-www-form-urlencoded; charset=utf-8" },
	    { "x-amz-content-sha256", BODY_HASH } },
	  "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
	  "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
	  BOTH },
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static bool has_body(const struct vector *vector)
{
	return strstr(vector->signed_headers, "content-length") != NULL;
}

static size_t header_count(const struct vector *vector)
{
	size_t count = 0;

	while (count < 4 && vector->headers[count].name)
		count++;
	return count;
}

static char *authorization_of(const struct vector *vector)
{
	return xasprintf("AWS4-HMAC-SHA256 Credential=" CREDENTIAL
			 ", SignedHeaders=%s, Signature=%s",
			 vector->signed_headers, vector->signature);
}

static int64_t date(void)
{
	int64_t ms;

	assert_ok(parse_iso8601_basic(DATE, &ms, why));
	return ms;
}

static void requests_are_signed_as_the_suite_has_them(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		const struct vector *vector = &vectors[i];
		_cleanup_free_ char *expected = authorization_of(vector);
		_cleanup_free_ char *url = xasprintf("https://" HOST "%s%s%s", vector->path,
						     *vector->query ? "?" : "", vector->query);
		_cleanup_header_list_ struct header_list add = HEADER_LIST_INIT;
		const struct sigv4_credentials credentials = { "AKIDEXAMPLE", SECRET,
							       vector->token };
		const struct sigv4_request request = {
			.region = "us-east-1",
			.service = "service",
			.method = vector->method,
			.url = url,
			.headers = vector->headers,
			.header_count = header_count(vector),
			.payload = BODY,
			.payload_size = has_body(vector) ? strlen(BODY) : 0,
			.wall_ms = date(),
		};

		if (vector->who == SERVER_ONLY)
			continue;
		print_message("%s\n", vector->name);
		assert_ok(sigv4_sign_request(&credentials, &request, &add, why));
		assert_string_equal(header_find(add.items, add.count, "Authorization"), expected);
		assert_string_equal(header_find(add.items, add.count, "X-Amz-Date"), DATE);
	}
}

struct received {
	const struct vector *vector;
	const char *authorization;
	struct strbuf joined; /* of a header that came several times */
};

static const char *header_of(void *data, const char *name)
{
	struct received *received = data;
	const struct vector *vector = received->vector;

	if (str_eq(name, "authorization"))
		return received->authorization;
	if (str_eq(name, "host"))
		return HOST;
	if (str_eq(name, "x-amz-date"))
		return DATE;
	if (str_eq(name, "x-amz-security-token"))
		return vector->token;
	if (str_eq(name, "content-length"))
		return has_body(vector) ? "13" : NULL;
	strbuf_reset(&received->joined);
	for (size_t i = 0; i < header_count(vector); i++)
		if (str_eq_nocase(vector->headers[i].name, name))
			strbuf_appendf(
				&received->joined, "%s%s", received->joined.length > 0 ? "," : "",
				vector->headers[i].value + strspn(vector->headers[i].value, " "));
	return received->joined.length > 0 ? strbuf_text(&received->joined) : NULL;
}

static const char *secret_of(void *data, const char *access_key)
{
	return str_eq(access_key, "AKIDEXAMPLE") ? SECRET : NULL;
}

static void signatures_of_the_suite_are_verified(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		const struct vector *vector = &vectors[i];
		_cleanup_free_ char *authorization = authorization_of(vector);
		struct received received = { vector, authorization, STRBUF_INIT };
		struct sigv4_incoming incoming = {
			.method = vector->method,
			.path = vector->path,
			.query = vector->query,
			.header = header_of,
			.header_data = &received,
			.payload = BODY,
			.payload_size = has_body(vector) ? strlen(BODY) : 0,
			.service = "service",
			.wall_ms = date(),
			.max_skew_ms = 1000,
		};

		print_message("%s\n", vector->name);
		assert_ok(sigv4_verify(&incoming, secret_of, NULL, why));
		incoming.path = "/another";
		assert_int_equal(sigv4_verify(&incoming, secret_of, NULL, NULL), -EACCES);
		strbuf_free(&received.joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_signed_as_the_suite_has_them),
		cmocka_unit_test(signatures_of_the_suite_are_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
