/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of BerthNetworkMessage: rules that an agent enforces, so nothing is guessed. */
#include "wire/acs_network.h"

#include <errno.h>
#include <inttypes.h>

#include "base/arena.h"
#include "base/ip.h"
#include "base/map.h"
#include "base/number.h"
#include "base/str.h"
#include "wire/acs_body.h"
#include "wire/eni.h"
#include "wire/reader.h"

/* One message on its way. */
struct network_decoder {
	struct arena *arena;
	struct map *groups; /* ids of the message's groups */
};

static int require(const struct json_at *at, const char *name, struct arena *arena,
		   const char **ret, struct error *err)
{
	int result = read_text(at, name, arena, ret, err);

	if (result == 0 && !*ret)
		return json_fail(at, err, "%s is missing or empty", name);
	return result;
}

/* A list of texts, each of which `check` takes. */
static int read_checked(const struct json_at *at, const char *name, size_t max,
			int (*check)(void *data, const char *text, struct error *err), void *data,
			struct arena *arena, struct text_list *ret, struct error *err)
{
	struct error why = ERROR_INIT;
	int result = read_texts(at, name, arena, ret, NULL, err);

	if (result < 0)
		return result;
	if (ret->count > max)
		return json_fail(at, err, "%s has %zu items: at most %zu are possible", name,
				 ret->count, max);
	for (size_t i = 0; i < ret->count; i++)
		if (check(data, ret->items[i], &why) < 0)
			return json_fail(at, err, "%s[%zu]: %s", name, i, why.text);
	return 0;
}

static int check_address(void *data, const char *text, struct error *err)
{
	struct ip_address address;

	(void)data;
	return ip_parse(text, &address, err);
}

static int check_cidr(void *data, const char *text, struct error *err)
{
	struct ip_prefix prefix;

	(void)data;
	return ip_prefix_parse(text, &prefix, err);
}

static int check_group(void *data, const char *text, struct error *err)
{
	const struct network_decoder *decoder = data;

	if (map_get(decoder->groups, text))
		return 0;
	return error_say(err, EINVAL, "\"%.64s\" is not among securityGroups", text);
}

static int read_one_address(const struct json_at *at, const char *name, struct arena *arena,
			    const char **ret, struct error *err)
{
	struct error why = ERROR_INIT;
	int result = read_text(at, name, arena, ret, err);

	if (result == 0 && *ret && check_address(NULL, *ret, &why) < 0)
		return json_fail(at, err, "%s: %s", name, why.text);
	return result;
}

/* --- permissions */

static const struct {
	const char *name;
	const char *number;
} named_protocols[] = { { "tcp", "6" }, { "udp", "17" }, { "icmp", "1" }, { "icmpv6", "58" } };

static int read_protocol(const struct json_at *at, struct arena *arena, const char **ret,
			 struct error *err)
{
	int64_t number;
	int result = require(at, "protocol", arena, ret, err);

	if (result != 0 || str_eq(*ret, "-1"))
		return result;
	for (size_t i = 0; i < sizeof(named_protocols) / sizeof(named_protocols[0]); i++) {
		if (!str_eq(*ret, named_protocols[i].name) &&
		    !str_eq(*ret, named_protocols[i].number))
			continue;
		*ret = named_protocols[i].name;
		return 0;
	}
	if (number_parse_i64(*ret, 0, 255, &number, NULL) < 0)
		return json_fail(at, err,
				 "protocol: \"%.32s\" is none of tcp, udp, icmp, icmpv6, -1 and 0 "
				 "to 255",
				 *ret);
	return 0;
}

static int check_ports(const struct json_at *at, const struct acs_permission *permission,
		       struct error *err)
{
	int64_t from = permission->from_port, to = permission->to_port;

	if (str_eq(permission->protocol, "tcp") || str_eq(permission->protocol, "udp")) {
		if (from < 0 || from > to)
			return json_fail(at, err,
					 "fromPort %" PRId64 " and toPort %" PRId64
					 " are no range of ports",
					 from, to);
		return 0;
	}
	if (str_starts_with(permission->protocol, "icmp")) {
		if (from > 255 || to > 255 || (from == -1 && to != -1))
			return json_fail(at, err,
					 "fromPort %" PRId64 " and toPort %" PRId64
					 " are no type and code",
					 from, to);
		return 0;
	}
	if (from != -1 || to != -1)
		return json_fail(at, err, "protocol %s has no ports", permission->protocol);
	return 0;
}

