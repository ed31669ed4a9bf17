/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/eni.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/number.h"
#include "base/str.h"
#include "wire/reader.h"

/* Addresses of one family, and DNS servers: more are refused. */
#define ENI_LIST_LIMIT 64

static const char *primary_of(const struct eni_address *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (addresses[i].primary)
			return addresses[i].address;
	}
	return count > 0 ? addresses[0].address : NULL;
}

const char *eni_primary_ipv4(const struct eni_spec *eni)
{
	return primary_of(eni->ipv4, eni->ipv4_count);
}

const char *eni_primary_ipv6(const struct eni_spec *eni)
{
	return primary_of(eni->ipv6, eni->ipv6_count);
}

static bool is_address(int family, const char *text)
{
	unsigned char address[16];

	return inet_pton(family, text, address) == 1;
}

/* Lower-cases in place: the kernel's form, by which devices are found. */
static bool normalize_mac(char *mac)
{
	if (strlen(mac) != 17)
		return false;
	for (size_t i = 0; i < 17; i++) {
		if (i % 3 == 2 ? mac[i] != ':' : !isxdigit((unsigned char)mac[i]))
			return false;
		mac[i] = (char)tolower((unsigned char)mac[i]);
	}
	return true;
}

int eni_read_mac(const struct json_at *at, const char *name, struct arena *arena, const char **ret,
		 struct error *err)
{
	const char *given = NULL;
	char *mac;
	int result = read_text(at, name, arena, &given, err);

	if (result < 0)
		return result;
	if (!given)
		return json_fail(at, err, "%s is missing", name);
	mac = arena_strdup(arena, given);
	if (!normalize_mac(mac))
		return json_fail(at, err, "%s: \"%s\" is no MAC address, such as 0a:1b:2c:3d:4e:5f",
				 name, given);
	*ret = mac;
	return 0;
}

static int read_addresses(const struct json_at *at, const char *name, const char *member,
			  int family, struct arena *arena, const struct eni_address **ret,
			  size_t *ret_count, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct eni_address *addresses;
	int result = read_list(at, name, ENI_LIST_LIMIT, &list, err);

	if (result < 0)
		return result;
	addresses = arena_calloc(arena, json_count(&list), sizeof(*addresses));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_is_object(&item, err);
		if (result == 0)
			result = read_text(&item, member, arena, &addresses[i].address, err);
		if (result == 0)
			result = read_bool(&item, "primary", &addresses[i].primary, err);
		if (result < 0)
			return result;
		if (!addresses[i].address)
			return json_fail(&item, err, "%s is missing", member);
		if (!is_address(family, addresses[i].address))
			return json_fail(&item, err, "%s: \"%s\" is no IPv%c address", member,
					 addresses[i].address, family == AF_INET ? '4' : '6');
	}
	*ret = addresses;
	*ret_count = json_count(&list);
	return 0;
}

static int read_gateway(const struct json_at *at, const char *name, int family, struct arena *arena,
			struct eni_gateway *ret, struct error *err)
{
	const char *text = NULL;
	const char *slash;
	const char *address;
	int64_t prefix;
	int result = read_text(at, name, arena, &text, err);

	if (result < 0 || !text)
		return result;
	slash = strchr(text, '/');
	if (!slash || strchr(slash + 1, '/'))
		return json_fail(at, err,
				 "%s: \"%s\" must be an address and a prefix length, such as %s",
				 name, text, family == AF_INET ? "10.0.0.1/24" : "fd00::1/64");
	address = arena_strndup(arena, text, (size_t)(slash - text));
	if (!is_address(family, address))
		return json_fail(at, err, "%s: \"%s\" is no IPv%c address", name, address,
				 family == AF_INET ? '4' : '6');
	if (number_parse_i64(slash + 1, 0, family == AF_INET ? 32 : 128, &prefix, NULL) < 0)
		return json_fail(at, err, "%s: \"%s\" is no prefix length", name, slash + 1);
	ret->address = address;
	ret->prefix = (unsigned int)prefix;
	return 0;
}

static int read_protocol(const struct json_at *at, struct arena *arena, struct eni_spec *eni,
			 struct error *err)
{
	const char *protocol = NULL;
	struct json_at vlan = { .value = NULL };
	int result = read_text(at, "interfaceAssociationProtocol", arena, &protocol, err);

