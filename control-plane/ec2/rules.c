/* SPDX-License-Identifier: Apache-2.0 */
/* AuthorizeSecurityGroup..., RevokeSecurityGroup..., DescribeSecurityGroupRules */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "control-plane/ec2/describe.h"
#include "control-plane/ec2/find.h"
#include "control-plane/ec2/permission.h"

#define RULES_MAX 60 /* of one group and direction */

#define RULE_NOT_FOUND "InvalidSecurityGroupRuleId.NotFound"
#define RULE_MISSING   "The security group rule ID '%s' does not exist"

static int write_rule(struct ec2_call *call, const void *data, struct ec2_facts *facts)
{
	const struct security_rule_row *row = data;
	struct strbuf *out = &call->out;

	xml_text(out, "securityGroupRuleId", row->id);
	xml_text(out, "groupId", row->group);
	xml_text(out, "groupOwnerId", ec2_account(call));
	xml_bool(out, "isEgress", row->egress);
	xml_text(out, "ipProtocol", row->protocol);
	xml_i64(out, "fromPort", row->from_port);
	xml_i64(out, "toPort", row->to_port);
	if (ec2_rule_is_of_group(row)) {
		xml_open(out, "referencedGroupInfo");
		xml_text(out, "groupId", row->target);
		xml_text(out, "userId", ec2_account(call));
		xml_close(out, "referencedGroupInfo");
	} else {
		xml_text(out, ec2_rule_is_of_ipv6(row) ? "cidrIpv6" : "cidrIpv4", row->target);
	}
	xml_text(out, "description", row->description);
	xml_open(out, "tagSet");
	xml_close(out, "tagSet");
	ec2_fact(facts, "security-group-rule-id", row->id);
	ec2_fact(facts, "group-id", row->group);
	return 0;
}

static int show_all(struct ec2_call *call, struct ec2_selection *selection)
{
	_cleanup_(security_rule_list_clear) struct security_rule_list all = { 0 };
	struct error err = ERROR_INIT;
	int r = 0;

	if (security_rule_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; r == 0 && i < all.count; i++)
		r = ec2_show(call, selection, all.items[i].id, write_rule, &all.items[i]);
	return r;
}

static int describe_rules(struct ec2_call *call)
{
	static const char *const known[] = { "security-group-rule-id", "group-id", NULL };
	static const struct ec2_description description = {
		.set = "securityGroupRuleSet",
		.id_param = "SecurityGroupRuleId",
		.filters = known,
		.missing_code = RULE_NOT_FOUND,
		.missing_text = RULE_MISSING,
		.show_all = show_all,
	};

	return ec2_describe(call, &description);
}

static bool is_same_rule(const struct security_rule_row *a, const struct security_rule_row *b)
{
	return a->egress == b->egress && a->from_port == b->from_port && a->to_port == b->to_port &&
	       str_eq(a->protocol, b->protocol) && str_eq(a->target, b->target);
}

/* --- authorize */

static int refuse_duplicate(struct ec2_call *call, const struct security_rule_row *rule)
{
	_cleanup_free_ char *protocol =
		xstrdup(str_eq(rule->protocol, "-1") ? "ALL" : rule->protocol);

	for (char *c = protocol; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return ec2_error(call, "InvalidPermission.Duplicate",
			 "the specified rule \"peer: %s, %s, from port: %" PRId64
			 ", to port: %" PRId64 ", ALLOW\" already exists",
			 rule->target, protocol, rule->from_port, rule->to_port);
}

static int check_room(struct ec2_call *call, const char *group, bool egress)
{
	_cleanup_(security_rule_list_clear) struct security_rule_list rules = { 0 };
	struct error err = ERROR_INIT;
	size_t count = 0;

	if (security_rule_find(call->store, group, &rules, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < rules.count; i++)
		count += rules.items[i].egress == egress;
	if (count > RULES_MAX)
		return ec2_error(call, "RulesPerSecurityGroupLimitExceeded",
				 "The maximum number of rules per security group has been "
				 "reached: %d for each direction.",
				 RULES_MAX);
	return 0;
}

static int add_rules(struct ec2_call *call, struct security_rule_list *rules)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < rules->count; i++) {
		struct security_rule_row *rule = &rules->items[i];
		int r;

		rule->id = vpc_resource_id("sgr");
		r = security_rule_add(call->store, rule, &err);
		if (r == -EEXIST)
			return refuse_duplicate(call, rule);
		if (r < 0)
			return ec2_server_error(call, &err);
	}
	return 0;
}

