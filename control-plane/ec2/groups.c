/* SPDX-License-Identifier: Apache-2.0 */
/* CreateSecurityGroup, DescribeSecurityGroups, DeleteSecurityGroup */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control-plane/ec2/describe.h"
#include "control-plane/ec2/find.h"
#include "control-plane/ec2/permission.h"
#include "control-plane/services/networks.h"

#define GROUPS_MAX 500 /* of one VPC */
#define NAME_MAX_  255

static const char *const filters_known[] = {
	"group-id",
	"group-name",
	"vpc-id",
	"description",
	"owner-id",
	"ip-permission.cidr",
	"ip-permission.from-port",
	"ip-permission.to-port",
	"ip-permission.protocol",
	"ip-permission.group-id",
	"egress.ip-permission.cidr",
	"egress.ip-permission.from-port",
	"egress.ip-permission.to-port",
	"egress.ip-permission.protocol",
	"egress.ip-permission.group-id",
	NULL,
};

static void add_rule_fact(struct ec2_facts *facts, const struct security_rule_row *rule,
			  const char *what, const char *value)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	strbuf_appendf(&name, "%sip-permission.%s", rule->egress ? "egress." : "", what);
	ec2_fact(facts, strbuf_text(&name), value);
}

static void add_rule_number(struct ec2_facts *facts, const struct security_rule_row *rule,
			    const char *what, int64_t number)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_appendf(&text, "%lld", (long long)number);
	add_rule_fact(facts, rule, what, strbuf_text(&text));
}

static void add_rule_facts(struct ec2_facts *facts, const struct security_rule_list *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct security_rule_row *rule = &rules->items[i];

		add_rule_fact(facts, rule, ec2_rule_is_of_group(rule) ? "group-id" : "cidr",
			      rule->target);
		add_rule_fact(facts, rule, "protocol", rule->protocol);
		add_rule_number(facts, rule, "from-port", rule->from_port);
		add_rule_number(facts, rule, "to-port", rule->to_port);
	}
}

static int write_group(struct ec2_call *call, const void *data, struct ec2_facts *facts)
{
	_cleanup_(security_rule_list_clear) struct security_rule_list rules = { 0 };
	const struct security_group_row *row = data;
	_cleanup_free_ char *arn = ec2_arn(call, "security-group", row->id);
	struct strbuf *out = &call->out;
	struct error err = ERROR_INIT;

	if (security_rule_find(call->store, row->id, &rules, &err) < 0)
		return ec2_server_error(call, &err);
	xml_text(out, "ownerId", ec2_account(call));
	xml_text(out, "groupId", row->id);
	xml_text(out, "groupName", row->name);
	xml_text(out, "groupDescription", row->description);
	xml_text(out, "vpcId", row->vpc);
	xml_text(out, "securityGroupArn", arn);
	ec2_permissions_write(call, "ipPermissions", &rules, false);
	ec2_permissions_write(call, "ipPermissionsEgress", &rules, true);
	ec2_fact(facts, "group-id", row->id);
	ec2_fact(facts, "group-name", row->name);
	ec2_fact(facts, "vpc-id", row->vpc);
	ec2_fact(facts, "description", row->description);
	ec2_fact(facts, "owner-id", ec2_account(call));
	add_rule_facts(facts, &rules);
	return ec2_tags_read(call, row->id, out, facts);
}

static bool has_name(const struct str_list *names, const struct security_group_row *row)
{
	return names->count == 0 ||
	       (str_eq(row->vpc, NETWORKS_VPC) && str_list_has(names, row->name));
}

static int check_names(struct ec2_call *call, const struct str_list *names)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->count; i++) {
		_cleanup_(security_group_list_clear) struct security_group_list one = { 0 };

		r = ec2_find_group_in(call, NETWORKS_VPC, names->items[i], &one);
	}
	return r;
}

static int show_all(struct ec2_call *call, struct ec2_selection *selection)
{
	_cleanup_(security_group_list_clear) struct security_group_list all = { 0 };
	_cleanup_str_list_ struct str_list names = STR_LIST_INIT;
	struct error err = ERROR_INIT;
	int r;

	ec2_param_list(call, "GroupName", &names);
	r = check_names(call, &names);
	if (r == 0 && security_group_find(call->store, NULL, &all, &err) < 0)
		r = ec2_server_error(call, &err);
	for (size_t i = 0; r == 0 && i < all.count; i++)
		if (has_name(&names, &all.items[i]))
			r = ec2_show(call, selection, all.items[i].id, write_group, &all.items[i]);
	return r;
}

static int describe_groups(struct ec2_call *call)
{
	static const struct ec2_description description = {
		.set = "securityGroupInfo",
		.id_param = "GroupId",
		.filters = filters_known,
		.missing_code = EC2_GROUP_NOT_FOUND,
		.missing_text = "The security group '%s' does not exist",
		.show_all = show_all,
	};

	return ec2_describe(call, &description);
}

/* --- CreateSecurityGroup */

static int check_text(struct ec2_call *call, const char *what, const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789 ._-:/()#,@[]+=&;{}!$*";

	if (strlen(text) > NAME_MAX_ || text[strspn(text, allowed)] != '\0')
		return ec2_error(call, EC2_INVALID,
				 "Value (%.64s) for parameter %s is invalid. Up to %d characters "
				 "from a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$* are "
				 "possible.",
				 text, what, NAME_MAX_);
	return 0;
}

