/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/ip.h"
#include "base/number.h"
#include "base/str.h"

/* Of the instance, and of tasks: nobody's proxy has them. */
#define NEVER "169.254.169.254,169.254.170.2"

/* By its name, else by its name in lower case; NULL: not set, or empty. *ret_name: as it is set. */
static const char *variable(char *const *environment, const char *name, const char *lower,
			    const char **ret_name)
{
	const char *value = environment_get(environment, name);

	*ret_name = name;
	if (str_is_empty(value)) {
		*ret_name = lower;
		value = environment_get(environment, lower);
	}
	return str_is_empty(value) ? NULL : value;
}

/* "a.b:80" -> "a.b", 80; "[::1]:80" and "::1" too. Port 0: none is given. False: it is none. */
static bool split_port(const char *text, char **ret_host, uint16_t *ret_port)
{
	const char *end = text + strlen(text), *colon = strrchr(text, ':');
	int64_t port = 0;

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		colon = end[1] ? end + 1 : NULL;
		text++;
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* an address of IPv6 */
	} else if (colon) {
		end = colon;
	}
	if (colon && number_parse_i64(colon + 1, 1, UINT16_MAX, &port, NULL) < 0)
		return false;
	*ret_host = xstrndup(text, (size_t)(end - text));
	*ret_port = (uint16_t)port;
	return true;
}

/* `host` ends with `domain`, and with a dot before it. */
static bool is_below(const char *host, const char *domain)
{
	size_t host_size = strlen(host), size = strlen(domain);

	return host_size > size && host[host_size - size - 1] == '.' &&
	       str_eq_nocase(host + host_size - size, domain);
}

static bool matches(const char *entry, const struct url *url)
{
	_cleanup_free_ char *host = NULL;
	struct ip_address address, wanted;
	struct ip_prefix block;
	uint16_t port;
	bool is_address = ip_parse(url->host, &address, NULL) == 0;

	if (str_eq(entry, "*"))
		return true;
	if (ip_prefix_parse(entry, &block, NULL) == 0)
		return is_address && address.family == block.address.family &&
		       ip_prefix_contains(&block, &address);
	if (!split_port(entry, &host, &port) || !*host || (port && port != url->port))
		return false;
	if (ip_parse(host, &wanted, NULL) == 0)
		return is_address && ip_equal(&address, &wanted);
	if (is_address)
		return false;
	if (str_starts_with(host, "*."))
		return is_below(url->host, host + 2);
	if (*host == '.')
		return is_below(url->host, host + 1);
	return str_eq_nocase(url->host, host) || is_below(url->host, host);
}

static bool is_excepted(const char *list, const struct url *url)
{
	_cleanup_str_list_ struct str_list entries = STR_LIST_INIT;

	str_list_split(&entries, list, ',', false);
	for (size_t i = 0; i < entries.count; i++) {
		const char *entry = str_trim_in_place(entries.items[i]);

		if (*entry && matches(entry, url))
			return true;
	}
	return false;
}

static bool is_own(const struct url *url)
{
	struct ip_address address;

	return str_eq_nocase(url->host, "localhost") ||
	       (ip_parse(url->host, &address, NULL) == 0 && ip_is_loopback(&address));
}

static uint16_t default_port(enum proxy_kind kind)
{
	return kind == PROXY_HTTP ? 80 : kind == PROXY_HTTPS ? 443 : 1080;
}

/* "user:password@": decoded, and `text` behind it. */
static const char *take_user(const char *text, struct proxy *ret)
{
	const char *at = strrchr(text, '@');
	const char *colon;

	if (!at)
		return text;
	colon = memchr(text, ':', (size_t)(at - text));
	ret->user = url_decode(text, (size_t)((colon ? colon : at) - text), false);
	ret->password =
		colon ? url_decode(colon + 1, (size_t)(at - colon - 1), false) : xstrdup("");
	return at + 1;
}

static int parse(const char *text, struct proxy *ret)
{
	static const struct {
		const char *scheme;
		enum proxy_kind kind;
	} kinds[] = { { "http://", PROXY_HTTP },
		      { "https://", PROXY_HTTPS },
		      { "socks5://", PROXY_SOCKS5 },
		      { "socks5h://", PROXY_SOCKS5 } };
	_cleanup_free_ char *place = NULL;

	ret->kind = strstr(text, "://") ? PROXY_NONE : PROXY_HTTP;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (str_starts_with(text, kinds[i].scheme)) {
			ret->kind = kinds[i].kind;
			text += strlen(kinds[i].scheme);
			break;
		}
	if (ret->kind == PROXY_NONE)
		return -EINVAL;
	place = xstrndup(text, strcspn(text, "/"));
	if (!split_port(take_user(place, ret), &ret->host, &ret->port) || !*ret->host ||
	    strpbrk(ret->host, " \t\r\n\"<>@"))
		return -EINVAL;
	if (ret->port == 0)
		ret->port = default_port(ret->kind);
	return 0;
}

int proxy_choose(char *const *environment, const struct url *url, struct proxy *ret,
		 struct error *err)
{
	struct proxy proxy = { .kind = PROXY_NONE };
	const char *name, *unused, *value = NULL, *excepted;

	if (url->tls)
		value = variable(environment, "HTTPS_PROXY", "https_proxy", &name);
	if (!value)
		value = variable(environment, "HTTP_PROXY", "http_proxy", &name);
	excepted = variable(environment, "NO_PROXY", "no_proxy", &unused);
	if (value && !is_own(url) && !is_excepted(excepted ? excepted : NEVER, url) &&
	    parse(value, &proxy) < 0) {
		proxy_free(&proxy);
		/* Its value may hold a password. */
		return error_say(err, EINVAL,
				 "%s is none of http://HOST:PORT, https://HOST:PORT, "
				 "socks5://HOST:PORT and HOST:PORT",
				 name);
	}
	*ret = proxy;
	return 0;
}

void proxy_free(struct proxy *proxy)
{
	free(proxy->host);
	free(proxy->user);
	free(proxy->password);
	*proxy = (struct proxy){ .kind = PROXY_NONE };
}
