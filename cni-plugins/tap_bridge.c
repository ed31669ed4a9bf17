/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/tap_bridge.h"

#include <errno.h>

#include "cni-plugins/own_link.h"
#include "netns/bridge.h"
#include "netns/namespace.h"
#include "netns/stacked_link.h"

static void queue_port(struct netlink_batch *batch, const struct link *port,
		       const struct link *bridge)
{
	/* The namespace is not the one that the frames are for. */
	link_set_no_link_local(batch, port->index, port->name);
	netlink_tolerate(batch, EAFNOSUPPORT);
	netlink_tolerate(batch, EOPNOTSUPP);
	link_set_master(batch, port->index, port->name, bridge->index);
	link_set_up(batch, port->index, port->name);
}

struct joining {
	const struct tap_bridge *spec;
	const struct link *port;
	struct link *tap;
};

/* In a thread that is in the namespace. */
static int join(void *data, struct error *err)
{
	const struct joining *joining = data;
	const struct tap_bridge *spec = joining->spec;
	const struct link *port = joining->port;
	struct link *tap = joining->tap, bridge = { 0 };
	struct netlink_batch *batch;
	const char *name = spec->request->ifname;
	int r = bridge_ensure(spec->netlink, spec->bridge, TAP_BRIDGE_MTU, &bridge, err);

	if (r == 0)
		r = own_link_mark(spec->netlink, spec->request, &bridge, err);
	if (r == 0)
		r = tap_create(name, spec->uid, spec->gid, err);
	if (r == 0)
		r = link_by_name(spec->netlink, name, tap, err);
	if (r == 0)
		r = own_link_mark(spec->netlink, spec->request, tap, err);
	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_set_mac(batch, port->index, port->name, &bridge.mac);
	queue_port(batch, port, &bridge);
	link_set_mtu(batch, tap->index, tap->name, TAP_BRIDGE_MTU);
	queue_port(batch, tap, &bridge);
	r = netlink_finish(spec->netlink, batch, err);
	return r == 0 ? link_by_name(spec->netlink, name, tap, err) : r;
}

int tap_bridge_create(const struct tap_bridge *spec, const struct link *port, struct link *ret_tap,
		      struct error *err)
{
	struct joining joining = { spec, port, ret_tap };

	return netns_run(spec->request->netns_fd, join, &joining, err);
}

int tap_bridge_delete(struct netlink *netlink, const struct cni_request *request, const char *name,
		      struct error *err)
{
	static const char *const kinds[] = { "bridge", NULL };

	return own_link_delete(netlink, request, name, kinds, err);
}

int tap_bridge_check(const struct tap_bridge *spec, const struct link *port, const struct link *tap,
		     struct error *err)
{
	struct link bridge = { 0 };
	int r = link_expect(spec->netlink, spec->bridge, "bridge", &bridge, err);

	if (r == 0 && (port->master_index != bridge.index || tap->master_index != bridge.index))
		r = error_say(err, ENOENT, "links %s and %s are not both ports of bridge %s",
			      port->name, tap->name, spec->bridge);
	return r;
}
