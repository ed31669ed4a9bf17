/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/own_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cni-plugins/host_end.h"

int own_link_mark(struct netlink *netlink, const struct cni_request *request,
		  const struct link *link, struct error *err)
{
	_cleanup_free_ char *alias = host_end_alias(request);
	struct netlink_batch *batch;
	int r = host_end_check_alias(alias, err);

	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_set_alias(batch, link->index, link->name, alias);
	return netlink_finish(netlink, batch, err);
}

bool own_link_is_marked(const struct cni_request *request, const struct link *link)
{
	_cleanup_free_ char *alias = host_end_alias(request);

	return str_eq(link->alias, alias);
}

bool own_link_is_ours(const struct cni_request *request, const struct link *link)
{
	return link->alias[0] == '\0' || own_link_is_marked(request, link);
}

static bool is_one_of(const char *kind, const char *const *kinds)
{
	for (; *kinds; kinds++)
		if (str_eq(kind, *kinds))
			return true;
	return false;
}

int own_link_delete(struct netlink *netlink, const struct cni_request *request, const char *name,
		    const char *const *kinds, struct error *err)
{
	struct netlink_batch *batch;
	struct link link = { 0 };
	int r = link_by_name(netlink, name, &link, err);

	if (r == -ENODEV)
		return 0;
	if (r < 0 || !is_one_of(link.kind, kinds) || !own_link_is_ours(request, &link))
		return r;
	batch = netlink_batch_new();
	link_delete(batch, link.index, name);
	return netlink_finish(netlink, batch, err);
}

int own_link_has_others(struct netlink *netlink, const struct cni_request *request, bool *ret,
			struct error *err)
{
	struct link_list links = { 0 };
	bool found = false;
	int r = link_list(netlink, 0, &links, err);

	for (size_t i = 0; r == 0 && i < links.count; i++) {
		_cleanup_free_ char *container = host_end_alias_container(links.items[i].alias);

		found |= container && !own_link_is_ours(request, &links.items[i]);
	}
	link_list_free(&links);
	if (r == 0)
		*ret = found;
	return r;
}
