/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/ip.h"
#include "base/url.h"
#include "control-plane/identity/identity.h"

#define NAME_MAX_LENGTH 253
#define HOST_NAME_SIZE  256
#define ADDRESSES_MAX   256

bool identity_is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";
	size_t length = strlen(text);

	if (ip_is_address(text))
		return true;
	return length > 0 && length <= NAME_MAX_LENGTH && strspn(text, letters) == length &&
	       text[0] != '.' && text[0] != '-';
}

static void add(struct str_list *names, const char *name)
{
	if (identity_is_name(name) && !str_list_has(names, name))
		str_list_add(names, name);
}

static void add_address(struct str_list *names, const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN];
	const struct sockaddr_in *ipv4 = (const void *)address;
	const struct sockaddr_in6 *ipv6 = (const void *)address;

	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &ipv4->sin_addr, text, sizeof(text));
	else if (address->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&ipv6->sin6_addr))
		inet_ntop(AF_INET6, &ipv6->sin6_addr, text, sizeof(text));
	else
		return;
	add(names, text);
}

static void add_all_addresses(struct str_list *names)
{
	struct ifaddrs *first = NULL;
	int count = 0;

	if (getifaddrs(&first) < 0)
		return;
	for (const struct ifaddrs *at = first; at && count < ADDRESSES_MAX; at = at->ifa_next) {
		if (!at->ifa_addr)
			continue;
		add_address(names, at->ifa_addr);
		count++;
	}
	freeifaddrs(first);
}

void identity_server_names(const struct identity_config *config, struct str_list *ret)
{
	_cleanup_url_ struct url url = { .scheme = NULL };
	char host[HOST_NAME_SIZE] = "";

	for (size_t i = 0; config->names && i < config->names->count; i++)
		add(ret, config->names->items[i]);
	add(ret, "localhost");
	add(ret, "127.0.0.1");
	add(ret, "::1");
	if (gethostname(host, sizeof(host) - 1) == 0)
		add(ret, host);
	if (config->advertise && url_parse(config->advertise, &url, NULL) == 0)
		add(ret, url.host);
	if (str_eq(config->listen, "0.0.0.0") || str_eq(config->listen, "::"))
		add_all_addresses(ret);
	else
		add(ret, config->listen);
}
