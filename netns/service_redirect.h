/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_SERVICE_REDIRECT_H
#define BERTH_NETNS_SERVICE_REDIRECT_H

#include "base/error.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * TCP of a namespace through the relay of Service Connect: the table "berth-serviceconnect" of the
 * calling thread's namespace (netns_run() for another), and routes where they are needed.
 */
#define SERVICE_REDIRECT_TABLE "berth-serviceconnect"

enum service_egress {
	SERVICE_EGRESS_NONE,
	/* What processes here send to the virtual addresses goes to the listener. */
	SERVICE_EGRESS_NAT,
	/* What others send to the virtual addresses by way of this namespace goes to the listener,
	 * which has IP_TRANSPARENT and sees source and destination as they are. */
	SERVICE_EGRESS_TPROXY,
	/* What is sent to the virtual addresses goes to another host, the relay's namespace. */
	SERVICE_EGRESS_ROUTE,
};

struct service_port {
	uint16_t intercept; /* what comes in for this port ... */
	uint16_t listener;  /* ... goes to this one */
};

struct service_redirect {
	bool families[2];                 /* which are meant: IPv4, IPv6 */
	const struct service_port *ports; /* each intercepted port once */
	size_t port_count;
	enum service_egress egress;
	uint16_t egress_port;        /* of the listener */
	struct ip_prefix virtual[2]; /* the virtual addresses, by family */
	struct ip_address relay[2];  /* SERVICE_EGRESS_ROUTE */
};

/* All of it or nothing. In place of the same owner's, -EEXIST when it is another's; `owner` at
 * most 250 bytes count. */
int service_redirect_add(const struct service_redirect *redirect, const char *owner,
			 struct error *err);
/* The table goes whatever `redirect` (NULL: unknown) says; the routes are those that it says.
 * None, or another's: nothing is done. */
int service_redirect_remove(const struct service_redirect *redirect, const char *owner,
			    struct error *err);
/* -ENOENT with a sentence when it is not as it was made. */
int service_redirect_check(const struct service_redirect *redirect, const char *owner,
			   struct error *err);

#endif
