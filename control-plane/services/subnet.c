/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/subnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ip.h"
#include "base/number.h"

enum { PREFIX_MIN = 16, PREFIX_MAX = 28, RESERVED = 4 };

struct subnet {
	char *id;
	char *vpc;
	char *cidr;
	char *zone;
	char *gateway;
	char *dns_server;
	uint32_t network;
	uint32_t gateway_host; /* offset of the gateway in the network */
	uint32_t size;         /* addresses, 2^(32 - prefix) */
	bool *taken;           /* by offset */
	uint32_t next;         /* where the search goes on */
	size_t free_count;
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

	if (ip_prefix_parse(a, &one, NULL) < 0 || ip_prefix_parse(b, &other, NULL) < 0)
		return false;
	return one.length <= other.length ? ip_prefix_contains(&one, &other.address)
					  : ip_prefix_contains(&other, &one.address);
}

static char *address_text(uint32_t address)
{
	return xasprintf("%u.%u.%u.%u", address >> 24, (address >> 16) & 0xff,
			 (address >> 8) & 0xff, address & 0xff);
}

int subnet_new(const struct subnet_config *config, struct subnet **ret_subnet, struct error *err)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = xcalloc(1, sizeof(*subnet));
	_cleanup_free_ char *gateway = NULL;
	uint32_t address = 0;
	int64_t prefix = PREFIX_MAX;
	int r = parse_cidr(config->cidr, &subnet->network, &prefix, err);

	if (r < 0) {
		error_prefix(err, "subnet %s", config->id);
		return r;
	}
	subnet->size = UINT32_C(1) << (32 - prefix);
	subnet->gateway_host = 1;
	if (config->gateway) {
		if (parse_address(config->gateway, &address) < 0 || address <= subnet->network ||
		    address - subnet->network >= subnet->size - 1)
			return error_say(err, EINVAL,
					 "subnet %s: the gateway '%s' is not an address inside %s",
					 config->id, config->gateway, config->cidr);
		subnet->gateway_host = address - subnet->network;
	}
	if (config->dns_server && parse_address(config->dns_server, &address) < 0)
		return error_say(err, EINVAL,
				 "subnet %s: the DNS server '%s' is not an IPv4 address",
				 config->id, config->dns_server);
	gateway = address_text(subnet->network + subnet->gateway_host);
	subnet->id = xstrdup(config->id);
	subnet->vpc = xstrdup_null(config->vpc);
	subnet->cidr = xstrdup(config->cidr);
	subnet->zone = xstrdup_null(config->zone);
	subnet->gateway = xasprintf("%s/%d", gateway, (int)prefix);
	subnet->dns_server = config->dns_server ? xstrdup(config->dns_server)
						: address_text(subnet->network + 2);
	subnet->taken = xcalloc(subnet->size, sizeof(*subnet->taken));
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
	free(subnet->taken);
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
	return subnet->cidr;
}

const char *subnet_gateway(const struct subnet *subnet)
{
	return subnet->gateway;
}

const char *subnet_dns_server(const struct subnet *subnet)
{
	return subnet->dns_server;
}

size_t subnet_free_count(const struct subnet *subnet)
{
	return subnet->free_count;
}

static bool is_reserved(const struct subnet *subnet, uint32_t host)
{
	return host < RESERVED || host == subnet->size - 1 || host == subnet->gateway_host;
}

void subnet_reset(struct subnet *subnet)
{
	subnet->free_count = 0;
	for (uint32_t host = 0; host < subnet->size; host++) {
		subnet->taken[host] = is_reserved(subnet, host);
		subnet->free_count += !subnet->taken[host];
	}
	if (subnet->next == 0)
		subnet->next = RESERVED;
}

bool subnet_take(struct subnet *subnet, char address[SUBNET_ADDRESS_SIZE])
{
	if (subnet->free_count == 0)
		return false;
	while (subnet->taken[subnet->next])
		subnet->next = (subnet->next + 1) % subnet->size;

	uint32_t value = subnet->network + subnet->next;

	subnet->taken[subnet->next] = true;
	subnet->free_count--;
	subnet->next = (subnet->next + 1) % subnet->size;
	snprintf(address, SUBNET_ADDRESS_SIZE, "%u.%u.%u.%u", value >> 24, (value >> 16) & 0xff,
		 (value >> 8) & 0xff, value & 0xff);
	return true;
}

/* The offset of an address that may be given out; 0 when it is none of this subnet's. */
static uint32_t host_of(const struct subnet *subnet, const char *address)
{
	uint32_t value;

	if (!address || parse_address(address, &value) < 0 || value < subnet->network ||
	    value - subnet->network >= subnet->size || is_reserved(subnet, value - subnet->network))
		return 0;
	return value - subnet->network;
}

bool subnet_mark(struct subnet *subnet, const char *address)
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

void subnet_give_back(struct subnet *subnet, const char *address)
{
	uint32_t host = host_of(subnet, address);

	if (host == 0 || !subnet->taken[host])
		return;
	subnet->taken[host] = false;
	subnet->free_count++;
}
