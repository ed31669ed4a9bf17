/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sigv4.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/sigv4_canonical.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/url.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

void sha256_hex(const void *data, size_t size, char out[65])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256(size ? data : "", size, digest);
	hex_encode(digest, sizeof(digest), out);
}

static void hmac(const void *key, size_t key_size, const char *text,
		 unsigned char out[SHA256_DIGEST_LENGTH])
{
	HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text), out,
	     NULL);
}

/* The hex signature over a canonical request. `date` is 20260102T030405Z, `scope` is
 * 20260102/region/service/aws4_request. */
static void sign(const char *secret, const char *date, const char *scope, const char *canonical,
		 char out[65])
{
	_cleanup_free_ char *key = xasprintf("AWS4%s", secret);
	_cleanup_free_ char *to_sign = NULL;
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;
	unsigned char step[SHA256_DIGEST_LENGTH], next[SHA256_DIGEST_LENGTH];
	char hash[65];

	sha256_hex(canonical, strlen(canonical), hash);
	to_sign = xasprintf(ALGORITHM "\n%s\n%s\n%s", date, scope, hash);
	str_list_split(&parts, scope, '/', true);
	hmac(key, strlen(key), parts.items[0], step);
	for (size_t i = 1; i < parts.count; i++) {
		hmac(step, sizeof(step), parts.items[i], next);
		memcpy(step, next, sizeof(step));
	}
	hmac(step, sizeof(step), to_sign, next);
	hex_encode(next, sizeof(next), out);
	OPENSSL_cleanse(key, strlen(key));
	OPENSSL_cleanse(step, sizeof(step));
}

/* What every kind of signing has in common. */
struct signing {
	const struct sigv4_credentials *credentials;
	const char *region;
	const char *service;
	const char *method;
	const struct url *url;
	struct header_list signed_headers; /* without host, date and token */
	const char *payload_hash;
	int64_t wall_ms;
};

static int check_credentials(const struct sigv4_credentials *credentials, struct error *err)
{
	if (!credentials || str_is_empty(credentials->access_key) ||
	    str_is_empty(credentials->secret))
		return error_say(err, EINVAL,
				 "sign: there are no AWS credentials (access key and secret)");
	return 0;
}

/* Returns the Authorization value, which the caller frees; `date` gets the X-Amz-Date. */
static char *authorize(struct signing *signing, char date[CLOCK_ISO8601_SIZE])
{
	const struct sigv4_credentials *credentials = signing->credentials;
	struct header_list *headers = &signing->signed_headers;
	_cleanup_free_ char *scope = NULL, *canonical = NULL, *names = NULL;
	char signature[65];

	format_iso8601_basic(signing->wall_ms, date);
	scope = xasprintf("%.8s/%s/%s/aws4_request", date, signing->region, signing->service);
	header_list_add(headers, "host", signing->url->authority);
	header_list_add(headers, "x-amz-date", date);
	if (!str_is_empty(credentials->token))
		header_list_add(headers, "x-amz-security-token", credentials->token);
	canonical = sigv4_canonical_request(signing->method, signing->url->path,
					    signing->url->query, headers->items, headers->count,
					    signing->payload_hash, &names);
	sign(credentials->secret, date, scope, canonical, signature);
	return xasprintf(ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
			 credentials->access_key, scope, names, signature);
}

static void add_result(const struct sigv4_credentials *credentials, const char *date,
		       const char *authorization, struct header_list *add)
{
	header_list_add(add, "Authorization", authorization);
	header_list_add(add, "X-Amz-Date", date);
	if (!str_is_empty(credentials->token))
		header_list_add(add, "X-Amz-Security-Token", credentials->token);
}

/* Fields that the client library or a proxy sets or changes; and those that are signed anyway. */
static bool is_not_signed(const char *name)
{
	static const char *const names[] = {
		"authorization",        "user-agent",        "expect", "connection",
		"x-amzn-trace-id",      "transfer-encoding", "host",   "x-amz-date",
		"x-amz-security-token", "content-length",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq_nocase(name, names[i]))
			return true;
	return false;
}

