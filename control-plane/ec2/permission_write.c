/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a group as DescribeSecurityGroups shows them: by traffic, each with its other ends.
 */
#include "control-plane/ec2/permission.h"

static bool is_same_traffic(const struct security_rule_row *a, const struct security_rule_row *b)
{
	return a->egress == b->egress && a->from_port == b->from_port && a->to_port == b->to_port &&
	       str_eq(a->protocol, b->protocol);
}

/* The rules of the same traffic that `wanted` picks, as items. */
static void write_ends(struct ec2_call *call, const struct security_rule_list *rules, size_t first,
		       const char *element, const char *member,
		       bool (*wanted)(const struct security_rule_row *rule))
{
	struct strbuf *out = &call->out;

	xml_open(out, element);
	for (size_t i = first; i < rules->count; i++) {
		const struct security_rule_row *rule = &rules->items[i];

		if (!is_same_traffic(rule, &rules->items[first]) || !wanted(rule))
			continue;
		xml_open(out, "item");
		if (ec2_rule_is_of_group(rule))
			xml_text(out, "userId", ec2_account(call));
		xml_text(out, member, rule->target);
		xml_text(out, "description", rule->description);
		xml_close(out, "item");
	}
	xml_close(out, element);
}

static bool is_of_ipv4(const struct security_rule_row *rule)
{
	return !ec2_rule_is_of_group(rule) && !ec2_rule_is_of_ipv6(rule);
}

static bool has_ports(const struct security_rule_row *rule)
{
	return str_eq(rule->protocol, "tcp") || str_eq(rule->protocol, "udp") ||
	       str_starts_with(rule->protocol, "icmp");
}

static void write_permission(struct ec2_call *call, const struct security_rule_list *rules,
			     size_t first)
{
	const struct security_rule_row *traffic = &rules->items[first];
	struct strbuf *out = &call->out;

	xml_open(out, "item");
	xml_text(out, "ipProtocol", traffic->protocol);
	if (has_ports(traffic)) {
		xml_i64(out, "fromPort", traffic->from_port);
		xml_i64(out, "toPort", traffic->to_port);
	}
	write_ends(call, rules, first, "groups", "groupId", ec2_rule_is_of_group);
	write_ends(call, rules, first, "ipRanges", "cidrIp", is_of_ipv4);
	write_ends(call, rules, first, "ipv6Ranges", "cidrIpv6", ec2_rule_is_of_ipv6);
	xml_open(out, "prefixListIds");
	xml_close(out, "prefixListIds");
	xml_close(out, "item");
}

static bool is_first_of_traffic(const struct security_rule_list *rules, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (is_same_traffic(&rules->items[i], &rules->items[index]))
			return false;
	return true;
}

void ec2_permissions_write(struct ec2_call *call, const char *element,
			   const struct security_rule_list *rules, bool egress)
{
	xml_open(&call->out, element);
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].egress == egress && is_first_of_traffic(rules, i))
			write_permission(call, rules, i);
	xml_close(&call->out, element);
}
