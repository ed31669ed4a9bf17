/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/subnet_ipv6.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/random.h"

enum { LENGTH = 64, HOST_OFFSET = 8, RESERVED = 4 };

struct subnet_ipv6 {
	struct ip_prefix prefix;
	char cidr[IP_TEXT_SIZE];
	struct map *taken; /* address as ip_format() writes it -> pool */
};

int subnet_ipv6_new(const char *cidr, struct subnet_ipv6 **ret_pool, struct error *err)
{
	struct ip_prefix prefix, network;
	struct subnet_ipv6 *pool;

	if (ip_prefix_parse(cidr, &prefix, NULL) < 0 || prefix.address.family != AF_INET6 ||
	    prefix.length != LENGTH)
		return error_say(
			err, EINVAL,
			"'%s' is not an IPv6 subnet such as fd00:1:2:3::/64, with a prefix "
			"of %d",
			cidr, LENGTH);
	network = ip_prefix_network(&prefix);
	if (!ip_prefix_equal(&network, &prefix))
		return error_say(err, EINVAL,
				 "'%s' has host bits: the address must be the network's", cidr);
	pool = xcalloc(1, sizeof(*pool));
	pool->prefix = prefix;
	ip_prefix_format(&prefix, pool->cidr);
	pool->taken = map_new();
	*ret_pool = pool;
	return 0;
}

void subnet_ipv6_free(struct subnet_ipv6 *pool)
{
	if (!pool)
		return;
	map_free(pool->taken);
	free(pool);
}

const char *subnet_ipv6_cidr(const struct subnet_ipv6 *pool)
{
	return pool->cidr;
}

const char *subnet_ipv6_address(const struct subnet_ipv6 *pool, unsigned char number,
				bool with_length, char text[IP_TEXT_SIZE])
{
	struct ip_prefix prefix = pool->prefix;

	prefix.address.bytes[sizeof(prefix.address.bytes) - 1] = number;
	return with_length ? ip_prefix_format(&prefix, text) : ip_format(&prefix.address, text);
}

static bool is_reserved(const struct ip_address *address)
{
	uint64_t host = 0;

	for (size_t i = HOST_OFFSET; i < sizeof(address->bytes); i++)
		host = host << 8 | address->bytes[i];
	return host < RESERVED || host == UINT64_MAX;
}

void subnet_ipv6_take(struct subnet_ipv6 *pool, char address[IP_TEXT_SIZE])
{
	struct ip_address ip = pool->prefix.address;

	do {
		random_bytes(ip.bytes + HOST_OFFSET, sizeof(ip.bytes) - HOST_OFFSET);
		ip_format(&ip, address);
	} while (is_reserved(&ip) || map_get(pool->taken, address));
	map_set(pool->taken, address, pool);
}

bool subnet_ipv6_mark(struct subnet_ipv6 *pool, const char *address)
{
	struct ip_address ip;
	char text[IP_TEXT_SIZE];

	if (ip_parse(address, &ip, NULL) < 0 || !ip_prefix_contains(&pool->prefix, &ip) ||
	    is_reserved(&ip) || map_get(pool->taken, ip_format(&ip, text)))
		return false;
	map_set(pool->taken, text, pool);
	return true;
}

void subnet_ipv6_give_back(struct subnet_ipv6 *pool, const char *address)
{
	struct ip_address ip;
	char text[IP_TEXT_SIZE];

	if (ip_parse(address, &ip, NULL) == 0)
		(void)map_remove(pool->taken, ip_format(&ip, text));
}

void subnet_ipv6_reset(struct subnet_ipv6 *pool)
{
	map_free(pool->taken);
	pool->taken = map_new();
}

size_t subnet_ipv6_taken_count(const struct subnet_ipv6 *pool)
{
	return map_count(pool->taken);
}