static int check_group(struct ec2_call *call, const struct security_group_row *row)
{
	int r = check_text(call, "groupName", row->name);

	if (r == 0)
		r = check_text(call, "groupDescription", row->description);
	if (r < 0)
		return r;
	if (str_starts_with(row->name, "sg-"))
		return ec2_error(call, EC2_INVALID,
				 "Value (%s) for parameter groupName is invalid. Group names may "
				 "not be in the format sg-*.",
				 row->name);
	if (str_eq(row->name, SECURITY_GROUP_DEFAULT))
		return ec2_error(call, "InvalidGroup.Reserved",
				 "Cannot use reserved security group name: default");
	return 0;
}

static int check_room(struct ec2_call *call, const struct security_group_row *row)
{
	_cleanup_(security_group_list_clear) struct security_group_list all = { 0 };
	struct error err = ERROR_INIT;
	size_t count = 0;

	if (security_group_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < all.count; i++) {
		if (!str_eq(all.items[i].vpc, row->vpc))
			continue;
		count++;
		if (str_eq(all.items[i].name, row->name))
			return ec2_error(call, "InvalidGroup.Duplicate",
					 "The security group '%s' already exists for VPC '%s'",
					 row->name, row->vpc);
	}
	if (count >= GROUPS_MAX)
		return ec2_error(call, "SecurityGroupLimitExceeded",
				 "The maximum number of security groups for VPC '%s' has been "
				 "reached.",
				 row->vpc);
	return 0;
}

static int create_group(struct ec2_call *call)
{
	_cleanup_(vpc_list_clear) struct vpc_list vpc = { 0 };
	_cleanup_free_ char *id = vpc_resource_id("sg");
	_cleanup_free_ char *arn = ec2_arn(call, "security-group", id);
	const char *vpc_id = ec2_param(call, "VpcId");
	const char *name = NULL, *description = NULL;
	struct security_group_row row = { .id = id };
	struct error err = ERROR_INIT;
	int r = ec2_param_required(call, "GroupName", &name);

	if (r == 0)
		r = ec2_param_required(call, "GroupDescription", &description);
	if (r == 0)
		r = ec2_find_vpc(call, vpc_id ? vpc_id : NETWORKS_VPC, &vpc);
	if (r != 0)
		return r;
	row.vpc = vpc.items[0].id;
	row.name = (char *)(uintptr_t)name;
	row.description = (char *)(uintptr_t)description;
	r = check_group(call, &row);
	if (r == 0)
		r = check_room(call, &row);
	if (r == 0 && security_group_add(call->store, &row, &err) < 0)
		r = ec2_server_error(call, &err);
	if (r == 0 && vpc.items[0].ipv6_cidrs[0] &&
	    security_group_open_ipv6(call->store, id, &err) < 0)
		r = ec2_server_error(call, &err);
	if (r == 0)
		r = ec2_tags_of_new(call, "security-group", id);
	if (r < 0)
		return r;
	ec2_return_true(call);
	xml_text(&call->out, "groupId", id);
	xml_text(&call->out, "securityGroupArn", arn);
	return ec2_tags_read(call, id, &call->out, NULL);
}

/* --- DeleteSecurityGroup */

/* A rule of another group that names it. */
static int check_unreferenced(struct ec2_call *call, const char *id)
{
	_cleanup_(security_rule_list_clear) struct security_rule_list rules = { 0 };
	struct error err = ERROR_INIT;

	if (security_rule_find(call->store, NULL, &rules, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < rules.count; i++)
		if (str_eq(rules.items[i].target, id) && !str_eq(rules.items[i].group, id))
			return ec2_error(call, EC2_DEPENDENCY,
					 "resource %s has a dependent object: rule %s of group %s",
					 id, rules.items[i].id, rules.items[i].group);
	return 0;
}

static int delete_group(struct ec2_call *call)
{
	_cleanup_(security_group_list_clear) struct security_group_list found = { 0 };
	const struct security_group_row *row;
	struct error err = ERROR_INIT;
	int r = ec2_find_named_group(call, &found);

	if (r < 0)
		return r;
	row = &found.items[0];
	if (str_eq(row->name, SECURITY_GROUP_DEFAULT))
		return ec2_error(call, "CannotDelete",
				 "the specified group: \"%s\" name: \"default\" cannot be deleted "
				 "by a user",
				 row->id);
	if (ec2_is_in_use(call, NULL, row->id))
		return ec2_error(call, EC2_DEPENDENCY,
				 "resource %s has a dependent object: the interface of a task",
				 row->id);
	r = check_unreferenced(call, row->id);
	if (r < 0)
		return r;
	if (security_group_delete(call->store, row->id, &err) < 0)
		return ec2_server_error(call, &err);
	ec2_return_true(call);
	xml_text(&call->out, "groupId", row->id);
	return ec2_tags_forget(call, row->id);
}

const struct ec2_action ec2_group_actions[] = {
	{ "CreateSecurityGroup", create_group, true },
	{ "DescribeSecurityGroups", describe_groups, false },
	{ "DeleteSecurityGroup", delete_group, true },
	{ 0 },
};
