/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a change as messages of a batch. */
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netlink.h>

#include "netns/firewall_names.h"
#include "netns/firewall_networks.h"
#include "netns/firewall_table.h"
#include "netns/nft_rule.h"

#define FAMILY NFPROTO_INET

struct writer {
	struct nft_batch *batch;
	const char *table;
};

/* --- groups */

static void add_set(const struct writer *writer, const char *group, int family)
{
	char name[FIREWALL_NAME_SIZE];

	firewall_write_set(writer->batch, writer->table, firewall_set_name(group, family, name),
			   family);
}

static void add_chain(const struct writer *writer, const char *of, bool out)
{
	char name[FIREWALL_NAME_SIZE];
	const struct nft_chain chain = { .name = firewall_chain_name(of, out, name) };

	nft_batch_chain(writer->batch, NLM_F_CREATE | NLM_F_EXCL, FAMILY, writer->table, &chain);
}

static void delete_chains(const struct writer *writer, const char *of)
{
	char name[FIREWALL_NAME_SIZE];

	nft_batch_delete_chain(writer->batch, FAMILY, writer->table,
			       firewall_chain_name(of, false, name));
	nft_batch_delete_chain(writer->batch, FAMILY, writer->table,
			       firewall_chain_name(of, true, name));
}

static void add_group(const struct writer *writer, const struct firewall_group *group)
{
	add_set(writer, group->id, AF_INET);
	add_set(writer, group->id, AF_INET6);
	add_chain(writer, group->id, false);
	add_chain(writer, group->id, true);
}

static void delete_sets(const struct writer *writer, const struct firewall_group *group)
{
	char name[FIREWALL_NAME_SIZE];

	nft_batch_delete_set(writer->batch, FAMILY, writer->table,
			     firewall_set_name(group->id, AF_INET, name));
	nft_batch_delete_set(writer->batch, FAMILY, writer->table,
			     firewall_set_name(group->id, AF_INET6, name));
}

static void change_element(const struct writer *writer, const char *set,
			   const struct nft_element *element, bool add)
{
	nft_batch_element(writer->batch, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
			  add ? NLM_F_CREATE | NLM_F_EXCL : 0, FAMILY, writer->table, set, element);
}

/* --- the rules of a group */

