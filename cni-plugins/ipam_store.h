/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_IPAM_STORE_H
#define BERTH_CNI_PLUGINS_IPAM_STORE_H

#include "base/error.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Leases of addresses, in a directory per network:
 *
 *	<directory>/<network>/lock		held (flock) by whoever changes anything
 *			     /boot		the boot that the leases belong to
 *			     /leases/10.0.1.37
 *{"owner":...,"containerID":...,"ifname":...,"time":...} /owners/<owner>.4	the address that the
 *owner has (.4, .6); written before the lease /last.4, last.6	the address given or released last:
 *the search begins after it
 *
 * Each file appears whole, by rename, so a process that is killed at any point leaves a store that
 *says the truth. Leases do not outlive the boot: a namespace does not either. Therefore nothing is
 *forced to the disk.
 */
struct ipam_store;

struct ipam_owner {
	const char *id; /* what the lease is found by: "<container id>/<ifname>", or the caller's
			   own id */
	const char *container_id;
	const char *ifname;
};

struct ipam_lease {
	struct ip_address address;
	char *owner;
	char *container_id;
	char *ifname;
};

/* Opens and locks the store of a network; waits for the lock, -ETIMEDOUT after `timeout_ms`. */
int ipam_store_open(const char *directory, const char *network, int64_t timeout_ms,
		    struct ipam_store **ret, struct error *err);
void ipam_store_close(struct ipam_store *store);

/* -EADDRINUSE when somebody has it, -EEXIST when the owner has another of this family. */
int ipam_store_take(struct ipam_store *store, const struct ip_address *address,
		    const struct ipam_owner *owner, struct error *err);

/* Whether anybody has it. */
bool ipam_store_is_leased(const struct ipam_store *store, const struct ip_address *address);

/* The next free address of the subnet after the one given or released last, without the network's
 * own, the broadcast and the gateway's. -ENOSPC when there is none. */
int ipam_store_find_free(struct ipam_store *store, const struct ip_prefix *subnet,
			 const struct ip_address *gateway, struct ip_address *ret,
			 struct error *err);

/* Leases that one. -EEXIST when the owner has one of this family already. */
int ipam_store_allocate(struct ipam_store *store, const struct ip_prefix *subnet,
			const struct ip_address *gateway, const struct ipam_owner *owner,
			struct ip_address *ret, struct error *err);

/* The address that the owner has in a family. -ENOENT. */
int ipam_store_find(struct ipam_store *store, const char *owner_id, int family,
		    struct ip_address *ret, struct error *err);

/* Gives back all that the owner has; *ret_released (may be NULL): how many. None is no error. */
int ipam_store_release(struct ipam_store *store, const char *owner_id, size_t *ret_released,
		       struct error *err);

/* Gives back one address, whoever has it. Not leased is no error. */
int ipam_store_release_address(struct ipam_store *store, const struct ip_address *address,
			       struct error *err);

/* Gives back every lease for which keep() is false. */
int ipam_store_collect(struct ipam_store *store,
		       bool (*keep)(void *data, const struct ipam_lease *lease), void *data,
		       size_t *ret_released, struct error *err);

#endif
