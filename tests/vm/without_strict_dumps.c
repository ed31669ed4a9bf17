/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net-T76, for LD_PRELOAD: a kernel before 4.20, which lists everything that it has, whatever was
 * asked for (NETLINK_GET_STRICT_CHK is not known there).
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	int (*next)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");

	if (level == SOL_NETLINK && name == NETLINK_GET_STRICT_CHK) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return next(fd, level, name, value, size);
}
