/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_UEVENT_H
#define BERTH_NETNS_UEVENT_H

#include "base/error.h"

#include <net/if.h>
#include <stddef.h>

/* What the kernel says of its devices while they come and go (NETLINK_KOBJECT_UEVENT). */

enum uevent_kind {
	UEVENT_NONE,     /* no network device that was added; no message of the kernel; garbage */
	UEVENT_VIRTUAL,  /* a network device made of software was added */
	UEVENT_HARDWARE, /* one on the bus PCI, or of Xen */
	UEVENT_ELSEWHERE /* one anywhere else */
};

struct uevent {
	enum uevent_kind kind;
	char interface[IFNAMSIZ]; /* unless NONE: as the device was called then */
};

/* One message: "add@/devices/...", then NAME=value, each with its NUL. */
void uevent_read(const char *message, size_t size, struct uevent *ret);

/* A socket that hears the kernel's messages about the calling thread's namespace. Non-blocking. */
int uevent_open(int *ret_fd, struct error *err);

/* The next one. What another than the kernel sent (with a port, or not as root) is NONE. -EAGAIN:
 * no more. -ENOBUFS: some were lost. */
int uevent_receive(int fd, struct uevent *ret);

#endif
