/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/acs_network.h"

#include "wire/acs_out.h"

static void write_list_of(struct writer *writer, const char *key, const struct text_list *list)
{
	write_texts(writer, key, list->items, list->count);
}

static void write_permissions(struct writer *writer, const char *key,
			      const struct acs_permission *permissions, size_t count)
{
	write_list(writer, key);
	for (size_t i = 0; i < count; i++) {
		write_object(writer, NULL);
		write_list_of(writer, "cidrs", &permissions[i].cidrs);
		write_i64(writer, "fromPort", permissions[i].from_port);
		write_list_of(writer, "groups", &permissions[i].groups);
		write_text(writer, "protocol", permissions[i].protocol);
		write_i64(writer, "toPort", permissions[i].to_port);
		write_object_end(writer);
	}
	write_list_end(writer);
}

static void write_group(struct writer *writer, const struct acs_security_group *group)
{
	write_object(writer, NULL);
	write_permissions(writer, "egress", group->egress, group->egress_count);
	write_text(writer, "groupId", group->id);
	write_permissions(writer, "ingress", group->ingress, group->ingress_count);
	write_list_of(writer, "members", &group->members);
	write_text(writer, "vpcId", group->vpc_id);
	write_object_end(writer);
}

static void write_interface(struct writer *writer, const struct acs_network_interface *interface)
{
	write_object(writer, NULL);
	write_list_of(writer, "addresses", &interface->addresses);
	write_list_of(writer, "groups", &interface->groups);
	write_text(writer, "macAddress", interface->mac_address);
	write_text(writer, "subnetId", interface->subnet_id);
	write_object_end(writer);
}

static void write_subnet(struct writer *writer, const struct acs_network_subnet *subnet)
{
	write_object(writer, NULL);
	write_list_of(writer, "cidrs", &subnet->cidrs);
	write_text(writer, "subnetId", subnet->id);
	write_i64(writer, "vni", subnet->vni);
	write_object_end(writer);
}

static void write_peer(struct writer *writer, const struct acs_network_peer *peer)
{
	write_object(writer, NULL);
	write_text(writer, "address", peer->address);
	write_text(writer, "host", peer->host);
	write_i64(writer, "vni", peer->vni);
	write_object_end(writer);
}

char *acs_encode_network(const struct acs_network *network)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, ACS_NETWORK);
	struct writer *writer = &out.writer;

	write_text(writer, "clusterArn", network->cluster_arn);
	write_text(writer, "containerInstanceArn", network->container_instance_arn);
	write_i64(writer, "generatedAt", network->generated_at_ms);
	write_list(writer, "interfaces");
	for (size_t i = 0; i < network->interface_count; i++)
		write_interface(writer, &network->interfaces[i]);
	write_list_end(writer);
	write_text(writer, "messageId", network->message_id);
	write_list(writer, "peers");
	for (size_t i = 0; i < network->peer_count; i++)
		write_peer(writer, &network->peers[i]);
	write_list_end(writer);
	write_list(writer, "securityGroups");
	for (size_t i = 0; i < network->group_count; i++)
		write_group(writer, &network->groups[i]);
	write_list_end(writer);
	write_list(writer, "subnets");
	for (size_t i = 0; i < network->subnet_count; i++)
		write_subnet(writer, &network->subnets[i]);
	write_list_end(writer);
	write_i64(writer, "version", network->version);
	return acs_out_end(&out);
}
