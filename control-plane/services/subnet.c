/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/subnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"
#include "control-plane/services/subnet_ipv6.h"

enum { PREFIX_MIN = 16, PREFIX_MAX = 28, RESERVED = 4, GATEWAY = 1, DNS_SERVER = 2 };
/* More than tasks there can be. */
#define IPV6_ADDRESSES INT32_MAX

struct subnet {
	char *id;
	char *vpc;
	char *zone;
	char *dns_server; /* as configured; NULL: of the network */

	char *cidr;    /* NULL: IPv6 only; then the rest is 0, too */
	char *gateway; /* "10.0.0.1/24" */
	char *ipv4_dns_server;
	uint32_t network;
	uint32_t gateway_host; /* offset of the gateway in the network */
	uint32_t size;         /* addresses, 2^(32 - prefix) */
	bool *taken;           /* by offset */
	uint32_t next;         /* where the search goes on */
	size_t free_count;

	struct subnet_ipv6 *ipv6; /* NULL: IPv4 only */
	char ipv6_gateway[IP_TEXT_SIZE];
	char ipv6_dns_server[IP_TEXT_SIZE];
};

static int parse_address(const char *text, uint32_t *ret)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return -EINVAL;
	*ret = ntohl(address.s_addr);
	return 0;
}

static int parse_cidr(const char *cidr, uint32_t *ret_network, int64_t *ret_prefix,
		      struct error *err)
{
	const char *slash = strchr(cidr, '/');
	_cleanup_free_ char *address = slash ? xstrndup(cidr, (size_t)(slash - cidr)) : NULL;

	if (!slash || parse_address(address, ret_network) < 0 ||
	    number_parse_i64(slash + 1, PREFIX_MIN, PREFIX_MAX, ret_prefix, NULL) < 0)
		return error_say(err, EINVAL,
				 "'%s' is not an IPv4 subnet such as 10.0.0.0/24, with a prefix of "
				 "%d to %d",
				 cidr, PREFIX_MIN, PREFIX_MAX);
	if (*ret_network & (uint32_t)((UINT64_C(1) << (32 - *ret_prefix)) - 1))
		return error_say(err, EINVAL,
				 "'%s' has host bits: the address must be the network's", cidr);
	return 0;
}

bool subnet_cidrs_overlap(const char *a, const char *b)
{
	struct ip_prefix one, other;

	if (!a || !b || ip_prefix_parse(a, &one, NULL) < 0 || ip_prefix_parse(b, &other, NULL) < 0)
		return false;
	return one.length <= other.length ? ip_prefix_contains(&one, &other.address)
					  : ip_prefix_contains(&other, &one.address);
}

static char *address_text(uint32_t address)
{
	return xasprintf("%u.%u.%u.%u", address >> 24, (address >> 16) & 0xff,
			 (address >> 8) & 0xff, address & 0xff);
}

static int set_ipv4(struct subnet *subnet, const struct subnet_config *config, struct error *err)
{
	_cleanup_free_ char *gateway = NULL;
	uint32_t address = 0;
	int64_t prefix = PREFIX_MAX;
	int r = parse_cidr(config->cidr, &subnet->network, &prefix, err);

	if (r < 0)
		return r;
	subnet->size = UINT32_C(1) << (32 - prefix);
	subnet->gateway_host = GATEWAY;
	if (config->gateway) {
		if (parse_address(config->gateway, &address) < 0 || address <= subnet->network ||
		    address - subnet->network >= subnet->size - 1)
			return error_say(err, EINVAL,
					 "the gateway '%s' is not an address inside %s",
					 config->gateway, config->cidr);
		subnet->gateway_host = address - subnet->network;
	}
	gateway = address_text(subnet->network + subnet->gateway_host);
	subnet->cidr = xstrdup(config->cidr);
	subnet->gateway = xasprintf("%s/%d", gateway, (int)prefix);
	subnet->ipv4_dns_server = address_text(subnet->network + DNS_SERVER);
	subnet->taken = xcalloc(subnet->size, sizeof(*subnet->taken));
	return 0;
}

int subnet_set_ipv6(struct subnet *subnet, const char *cidr, struct error *err)
{
	struct subnet_ipv6 *pool = NULL;
	int r;

	if (str_eq(cidr, subnet_ipv6_block(subnet)))
		return 0;
	r = cidr ? subnet_ipv6_new(cidr, &pool, err) : 0;
	if (r < 0)
		return r;
	subnet_ipv6_free(subnet->ipv6);
	subnet->ipv6 = pool;
	if (pool) {
		subnet_ipv6_address(pool, GATEWAY, true, subnet->ipv6_gateway);
		subnet_ipv6_address(pool, DNS_SERVER, false, subnet->ipv6_dns_server);
	}
	return 0;
}

static int check_config(const struct subnet_config *config, struct error *err)
{
	struct ip_address address;

	if (!config->cidr && !config->ipv6_cidr)
		return error_say(err, EINVAL, "it has neither an IPv4 nor an IPv6 network");
	if (config->gateway && !config->cidr)
		return error_say(err, EINVAL,
				 "the gateway '%s' is for IPv4 only, which the subnet has not",
				 config->gateway);
	if (config->dns_server && ip_parse(config->dns_server, &address, NULL) < 0)
		return error_say(err, EINVAL, "the DNS server '%s' is not an IP address",
				 config->dns_server);
	return 0;
}