int sigv4_sign_request(const struct sigv4_credentials *credentials,
		       const struct sigv4_request *request, struct header_list *add,
		       struct error *err)
{
	_cleanup_url_ struct url url = { .scheme = NULL };
	_cleanup_free_ char *authorization = NULL;
	char date[CLOCK_ISO8601_SIZE], hash[65], length[24];
	struct signing signing = {
		.credentials = credentials,
		.region = request->region,
		.service = request->service,
		.method = request->method,
		.url = &url,
		.payload_hash = hash,
		.wall_ms = request->wall_ms,
	};
	int result = check_credentials(credentials, err);

	if (result == 0)
		result = url_parse(request->url, &url, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < request->header_count; i++)
		if (!is_not_signed(request->headers[i].name))
			header_list_add(&signing.signed_headers, request->headers[i].name,
					request->headers[i].value);
	if (request->payload_size > 0) {
		snprintf(length, sizeof(length), "%zu", request->payload_size);
		header_list_add(&signing.signed_headers, "content-length", length);
	}
	sha256_hex(request->payload, request->payload_size, hash);
	authorization = authorize(&signing, date);
	add_result(credentials, date, authorization, add);
	header_list_free(&signing.signed_headers);
	return 0;
}

int sigv4_sign_websocket(const struct sigv4_credentials *credentials, const char *region,
			 const char *service, const char *url, int64_t wall_ms,
			 struct header_list *add, struct error *err)
{
	struct sigv4_request request = {
		.region = region,
		.service = service,
		.method = "GET",
		.url = url,
		.wall_ms = wall_ms,
	};

	return sigv4_sign_request(credentials, &request, add, err);
}

int sigv4_sign_frame(const struct sigv4_credentials *credentials, const char *region,
		     const char *service, const char *url, const char *body, size_t body_size,
		     int64_t wall_ms, char **ret, size_t *ret_size, struct error *err)
{
	_cleanup_url_ struct url parsed = { .scheme = NULL };
	_cleanup_free_ char *authorization = NULL;
	struct strbuf frame = STRBUF_INIT;
	char date[CLOCK_ISO8601_SIZE], hash[65];
	struct signing signing = {
		.credentials = credentials,
		.region = region,
		.service = service,
		.method = "GET",
		.url = &parsed,
		.payload_hash = hash,
		.wall_ms = wall_ms,
	};
	int result = check_credentials(credentials, err);

	if (result == 0)
		result = url_parse(url, &parsed, err);
	if (result < 0)
		return result;
	sha256_hex(body, body_size, hash);
	authorization = authorize(&signing, date);
	header_list_free(&signing.signed_headers);

	strbuf_reserve(&frame, body_size + 1024);
	strbuf_appendf(&frame, "Authorization: %s\r\nHost: %s\r\nX-Amz-Date: %s\r\n", authorization,
		       parsed.authority, date);
	if (!str_is_empty(credentials->token))
		strbuf_appendf(&frame, "X-Amz-Security-Token: %s\r\n", credentials->token);
	strbuf_append(&frame, "\r\n");
	strbuf_append_n(&frame, body, body_size);
	*ret_size = frame.length;
	*ret = strbuf_take(&frame);
	return 0;
}

/* The parts of an Authorization header; the caller frees each. */
struct authorization {
	char *access_key;
	char *scope;
	char *signed_headers;
	char *signature;
};

static void authorization_free(struct authorization *parts)
{
	free(parts->access_key);
	free(parts->scope);
	free(parts->signed_headers);
	free(parts->signature);
}

static bool parse_authorization(const char *text, struct authorization *ret)
{
	struct {
		const char *name;
		char *value;
	} wanted[] = { { "Credential=", NULL },
		       { "SignedHeaders=", NULL },
		       { "Signature=", NULL } };
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;
	char *slash;

	if (!str_starts_with(text, ALGORITHM " ") || strlen(text) > 4096)
		return false;
	str_list_split(&parts, text + strlen(ALGORITHM " "), ',', false);
	for (size_t i = 0; i < parts.count; i++) {
		const char *part = parts.items[i] + strspn(parts.items[i], " ");

		for (size_t j = 0; j < 3; j++)
			if (str_starts_with(part, wanted[j].name))
				str_replace(&wanted[j].value, part + strlen(wanted[j].name));
	}
	ret->access_key = wanted[0].value;
	ret->signed_headers = wanted[1].value;
	ret->signature = wanted[2].value;
	slash = ret->access_key ? strchr(ret->access_key, '/') : NULL;
	if (!slash || slash == ret->access_key || !ret->signed_headers || !ret->signature)
		return false;
	ret->scope = xstrdup(slash + 1);
	*slash = '\0';
	return true;
}

