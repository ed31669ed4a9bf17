/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client: libcurl multi on the loop, HTTP/1.1, connections kept. */
#ifndef BERTH_BASE_HTTP_H
#define BERTH_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/header.h"
#include "base/loop.h"

struct http_client;
struct http_call;

struct http_client_config {
	const char *ca_file;   /* NULL: the system's */
	const char *cert_file; /* PEM, shown to a server that asks; NULL: none. Both are read */
	const char *key_file;  /* when a connection is made. */
	int64_t connect_timeout_ms; /* 0: 30 s */
	bool insecure;              /* do not verify certificates */
	const char *user_agent;     /* NULL: none sent */
	bool use_proxy; /* that of the environment, as it is at each request: see proxy.h; else none
			 */
};

/* `config` NULL: all defaults. Nothing global is initialised before the first request. */
int http_client_new(struct loop *loop, const struct http_client_config *config,
		    struct http_client **ret, struct error *err);
/* Cancels what runs. */
void http_client_free(struct http_client *client);

struct http_request {
	const char *method;           /* NULL: GET, or POST with a body */
	const char *url;              /* http or https */
	const struct header *headers; /* all copied; "Expect:" is never sent */
	size_t header_count;
	const void *body; /* copied */
	size_t body_size;
	int64_t timeout_ms;      /* whole round trip; 0: 60 s */
	size_t response_limit;   /* bytes of body; more is an error (-EFBIG); 0: 1 MiB */
	const char *unix_socket; /* path: connect to it instead of the URL's host */
};

struct http_response {
	int error;  /* 0: an answer came, whatever its status; else -errno (-ETIMEDOUT,
		       -ECONNREFUSED, ...) */
	int status; /* 200, 404, ...; 0 on error */
	const struct header *headers; /* names in lower case */
	size_t header_count;
	const char
		*body; /* NUL-terminated, never NULL; valid during the callback, as all of this */
	size_t size;
	struct error err; /* on error: "POST http://host/: connect: Connection refused" */
};

/*
 * Redirects are not followed. The callback comes once, never before this returns. *ret_call (may be
 * NULL) is valid until then. Fails only for a URL or header that is none (-EINVAL).
 */
int http_send(struct http_client *client, const struct http_request *request,
	      void (*callback)(void *data, const struct http_response *response), void *data,
	      struct http_call **ret_call, struct error *err);
/* The callback never comes. */
void http_cancel(struct http_call *call);

const char *http_response_header(const struct http_response *response, const char *name);

/* "Sun, 06 Nov 1994 08:49:37 GMT", and what else stands in a Date header. -EINVAL. */
int http_date_parse(const char *text, int64_t *ret_wall_ms);

#endif