static int read_permission(const struct json_at *at, struct network_decoder *decoder,
			   struct acs_permission *permission, struct error *err)
{
	int result = read_is_object(at, err);

	permission->from_port = permission->to_port = -1;
	if (result == 0)
		result = read_protocol(at, decoder->arena, &permission->protocol, err);
	if (result == 0)
		result = read_i64(at, "fromPort", -1, 65535, &permission->from_port, err);
	if (result == 0)
		result = read_i64(at, "toPort", -1, 65535, &permission->to_port, err);
	if (result == 0)
		result = check_ports(at, permission, err);
	if (result == 0)
		result = read_checked(at, "cidrs", READ_LIST_LIMIT, check_cidr, NULL,
				      decoder->arena, &permission->cidrs, err);
	if (result == 0)
		result = read_checked(at, "groups", READ_LIST_LIMIT, check_group, decoder,
				      decoder->arena, &permission->groups, err);
	return result;
}

static int read_permissions(const struct json_at *at, const char *name,
			    struct network_decoder *decoder, const struct acs_permission **ret,
			    size_t *ret_count, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct acs_permission *permissions;
	int result = read_list(at, name, ACS_NETWORK_PERMISSIONS_MAX, &list, err);

	if (result < 0)
		return result;
	permissions = arena_calloc(decoder->arena, json_count(&list), sizeof(*permissions));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_permission(&item, decoder, &permissions[i], err);
		if (result < 0)
			return result;
	}
	*ret = permissions;
	*ret_count = json_count(&list);
	return 0;
}

/* --- groups, interfaces, subnets, peers */

static int read_group_id(const struct json_at *at, struct network_decoder *decoder,
			 struct acs_security_group *group, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = require(at, "groupId", decoder->arena, &group->id, err);
	if (result < 0)
		return result;
	if (map_set(decoder->groups, group->id, decoder))
		return json_fail(at, err, "groupId: %.64s is there twice", group->id);
	return 0;
}

static int read_group(const struct json_at *at, struct network_decoder *decoder,
		      struct acs_security_group *group, struct error *err)
{
	int result = require(at, "vpcId", decoder->arena, &group->vpc_id, err);

	if (result == 0)
		result = read_permissions(at, "ingress", decoder, &group->ingress,
					  &group->ingress_count, err);
	if (result == 0)
		result = read_permissions(at, "egress", decoder, &group->egress,
					  &group->egress_count, err);
	if (result == 0)
		result = read_checked(at, "members", ACS_NETWORK_ADDRESSES_MAX, check_address, NULL,
				      decoder->arena, &group->members, err);
	return result;
}

/* All ids first: rules name groups that come later. */
static int read_groups(const struct json_at *at, struct network_decoder *decoder,
		       struct acs_network *network, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct acs_security_group *groups;
	int result = read_list(at, "securityGroups", ACS_NETWORK_GROUPS_MAX, &list, err);
	size_t count = json_count(&list);

	groups = arena_calloc(decoder->arena, count, sizeof(*groups));
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct json_at item = json_item(&list, i);

		result = read_group_id(&item, decoder, &groups[i], err);
	}
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct json_at item = json_item(&list, i);

		result = read_group(&item, decoder, &groups[i], err);
	}
	network->groups = groups;
	network->group_count = count;
	return result;
}

static int read_interface(const struct json_at *at, struct network_decoder *decoder,
			  struct acs_network_interface *interface, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = eni_read_mac(at, "macAddress", decoder->arena, &interface->mac_address,
				      err);
	if (result == 0)
		result = require(at, "subnetId", decoder->arena, &interface->subnet_id, err);
	if (result == 0)
		result = read_checked(at, "groups", ACS_NETWORK_INTERFACE_GROUPS_MAX, check_group,
				      decoder, decoder->arena, &interface->groups, err);
	if (result == 0)
		result = read_checked(at, "addresses", READ_LIST_LIMIT, check_address, NULL,
				      decoder->arena, &interface->addresses, err);
	if (result == 0 && interface->addresses.count == 0)
		return json_fail(at, err, "addresses is missing or empty");
	return result;
}

