/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of HTTP/1.x messages: request line or status line, and header fields; and bodies in chunks.
 * Pure and strict: what can be read in two ways is refused (no folded lines, no bare line feeds, no
 * space before a colon), so that nobody between us and the peer reads another message than we do.
 */
#ifndef BERTH_BASE_HTTP_HEAD_H
#define BERTH_BASE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/header.h"
#include "base/strbuf.h"

#define HTTP_MAX_HEADERS 100

struct http_head {
	char *method; /* of a request; NULL for an answer */
	char *path;   /* raw, up to the ?; begins with / */
	char *query;  /* raw, after the ?; "" if none */
	int status;   /* of an answer */
	int minor;    /* HTTP/1.<minor>: 0 or 1 */
	struct header_list headers;
};

/*
 * Bytes of the head with its empty line when `data` holds all of it; 0: more is needed; -EBADMSG:
 * it cannot become one (a line feed without carriage return, ...). Empty lines in front are part of
 * it.
 */
long http_head_size(const char *data, size_t size);

/* `size` as from http_head_size(). 0 or -EBADMSG; -EPROTONOSUPPORT: an HTTP version other than 1.0
 * and 1.1. */
int http_head_parse_request(const char *data, size_t size, struct http_head *ret);
int http_head_parse_response(const char *data, size_t size, struct http_head *ret);
void http_head_free(struct http_head *head);

const char *http_head_field(const struct http_head *head, const char *name);
/* Whether a list field ("Connection: keep-alive, Upgrade") has the token, in any case and any of
 * its lines. */
bool http_head_has_token(const struct http_head *head, const char *name, const char *token);

enum http_body_kind {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_TO_END, /* of an answer: until the connection ends */
};

/* -EBADMSG: contradictory or malformed; -ENOTSUP: a transfer coding that is not "chunked". */
int http_head_body(const struct http_head *head, enum http_body_kind *ret_kind,
		   uint64_t *ret_length);

/* Decodes a chunked body as its bytes come. Zeroed to begin with. */
struct http_chunks {
	int state;
	uint64_t left;
	size_t line;
};

/*
 * Takes bytes, appends what they carry to `body`; *ret_used is how many were taken. 1: the body is
 * whole; 0: more is needed; -EBADMSG; -EFBIG: the body would be longer than `limit`.
 */
int http_chunks_feed(struct http_chunks *chunks, const char *data, size_t size, size_t limit,
		     struct strbuf *body, size_t *ret_used);

/* "Not Found" */
const char *http_status_text(int status);

#define _cleanup_http_head_ __attribute__((cleanup(http_head_free)))

#endif
