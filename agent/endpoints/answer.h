/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_ANSWER_H
#define BERTH_AGENT_ENDPOINTS_ANSWER_H

#include "base/header.h"
#include "base/web.h"

#define ANSWER_JSON "application/json"

/* A request that is being answered: once, by one of these functions. */
struct asking {
	struct web_request *request;
	const char *path;           /* clean */
	const char *task_id;        /* whose socket it came in on; NULL: the host's */
	struct header_list headers; /* of the answer, whatever it will be */
};

void answer_json(struct asking *asking, int status, const char *json);
/* A JSON string of both parts: how the metadata endpoint words its errors. */
void answer_message(struct asking *asking, int status, const char *message, const char *detail);
void answer_not_found(struct asking *asking);
void answer_too_many(struct asking *asking);

/*
 * Fills `asking` from a request; headers and path are freed by asking_end(). False: the request
 * was answered: its path is malformed (400), or is to be asked for in its clean form (301, with a
 * line of HTML when `html`).
 */
bool asking_begin(struct asking *asking, struct web_request *request, bool html);
void asking_end(struct asking *asking);

#endif