static int read_interfaces(const struct json_at *at, struct network_decoder *decoder,
			   struct acs_network *network, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct acs_network_interface *interfaces;
	int result = read_list(at, "interfaces", ACS_NETWORK_INTERFACES_MAX, &list, err);
	size_t count = json_count(&list);

	interfaces = arena_calloc(decoder->arena, count, sizeof(*interfaces));
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct json_at item = json_item(&list, i);

		result = read_interface(&item, decoder, &interfaces[i], err);
	}
	network->interfaces = interfaces;
	network->interface_count = count;
	return result;
}

static int read_vni(const struct json_at *at, int64_t *ret, struct error *err)
{
	int result = read_i64(at, "vni", INT64_MIN, INT64_MAX, ret, err);

	if (result == 0 && (*ret < 1 || *ret > ACS_NETWORK_VNI_MAX))
		return json_fail(at, err, "vni must be 1 to %d", ACS_NETWORK_VNI_MAX);
	return result;
}

static int read_subnet(const struct json_at *at, struct arena *arena,
		       struct acs_network_subnet *subnet, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = require(at, "subnetId", arena, &subnet->id, err);
	if (result == 0)
		result = read_vni(at, &subnet->vni, err);
	if (result == 0)
		result = read_checked(at, "cidrs", READ_LIST_LIMIT, check_cidr, NULL, arena,
				      &subnet->cidrs, err);
	return result;
}

/* A control plane from before tasks reached each other between hosts tells none. */
static int read_subnets(const struct json_at *at, struct arena *arena, struct acs_network *network,
			struct error *err)
{
	struct json_at list = { .value = NULL };
	struct acs_network_subnet *subnets;
	int result = read_list(at, "subnets", ACS_NETWORK_SUBNETS_MAX, &list, err);
	size_t count = json_count(&list);

	subnets = arena_calloc(arena, count, sizeof(*subnets));
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct json_at item = json_item(&list, i);

		result = read_subnet(&item, arena, &subnets[i], err);
	}
	network->subnets = subnets;
	network->subnet_count = count;
	return result;
}

static int read_peer(const struct json_at *at, struct arena *arena, struct acs_network_peer *peer,
		     struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_one_address(at, "address", arena, &peer->address, err);
	if (result == 0 && !peer->address)
		return json_fail(at, err, "address is missing or empty");
	if (result == 0)
		result = read_vni(at, &peer->vni, err);
	if (result == 0)
		result = read_one_address(at, "host", arena, &peer->host, err);
	return result;
}

static int read_peers(const struct json_at *at, struct arena *arena, struct acs_network *network,
		      struct error *err)
{
	struct json_at list = { .value = NULL };
	struct acs_network_peer *peers;
	int result = read_list(at, "peers", ACS_NETWORK_ADDRESSES_MAX, &list, err);
	size_t count = json_count(&list);

	peers = arena_calloc(arena, count, sizeof(*peers));
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct json_at item = json_item(&list, i);

		result = read_peer(&item, arena, &peers[i], err);
	}
	network->peers = peers;
	network->peer_count = count;
	return result;
}

static int read_network_head(const struct json_at *at, struct arena *arena,
			     struct acs_network *network, struct error *err)
{
	int result = acs_read_head(at, arena, &network->message_id, &network->cluster_arn,
				   &network->container_instance_arn, err);

	if (result == 0)
		result = read_i64(at, "generatedAt", INT64_MIN, INT64_MAX,
				  &network->generated_at_ms, err);
	if (result == 0)
		result = read_i64(at, "version", INT64_MIN, INT64_MAX, &network->version, err);
	if (result == 0)
		result = acs_require(network->message_id, "messageId", err);
	if (result == 0)
		result = acs_require(network->cluster_arn, "clusterArn", err);
	if (result == 0)
		result = acs_require(network->container_instance_arn, "containerInstanceArn", err);
	if (result == 0 && network->version < 1)
		return error_say(err, EINVAL, "version must be at least 1");
	return result;
}

int acs_network_decode(const struct json_at *at, struct arena *arena, struct acs_network *network,
		       struct error *err)
{
	struct network_decoder decoder = { .arena = arena, .groups = map_new() };
	int result = read_network_head(at, arena, network, err);

	if (result == 0)
		result = read_groups(at, &decoder, network, err);
	if (result == 0)
		result = read_interfaces(at, &decoder, network, err);
	if (result == 0)
		result = read_subnets(at, arena, network, err);
	if (result == 0)
		result = read_peers(at, arena, network, err);
	map_free(decoder.groups);
	return result;
}
