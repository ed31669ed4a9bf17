/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/str.h"

int ip_parse(const char *text, struct ip_address *ret, struct error *err)
{
	struct ip_address address = { .family = AF_INET };

	if (inet_pton(AF_INET, text, address.bytes) != 1) {
		address.family = AF_INET6;
		if (inet_pton(AF_INET6, text, address.bytes) != 1)
			return error_say(err, EINVAL, "\"%.64s\" is not an IP address", text);
	}
	*ret = address;
	return 0;
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret, struct error *err)
{
	const char *slash = strchr(text, '/');
	char address_text[IP_TEXT_SIZE];
	struct ip_prefix prefix = { 0 };
	uint64_t length = 0;

	if (!slash || (size_t)(slash - text) >= sizeof(address_text))
		return error_say(err, EINVAL,
				 "\"%.64s\" is not an address with a prefix length, as in "
				 "10.0.1.37/24",
				 text);
	memcpy(address_text, text, (size_t)(slash - text));
	address_text[slash - text] = '\0';
	if (ip_parse(address_text, &prefix.address, NULL) < 0 ||
	    number_parse_u64(slash + 1, 0, ip_bits(&prefix.address), &length, NULL) < 0)
		return error_say(err, EINVAL,
				 "\"%.64s\" is not an address with a prefix length, as in "
				 "10.0.1.37/24",
				 text);
	prefix.length = (unsigned int)length;
	*ret = prefix;
	return 0;
}

int mac_parse(const char *text, struct mac_address *ret, struct error *err)
{
	static const struct mac_address none;
	struct mac_address mac;
	bool good = strlen(text) == MAC_TEXT_SIZE - 1;

	for (size_t i = 0; good && i < MAC_SIZE; i++) {
		const char octet[3] = { text[3 * i], text[3 * i + 1], '\0' };

		good = hex_decode(octet, &mac.bytes[i], 1) == 0 &&
		       (i == MAC_SIZE - 1 || text[3 * i + 2] == ':');
	}
	if (!good)
		return error_say(err, EINVAL,
				 "\"%.64s\" is not a MAC address, as in 02:1f:00:a0:b1:c2", text);
	if (mac.bytes[0] & 1)
		return error_say(err, EINVAL, "MAC address %s is a group address", text);
	if (mac_equal(&mac, &none))
		return error_say(err, EINVAL, "MAC address %s is all zero", text);
	*ret = mac;
	return 0;
}

const char *ip_format(const struct ip_address *address, char text[IP_TEXT_SIZE])
{
	if (!inet_ntop(address->family, address->bytes, text, IP_TEXT_SIZE))
		snprintf(text, IP_TEXT_SIZE, "none");
	return text;
}

const char *ip_prefix_format(const struct ip_prefix *prefix, char text[IP_TEXT_SIZE])
{
	size_t length;

	ip_format(&prefix->address, text);
	length = strlen(text);
	snprintf(text + length, IP_TEXT_SIZE - length, "/%u", prefix->length);
	return text;
}

const char *mac_format(const struct mac_address *mac, char text[MAC_TEXT_SIZE])
{
	snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac->bytes[0], mac->bytes[1],
		 mac->bytes[2], mac->bytes[3], mac->bytes[4], mac->bytes[5]);
	return text;
}

size_t ip_size(const struct ip_address *address)
{
	return address->family == AF_INET6 ? 16 : 4;
}

unsigned int ip_bits(const struct ip_address *address)
{
	return (unsigned int)ip_size(address) * 8;
}

bool ip_equal(const struct ip_address *a, const struct ip_address *b)
{
	if (a->family != b->family)
		return false;
	return a->family == 0 || memcmp(a->bytes, b->bytes, ip_size(a)) == 0;
}

bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->length == b->length && ip_equal(&a->address, &b->address);
}

bool mac_equal(const struct mac_address *a, const struct mac_address *b)
{
	return memcmp(a->bytes, b->bytes, MAC_SIZE) == 0;
}

bool ifname_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < IFNAMSIZ && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && strpbrk(name, "/: \t\n\v\f\r") == NULL;
}

bool ip_is_address(const char *text)
{
	struct ip_address address;

	return ip_parse(text, &address, NULL) == 0;
}

bool ip_is_unicast(const struct ip_address *address)
{
	static const unsigned char none[16], all[4] = { 255, 255, 255, 255 };

	if (memcmp(address->bytes, none, ip_size(address)) == 0)
		return false;
	if (address->family == AF_INET6)
		return address->bytes[0] != 0xff;
	return (address->bytes[0] & 0xf0) != 0xe0 && memcmp(address->bytes, all, 4) != 0;
}

bool ip_is_loopback(const struct ip_address *address)
{
	static const unsigned char own[16] = { [15] = 1 };

	if (address->family == AF_INET6)
		return memcmp(address->bytes, own, sizeof(own)) == 0;
	return address->bytes[0] == 127;
}

struct ip_prefix ip_prefix_network(const struct ip_prefix *prefix)
{
	struct ip_prefix network = *prefix;

	for (unsigned int bit = prefix->length; bit < ip_bits(&prefix->address); bit++)
		network.address.bytes[bit / 8] &= (unsigned char)~(0x80 >> (bit % 8));
	return network;
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address)
{
	struct ip_prefix other = { .address = *address, .length = prefix->length };
	struct ip_prefix network = ip_prefix_network(prefix);

	if (prefix->address.family != address->family)
		return false;
	other = ip_prefix_network(&other);
	return ip_equal(&network.address, &other.address);
}

struct ip_prefix ip_host_prefix(const struct ip_address *address)
{
	return (struct ip_prefix){ .address = *address, .length = ip_bits(address) };
}

struct ip_address ip_next(const struct ip_address *address)
{
	struct ip_address next = *address;

	for (size_t i = ip_size(address); i > 0; i--) {
		next.bytes[i - 1]++;
		if (next.bytes[i - 1] != 0)
			break;
	}
	return next;
}

struct ip_prefix ip_default_route(int family)
{
	return (struct ip_prefix){ .address = { .family = family }, .length = 0 };
}
