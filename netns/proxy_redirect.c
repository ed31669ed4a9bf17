/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/proxy_redirect.h"

#include <arpa/inet.h>
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

#define TABLE         PROXY_REDIRECT_TABLE
#define INGRESS       "ingress"
#define EGRESS        "egress"
#define APP_PORTS     "app-ports"
#define IGNORED_PORTS "ignored-ports"

#define PRIORITY_DNAT     (-100)
#define TYPE_INET_SERVICE 13 /* nft(8)'s number for a port */

static struct nft_element *port_elements(const uint16_t *ports, size_t count)
{
	struct nft_element *elements = xcalloc(count + 1, sizeof(*elements));

	for (size_t i = 0; i < count; i++) {
		const uint16_t port = htons(ports[i]);

		memcpy(elements[i].key, &port, sizeof(port));
		elements[i].key_size = sizeof(port);
	}
	return elements;
}

/* However many ports there are, looking for one costs the same. */
static void put_ports(struct nft_batch *batch, uint8_t family, const char *name,
		      const uint16_t *ports, size_t count)
{
	const struct nft_set set = { .name = name,
				     .key_type = TYPE_INET_SERVICE,
				     .key_size = sizeof(uint16_t) };
	_cleanup_free_ struct nft_element *elements = port_elements(ports, count);

	nft_batch_set(batch, NLM_F_CREATE, family, TABLE, &set);
	for (size_t i = 0; i < count; i++)
		nft_batch_element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, TABLE, name,
				  &elements[i]);
}

static struct nftnl_rule *egress_rule(uint8_t family)
{
	return nft_rule_new(family, TABLE, EGRESS);
}

static void put_accepted(struct nft_batch *batch, struct nftnl_rule *rule)
{
	nft_accept(rule);
	nft_batch_rule(batch, rule);
}

static void put_redirected(struct nft_batch *batch, struct nftnl_rule *rule, uint16_t to_port)
{
	const uint16_t port = htons(to_port);

	nft_load_value(rule, &port, sizeof(port), NFT_WORD(0));
	nft_redirect(rule, NFT_WORD(0));
	nft_batch_rule(batch, rule);
}

static void put_ingress(struct nft_batch *batch, uint8_t family,
			const struct proxy_redirect *redirect)
{
	static const struct nft_chain chain = { .name = INGRESS,
						.type = "nat",
						.hook = NF_INET_PRE_ROUTING,
						.priority = PRIORITY_DNAT };
	struct nftnl_rule *rule;

	put_ports(batch, family, APP_PORTS, redirect->app_ports, redirect->app_port_count);
	nft_batch_chain(batch, NLM_F_CREATE, family, TABLE, &chain);
	rule = nft_rule_new(family, TABLE, INGRESS);
	nft_match_local_source(rule);
	put_accepted(batch, rule);
	rule = nft_rule_new(family, TABLE, INGRESS);
	nft_match_protocol(rule, IPPROTO_TCP);
	nft_load_port(rule, NFT_WORD(0));
	nft_match_set(rule, APP_PORTS, NFT_WORD(0), 0);
	put_redirected(batch, rule, redirect->ingress_port);
}

static bool is_of(const struct ip_prefix *prefix, uint8_t family)
{
	return (prefix->address.family == AF_INET6) == (family == NFPROTO_IPV6);
}

static void put_owner(struct nft_batch *batch, uint8_t family, uint32_t key, uint32_t id)
{
	struct nftnl_rule *rule = egress_rule(family);

	nft_match_owner(rule, key, id);
	put_accepted(batch, rule);
}

static void put_egress(struct nft_batch *batch, uint8_t family,
		       const struct proxy_redirect *redirect)
{
	static const struct nft_chain chain = {
		.name = EGRESS, .type = "nat", .hook = NF_INET_LOCAL_OUT, .priority = PRIORITY_DNAT
	};
	struct nftnl_rule *rule;

	put_ports(batch, family, IGNORED_PORTS, redirect->ignored_ports,
		  redirect->ignored_port_count);
	nft_batch_chain(batch, NLM_F_CREATE, family, TABLE, &chain);
	rule = egress_rule(family);
	nft_match_local_destination(rule);
	put_accepted(batch, rule);
	if (redirect->has_uid)
		put_owner(batch, family, NFT_META_SKUID, redirect->uid);
	if (redirect->has_gid)
		put_owner(batch, family, NFT_META_SKGID, redirect->gid);
	rule = egress_rule(family);
	nft_match_protocol(rule, IPPROTO_TCP);
	nft_load_port(rule, NFT_WORD(0));
	nft_match_set(rule, IGNORED_PORTS, NFT_WORD(0), 0);
	put_accepted(batch, rule);
	for (size_t i = 0; i < redirect->ignored_count; i++) {
		if (!is_of(&redirect->ignored[i], family))
			continue;
		rule = egress_rule(family);
		nft_match_destination(rule, true, &redirect->ignored[i]);
		put_accepted(batch, rule);
	}
	rule = egress_rule(family);
	nft_match_protocol(rule, IPPROTO_TCP);
	put_redirected(batch, rule, redirect->egress_port);
}

static size_t egress_rule_count(const struct proxy_redirect *redirect, uint8_t family)
{
	/* What is local, the ports, the last one. */
	size_t count = 3 + (size_t)redirect->has_uid + (size_t)redirect->has_gid;

	for (size_t i = 0; i < redirect->ignored_count; i++)
		count += is_of(&redirect->ignored[i], family);
	return count;
}

int proxy_redirect_add(const struct proxy_redirect *redirect, const char *owner, struct error *err)
{
	const bool wanted[2] = { true, redirect->ipv6 };
	struct nft_batch *batch = nft_batch_new();
	int r = owned_table_replace(batch, TABLE, owner, wanted, err);

	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (!wanted[i])
			continue;
		if (redirect->ingress_port)
			put_ingress(batch, owned_table_families[i], redirect);
		put_egress(batch, owned_table_families[i], redirect);
	}
	if (r == 0)
		r = nft_batch_run(batch, "lead TCP through the proxy (table " TABLE ")", NULL, err);
	nft_batch_free(batch);
	return r;
}

int proxy_redirect_remove(const char *owner, struct error *err)
{
	int r = owned_table_remove(TABLE, owner, err);

	return r < 0 ? r : 0;
}

static int check_ports(uint8_t family, const char *set, const uint16_t *ports, size_t count,
		       struct error *err)
{
	_cleanup_free_ struct nft_element *elements = port_elements(ports, count);

	return owned_table_check_set(family, TABLE, set, elements, count, err);
}

static int check_family(const struct proxy_redirect *redirect, uint8_t family, const char *owner,
			struct error *err)
{
	int r = owned_table_check(family, TABLE, owner, err);

	if (r == 0 && redirect->ingress_port) {
		r = owned_table_check_chain(family, TABLE, INGRESS, 2, err);
		if (r == 0)
			r = check_ports(family, APP_PORTS, redirect->app_ports,
					redirect->app_port_count, err);
	}
	if (r == 0)
		r = owned_table_check_chain(family, TABLE, EGRESS,
					    egress_rule_count(redirect, family), err);
	if (r == 0)
		r = check_ports(family, IGNORED_PORTS, redirect->ignored_ports,
				redirect->ignored_port_count, err);
	return r;
}

int proxy_redirect_check(const struct proxy_redirect *redirect, const char *owner,
			 struct error *err)
{
	int r = check_family(redirect, NFPROTO_IPV4, owner, err);

	return r == 0 && redirect->ipv6 ? check_family(redirect, NFPROTO_IPV6, owner, err) : r;
}
