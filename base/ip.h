/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_IP_H
#define BERTH_BASE_IP_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses, prefixes and MAC addresses as values: parsed once, compared and formatted anywhere.
 * And what a link may be called. */

#define IP_TEXT_SIZE  64 /* holds any address or prefix as text */
#define MAC_SIZE      6
#define MAC_TEXT_SIZE 18

struct ip_address {
	int family;              /* AF_INET or AF_INET6; 0 = none */
	unsigned char bytes[16]; /* network order; 4 or 16 used */
};

struct ip_prefix {
	struct ip_address address; /* host bits are kept */
	unsigned int length;       /* 0 .. 32 or 128 */
};

struct mac_address {
	unsigned char bytes[MAC_SIZE];
};

/* "10.0.1.37", "fd00::5". -EINVAL with a sentence. */
int ip_parse(const char *text, struct ip_address *ret, struct error *err);

/* "10.0.1.37/24". The length is mandatory. */
int ip_prefix_parse(const char *text, struct ip_prefix *ret, struct error *err);

/* Six hexadecimal octets separated by colons; not a group (multicast) address and not all zero. */
int mac_parse(const char *text, struct mac_address *ret, struct error *err);

const char *ip_format(const struct ip_address *address, char text[IP_TEXT_SIZE]);
const char *ip_prefix_format(const struct ip_prefix *prefix, char text[IP_TEXT_SIZE]);
const char *mac_format(const struct mac_address *mac, char text[MAC_TEXT_SIZE]);

size_t ip_size(const struct ip_address *address);       /* 4 or 16 bytes */
unsigned int ip_bits(const struct ip_address *address); /* 32 or 128 */
bool ip_equal(const struct ip_address *a, const struct ip_address *b);
bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
bool mac_equal(const struct mac_address *a, const struct mac_address *b);

/* As Linux has it: 1 to 15 bytes, not "." or "..", without "/", ":" and white space. */
bool ifname_is_valid(const char *name);

/* Whether `text` is an address of either family. */
bool ip_is_address(const char *text);

/* Whether one interface can have it: not 0.0.0.0 or ::, not multicast, not 255.255.255.255. */
bool ip_is_unicast(const struct ip_address *address);
/* 127.0.0.0/8 or ::1. */
bool ip_is_loopback(const struct ip_address *address);

/* The prefix with its host bits cleared. */
struct ip_prefix ip_prefix_network(const struct ip_prefix *prefix);

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address);

/* The prefix that is one address: /32 or /128. */
struct ip_prefix ip_host_prefix(const struct ip_address *address);

/* The next address up, wrapping at the end of the family's space. */
struct ip_address ip_next(const struct ip_address *address);

/* 0.0.0.0/0 or ::/0. */
struct ip_prefix ip_default_route(int family);

#endif