char *sigv4_access_key(const char *authorization)
{
	__attribute__((cleanup(authorization_free))) struct authorization parts = { 0 };

	if (!authorization || !parse_authorization(authorization, &parts))
		return NULL;
	return TAKE(parts.access_key);
}

/* The scope is <day of the date>/<region>/<service>/aws4_request. */
static bool check_scope(const char *scope, const char *date, const char *service)
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;

	str_list_split(&parts, scope, '/', true);
	return parts.count == 4 && strlen(parts.items[0]) == 8 &&
	       strncmp(parts.items[0], date, 8) == 0 && *parts.items[1] &&
	       (!service || str_eq(parts.items[2], service)) && *parts.items[2] &&
	       str_eq(parts.items[3], "aws4_request");
}

static int collect_signed(const struct sigv4_incoming *incoming, const char *names,
			  struct header_list *ret, struct error *err)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;

	str_list_split(&list, names, ';', false);
	if (!str_list_has(&list, "host") || !str_list_has(&list, "x-amz-date"))
		return error_say(err, EACCES, "the signature must cover host and x-amz-date");
	for (size_t i = 0; i < list.count; i++) {
		const char *value = incoming->header(incoming->header_data, list.items[i]);

		if (!value)
			return error_say(err, EACCES,
					 "the header \"%.64s\" is signed but was not sent",
					 list.items[i]);
		header_list_add(ret, list.items[i], value);
	}
	return 0;
}

int sigv4_verify(const struct sigv4_incoming *incoming, sigv4_secret_of *secret_of, void *data,
		 struct error *err)
{
	__attribute__((cleanup(authorization_free))) struct authorization parts = { 0 };
	_cleanup_header_list_ struct header_list headers = HEADER_LIST_INIT;
	_cleanup_free_ char *canonical = NULL, *names = NULL;
	const char *text = incoming->header(incoming->header_data, "authorization");
	const char *date = incoming->header(incoming->header_data, "x-amz-date");
	const char *declared = incoming->header(incoming->header_data, "x-amz-content-sha256");
	char hash[65], signature[65];
	const char *secret;
	int64_t signed_ms;
	int result;

	if (!text)
		return error_say(err, EACCES, "the request is not signed");
	if (!parse_authorization(text, &parts))
		return error_say(err, EACCES, "the Authorization header is malformed");
	if (!date || parse_iso8601_basic(date, &signed_ms, NULL) < 0)
		return error_say(err, EACCES, "the X-Amz-Date header is missing or malformed");
	if (incoming->max_skew_ms > 0 && (signed_ms - incoming->wall_ms > incoming->max_skew_ms ||
					  incoming->wall_ms - signed_ms > incoming->max_skew_ms))
		return error_say(err, EACCES, "the signature is of %s, which is too far from now",
				 date);
	if (!check_scope(parts.scope, date, incoming->service))
		return error_say(err, EACCES, "the credential scope \"%.128s\" is not valid here",
				 parts.scope);
	secret = secret_of(data, parts.access_key);
	if (!secret)
		return error_say(err, EACCES, "the access key \"%.64s\" is not known",
				 parts.access_key);
	result = collect_signed(incoming, parts.signed_headers, &headers, err);
	if (result < 0)
		return result;

	sha256_hex(incoming->payload, incoming->payload_size, hash);
	if (declared && !str_eq(declared, hash))
		return error_say(err, EACCES, "the body is not the one that was signed");
	canonical = sigv4_canonical_request(incoming->method, incoming->path,
					    incoming->query ? incoming->query : "", headers.items,
					    headers.count, hash, &names);
	sign(secret, date, parts.scope, canonical, signature);
	if (strlen(parts.signature) != 64 || CRYPTO_memcmp(parts.signature, signature, 64) != 0)
		return error_say(err, EACCES, "the signature does not match");
	return 0;
}
