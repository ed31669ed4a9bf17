/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_NFT_TYPES_H
#define BERTH_NETNS_NFT_TYPES_H

#include <stdint.h>
#include <sys/socket.h>

#include <linux/netfilter.h>

/* What nft(8) knows the types of sets' keys and data by; a concatenation has NFT_TYPE_BITS for each
 * of its own. */
#define NFT_TYPE_IPV4     7u
#define NFT_TYPE_IPV6     8u
#define NFT_TYPE_PROTOCOL 12u
#define NFT_TYPE_SERVICE  13u
#define NFT_TYPE_MARK     19u
#define NFT_TYPE_IFNAME   41u
#define NFT_TYPE_BITS     6

/* Of addresses of a family, AF_INET or AF_INET6. */
static inline uint32_t nft_address_type(int family)
{
	return family == AF_INET6 ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4;
}

static inline uint32_t nft_address_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

/* The family of a table that has packets of AF_INET, or AF_INET6, only. */
static inline uint8_t nft_family(int family)
{
	return family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

#endif
