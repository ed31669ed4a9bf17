/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "netns/link.h"
#include "netns/netlink.h"

/* Which of the names exists: its index in the list, or `count` when none does. */
static int first_left(struct netlink *netlink, const char *const *names, size_t count,
		      size_t *ret_left, struct link *ret_link, struct error *err)
{
	for (size_t i = *ret_left; i < count; i++) {
		int r = link_by_name(netlink, names[i], ret_link, err);

		if (r == -ENODEV)
			continue;
		*ret_left = i;
		return r;
	}
	*ret_left = count;
	return 0;
}

static int delete_left(struct netlink *netlink, const char *const *names, size_t count,
		       size_t *ret_deleted, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	size_t deleted = 0;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		struct link link;

		r = link_by_name(netlink, names[i], &link, err);
		if (r == 0) {
			link_delete(batch, link.index, link.name);
			deleted++;
		} else if (r == -ENODEV) {
			r = 0;
		}
	}
	if (r == 0)
		r = netlink_run(netlink, batch, err);
	if (r == 0 && ret_deleted)
		*ret_deleted = deleted;
	netlink_batch_free(batch);
	return r;
}

int links_wait_gone(struct netlink *netlink, const char *const *names, size_t count,
		    int64_t timeout_ms, size_t *ret_deleted, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	size_t left = 0;
	int r;

	/* Listen first, look afterwards: what goes in between is not missed. */
	r = netlink_listen(netlink, RTNLGRP_LINK, true, err);
	if (r < 0)
		return r;
	for (;;) {
		int64_t wait_ms = deadline_ms - clock_monotonic_ms();
		struct link link;

		r = first_left(netlink, names, count, &left, &link, err);
		if (r < 0 || left == count || wait_ms <= 0)
			break;
		netlink_await(netlink, wait_ms);
	}
	(void)netlink_listen(netlink, RTNLGRP_LINK, false, NULL);
	if (r == 0 && left < count)
		return delete_left(netlink, names + left, count - left, ret_deleted, err);
	if (r == 0 && ret_deleted)
		*ret_deleted = 0;
	return r;
}

/* What is waited for: by its name, or (NULL) by its MAC. */
struct wanted {
	const char *name;
	const struct mac_address *mac;
};

static int find(struct netlink *netlink, const struct wanted *wanted, struct link *ret,
		struct error *err)
{
	return wanted->name ? link_by_name(netlink, wanted->name, ret, err)
			    : link_by_mac(netlink, wanted->mac, ret, err);
}

static int wait_for(struct netlink *netlink, const struct wanted *wanted, int64_t timeout_ms,
		    struct link *ret, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	int r = find(netlink, wanted, ret, err);

	if (r != -ENODEV || timeout_ms <= 0)
		return r;
	r = netlink_listen(netlink, RTNLGRP_LINK, true, err);
	while (r == 0) {
		int64_t wait_ms = deadline_ms - clock_monotonic_ms();

		r = find(netlink, wanted, ret, err);
		if (r != -ENODEV || wait_ms <= 0)
			break;
		netlink_await(netlink, wait_ms);
		r = 0;
	}
	(void)netlink_listen(netlink, RTNLGRP_LINK, false, NULL);
	return r;
}

int link_wait_mac(struct netlink *netlink, const struct mac_address *mac, int64_t timeout_ms,
		  struct link *ret, struct error *err)
{
	const struct wanted wanted = { .mac = mac };

	return wait_for(netlink, &wanted, timeout_ms, ret, err);
}

int link_wait_name(struct netlink *netlink, const char *name, int64_t timeout_ms, struct link *ret,
		   struct error *err)
{
	const struct wanted wanted = { .name = name };

	return wait_for(netlink, &wanted, timeout_ms, ret, err);
}

static bool is_running(const struct link *link)
{
	return link->is_running;
}

static bool is_forwarding(const struct link *link)
{
	return link->is_forwarding;
}

static int wait_until(struct netlink *netlink, const char *name,
		      bool (*is_there)(const struct link *link), const char *complaint,
		      int64_t timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	struct link link;
	/* Asking suffices on newer kernels: they let the link watch go first. */
	int r = link_by_name(netlink, name, &link, err);

	if (r < 0 || is_there(&link))
		return r;
	r = netlink_listen(netlink, RTNLGRP_LINK, true, err);
	while (r == 0) {
		int64_t wait_ms = deadline_ms - clock_monotonic_ms();

		r = link_by_name(netlink, name, &link, err);
		if (r < 0 || is_there(&link))
			break;
		if (wait_ms <= 0)
			r = error_say(err, ETIMEDOUT, "link %s is up but %s", name, complaint);
		else
			netlink_await(netlink, wait_ms);
	}
	(void)netlink_listen(netlink, RTNLGRP_LINK, false, NULL);
	return r;
}

int link_wait_running(struct netlink *netlink, const char *name, int64_t timeout_ms,
		      struct error *err)
{
	return wait_until(netlink, name, is_running, "does not run", timeout_ms, err);
}

int link_wait_forwarding(struct netlink *netlink, const char *name, int64_t timeout_ms,
			 struct error *err)
{
	return wait_until(netlink, name, is_forwarding, "its bridge does not forward from it",
			  timeout_ms, err);
}
