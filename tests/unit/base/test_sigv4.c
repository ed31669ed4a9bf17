/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/sigv4.h"
#include "base/str.h"

static const struct sigv4_credentials credentials = {
	.access_key = "AKIDEXAMPLE",
	.secret = "secret",
	.token = "token",
};

static int64_t at(const char *time)
{
	int64_t ms;

	assert_ok(parse_iso8601_basic(time, &ms, why));
	return ms;
}

/* acs 1.6, vectors of the reference client; what acs-C3 asks of the agent */
static void the_handshake_is_signed_as_the_reference_does(void **state)
{
	static const char *const cases[][2] = {
		{ "http://127.0.0.1:36163/ws?a=b+c",
		  "8dd440e07d191bf24d01ce1e11be80c8ce063a64bc2a45f87e2f328a026e7d67" },
		{ "http://127.0.0.1:36163/ws?a=b+c&d=e%3Af",
		  "ddfe473ae567381b294d57199bdf03328bded22ede0661eb5994a754e59492cf" },
		/* the order in the request line does not matter */
		{ "ws://127.0.0.1:36163/ws?d=e%3Af&a=b+c",
		  "ddfe473ae567381b294d57199bdf03328bded22ede0661eb5994a754e59492cf" },
	};

	for (size_t i = 0; i < 3; i++) {
		_cleanup_header_list_ struct header_list add = HEADER_LIST_INIT;
		const char *authorization;

		assert_ok(sigv4_sign_websocket(&credentials, "us-west-2", "ecs", cases[i][0],
					       at("20261120T102726Z"), &add, why));
		authorization = header_find(add.items, add.count, "Authorization");
		assert_contains(authorization,
				"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/us-west-2/ecs/"
				"aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, "
				"Signature=");
		assert_contains(authorization, cases[i][1]);
		assert_string_equal(header_find(add.items, add.count, "X-Amz-Date"),
				    "20261120T102726Z");
		assert_string_equal(header_find(add.items, add.count, "X-Amz-Security-Token"),
				    "token");
	}
}

/* acs 4.3, vector of the reference client */
static void a_telemetry_frame_is_signed_as_the_reference_does(void **state)
{
	static const char body[] =
		"{\"type\":\"PublishMetricsRequest\",\"message\":{\"metadata\":{\"cluster\":\"c\","
		"\"containerInstance\":\"ci\",\"fin\":true,\"idle\":true,\"messageId\":\"m\"},"
		"\"timestamp\":1795170452.634}}";
	_cleanup_free_ char *frame = NULL;
	size_t size;

	assert_ok(sigv4_sign_frame(&credentials, "us-west-2", "ecs",
				   "http://127.0.0.1:39555/ws?cluster=c&dockerVersion=20+1", body,
				   strlen(body), at("20261120T102732Z"), &frame, &size, why));
	assert_int_equal(size, strlen(frame));
	assert_true(str_starts_with(
		frame, "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/us-west-2/"
		       "ecs/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, "
		       "Signature=2045499c5d352d6509a96ec23b7fa5788cc1816c9d42cfaf818cfcc0abfa1b36"
		       "\r\nHost: 127.0.0.1:39555\r\nX-Amz-Date: 20261120T102732Z\r\n"
		       "X-Amz-Security-Token: token\r\n\r\n{\"type\""));
	assert_true(str_ends_with(frame, body));
}

