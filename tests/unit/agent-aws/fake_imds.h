/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TEST_FAKE_IMDS_H
#define BERTH_TEST_FAKE_IMDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/aws/imds.h"
#include "base/loop.h"
#include "base/web.h"

/* An instance metadata service on loopback, on the loop of what is tested. */

#define FAKE_IMDS_TOKEN "AQAEAtoken=="

struct fake_imds_file {
	const char *path;
	int status; /* 0: no answer, and the connection breaks */
	const char *body;
	int times; /* 0: always; else so often, then the next entry of this path */
};

struct fake_imds {
	struct loop *loop; /* set before the start: another's, as is web; else its own */
	struct web *web;
	bool is_guest;
	struct web_listener *listener;
	struct imds *imds;
	char endpoint[64];

	const struct fake_imds_file *files; /* ends with a path NULL; what is not here is a 404 */
	int used[64];                       /* of each file */
	int token_status; /* 0: tokens are given; -1: PUT is never answered; else this status */
	int token_ttl;    /* seconds; 0: 300 */
	bool token_required;
	bool token_expired; /* the next question with a token is answered 401 */

	size_t token_requests, with_token, without_token;
	char token_ttl_asked[16];
	struct web_request *stalled[16];
	size_t stalled_count;
};

/* Fields set before are kept. */
void fake_imds_start(struct fake_imds *fake, bool v1_disabled);
void fake_imds_stop(struct fake_imds *fake);

struct fake_imds_got {
	int times;
	int error, status;
	char body[256], text[1024];
};

void fake_imds_keep(void *data, const struct imds_answer *answer);
/* Asks, and runs the loop until the answer is there. */
struct fake_imds_got fake_imds_ask(struct fake_imds *fake, const char *path);
void fake_imds_run_until(struct fake_imds *fake, bool (*done)(void *data), void *data);

#endif
