/* SPDX-License-Identifier: Apache-2.0 */
/* The text that is signed: a request in its canonical form. */
#ifndef BERTH_BASE_SIGV4_CANONICAL_H
#define BERTH_BASE_SIGV4_CANONICAL_H

#include <stddef.h>

#include "base/header.h"

/*
 * `path` and `query` are raw, as in the request line. The header fields are all signed, whatever
 * their order and case. *ret_names gets "host;x-amz-date". The caller frees both.
 */
char *sigv4_canonical_request(const char *method, const char *path, const char *query,
			      const struct header *headers, size_t header_count,
			      const char *payload_hash, char **ret_names);

#endif
