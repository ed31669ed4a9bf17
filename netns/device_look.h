/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_DEVICE_LOOK_H
#define BERTH_NETNS_DEVICE_LOOK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "netns/ip.h"

/* What device_watch.c asks the kernel for. Blocking: on libuv's pool. */

/* The devices by which the host itself reaches the world. Once known they stay: a device that is
 * plugged in for a task may get a default route, too. */
struct device_primary {
	struct mac_address *macs; /* of both families, some perhaps twice */
	size_t count;
	bool has[2]; /* by IPv4, by IPv6 */
};

bool device_is_primary(const struct device_primary *primary, const struct mac_address *mac);
/* Freed by device_primary_free(), which a zeroed one does not need. */
struct device_primary device_primary_copy(const struct device_primary *primary);
void device_primary_free(struct device_primary *primary);

/* All devices that may be given away, but for the primary ones. */
struct device_look {
	struct str_list kinds;         /* of links of software that are devices, too */
	struct device_primary primary; /* those not known yet are looked for */
	struct mac_address *macs;
	size_t count;
	int result; /* 0 or -errno, and then the error */
	struct error err;
};

void device_look(struct device_look *look);
void device_look_free(struct device_look *look);

/* The address of the device with this name. -ENODEV: there is none. -EAGAIN: it has none yet. */
struct device_name_look {
	char name[IFNAMSIZ];
	struct mac_address mac;
	int result;
	struct error err;
};

void device_look_at(struct device_name_look *look);

#endif
