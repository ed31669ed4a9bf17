/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/endpoints/answer.h"

#include <stdlib.h>
#include <string.h>

#include "agent/endpoints/path.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"

#define PLAIN "text/plain; charset=utf-8"

static void answer(struct asking *asking, int status, const char *content_type, const char *body)
{
	web_respond(asking->request, status, content_type, body, strlen(body),
		    asking->headers.items, asking->headers.count);
}

void answer_json(struct asking *asking, int status, const char *json)
{
	answer(asking, status, ANSWER_JSON, json);
}

void answer_message(struct asking *asking, int status, const char *message, const char *detail)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	_cleanup_free_ char *text = xasprintf("%s%s", message, detail);

	strbuf_append_json(&body, text);
	answer(asking, status, ANSWER_JSON, strbuf_text(&body));
}

void answer_not_found(struct asking *asking)
{
	header_list_add(&asking->headers, "X-Content-Type-Options", "nosniff");
	answer(asking, 404, PLAIN, "404 page not found\n");
}

void answer_too_many(struct asking *asking)
{
	answer(asking, 429, PLAIN, "You have reached maximum request limit.");
}

static void answer_moved(struct asking *asking, const char *clean, bool html)
{
	_cleanup_free_ char *location = path_location(clean, web_request_query(asking->request));
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	header_list_add(&asking->headers, "Location", location);
	if (html) {
		strbuf_append(&body, "<a href=\"");
		for (const char *c = location; *c; c++) {
			if (strchr("<>&\"'", *c))
				strbuf_appendf(&body, "&#%d;", *c);
			else
				strbuf_append_char(&body, *c);
		}
		strbuf_append(&body, "\">Moved Permanently</a>.\n\n");
	}
	answer(asking, 301, html ? "text/html; charset=utf-8" : NULL, strbuf_text(&body));
}

bool asking_begin(struct asking *asking, struct web_request *request, bool html)
{
	char *path;
	bool moved;

	*asking = (struct asking){ .request = request };
	if (path_clean(web_request_path(request), &path, &moved) < 0) {
		answer(asking, 400, PLAIN, "400 Bad Request");
		return false;
	}
	if (moved) {
		answer_moved(asking, path, html);
		free(path);
		asking_end(asking);
		return false;
	}
	asking->path = path;
	return true;
}

void asking_end(struct asking *asking)
{
	free((char *)asking->path);
	header_list_free(&asking->headers);
}