int subnet_new(const struct subnet_config *config, struct subnet **ret_subnet, struct error *err)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = xcalloc(1, sizeof(*subnet));
	int r = check_config(config, err);

	if (r == 0 && config->cidr)
		r = set_ipv4(subnet, config, err);
	if (r == 0)
		r = subnet_set_ipv6(subnet, config->ipv6_cidr, err);
	if (r < 0) {
		error_prefix(err, "subnet %s", config->id);
		return r;
	}
	subnet->id = xstrdup(config->id);
	subnet->vpc = xstrdup_null(config->vpc);
	subnet->zone = xstrdup_null(config->zone);
	subnet->dns_server = xstrdup_null(config->dns_server);
	subnet_reset(subnet);
	*ret_subnet = TAKE(subnet);
	return 0;
}

void subnet_free(struct subnet *subnet)
{
	if (!subnet)
		return;
	free(subnet->id);
	free(subnet->vpc);
	free(subnet->cidr);
	free(subnet->zone);
	free(subnet->gateway);
	free(subnet->dns_server);
	free(subnet->ipv4_dns_server);
	free(subnet->taken);
	subnet_ipv6_free(subnet->ipv6);
	free(subnet);
}

const char *subnet_id(const struct subnet *subnet)
{
	return subnet->id;
}

const char *subnet_vpc(const struct subnet *subnet)
{
	return subnet->vpc;
}

const char *subnet_zone(const struct subnet *subnet)
{
	return subnet->zone;
}

const char *subnet_cidr(const struct subnet *subnet)
{
	return subnet->cidr ? subnet->cidr : subnet_ipv6_cidr(subnet->ipv6);
}

const char *subnet_ipv6_block(const struct subnet *subnet)
{
	return subnet->ipv6 ? subnet_ipv6_cidr(subnet->ipv6) : NULL;
}

const char *subnet_gateway(const struct subnet *subnet)
{
	return subnet->gateway;
}

const char *subnet_ipv6_gateway(const struct subnet *subnet)
{
	return subnet->ipv6 ? subnet->ipv6_gateway : NULL;
}

const char *subnet_dns_server(const struct subnet *subnet)
{
	if (subnet->dns_server)
		return subnet->dns_server;
	return subnet->ipv4_dns_server ? subnet->ipv4_dns_server : subnet->ipv6_dns_server;
}

size_t subnet_free_count(const struct subnet *subnet)
{
	return subnet->cidr ? subnet->free_count
			    : IPV6_ADDRESSES - subnet_ipv6_taken_count(subnet->ipv6);
}

size_t subnet_free_ipv4_count(const struct subnet *subnet)
{
	return subnet->free_count;
}

static bool is_reserved(const struct subnet *subnet, uint32_t host)
{
	return host < RESERVED || host == subnet->size - 1 || host == subnet->gateway_host;
}

void subnet_reset(struct subnet *subnet)
{
	if (subnet->ipv6)
		subnet_ipv6_reset(subnet->ipv6);
	subnet->free_count = 0;
	for (uint32_t host = 0; host < subnet->size; host++) {
		subnet->taken[host] = is_reserved(subnet, host);
		subnet->free_count += !subnet->taken[host];
	}
	if (subnet->next == 0)
		subnet->next = RESERVED;
}

static void take_ipv4(struct subnet *subnet, char address[SUBNET_ADDRESS_SIZE])
{
	while (subnet->taken[subnet->next])
		subnet->next = (subnet->next + 1) % subnet->size;

	uint32_t value = subnet->network + subnet->next;

	subnet->taken[subnet->next] = true;
	subnet->free_count--;
	subnet->next = (subnet->next + 1) % subnet->size;
	snprintf(address, SUBNET_ADDRESS_SIZE, "%u.%u.%u.%u", value >> 24, (value >> 16) & 0xff,
		 (value >> 8) & 0xff, value & 0xff);
}

bool subnet_take(struct subnet *subnet, struct subnet_addresses *ret_addresses)
{
	if (subnet_free_count(subnet) == 0)
		return false;
	*ret_addresses = (struct subnet_addresses){ .ipv4 = "" };
	if (subnet->cidr)
		take_ipv4(subnet, ret_addresses->ipv4);
	if (subnet->ipv6)
		subnet_ipv6_take(subnet->ipv6, ret_addresses->ipv6);
	return true;
}

/* The offset of an address that may be given out; 0 when it is none of this subnet's. */
static uint32_t host_of(const struct subnet *subnet, const char *address)
{
	uint32_t value;

	if (parse_address(address, &value) < 0 || value < subnet->network ||
	    value - subnet->network >= subnet->size || is_reserved(subnet, value - subnet->network))
		return 0;
	return value - subnet->network;
}

static bool mark_ipv4(struct subnet *subnet, const char *address)
{
	uint32_t host = host_of(subnet, address);

	if (host == 0 || subnet->taken[host])
		return false;
	subnet->taken[host] = true;
	subnet->free_count--;
	/* After a restart the search goes on behind the newest task's address. */
	subnet->next = (host + 1) % subnet->size;
	return true;
}

bool subnet_mark(struct subnet *subnet, const char *ipv4, const char *ipv6)
{
	bool marked = !ipv4 || mark_ipv4(subnet, ipv4);

	if (ipv6)
		marked = subnet->ipv6 && subnet_ipv6_mark(subnet->ipv6, ipv6) && marked;
	return marked && (ipv4 || ipv6);
}

void subnet_give_back(struct subnet *subnet, const char *ipv4, const char *ipv6)
{
	uint32_t host = ipv4 ? host_of(subnet, ipv4) : 0;

	if (ipv6 && subnet->ipv6)
		subnet_ipv6_give_back(subnet->ipv6, ipv6);
	if (host == 0 || !subnet->taken[host])
		return;
	subnet->taken[host] = false;
	subnet->free_count++;
}
