/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/api.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/http.h"
#include "base/loop.h"

#define TIMEOUT_MS   5000
#define ANSWER_LIMIT ((size_t)16 << 20)

struct answer {
	int r;
	char *body;
	size_t size;
	struct error err;
	struct loop *loop;
};

static void answered(void *data, const struct http_response *response)
{
	struct answer *answer = data;

	if (response->error) {
		answer->r = response->error;
		answer->err = response->err;
	} else if (response->status != 200) {
		answer->r = error_say(&answer->err, EPROTO, "the answer is HTTP %d, not 200",
				      response->status);
	} else {
		answer->r = 0;
		answer->body = xstrndup(response->body, response->size);
		answer->size = response->size;
	}
	loop_stop(answer->loop);
}

int api_get(const char *url, const char *path, char **ret_body, size_t *ret_size, struct error *err)
{
	_cleanup_loop_ struct loop *loop = NULL;
	_cleanup_free_ char *whole = xasprintf("%s%s", url, path);
	struct http_client *client = NULL;
	struct answer answer = { .r = -EIO };
	const struct http_request request = { .url = whole,
					      .timeout_ms = TIMEOUT_MS,
					      .response_limit = ANSWER_LIMIT };
	int r = loop_new(&loop, err);

	if (r == 0)
		r = http_client_new(loop, NULL, &client, err);
	if (r < 0)
		return r;
	answer.loop = loop;
	r = http_send(client, &request, answered, &answer, NULL, err);
	if (r == 0) {
		loop_run(loop);
		r = answer.r;
		if (r < 0 && err)
			*err = answer.err;
	}
	http_client_free(client);
	if (r < 0) {
		error_prefix(err, "ask the agent at %s", url);
		return r;
	}
	*ret_body = answer.body;
	*ret_size = answer.size;
	return 0;
}
