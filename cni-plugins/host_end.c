/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/host_end.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/str.h"

#define MIX           16777619u
#define NAME_ATTEMPTS 4 /* names of 32 bits hardly ever collide */

static uint32_t hash(const char *text, unsigned int attempt)
{
	return (hash32_text(HASH32_START, text) ^ attempt) * MIX;
}

char *host_end_alias(const struct cni_request *request)
{
	return xasprintf("ecs:%s:%s:%s", request->container_id, request->ifname, request->network);
}

int host_end_check_alias(const char *alias, struct error *err)
{
	if (strlen(alias) < LINK_ALIAS_SIZE)
		return 0;
	return error_say(err, ENAMETOOLONG,
			 "container id, interface and network name together are longer than %d "
			 "bytes",
			 LINK_ALIAS_SIZE - 8);
}

char *host_end_alias_container(const char *alias)
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;

	str_list_split(&parts, alias, ':', true);
	return parts.count == 4 && str_eq(parts.items[0], "ecs") ? xstrdup(parts.items[1]) : NULL;
}

void host_end_name(const struct cni_request *request, unsigned int attempt, char name[16])
{
	_cleanup_free_ char *alias = host_end_alias(request);

	snprintf(name, 16, "ve%08x", hash(alias, attempt));
}

/* Locally administered, and the same each time for one attachment. */
static struct mac_address mac_of(const struct cni_request *request, unsigned char second,
				 unsigned int salt)
{
	_cleanup_free_ char *alias = host_end_alias(request);
	uint32_t value = hash(alias, salt);

	return (struct mac_address){ { 0xee, second, (unsigned char)(value >> 24),
				       (unsigned char)(value >> 16), (unsigned char)(value >> 8),
				       (unsigned char)value } };
}

/* Never a task's. */
static struct mac_address host_mac(const struct cni_request *request)
{
	return mac_of(request, 0xec, 0x5a5a5a5a);
}

struct mac_address host_end_peer_mac(const struct cni_request *request)
{
	return mac_of(request, 0xed, 0xa5a5a5a5);
}

/* By its alias; one that was cut off before it got an alias by its MAC, which is made of the same
 * words. */
static bool is_ours(const struct link *link, const struct cni_request *request)
{
	_cleanup_free_ char *alias = host_end_alias(request);
	const struct mac_address mac = host_mac(request);

	if (link->group != LINK_GROUP_BERTH)
		return false;
	return str_eq(link->alias, alias) ||
	       (link->alias[0] == '\0' && mac_equal(&link->mac, &mac));
}

int host_end_find(struct netlink *netlink, const struct cni_request *request, struct link *ret,
		  struct error *err)
{
	for (unsigned int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
		struct link link;
		char name[16];
		int r;

		host_end_name(request, attempt, name);
		r = link_by_name(netlink, name, &link, err);
		if (r < 0 && r != -ENODEV)
			return r;
		if (r == 0 && is_ours(&link, request)) {
			*ret = link;
			return 0;
		}
	}
	return error_say(err, ENODEV, "there is no pair for interface %s of %s", request->ifname,
			 request->container_id);
}

int host_end_create(struct netlink *netlink, const struct cni_request *request,
		    const struct veth_spec *wanted, struct link *ret, struct error *err)
{
	_cleanup_free_ char *alias = host_end_alias(request);
	char name[16];
	struct veth_spec spec = *wanted;
	int r = -EEXIST;

	spec.host_name = name;
	spec.peer_name = request->ifname;
	spec.peer_netns_fd = request->netns_fd;
	spec.host_mac = host_mac(request);
	spec.group = LINK_GROUP_BERTH;
	spec.alias = alias;
	if (host_end_check_alias(alias, err) < 0)
		return -ENAMETOOLONG;
	/* Another attachment may have our name: its alias tells, and ours takes the next. */
	for (unsigned int attempt = 0; attempt < NAME_ATTEMPTS && r == -EEXIST; attempt++) {
		struct link link;

		host_end_name(request, attempt, name);
		r = link_by_name(netlink, name, &link, err);
		if (r == 0 && is_ours(&link, request))
			return error_say(err, EEXIST,
					 "link %s belongs to this attachment already: it was added "
					 "before",
					 name);
		if (r == 0)
			r = error_say(err, EEXIST, "link %s is another attachment's", name);
		else if (r == -ENODEV)
			r = veth_create(netlink, &spec, ret, err);
	}
	return r;
}

int host_end_check_peer(const struct link *host, const struct link *task,
			const struct mac_address *mac, struct error *err)
{
	char text[MAC_TEXT_SIZE];

	if (task->peer_index != host->index)
		return error_say(err, ENOENT, "interface %s is not the peer of %s any more",
				 task->name, host->name);
	if (!mac_equal(&task->mac, mac))
		return error_say(err, EINVAL, "interface %s has another MAC address than %s",
				 task->name, mac_format(mac, text));
	return 0;
}

int host_end_delete(struct netlink *netlink, const struct link *host, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();

	link_delete(batch, host->index, host->name);
	return netlink_finish(netlink, batch, err);
}

/* Whether the alias is one of this network's attachments that nobody wants any more. */
static bool is_garbage(const struct cni_request *request, const char *alias)
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;

	str_list_split(&parts, alias, ':', true);
	if (parts.count != 4 || !str_eq(parts.items[0], "ecs") ||
	    !str_eq(parts.items[3], request->network))
		return false;
	return !cni_is_valid_attachment(request, parts.items[1], parts.items[2]);
}

int host_end_collect(const struct cni_request *request, struct cni_error *err)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch;
	struct link_list links = { 0 };
	struct error why;
	int r = netlink_open(&netlink, &why);

	if (r == 0)
		r = link_list(netlink, LINK_GROUP_BERTH, &links, &why);
	if (r == 0) {
		batch = netlink_batch_new();
		for (size_t i = 0; i < links.count; i++)
			if (is_garbage(request, links.items[i].alias))
				link_delete(batch, links.items[i].index, links.items[i].name);
		r = netlink_finish(netlink, batch, &why);
	}
	link_list_free(&links);
	netlink_close(netlink);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}
