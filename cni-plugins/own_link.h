/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_OWN_LINK_H
#define BERTH_CNI_PLUGINS_OWN_LINK_H

#include "cni-plugins/cni.h"
#include "netns/link.h"

#include <stdbool.h>

/*
 * Links within a task's namespace whose alias is their attachment's (host_end_alias()): several
 * attachments may be in one namespace, and ask for the same names.
 */

/* Gives it the alias of this attachment. */
int own_link_mark(struct netlink *netlink, const struct cni_request *request,
		  const struct link *link, struct error *err);

bool own_link_is_marked(const struct cni_request *request, const struct link *link);
/* The same, or without any alias: it was cut off before it got one. */
bool own_link_is_ours(const struct cni_request *request, const struct link *link);

/* Deletes the link of this name if it is ours, and of one of the kinds (ended by NULL); another is
 * somebody else's. */
int own_link_delete(struct netlink *netlink, const struct cni_request *request, const char *name,
		    const char *const *kinds, struct error *err);

/* Whether a link has the alias of another attachment. */
int own_link_has_others(struct netlink *netlink, const struct cni_request *request, bool *ret,
			struct error *err);

#endif
