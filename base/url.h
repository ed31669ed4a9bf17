/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_URL_H
#define BERTH_BASE_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct url {
	char *scheme;    /* lower case: http, https, ws, wss */
	bool tls;        /* https, wss */
	char *host;      /* without brackets */
	uint16_t port;   /* as given, or that of the scheme */
	char *authority; /* for a Host header: host, brackets, and the port unless it is the
			    scheme's */
	char *path;      /* raw; at least "/" */
	char *query;     /* raw, after the ?; "" if none */
};

/*
 * http, https, ws and wss only. No user, password or fragment; nothing that could not stand in a
 * request line. -EINVAL. Free with url_free() (fields, not the struct).
 */
int url_parse(const char *text, struct url *ret, struct error *err);
void url_free(struct url *url);

/* Percent-decoded (and + as space when `plus`), at most `size` bytes of text; the caller frees. */
char *url_decode(const char *text, size_t size, bool plus);
/* The first value of a parameter of a raw query, decoded; NULL if none. The caller frees. */
char *url_query_param(const char *query, const char *name);

#define _cleanup_url_ __attribute__((cleanup(url_free)))

#endif
