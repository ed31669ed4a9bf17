/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_HTTP_H
#define BERTH_CONTROL_API_HTTP_H

#include "base/web.h"
#include "control-plane/api/api.h"

/*
 * A listener's on_request (`data` is the struct api): POST / is a call of the API; GET / and GET
 * /health say that the server is there; everything else is told what is served.
 */
void api_http_request(void *data, struct web_request *request);

#endif
