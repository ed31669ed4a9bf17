/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/service_redirect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "netns/nft_batch.h"
#include "netns/nft_rule.h"
#include "netns/owned_table.h"
#include "netns/route.h"
#include "netns/tproxy_route.h"

#define TABLE     SERVICE_REDIRECT_TABLE
#define INGRESS   "ingress"
#define LISTENERS "listeners"
#define EGRESS    "egress"

#define PRIORITY_MANGLE   (-150)
#define PRIORITY_DNAT     (-100)
#define TYPE_INET_SERVICE 13 /* nft(8)'s number for a port */

static const int socket_families[2] = { AF_INET, AF_INET6 };

static struct nft_element *port_elements(const struct service_redirect *redirect)
{
	struct nft_element *elements = xcalloc(redirect->port_count + 1, sizeof(*elements));

	for (size_t i = 0; i < redirect->port_count; i++) {
		const uint16_t from = htons(redirect->ports[i].intercept);
		const uint16_t to = htons(redirect->ports[i].listener);

		memcpy(elements[i].key, &from, sizeof(from));
		memcpy(elements[i].data, &to, sizeof(to));
		elements[i].key_size = elements[i].data_size = sizeof(to);
	}
	return elements;
}

static void put_ingress(struct nft_batch *batch, uint8_t family,
			const struct service_redirect *redirect)
{
	static const struct nft_set map = { .name = LISTENERS,
					    .key_type = TYPE_INET_SERVICE,
					    .key_size = sizeof(uint16_t),
					    .data_type = TYPE_INET_SERVICE,
					    .data_size = sizeof(uint16_t) };
	static const struct nft_chain chain = { .name = INGRESS,
						.type = "nat",
						.hook = NF_INET_PRE_ROUTING,
						.priority = PRIORITY_DNAT };
	_cleanup_free_ struct nft_element *elements = port_elements(redirect);
	struct nftnl_rule *rule;

	nft_batch_set(batch, NLM_F_CREATE, family, TABLE, &map);
	for (size_t i = 0; i < redirect->port_count; i++)
		nft_batch_element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, TABLE, LISTENERS,
				  &elements[i]);
	nft_batch_chain(batch, NLM_F_CREATE, family, TABLE, &chain);
	rule = nft_rule_new(family, TABLE, INGRESS);
	nft_match_local_source(rule);
	nft_accept(rule);
	nft_batch_rule(batch, rule);
	rule = nft_rule_new(family, TABLE, INGRESS);
	nft_match_protocol(rule, IPPROTO_TCP);
	nft_load_port(rule, NFT_WORD(0));
	nft_match_set(rule, LISTENERS, NFT_WORD(0), NFT_WORD(1));
	nft_redirect(rule, NFT_WORD(1));
	nft_batch_rule(batch, rule);
}

static void load_listener(struct nftnl_rule *rule, const struct service_redirect *redirect)
{
	const uint16_t port = htons(redirect->egress_port);

	nft_load_value(rule, &port, sizeof(port), NFT_WORD(0));
}

static void put_nat(struct nft_batch *batch, uint8_t family, const struct ip_prefix *virtual,
		    const struct service_redirect *redirect)
{
	static const struct nft_chain chain = {
		.name = EGRESS, .type = "nat", .hook = NF_INET_LOCAL_OUT, .priority = PRIORITY_DNAT
	};
	struct nftnl_rule *rule = nft_rule_new(family, TABLE, EGRESS);

	nft_batch_chain(batch, NLM_F_CREATE, family, TABLE, &chain);
	nft_match_destination(rule, true, virtual);
	nft_match_protocol(rule, IPPROTO_TCP);
	load_listener(rule, redirect);
	nft_redirect(rule, NFT_WORD(0));
	nft_batch_rule(batch, rule);
}

static void put_tproxy(struct nft_batch *batch, uint8_t family, const struct ip_prefix *virtual,
		       const struct service_redirect *redirect)
{
	static const struct nft_chain chain = { .name = EGRESS,
						.type = "filter",
						.hook = NF_INET_PRE_ROUTING,
						.priority = PRIORITY_MANGLE };
	struct nftnl_rule *rule = nft_rule_new(family, TABLE, EGRESS);

	nft_batch_chain(batch, NLM_F_CREATE, family, TABLE, &chain);
	/* Of connections that are there: delivered like the first packet. */
	nft_match_protocol(rule, IPPROTO_TCP);
	nft_match_transparent_socket(rule);
	nft_set_mark(rule, TPROXY_MARK);
	nft_accept(rule);
	nft_batch_rule(batch, rule);
	rule = nft_rule_new(family, TABLE, EGRESS);
	nft_match_destination(rule, true, virtual);
	nft_match_protocol(rule, IPPROTO_TCP);
	load_listener(rule, redirect);
	nft_tproxy(rule, NFT_WORD(0));
	nft_set_mark(rule, TPROXY_MARK);
	nft_accept(rule);
	nft_batch_rule(batch, rule);
}

static void put_family(struct nft_batch *batch, size_t i, const struct service_redirect *redirect)
{
	uint8_t family = owned_table_families[i];

	if (redirect->port_count > 0)
		put_ingress(batch, family, redirect);
	if (redirect->egress == SERVICE_EGRESS_NAT)
		put_nat(batch, family, &redirect->virtual[i], redirect);
	else if (redirect->egress == SERVICE_EGRESS_TPROXY)
		put_tproxy(batch, family, &redirect->virtual[i], redirect);
}

