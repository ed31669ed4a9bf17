/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_LINK_H
#define BERTH_NETNS_LINK_H

#include "netns/ip.h"
#include "netns/netlink.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_ALIAS_SIZE 256
#define LINK_KIND_SIZE  24

/* The group that every link of ours carries on the host side, so that a sweep finds them. */
#define LINK_GROUP_BERTH 0xEC5u
/* Of the links to other hosts. */
#define LINK_GROUP_TUNNEL 0xEC6u

struct link {
	int index;
	char name[IFNAMSIZ];
	char kind[LINK_KIND_SIZE]; /* "veth", "bridge", ...; empty for a plain device */
	char alias[LINK_ALIAS_SIZE];
	struct mac_address mac;
	bool has_mac;
	bool is_loopback;
	bool is_up;
	bool is_bridge_port;
	bool is_forwarding; /* of a bridge's port: what comes in by it is taken */
	bool has_hairpin;   /* of a bridge's port */
	bool is_running; /* up, with carrier, and its queue attached: what is sent is not dropped */
	uint32_t mtu;
	uint32_t group;
	uint16_t vlan_id; /* of the kind "vlan" */
	int master_index; /* the bridge that it is a port of; 0 = none */
	int peer_index;   /* IFLA_LINK: of a veth, the other end's index in the other namespace; 0 =
			     none */
};

struct link_list {
	struct link *items;
	size_t count;
};

/* -ENODEV when there is none. */
int link_by_name(struct netlink *netlink, const char *name, struct link *ret, struct error *err);

int link_by_index(struct netlink *netlink, int index, struct link *ret, struct error *err);

/* The link with this MAC, except loopback; of several the one with the shortest name. -ENODEV. */
int link_by_mac(struct netlink *netlink, const struct mac_address *mac, struct link *ret,
		struct error *err);

/* The link of this name, which is of this kind and up, or an error. */
int link_expect(struct netlink *netlink, const char *name, const char *kind, struct link *ret,
		struct error *err);

/* All links; with `group` not 0 only those of that group. The caller frees. */
int link_list(struct netlink *netlink, uint32_t group, struct link_list *ret, struct error *err);
void link_list_free(struct link_list *list);

/*
 * A veth pair made in one message: the host end in the socket's namespace, the peer directly in
 * another, so that it never shows on the host. Both get their MAC at birth: nobody (systemd's
 * MACAddressPolicy) rewrites it then. The peer is down: set it up through a socket of its own
 * namespace (the kernel refuses an "up" peer with ENOTCONN).
 */
struct veth_spec {
	const char *host_name;
	const char *peer_name;
	int peer_netns_fd;
	struct mac_address host_mac;
	struct mac_address peer_mac;
	uint32_t mtu;      /* of both ends; 0 = the kernel's 1500 */
	uint32_t group;    /* of the host end, like the next */
	int master_index;  /* the bridge that it becomes a port of; 0 = none */
	const char *alias; /* of the host end; NULL = none. Written right after: the kernel takes
			      none at creation. */
};

/* *ret: the host end, down. -EEXIST when either name is taken. A pair that was made for
 * nothing is removed again. */
int veth_create(struct netlink *netlink, const struct veth_spec *spec, struct link *ret,
		struct error *err);

/* Changes, queued in a batch. `name` serves the error text. */
void link_set_up(struct netlink_batch *batch, int index, const char *name);
void link_set_down(struct netlink_batch *batch, int index, const char *name);
void link_set_mtu(struct netlink_batch *batch, int index, const char *name, uint32_t mtu);
void link_set_mac(struct netlink_batch *batch, int index, const char *name,
		  const struct mac_address *mac);
void link_set_master(struct netlink_batch *batch, int index, const char *name, int master_index);
void link_rename(struct netlink_batch *batch, int index, const char *name, const char *new_name);
/* Another name, by which it is found, too. Goes with the link. (From Linux 5.5 on.) */
void link_add_name(struct netlink_batch *batch, int index, const char *name, const char *other);
void link_set_alias(struct netlink_batch *batch, int index, const char *name, const char *alias);
void link_set_group(struct netlink_batch *batch, int index, const char *name, uint32_t group);
/*
 * How the host end of a routed pair treats IPv4: it forwards, answers ARP for whatever is routed
 * elsewhere, and takes a packet only from an address that is routed to it. One message, where /proc
 * would wait for the rtnl lock thrice.
 */
void link_set_routed_ipv4(struct netlink_batch *batch, int index, const char *name);
/* The same of a link to other hosts, which answers no ARP. */
void link_set_tunnel_ipv4(struct netlink_batch *batch, int index, const char *name);
/* No IPv6 link-local address of the kernel's making. Before the link goes up. */
void link_set_no_link_local(struct netlink_batch *batch, int index, const char *name);
/* Into another namespace, under `new_name` in the same message (NULL: as it is called). The kernel
 * drops addresses. */
void link_move(struct netlink_batch *batch, int index, const char *name, int netns_fd,
	       const char *new_name);
/* Blocks 15 to 30 ms for a veth. A link that is gone already is no error. */
void link_delete(struct netlink_batch *batch, int index, const char *name);

/*
 * Waits until none of the named links exists in the socket's namespace; those that are left at the
 * deadline are deleted explicitly, and counted (ret_deleted may be NULL). For the host ends of
 * veths whose namespace has just been dropped.
 */
int links_wait_gone(struct netlink *netlink, const char *const *names, size_t count,
		    int64_t timeout_ms, size_t *ret_deleted, struct error *err);

/* As link_by_mac() and link_by_name(), but one that is not there yet is waited for. -ENODEV at the
 * deadline. */
int link_wait_mac(struct netlink *netlink, const struct mac_address *mac, int64_t timeout_ms,
		  struct link *ret, struct error *err);
int link_wait_name(struct netlink *netlink, const char *name, int64_t timeout_ms, struct link *ret,
		   struct error *err);

/*
 * Waits until a link that was set up is running. The second end of a veth to go up runs at once;
 * the first one only when the kernel's link watch has come to it, and until then drops what it is
 * given: a SYN lost there costs a second. -ETIMEDOUT.
 */
int link_wait_running(struct netlink *netlink, const char *name, int64_t timeout_ms,
		      struct error *err);
/* The same for a bridge's port, until the bridge forwards what it gets from it. */
int link_wait_forwarding(struct netlink *netlink, const char *name, int64_t timeout_ms,
			 struct error *err);

#endif