	if (result == 0)
		result = read_object(at, "interfaceVlanProperties", &vlan, err);
	if (result < 0)
		return result;
	if (!protocol || strcmp(protocol, "default") == 0)
		return 0;
	if (strcmp(protocol, "vlan") != 0)
		return json_fail(at, err,
				 "interfaceAssociationProtocol: \"%s\" is not supported; "
				 "\"default\" and \"vlan\" are",
				 protocol);
	if (!json_present(&vlan))
		return json_fail(at, err, "interfaceVlanProperties is missing");
	result = read_text(&vlan, "vlanId", arena, &eni->vlan_id, err);
	if (result < 0)
		return result;
	if (!eni->vlan_id)
		return json_fail(&vlan, err, "vlanId is missing");
	eni->protocol = ENI_PROTOCOL_VLAN;
	return eni_read_mac(&vlan, "trunkInterfaceMacAddress", arena, &eni->trunk_mac_address, err);
}

static int check_families(const struct json_at *at, const struct eni_spec *eni, struct error *err)
{
	if (eni->ipv4_count == 0 && eni->ipv6_count == 0)
		return json_fail(at, err, "ipv4Addresses is empty, and so is ipv6Addresses");
	if (eni->ipv4_count > 0 && !eni->gateway_ipv4.address)
		return json_fail(at, err, "subnetGatewayIpv4Address is missing");
	if (eni->ipv4_count == 0 && !eni->gateway_ipv6.address)
		return json_fail(
			at, err,
			"subnetGatewayIpv6Address is missing, and there is no IPv4 address");
	for (size_t i = 0; i < eni->dns_servers.count; i++) {
		const char *server = eni->dns_servers.items[i];

		if (!is_address(AF_INET, server) && !is_address(AF_INET6, server))
			return json_fail(at, err, "domainNameServers[%zu]: \"%s\" is no IP address",
					 i, server);
	}
	return 0;
}

int eni_spec_decode(const struct json_at *at, struct arena *arena, struct eni_spec *ret,
		    struct error *err)
{
	struct eni_spec eni = { .protocol = ENI_PROTOCOL_DEFAULT };
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "attachmentArn", arena, &eni.attachment_arn, err);
	if (result == 0)
		result = read_text(at, "ec2Id", arena, &eni.ec2_id, err);
	if (result == 0)
		result = read_text(at, "name", arena, &eni.name, err);
	if (result == 0)
		result = read_i64(at, "index", INT64_MIN, INT64_MAX, &eni.index, err);
	if (result == 0)
		result = read_texts(at, "domainNameServers", arena, &eni.dns_servers, NULL, err);
	if (result == 0)
		result = read_texts(at, "domainName", arena, &eni.dns_search, NULL, err);
	if (result == 0)
		result = read_text(at, "privateDnsName", arena, &eni.private_dns_name, err);
	if (result < 0)
		return result;
	if (!eni.ec2_id)
		return json_fail(at, err, "ec2Id is missing");
	result = eni_read_mac(at, "macAddress", arena, &eni.mac_address, err);
	if (result == 0)
		result = read_addresses(at, "ipv4Addresses", "privateAddress", AF_INET, arena,
					&eni.ipv4, &eni.ipv4_count, err);
	if (result == 0)
		result = read_addresses(at, "ipv6Addresses", "address", AF_INET6, arena, &eni.ipv6,
					&eni.ipv6_count, err);
	if (result == 0)
		result = read_gateway(at, "subnetGatewayIpv4Address", AF_INET, arena,
				      &eni.gateway_ipv4, err);
	if (result == 0)
		result = read_gateway(at, "subnetGatewayIpv6Address", AF_INET6, arena,
				      &eni.gateway_ipv6, err);
	if (result == 0)
		result = read_protocol(at, arena, &eni, err);
	if (result == 0)
		result = check_families(at, &eni, err);
	if (result < 0)
		return result;
	*ret = eni;
	return 0;
}

int eni_specs_decode(const struct json_at *list, struct arena *arena, const struct eni_spec **ret,
		     size_t *ret_count, struct error *err)
{
	size_t count = json_count(list);
	struct eni_spec *enis = arena_calloc(arena, count, sizeof(*enis));

	for (size_t i = 0; i < count; i++) {
		struct json_at item = json_item(list, i);
		int result = eni_spec_decode(&item, arena, &enis[i], err);

		if (result < 0)
			return result;
	}
	*ret = enis;
	*ret_count = count;
	return 0;
}
