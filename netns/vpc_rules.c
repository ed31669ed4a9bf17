/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/vpc_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/str.h"
#include "netns/ipv6.h"
#include "netns/link.h"
#include "netns/netlink.h"
#include "netns/route.h"

/* Before the main table (32766); each owner has one of its own. */
#define PRIORITY       23600
#define PRIORITY_COUNT 1024
#define PROTOCOL       236

static const int families[] = { AF_INET, AF_INET6 };

struct vpc_rules {
	uint32_t priority;
	struct map *applied; /* the network of each link; NULL: what is there is not known */
};

struct vpc_rules *vpc_rules_new(const char *owner)
{
	struct vpc_rules *rules = xcalloc(1, sizeof(*rules));

	rules->priority = PRIORITY + hash32_text(HASH32_START, owner) % PRIORITY_COUNT;
	return rules;
}

void vpc_rules_free(struct vpc_rules *rules)
{
	if (!rules)
		return;
	map_free(rules->applied);
	free(rules);
}

static uint32_t vni_of(const struct map *links, const char *name)
{
	return (uint32_t)(uintptr_t)map_get(links, name);
}

/* One call of vpc_rules_apply(). */
struct writer {
	const struct vpc_rules *rules;
	struct netlink *netlink;
	struct netlink_batch *batch;
	const struct map *wanted;
	bool has_ipv6; /* the host: its links have no routes else */
	int result;    /* of what failed first */
	struct error *err;
};

static void fail(struct writer *writer, int result, const struct error *why)
{
	if (writer->result < 0)
		return;
	writer->result = result;
	if (writer->err)
		*writer->err = *why;
}

static void flush(struct writer *writer)
{
	struct error why = ERROR_INIT;
	int r = netlink_run(writer->netlink, writer->batch, &why);

	if (r < 0)
		fail(writer, r, &why);
}

static void put_rule(struct writer *writer, bool add, int family, const char *link, uint32_t table)
{
	struct nlmsghdr *header =
		netlink_request(writer->batch, add ? RTM_NEWRULE : RTM_DELRULE,
				add ? NLM_F_CREATE | NLM_F_EXCL : 0, "%s the %s rule of link %s",
				add ? "add" : "remove", family == AF_INET6 ? "IPv6" : "IPv4", link);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));

	rule->family = (uint8_t)family;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_strz(header, FRA_IIFNAME, link);
	mnl_attr_put_u32(header, FRA_TABLE, table);
	mnl_attr_put_u32(header, FRA_PRIORITY, writer->rules->priority);
	mnl_attr_put_u8(header, FRA_PROTOCOL, PROTOCOL);
	netlink_tolerate(writer->batch, add ? EEXIST : ENOENT);
	if (family == AF_INET6) {
		netlink_tolerate(writer->batch, EAFNOSUPPORT);
		netlink_tolerate(writer->batch, EOPNOTSUPP);
	}
}

static void change_link(struct writer *writer, bool add, const char *link, uint32_t vni)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		put_rule(writer, add, families[i], link, vpc_table(vni));
}

static void add_links(struct writer *writer, const struct vpc_link *links, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t was =
			writer->rules->applied ? vni_of(writer->rules->applied, links[i].name) : 0;

		if (was != links[i].vni)
			change_link(writer, true, links[i].name, links[i].vni);
	}
}

static void delete_unwanted(struct writer *writer)
{
	size_t cursor = 0;
	const char *name;
	void *value;

	while ((value = map_next(writer->rules->applied, &cursor, &name))) {
		uint32_t vni = (uint32_t)(uintptr_t)value;

		if (vni_of(writer->wanted, name) != vni)
			change_link(writer, false, name, vni);
	}
}

/* --- when it is not known what is there */

struct found_rule {
	const char *link;
	uint32_t table, priority;
};

