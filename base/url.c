/* SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/str.h"

static const struct scheme {
	const char *name;
	bool tls;
	uint16_t port;
} schemes[] = {
	{ "http", false, 80 },
	{ "https", true, 443 },
	{ "ws", false, 80 },
	{ "wss", true, 443 },
};

static const struct scheme *find_scheme(const char *text, size_t size)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i].name) == size &&
		    str_starts_with_nocase(text, schemes[i].name))
			return &schemes[i];
	return NULL;
}

static bool is_host_char(char c, bool brackets)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || (brackets ? c == ':' || c == '%' : c == '-' || c == '_');
}

/* host, host:port or [address]:port; *ret_port stays when there is none. */
static bool parse_authority(const char *text, size_t size, char **ret_host, uint16_t *ret_port)
{
	bool brackets = size > 0 && text[0] == '[';
	const char *start = text + brackets;
	const char *end = start;
	_cleanup_free_ char *port = NULL;
	uint64_t number;

	while (end < text + size && is_host_char(*end, brackets))
		end++;
	if (end == start || end - start > 253)
		return false;
	*ret_host = xstrndup(start, (size_t)(end - start));
	/* In brackets stands an IPv6 address, and nothing else. */
	if (brackets && (!strchr(*ret_host, ':') || end == text + size || *end++ != ']'))
		return false;
	if (end == text + size)
		return true;
	if (*end++ != ':')
		return false;
	port = xstrndup(end, (size_t)(text + size - end));
	if (number_parse_u64(port, 1, 65535, &number, NULL) < 0)
		return false;
	*ret_port = (uint16_t)number;
	return true;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7F || *text == '#')
			return false;
	return true;
}

int url_parse(const char *text, struct url *ret, struct error *err)
{
	_cleanup_url_ struct url url = { .scheme = NULL };
	const char *colon = strstr(text, "://");
	const struct scheme *scheme = colon ? find_scheme(text, (size_t)(colon - text)) : NULL;
	const char *rest;
	size_t size;
	bool bare_ipv6;

	if (!scheme)
		return error_say(err, EINVAL,
				 "\"%.128s\" is not a URL that begins with http:// or https://",
				 text);
	if (!is_printable(text))
		return error_say(err, EINVAL,
				 "the URL \"%.128s\" has a fragment, or characters that must be "
				 "percent-encoded",
				 text);
	rest = colon + 3;
	size = strcspn(rest, "/?");
	url.port = scheme->port;
	if (!parse_authority(rest, size, &url.host, &url.port))
		return error_say(err, EINVAL, "the URL \"%.128s\" has no valid host and port",
				 text);
	bare_ipv6 = strchr(url.host, ':') != NULL;
	url.authority = url.port == scheme->port
				? xasprintf(bare_ipv6 ? "[%s]" : "%s", url.host)
				: xasprintf(bare_ipv6 ? "[%s]:%u" : "%s:%u", url.host, url.port);
	rest += size;
	size = strcspn(rest, "?");
	url.path = size > 0 ? xstrndup(rest, size) : xstrdup("/");
	url.query = xstrdup(rest[size] ? rest + size + 1 : "");
	url.scheme = xstrdup(scheme->name);
	url.tls = scheme->tls;
	*ret = url;
	url = (struct url){ .scheme = NULL };
	return 0;
}

void url_free(struct url *url)
{
	free(url->scheme);
	free(url->host);
	free(url->authority);
	free(url->path);
	free(url->query);
	*url = (struct url){ .scheme = NULL };
}

char *url_decode(const char *text, size_t size, bool plus)
{
	char *decoded = xmalloc(size + 1);
	char *to = decoded;

	for (size_t i = 0; i < size && text[i]; i++) {
		char hex[3] = { 0, 0, 0 };

		if (text[i] == '%' && i + 2 < size && text[i + 1]) {
			hex[0] = text[i + 1];
			hex[1] = text[i + 2];
		}
		if (hex[0] && hex_decode(hex, to, 1) == 0) {
			to++;
			i += 2;
		} else {
			*to++ = plus && text[i] == '+' ? ' ' : text[i];
		}
	}
	*to = '\0';
	return decoded;
}

char *url_query_param(const char *query, const char *name)
{
	for (const char *at = query; *at;) {
		size_t size = strcspn(at, "&");
		size_t key_size = strcspn(at, "=&");
		_cleanup_free_ char *key = url_decode(at, key_size, true);

		if (str_eq(key, name))
			return key_size < size
				       ? url_decode(at + key_size + 1, size - key_size - 1, true)
				       : xstrdup("");
		at += size + (at[size] == '&');
	}
	return NULL;
}
