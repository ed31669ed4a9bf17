/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Signature Version 4: signing of requests, websocket handshakes and TCS frames, and verifying.
 */
#ifndef BERTH_BASE_SIGV4_H
#define BERTH_BASE_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/header.h"

struct sigv4_credentials {
	const char *access_key;
	const char *secret;
	const char *token; /* NULL or "": long-lived credentials */
};

struct sigv4_request {
	const char *region;
	const char *service; /* "ecs" */
	const char *method;  /* "POST" */
	const char *url;     /* absolute; a fragment is refused */
	const struct header
		*headers; /* signed too, but for those that proxies change (User-Agent, ...) */
	size_t header_count;
	const void *payload;
	size_t payload_size; /* > 0 with a method that has a body: content-length is signed too */
	int64_t wall_ms;     /* now, clock_wall_ms() */
};

/*
 * Appends to `add` the headers that the request must also carry: X-Amz-Date, X-Amz-Security-Token
 * (if any), Authorization. Host is signed as the URL has it without a default port, and not
 * appended. -EINVAL: a URL that is none, or credentials without key or secret.
 */
int sigv4_sign_request(const struct sigv4_credentials *credentials,
		       const struct sigv4_request *request, struct header_list *add,
		       struct error *err);

/*
 * The same for a websocket handshake: GET, empty payload, signed headers host, x-amz-date and
 * x-amz-security-token. `url` may be http(s) or ws(s); + in its query is signed as %20.
 */
int sigv4_sign_websocket(const struct sigv4_credentials *credentials, const char *region,
			 const char *service, const char *url, int64_t wall_ms,
			 struct header_list *add, struct error *err);

/*
 * A TCS frame: header block, empty line, body. `url` is the connection's. The caller frees *ret
 * (NUL-terminated, *ret_size without it).
 */
int sigv4_sign_frame(const struct sigv4_credentials *credentials, const char *region,
		     const char *service, const char *url, const char *body, size_t body_size,
		     int64_t wall_ms, char **ret, size_t *ret_size, struct error *err);

/* What a server has received. */
struct sigv4_incoming {
	const char *method;
	const char *path;  /* raw, as in the request line */
	const char *query; /* raw; NULL or "": none */
	/* The value of a header by lower-case name, or NULL. Values of the Authorization header
	 * too. */
	const char *(*header)(void *data, const char *name);
	void *header_data;
	const void *payload;
	size_t payload_size;
	const char *service; /* that is expected; NULL: any */
	int64_t wall_ms;
	int64_t max_skew_ms; /* refused when X-Amz-Date is farther from wall_ms; 0: not looked at */
};

/* The secret of an access key, or NULL: unknown key. */
typedef const char *sigv4_secret_of(void *data, const char *access_key);

/* -EACCES with a sentence when the signature is missing, malformed, stale, of an unknown key, or
 * wrong. */
int sigv4_verify(const struct sigv4_incoming *incoming, sigv4_secret_of *secret_of, void *data,
		 struct error *err);

/* The access key that the Authorization header names, unverified; NULL: none. The caller frees. */
char *sigv4_access_key(const char *authorization);

/* 64 lower-case hex digits and NUL. */
void sha256_hex(const void *data, size_t size, char out[65]);

#endif
