/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a peer may send where an HTTP request or answer is awaited, and as its body in chunks.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_head.h"
#include "base/str.h"
#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const char *text, size_t size)
{
	_cleanup_http_head_ struct http_head head = { .method = NULL };
	enum http_body_kind kind;
	uint64_t length;
	char *param;

	if (http_head_parse_request(text, size, &head) < 0)
		return;
	if (!head.method || head.path[0] != '/' || strpbrk(head.path, "? #"))
		abort();
	if (http_head_body(&head, &kind, &length) == 0 && kind != HTTP_BODY_LENGTH && length != 0)
		abort();
	http_head_has_token(&head, "Connection", "close");
	param = url_query_param(head.query, "a");
	free(param);
}

/* However the bytes are cut, the body is the same. */
static void check_chunks(const char *text, size_t size)
{
	_cleanup_strbuf_ struct strbuf whole = STRBUF_INIT, bytewise = STRBUF_INIT;
	struct http_chunks at_once = { .state = 0 }, one_by_one = { .state = 0 };
	int result = 0;
	size_t used;
	int first = http_chunks_feed(&at_once, text, size, 4096, &whole, &used);

	for (size_t i = 0; i < size && result == 0; i++) {
		size_t one;

		result = http_chunks_feed(&one_by_one, text + i, 1, 4096, &bytewise, &one);
	}
	if (first != result || whole.length > 4096 ||
	    !str_eq(strbuf_text(&whole), strbuf_text(&bytewise)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct http_head answer = { .method = NULL };
	long head_size = http_head_size(text, size);

	if (head_size > (long)size)
		abort();
	if (head_size > 0) {
		check_request(text, (size_t)head_size);
		if (http_head_parse_response(text, (size_t)head_size, &answer) == 0)
			http_head_free(&answer);
		text += head_size;
		size -= (size_t)head_size;
	}
	check_chunks(text, size);
	return 0;
}