/* The example of AWS's own documentation (GET ListUsers), which has no security token. */
static void a_request_is_signed_as_aws_documents(void **state)
{
	static const struct sigv4_credentials example = {
		.access_key = "AKIDEXAMPLE",
		.secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	};
	static const struct header headers[] = {
		{ "Content-Type", "application/x-www-form-urlencoded; charset=utf-8" },
		{ "User-Agent", "not signed" },
	};
	struct sigv4_request request = {
		.region = "us-east-1",
		.service = "iam",
		.method = "GET",
		.url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
		.headers = headers,
		.header_count = 2,
		.wall_ms = at("20150830T123600Z"),
	};
	_cleanup_header_list_ struct header_list add = HEADER_LIST_INIT;

	assert_ok(sigv4_sign_request(&example, &request, &add, why));
	assert_string_equal(
		header_find(add.items, add.count, "Authorization"),
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
		"SignedHeaders=content-type;host;x-amz-date, "
		"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
	assert_null(header_find(add.items, add.count, "X-Amz-Security-Token"));
}

struct server {
	struct header_list headers;
	struct sigv4_incoming incoming;
};

static const char *server_header(void *data, const char *name)
{
	struct server *server = data;

	return header_find(server->headers.items, server->headers.count, name);
}

static const char *server_secret(void *data, const char *access_key)
{
	return str_eq(access_key, "AKIDEXAMPLE") ? "secret" : NULL;
}

static int sign_for_server(void **state)
{
	static const struct header headers[] = {
		{ "X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListTasks" },
		{ "Content-Type", "application/x-amz-json-1.1" },
	};
	struct server *server = calloc(1, sizeof(*server));
	struct sigv4_request request = {
		.region = "us-west-2",
		.service = "ecs",
		.method = "POST",
		.url = "http://127.0.0.1:8080/a%20b/?x=1&x=0&y",
		.headers = headers,
		.header_count = 2,
		.payload = "{}",
		.payload_size = 2,
		.wall_ms = at("20260102T030405Z"),
	};

	assert_ok(sigv4_sign_request(&credentials, &request, &server->headers, why));
	header_list_add(&server->headers, "host", "127.0.0.1:8080");
	header_list_add(&server->headers, "x-amz-target", headers[0].value);
	header_list_add(&server->headers, "content-type", " application/x-amz-json-1.1  ");
	header_list_add(&server->headers, "content-length", "2");
	server->incoming = (struct sigv4_incoming){
		.method = "POST",
		.path = "/a%20b/",
		.query = "y&x=0&x=1",
		.header = server_header,
		.header_data = server,
		.payload = "{}",
		.payload_size = 2,
		.service = "ecs",
		.wall_ms = at("20260102T030905Z"),
		.max_skew_ms = 15 * 60 * 1000,
	};
	*state = server;
	return 0;
}

static int free_server(void **state)
{
	struct server *server = *state;

	header_list_free(&server->headers);
	free(server);
	return 0;
}

static void what_we_sign_we_verify(void **state)
{
	struct server *server = *state;
	_cleanup_free_ char *key = sigv4_access_key(server_header(server, "authorization"));

	assert_string_equal(key, "AKIDEXAMPLE");
	assert_ok(sigv4_verify(&server->incoming, server_secret, NULL, why));
}

static void change(struct server *server, const char *name, const char *value)
{
	for (size_t i = 0; i < server->headers.count; i++)
		if (str_eq_nocase(server->headers.items[i].name, name)) {
			free((char *)server->headers.items[i].value);
			server->headers.items[i].value = strdup(value);
		}
}

static void assert_refused(struct server *server, const char *says)
{
	struct error err = ERROR_INIT;

	assert_int_equal(sigv4_verify(&server->incoming, server_secret, NULL, &err), -EACCES);
	assert_contains(err.text, says);
}

static void any_change_is_refused(void **state)
{
	struct server *server = *state;
	struct sigv4_incoming honest = server->incoming;

	server->incoming.method = "PUT";
	assert_refused(server, "does not match");
	server->incoming = honest;
	server->incoming.path = "/a%20c/";
	assert_refused(server, "does not match");
	server->incoming = honest;
	server->incoming.query = "x=1&x=2&y";
	assert_refused(server, "does not match");
	server->incoming = honest;
	server->incoming.payload = "[]";
	assert_refused(server, "does not match");
	server->incoming = honest;
	change(server, "x-amz-target", "AmazonEC2ContainerServiceV20141113.StopTask");
	assert_refused(server, "does not match");
}

static void stale_and_foreign_signatures_are_refused(void **state)
{
	struct server *server = *state;

	server->incoming.wall_ms += 11 * 60 * 1000;
	assert_refused(server, "is of 20260102T030405Z, which is too far from now");
	server->incoming.max_skew_ms = 0;
	server->incoming.service = "s3";
	assert_refused(server, "scope");
}

static void malformed_authorizations_are_refused(void **state)
{
	static const struct {
		const char *value, *says;
	} cases[] = {
		{ "", "malformed" },
		{ "Basic dXNlcjpwYXNz", "malformed" },
		{ "AWS4-HMAC-SHA256 ", "malformed" },
		{ "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE, SignedHeaders=host, Signature=0",
		  "malformed" },
		{ "AWS4-HMAC-SHA256 Credential=/a/b/c/d, SignedHeaders=host, Signature=0",
		  "malformed" },
		{ "AWS4-HMAC-SHA256 Credential=A/20260103/r/ecs/aws4_request, "
		  "SignedHeaders=host;x-amz-date, Signature=0",
		  "scope" },
		{ "AWS4-HMAC-SHA256 Credential=WHO/20260102/r/ecs/aws4_request, "
		  "SignedHeaders=host;x-amz-date, Signature=0",
		  "access key \"WHO\" is not known" },
		{ "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/r/ecs/aws4_request, "
		  "SignedHeaders=x-amz-date, Signature=0",
		  "must cover host" },
		{ "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/r/ecs/aws4_request, "
		  "SignedHeaders=host;x-amz-date;x-none, Signature=0",
		  "\"x-none\" is signed but was not sent" },
		{ "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/r/ecs/aws4_request, "
		  "SignedHeaders=host;x-amz-date, Signature=0",
		  "does not match" },
	};
	struct server *server = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		change(server, "authorization", cases[i].value);
		assert_refused(server, cases[i].says);
	}
}

static void an_unsigned_request_is_refused(void **state)
{
	struct server *server = *state;

	header_list_free(&server->headers);
	assert_refused(server, "not signed");
	assert_null(sigv4_access_key(NULL));
	assert_null(sigv4_access_key("Bearer x"));
}

static void nothing_is_signed_without_credentials(void **state)
{
	struct sigv4_credentials none = { .access_key = "AKID", .secret = "" };
	_cleanup_header_list_ struct header_list add = HEADER_LIST_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(sigv4_sign_websocket(&none, "r", "ecs", "http://h/", 0, &add, &err),
			 -EINVAL);
	assert_contains(err.text, "no AWS credentials");
	assert_int_equal(sigv4_sign_websocket(&credentials, "r", "ecs", "h", 0, &add, &err),
			 -EINVAL);
	assert_int_equal(add.count, 0);
}

int main(void)
{
#define on_server(test) cmocka_unit_test_setup_teardown(test, sign_for_server, free_server)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_handshake_is_signed_as_the_reference_does),
		cmocka_unit_test(a_telemetry_frame_is_signed_as_the_reference_does),
		cmocka_unit_test(a_request_is_signed_as_aws_documents),
		on_server(what_we_sign_we_verify),
		on_server(any_change_is_refused),
		on_server(stale_and_foreign_signatures_are_refused),
		on_server(malformed_authorizations_are_refused),
		on_server(an_unsigned_request_is_refused),
		cmocka_unit_test(nothing_is_signed_without_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
