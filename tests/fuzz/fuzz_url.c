/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of an answer or a setting, and what clients write behind the question mark. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const char *a, const char *b)
{
	if (strcmp(a, b) != 0)
		abort();
}

/* Put together again, the parts are the same parts; and none can break a request line. */
static void check_parts(const struct url *url)
{
	_cleanup_free_ char *text = xasprintf("%s://%s%s%s%s", url->scheme, url->authority,
					      url->path, *url->query ? "?" : "", url->query);
	_cleanup_url_ struct url again = { 0 };

	if (url->port == 0 || url->path[0] != '/' || !*url->host || strpbrk(text, " \t\r\n#") ||
	    url_parse(text, &again, NULL) < 0)
		abort();
	same(again.scheme, url->scheme);
	same(again.host, url->host);
	same(again.authority, url->authority);
	same(again.path, url->path);
	same(again.query, url->query);
	if (again.port != url->port || again.tls != url->tls)
		abort();
}

/* What is encoded comes back. */
static void check_coding(const char *text)
{
	_cleanup_strbuf_ struct strbuf encoded = STRBUF_INIT;
	_cleanup_free_ char *decoded = NULL;

	strbuf_append_urlencoded(&encoded, text);
	decoded = url_decode(strbuf_text(&encoded), encoded.length, false);
	same(decoded, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	_cleanup_free_ char *plus = url_decode(text, strlen(text), true);
	_cleanup_free_ char *param = url_query_param(text, "a");
	_cleanup_url_ struct url url = { 0 };

	if (strlen(plus) > strlen(text) || (param && strlen(param) > strlen(text)))
		abort();
	check_coding(text);
	if (url_parse(text, &url, NULL) == 0)
		check_parts(&url);
	return 0;
}
