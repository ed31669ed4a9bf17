/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of a container, as version 4 shows them. */
#include "agent/endpoints/document_network.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "agent/endpoints/document_parts.h"
#include "base/str.h"

/* "10.31.4.1/24" -> "10.31.4.0/24"; false when it does not parse. */
static bool network_of(int family, const char *address, unsigned prefix, char *text, size_t size)
{
	unsigned char bytes[16];
	char host[INET6_ADDRSTRLEN];
	unsigned bits = family == AF_INET ? 32 : 128;

	if (!address || prefix > bits || inet_pton(family, address, bytes) != 1)
		return false;
	for (unsigned bit = prefix; bit < bits; bit++)
		bytes[bit / 8] = (unsigned char)(bytes[bit / 8] & ~(0x80u >> (bit % 8)));
	inet_ntop(family, bytes, host, sizeof(host));
	snprintf(text, size, "%s/%u", host, prefix);
	return true;
}

static void write_list_of(struct writer *writer, const char *key, const struct text_list *list)
{
	if (list->count > 0)
		write_texts(writer, key, list->items, list->count);
}

/* Gateways are shown with their prefix length, as they came; that of IPv6 only when there is no
 * other.
 */
static void write_gateway(struct writer *writer, const char *key, const struct eni_gateway *gateway)
{
	char text[INET6_ADDRSTRLEN + 5];

	if (!gateway->address)
		return;
	snprintf(text, sizeof(text), "%s/%u", gateway->address, gateway->prefix);
	write_text(writer, key, text);
}

static void write_eni(struct writer *writer, const struct eni_spec *eni)
{
	char text[INET6_ADDRSTRLEN + 5];
	bool only_ipv6 = eni->ipv4_count == 0;

	write_object(writer, NULL);
	write_text(writer, "NetworkMode", "awsvpc");
	write_addresses(writer, "IPv4Addresses", eni->ipv4, eni->ipv4_count);
	write_addresses(writer, "IPv6Addresses", eni->ipv6, eni->ipv6_count);
	write_i64(writer, "AttachmentIndex", 0);
	write_text(writer, "MACAddress", eni->mac_address);
	if (network_of(AF_INET, eni->gateway_ipv4.address, eni->gateway_ipv4.prefix, text,
		       sizeof(text)))
		write_text(writer, "IPv4SubnetCIDRBlock", text);
	if (eni->ipv6_count > 0 &&
	    network_of(AF_INET6, eni->ipv6[0].address, only_ipv6 ? eni->gateway_ipv6.prefix : 64,
		       text, sizeof(text)))
		write_text(writer, "IPv6SubnetCIDRBlock", text);
	write_list_of(writer, "DomainNameServers", &eni->dns_servers);
	write_list_of(writer, "DomainNameSearchList", &eni->dns_search);
	if (!str_is_empty(eni->private_dns_name))
		write_text(writer, "PrivateDNSName", eni->private_dns_name);
	write_gateway(writer, "SubnetGatewayIpv4Address", &eni->gateway_ipv4);
	if (only_ipv6)
		write_gateway(writer, "SubnetGatewayIpv6Address", &eni->gateway_ipv6);
	write_object_end(writer);
}

void write_networks(struct writer *writer, const struct task_spec *spec,
		    const struct connection_state *connection)
{
	write_list(writer, "Networks");
	if (spec->network_mode == NETWORK_MODE_AWSVPC && spec->eni_count > 0) {
		write_eni(writer, &spec->enis[0]);
	} else {
		/* Without an address of its own: one empty string, as ever. */
		write_object(writer, NULL);
		write_text(writer, "NetworkMode", spec->network_mode_name);
		write_list(writer, "IPv4Addresses");
		write_text(writer, NULL,
			   connection && connection->address ? connection->address : "");
		write_list_end(writer);
		if (connection && connection->ipv6_address)
			write_texts(writer, "IPv6Addresses",
				    (const char *const *)&connection->ipv6_address, 1);
		write_object_end(writer);
	}
	write_list_end(writer);
}
