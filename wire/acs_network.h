/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ACS_NETWORK_H
#define BERTH_WIRE_ACS_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "wire/text.h"

/*
 * BerthNetworkMessage: what a Berth agent needs to know of the network around the tasks of its
 * instance. Always the whole state; the higher version replaces the lower one. It is sent only to
 * instances that registered ACS_NETWORK_CAPABILITY, no other agent ever sees it.
 */
#define ACS_NETWORK_CAPABILITY "berth.capability.network"
/* The attribute with the address by which other hosts of the cluster reach this one. */
#define ACS_NETWORK_ADDRESS "berth.network-address"

/* More of each is refused. */
#define ACS_NETWORK_GROUPS_MAX     2500
#define ACS_NETWORK_INTERFACES_MAX 10000
/* Members of one group, peers: an interface has an address of each family. */
#define ACS_NETWORK_ADDRESSES_MAX        (2 * ACS_NETWORK_INTERFACES_MAX)
#define ACS_NETWORK_PERMISSIONS_MAX      1000 /* of one group and direction */
#define ACS_NETWORK_INTERFACE_GROUPS_MAX 16
#define ACS_NETWORK_SUBNETS_MAX          2500
#define ACS_NETWORK_VNI_MAX              0xffffff

/* One kind of traffic, and its other ends. */
struct acs_permission {
	const char *protocol; /* "tcp", "udp", "icmp", "icmpv6", "-1" (any), or a number that has no
				 such name */
	/* tcp, udp: 0..65535, from <= to; icmp, icmpv6: type and code, -1: any; others: -1 */
	int64_t from_port;
	int64_t to_port;
	struct text_list cidrs;  /* "10.0.0.0/8", "::/0" */
	struct text_list groups; /* each is among the message's groups */
};

struct acs_security_group {
	const char *id;
	const char *vpc_id;
	/* Without rules where only the members matter. */
	const struct acs_permission *ingress;
	size_t ingress_count;
	const struct acs_permission *egress;
	size_t egress_count;
	struct text_list members; /* addresses of the interfaces in it, on all hosts; none where no
				     rule of the message refers to it */
};

/* An interface of a task of this instance. */
struct acs_network_interface {
	const char *mac_address; /* lower case */
	const char *subnet_id;
	struct text_list groups; /* each is among the message's groups */
	struct text_list addresses;
};

/* A subnet of a VPC that this instance has interfaces in. */
struct acs_network_subnet {
	const char *id;
	int64_t vni; /* of its VPC, 1..ACS_NETWORK_VNI_MAX */
	struct text_list cidrs;
};

/* An address of an interface of another instance, in a VPC that this instance has interfaces in. */
struct acs_network_peer {
	const char *address;
	int64_t vni;      /* of the VPC, 1..ACS_NETWORK_VNI_MAX */
	const char *host; /* the other instance's address; NULL: it has not said */
};

struct acs_network {
	const char *message_id;
	const char *cluster_arn;
	const char *container_instance_arn;
	int64_t generated_at_ms;
	int64_t version; /* at least 1 */
	const struct acs_security_group *groups;
	size_t group_count;
	const struct acs_network_interface *interfaces;
	size_t interface_count;
	const struct acs_network_subnet *subnets;
	size_t subnet_count;
	const struct acs_network_peer *peers;
	size_t peer_count;
};

/* The whole envelope; the caller frees it. */
char *acs_encode_network(const struct acs_network *network);

#endif