static int read_attribute(const struct nlattr *attr, void *data)
{
	struct found_rule *found = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type == FRA_IIFNAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		found->link = mnl_attr_get_str(attr);
	else if (type == FRA_TABLE && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		found->table = mnl_attr_get_u32(attr);
	else if (type == FRA_PRIORITY && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		found->priority = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int sweep_rule(const struct nlmsghdr *header, void *data)
{
	struct writer *writer = data;
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(header);
	struct found_rule found = { 0 };

	if (header->nlmsg_type != RTM_NEWRULE)
		return 0;
	mnl_attr_parse(header, sizeof(*rule), read_attribute, &found);
	if (found.priority == writer->rules->priority && found.link &&
	    (found.table & VPC_TABLE) == VPC_TABLE &&
	    vpc_table(vni_of(writer->wanted, found.link)) != found.table)
		put_rule(writer, false, rule->family, found.link, found.table);
	return 0;
}

static void sweep(struct writer *writer, int family)
{
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header =
		netlink_request(query, RTM_GETRULE, NLM_F_DUMP, "list the rules of routing");
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));
	struct error why = ERROR_INIT;
	int r;

	rule->family = (uint8_t)family;
	r = netlink_query(writer->netlink, query, sweep_rule, NULL, writer, &why);
	netlink_batch_free(query);
	if (r < 0 && (family == AF_INET || (r != -EAFNOSUPPORT && r != -EOPNOTSUPP)))
		fail(writer, r, &why);
}

/* A link from before has its routes in the main table only, or lost one. */
static void add_routes(struct writer *writer, const struct vpc_link *to)
{
	struct link link;

	if (to->address_count == 0 || link_by_name(writer->netlink, to->name, &link, NULL) < 0)
		return;
	for (size_t i = 0; i < to->address_count; i++) {
		const struct route route = { .destination = ip_host_prefix(&to->addresses[i]),
					     .link_index = link.index,
					     .table = vpc_table(to->vni) };

		if (to->addresses[i].family == AF_INET6 && !writer->has_ipv6)
			continue;
		route_add(writer->batch, &route);
		netlink_tolerate(writer->batch, EEXIST);
		/* It is just going, or not up yet. */
		netlink_tolerate(writer->batch, ENODEV);
		netlink_tolerate(writer->batch, ENETDOWN);
	}
}

/* --- both */

static void write_to(struct vpc_rules *rules, struct writer *writer, const struct vpc_link *links,
		     size_t count)
{
	writer->result = 0;
	writer->batch = netlink_batch_new();
	add_links(writer, links, count);
	for (size_t i = 0; !rules->applied && i < count; i++)
		add_routes(writer, &links[i]);
	flush(writer);
	if (rules->applied)
		delete_unwanted(writer);
	for (size_t i = 0; !rules->applied && i < sizeof(families) / sizeof(families[0]); i++)
		sweep(writer, families[i]);
	flush(writer);
	netlink_batch_free(writer->batch);
	map_free(rules->applied);
	rules->applied = NULL;
}

int vpc_rules_apply(struct vpc_rules *rules, const struct vpc_link *links, size_t count,
		    struct error *err)
{
	struct map *wanted = map_new();
	struct writer writer = { .rules = rules,
				 .wanted = wanted,
				 .has_ipv6 = ipv6_check(NULL) != -EAFNOSUPPORT,
				 .err = err };
	bool known = rules->applied;
	int r;

	for (size_t i = 0; i < count; i++)
		map_set(wanted, links[i].name, (void *)(uintptr_t)links[i].vni);
	r = netlink_open(&writer.netlink, err);
	if (r == 0) {
		write_to(rules, &writer, links, count);
		/* Somebody has changed something: it is looked at. */
		if (writer.result < 0 && known)
			write_to(rules, &writer, links, count);
		r = writer.result;
	}
	netlink_close(writer.netlink);
	if (r == 0)
		rules->applied = TAKE(wanted);
	map_free(wanted);
	return r;
}