static int set_table(const struct service_redirect *redirect, const char *owner, struct error *err)
{
	struct nft_batch *batch = nft_batch_new();
	int r = owned_table_replace(batch, TABLE, owner, redirect->families, err);

	for (size_t i = 0; r == 0 && i < 2; i++)
		if (redirect->families[i])
			put_family(batch, i, redirect);
	if (r == 0)
		r = nft_batch_run(batch, "lead TCP through the relay (table " TABLE ")", NULL, err);
	nft_batch_free(batch);
	return r;
}

/* The link is the one that leads to the relay. */
static struct route route_of(const struct service_redirect *redirect, size_t i)
{
	return (struct route){ .destination = redirect->virtual[i], .gateway = redirect->relay[i] };
}

/* Routes of the same destination that are not ours must not be lost. */
static int add_route(struct netlink *netlink, const struct route *route, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct route_list routes = { 0 };
	int r;

	route_add(batch, route);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	if (r != -EEXIST)
		return r;
	if (route_list(netlink, route->gateway.family, &routes, NULL) == 0 &&
	    route_list_contains(&routes, route))
		r = 0;
	route_list_free(&routes);
	return r;
}

static int set_routes(struct netlink *netlink, const struct service_redirect *redirect,
		      struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	int r = 0;

	for (size_t i = 0; i < 2; i++) {
		/* Also what an earlier configuration of this owner may have left. */
		if (redirect->families[i] && redirect->egress == SERVICE_EGRESS_TPROXY)
			tproxy_route_add(batch, socket_families[i]);
		else
			tproxy_route_remove(batch, socket_families[i]);
	}
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		const struct route route = route_of(redirect, i);

		if (redirect->families[i] && redirect->egress == SERVICE_EGRESS_ROUTE)
			r = add_route(netlink, &route, err);
	}
	return r;
}

/* Best effort: the first failure is told, the rest is tried. */
static int remove_routes(struct netlink *netlink, const struct service_redirect *redirect,
			 struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	int r;

	for (size_t i = 0; i < 2; i++) {
		const struct route route = route_of(redirect, i);

		if (!redirect->families[i])
			continue;
		if (redirect->egress == SERVICE_EGRESS_TPROXY)
			tproxy_route_remove(batch, socket_families[i]);
		else if (redirect->egress == SERVICE_EGRESS_ROUTE)
			route_delete(batch, &route);
	}
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	return r;
}

int service_redirect_add(const struct service_redirect *redirect, const char *owner,
			 struct error *err)
{
	struct netlink *netlink = NULL;
	int r = netlink_open(&netlink, err);

	if (r == 0)
		r = set_table(redirect, owner, err);
	if (r == 0) {
		r = set_routes(netlink, redirect, err);
		if (r < 0) {
			(void)owned_table_remove(TABLE, owner, NULL);
			(void)remove_routes(netlink, redirect, NULL);
		}
	}
	netlink_close(netlink);
	return r;
}

int service_redirect_remove(const struct service_redirect *redirect, const char *owner,
			    struct error *err)
{
	struct netlink *netlink = NULL;
	int r = owned_table_remove(TABLE, owner, err);

	if (r != 0 || !redirect)
		return r < 0 ? r : 0;
	r = netlink_open(&netlink, err);
	if (r == 0)
		r = remove_routes(netlink, redirect, err);
	netlink_close(netlink);
	return r;
}

static int check_table(const struct service_redirect *redirect, size_t i, const char *owner,
		       struct error *err)
{
	uint8_t family = owned_table_families[i];
	int r = owned_table_check(family, TABLE, owner, err);

	if (r == 0 && redirect->port_count > 0) {
		_cleanup_free_ struct nft_element *elements = port_elements(redirect);

		r = owned_table_check_chain(family, TABLE, INGRESS, 2, err);
		if (r == 0)
			r = owned_table_check_set(family, TABLE, LISTENERS, elements,
						  redirect->port_count, err);
	}
	if (r == 0 && redirect->egress == SERVICE_EGRESS_NAT)
		r = owned_table_check_chain(family, TABLE, EGRESS, 1, err);
	if (r == 0 && redirect->egress == SERVICE_EGRESS_TPROXY)
		r = owned_table_check_chain(family, TABLE, EGRESS, 2, err);
	return r;
}

static int check_route(struct netlink *netlink, const struct service_redirect *redirect, size_t i,
		       struct error *err)
{
	const struct route route = route_of(redirect, i);
	struct route_list routes = { 0 };
	char text[IP_TEXT_SIZE];
	int r = route_list(netlink, socket_families[i], &routes, err);

	if (r == 0 && !route_list_contains(&routes, &route))
		r = error_say(err, ENOENT, "the route to the virtual addresses %s is gone",
			      ip_prefix_format(&redirect->virtual[i], text));
	route_list_free(&routes);
	return r;
}

int service_redirect_check(const struct service_redirect *redirect, const char *owner,
			   struct error *err)
{
	struct netlink *netlink = NULL;
	int r = netlink_open(&netlink, err);

	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (!redirect->families[i])
			continue;
		r = check_table(redirect, i, owner, err);
		if (r == 0 && redirect->egress == SERVICE_EGRESS_TPROXY)
			r = tproxy_route_check(netlink, &redirect->virtual[i].address, err);
		if (r == 0 && redirect->egress == SERVICE_EGRESS_ROUTE)
			r = check_route(netlink, redirect, i, err);
	}
	netlink_close(netlink);
	return r;
}
