/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_GENEVE_H
#define BERTH_NETNS_GENEVE_H

#include "netns/link.h"

#define GENEVE_VNI_MAX 0xffffffu

/* Geneve (RFC 8926): Ethernet frames in UDP, between two hosts. */
struct geneve_spec {
	uint32_t vni;
	struct ip_address remote; /* the other host */
	uint16_t port;            /* of UDP, at both ends */
};

/*
 * A link for one tunnel, down, with a MAC of the kernel's choice. It appears in the namespace
 * `netns_fd`; what it sends and gets is in the socket's. -EBUSY: the tunnel has a link already, in
 * whatever namespace; -EEXIST: the name is taken there, or (before Linux 6.14) in the socket's
 * namespace; -EOPNOTSUPP: the kernel has no such links.
 */
int geneve_create(struct netlink *netlink, const char *name, int netns_fd, uint32_t mtu,
		  const struct geneve_spec *spec, struct error *err);

/* The tunnel's link in the socket's namespace, by whatever name. -ENODEV. */
int geneve_find(struct netlink *netlink, const struct geneve_spec *spec, struct link *ret,
		struct error *err);

#endif
