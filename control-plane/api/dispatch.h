/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_DISPATCH_H
#define BERTH_CONTROL_API_DISPATCH_H

#include <stddef.h>

#include "control-plane/api/api.h"

/* One HTTP request to the API, without the socket: http.c brings it, tests do too. */
struct api_request {
	const char *target; /* X-Amz-Target, may be NULL */
	const char *host;
	const char *identity; /* see struct api_call */
	const char *body;     /* may be NULL when size is 0 */
	size_t size;
};

struct api_response {
	int status;
	char *body;             /* JSON, allocated */
	const char *error_type; /* x-amzn-ErrorType; NULL on success */
	char request_id[37];
};

/* Always answers. */
void api_dispatch(struct api *api, const struct api_request *request,
		  struct api_response *ret_response);
void api_response_clear(struct api_response *response);

#endif