static bool has_ports(int protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

static void match_icmp(struct nftnl_rule *rule, const struct firewall_rule *what)
{
	const uint8_t type = (uint8_t)what->from, code = (uint8_t)what->to;

	if (what->from == FIREWALL_ANY)
		return;
	nft_match_range(rule, 0, &type, &type, sizeof(type));
	if (what->to != FIREWALL_ANY)
		nft_match_range(rule, 1, &code, &code, sizeof(code));
}

static void match_traffic(struct nftnl_rule *rule, const struct firewall_rule *what)
{
	if (what->protocol == FIREWALL_ANY)
		return;
	nft_match_protocol(rule, (uint8_t)what->protocol);
	if (has_ports(what->protocol) && (what->from > 0 || what->to < UINT16_MAX))
		nft_match_ports(rule, (uint16_t)what->from, (uint16_t)what->to);
	else if (what->protocol == IPPROTO_ICMP || what->protocol == IPPROTO_ICMPV6)
		match_icmp(rule, what);
}

static void add_rule(const struct writer *writer, const char *chain,
		     const struct firewall_rule *what, int family, bool out)
{
	struct nftnl_rule *rule = nft_rule_new(FAMILY, writer->table, chain);
	char set[FIREWALL_NAME_SIZE];

	nft_match_family(rule, family);
	if (what->group) {
		nft_load_address(rule, family, !out, NFT_WORD(0));
		nft_match_set(rule, firewall_set_name(what->group, family, set), NFT_WORD(0), 0);
	} else if (what->prefix.length > 0 && out) {
		nft_match_destination(rule, true, &what->prefix);
	} else if (what->prefix.length > 0) {
		nft_match_source(rule, true, &what->prefix);
	}
	match_traffic(rule, what);
	nft_accept(rule);
	nft_batch_rule(writer->batch, rule);
}

static void set_rules(const struct writer *writer, const struct firewall_group *group, bool out)
{
	const struct firewall_rules *rules = out ? &group->out : &group->in;
	char chain[FIREWALL_NAME_SIZE];

	firewall_chain_name(group->id, out, chain);
	nft_batch_flush(writer->batch, FAMILY, writer->table, chain);
	for (size_t i = 0; i < rules->count; i++) {
		const struct firewall_rule *rule = &rules->items[i];

		if (rule->group || rule->prefix.address.family == AF_INET)
			add_rule(writer, chain, rule, AF_INET, out);
		if (rule->group || rule->prefix.address.family == AF_INET6)
			add_rule(writer, chain, rule, AF_INET6, out);
	}
}

/* --- interfaces */

static void set_groups(const struct writer *writer, const struct firewall_interface *interface,
		       bool out)
{
	char chain[FIREWALL_NAME_SIZE], target[FIREWALL_NAME_SIZE];
	struct nftnl_rule *rule;

	firewall_chain_name(interface->name, out, chain);
	nft_batch_flush(writer->batch, FAMILY, writer->table, chain);
	rule = nft_rule_new(FAMILY, writer->table, chain);
	nft_match_ct(rule, NFT_CT_STATE, NF_CT_STATE_INVALID_BIT);
	nft_drop(rule);
	nft_batch_rule(writer->batch, rule);
	for (size_t i = 0; i < interface->group_count; i++) {
		rule = nft_rule_new(FAMILY, writer->table, chain);
		nft_jump(rule, firewall_chain_name(interface->groups[i], out, target));
		nft_batch_rule(writer->batch, rule);
	}
	rule = nft_rule_new(FAMILY, writer->table, chain);
	nft_drop(rule);
	nft_batch_rule(writer->batch, rule);
}

/* In a network, by link and address. */
static void change_address(const struct writer *writer, const struct firewall_interface *interface,
			   const struct ip_address *address, bool add)
{
	char name[FIREWALL_NAME_SIZE], chain[FIREWALL_NAME_SIZE], link[IFNAMSIZ] = "";
	struct nft_element element = { 0 };
	bool of_link = interface->vni;

	if (of_link) {
		nft_element_append(&element, address->bytes, ip_size(address));
		change_element(writer,
			       firewall_network_set(false, address->family, interface->vni, name),
			       &element, add);
		if (!interface->link)
			return;
		element.key_size = 0;
		snprintf(link, sizeof(link), "%s", interface->link);
		nft_element_append(&element, link, sizeof(link));
	}
	nft_element_append(&element, address->bytes, ip_size(address));
	change_element(writer, firewall_local_name(of_link, address->family, name), &element, add);
	for (int out = 0; out < 2; out++) {
		element.jump = firewall_chain_name(interface->name, out, chain);
		change_element(writer, firewall_map_name(of_link, out, address->family, name),
			       &element, add);
	}
}

static void change_member(const struct writer *writer, const struct firewall_step *step, bool add)
{
	struct nft_element element = { .key_size = (uint32_t)ip_size(step->address) };
	char name[FIREWALL_NAME_SIZE];

	memcpy(element.key, step->address->bytes, ip_size(step->address));
	change_element(writer, firewall_set_name(step->group->id, step->address->family, name),
		       &element, add);
}

static void write_step(const struct writer *writer, const struct firewall_step *step)
{
	switch (step->type) {
	case FIREWALL_ADD_GROUP:
		add_group(writer, step->group);
		return;
	case FIREWALL_ADD_MEMBER:
		change_member(writer, step, true);
		return;
	case FIREWALL_DELETE_MEMBER:
		change_member(writer, step, false);
		return;
	case FIREWALL_SET_RULES_IN:
		set_rules(writer, step->group, false);
		return;
	case FIREWALL_SET_RULES_OUT:
		set_rules(writer, step->group, true);
		return;
	case FIREWALL_ADD_INTERFACE:
		add_chain(writer, step->interface->name, false);
		add_chain(writer, step->interface->name, true);
		return;
	case FIREWALL_SET_GROUPS:
		set_groups(writer, step->interface, false);
		set_groups(writer, step->interface, true);
		return;
	case FIREWALL_ADD_ADDRESS:
		change_address(writer, step->interface, step->address, true);
		return;
	case FIREWALL_DELETE_ADDRESS:
		change_address(writer, step->interface, step->address, false);
		return;
	case FIREWALL_ADD_NETWORK:
		firewall_add_network(writer->batch, writer->table, step->vni);
		return;
	case FIREWALL_DELETE_NETWORK:
		firewall_delete_network(writer->batch, writer->table, step->vni);
		return;
	case FIREWALL_ADD_LINK:
		firewall_change_link(writer->batch, writer->table, step->interface->link,
				     step->interface->vni, true);
		return;
	case FIREWALL_DELETE_LINK:
		firewall_change_link(writer->batch, writer->table, step->interface->link,
				     step->interface->vni, false);
		return;
	case FIREWALL_DELETE_INTERFACE:
		delete_chains(writer, step->interface->name);
		return;
	case FIREWALL_DELETE_CHAINS:
		delete_chains(writer, step->group->id);
		return;
	case FIREWALL_DELETE_SETS:
		delete_sets(writer, step->group);
		return;
	}
}

void firewall_write_steps(struct nft_batch *batch, const char *table,
			  const struct firewall_steps *steps)
{
	const struct writer writer = { batch, table };

	for (size_t i = 0; i < steps->count; i++)
		write_step(&writer, &steps->items[i]);
}
