/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_API_H
#define BERTH_CLI_API_H

#include <stddef.h>

#include "base/error.h"

/*
 * GET of `path` from the agent at `url`; waits for the answer, at most a few seconds. Only a 200 is
 * an answer: anything else is -EPROTO. The caller frees *ret_body (NUL-terminated; *ret_size
 * without the NUL).
 */
int api_get(const char *url, const char *path, char **ret_body, size_t *ret_size,
	    struct error *err);

#endif
