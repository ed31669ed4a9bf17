/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/ipv6.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "netns/sysctl.h"

#define DISABLED "net/ipv6/conf/all/disable_ipv6"

int ipv6_check(struct error *err)
{
	_cleanup_free_ char *value = NULL;
	int r = sysctl_get(DISABLED, &value, err);

	if (r == -ENOENT)
		return error_say(err, EAFNOSUPPORT, "this host has no IPv6");
	if (r == 0 && !str_eq(value, "0"))
		return error_say(err, EAFNOSUPPORT,
				 "IPv6 is switched off on this host "
				 "(net.ipv6.conf.all.disable_ipv6 is %s)",
				 value);
	return r;
}