static int write_rules(struct ec2_call *call, const char *element,
		       const struct security_rule_list *rules)
{
	int r = 0;

	ec2_return_true(call);
	xml_open(&call->out, element);
	for (size_t i = 0; r == 0 && i < rules->count; i++)
		r = ec2_show_new(call, "item", write_rule, &rules->items[i]);
	xml_close(&call->out, element);
	return r;
}

static int authorize_rules(struct ec2_call *call, bool egress)
{
	_cleanup_(security_group_list_clear) struct security_group_list found = { 0 };
	_cleanup_(security_rule_list_clear) struct security_rule_list rules = { 0 };
	int r = ec2_find_named_group(call, &found);

	if (r == 0)
		r = ec2_permissions_read(call, &found.items[0], egress, &rules);
	if (r == 0)
		r = add_rules(call, &rules);
	if (r == 0)
		r = check_room(call, found.items[0].id, egress);
	return r < 0 ? r : write_rules(call, "securityGroupRuleSet", &rules);
}

static int authorize_ingress(struct ec2_call *call)
{
	return authorize_rules(call, false);
}

static int authorize_egress(struct ec2_call *call)
{
	return authorize_rules(call, true);
}

/* --- revoke */

static int delete_rule(struct ec2_call *call, const struct security_rule_row *rule)
{
	struct error err = ERROR_INIT;

	if (security_rule_delete(call->store, rule->id, &err) < 0)
		return ec2_server_error(call, &err);
	return 0;
}

/* The group's rule that is the described one; NULL: it has none. */
static const struct security_rule_row *find_rule(const struct security_rule_list *rules,
						 const struct security_rule_row *described)
{
	for (size_t i = 0; i < rules->count; i++)
		if (is_same_rule(&rules->items[i], described))
			return &rules->items[i];
	return NULL;
}

static int revoke_described(struct ec2_call *call, const struct security_group_row *group,
			    bool egress, const struct security_rule_list *rules)
{
	_cleanup_(security_rule_list_clear) struct security_rule_list described = { 0 };
	int r = ec2_permissions_read(call, group, egress, &described);

	for (size_t i = 0; r == 0 && i < described.count; i++) {
		const struct security_rule_row *rule = find_rule(rules, &described.items[i]);

		r = rule ? delete_rule(call, rule)
			 : ec2_error(call, "InvalidPermission.NotFound",
				     "The specified rule does not exist in this security group.");
	}
	return r;
}

static int revoke_by_id(struct ec2_call *call, bool egress, const struct security_rule_list *rules,
			const char *id)
{
	for (size_t i = 0; i < rules->count; i++)
		if (str_eq(rules->items[i].id, id) && rules->items[i].egress == egress)
			return delete_rule(call, &rules->items[i]);
	return ec2_error(call, RULE_NOT_FOUND, RULE_MISSING, id);
}

static int revoke_rules(struct ec2_call *call, bool egress)
{
	_cleanup_(security_group_list_clear) struct security_group_list found = { 0 };
	_cleanup_(security_rule_list_clear) struct security_rule_list rules = { 0 };
	_cleanup_str_list_ struct str_list ids = STR_LIST_INIT;
	struct error err = ERROR_INIT;
	int r = ec2_find_named_group(call, &found);

	if (r < 0)
		return r;
	if (security_rule_find(call->store, found.items[0].id, &rules, &err) < 0)
		return ec2_server_error(call, &err);
	ec2_param_list(call, "SecurityGroupRuleId", &ids);
	if (ids.count == 0)
		r = revoke_described(call, &found.items[0], egress, &rules);
	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = revoke_by_id(call, egress, &rules, ids.items[i]);
	ec2_return_true(call);
	return r;
}

static int revoke_ingress(struct ec2_call *call)
{
	return revoke_rules(call, false);
}

static int revoke_egress(struct ec2_call *call)
{
	return revoke_rules(call, true);
}

const struct ec2_action ec2_rule_actions[] = {
	{ "AuthorizeSecurityGroupIngress", authorize_ingress, true },
	{ "AuthorizeSecurityGroupEgress", authorize_egress, true },
	{ "RevokeSecurityGroupIngress", revoke_ingress, true },
	{ "RevokeSecurityGroupEgress", revoke_egress, true },
	{ "DescribeSecurityGroupRules", describe_rules, false },
	{ 0 },
};
