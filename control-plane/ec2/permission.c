/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the rules of a call. */
#include "control-plane/ec2/permission.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/number.h"
#include "control-plane/ec2/cidr.h"
#include "control-plane/ec2/find.h"

/* What all rules of one permission have in common, and where they go. */
struct reader {
	struct ec2_call *call;
	const struct security_group_row *group;
	struct security_rule_list *rules;
	struct security_rule_row traffic; /* borrows */
};

bool ec2_rule_is_of_group(const struct security_rule_row *rule)
{
	return str_starts_with(rule->target, "sg-");
}

bool ec2_rule_is_of_ipv6(const struct security_rule_row *rule)
{
	return strchr(rule->target, ':') != NULL;
}

static void add_rule(struct reader *reader, const char *target, const char *description)
{
	struct security_rule_list *rules = reader->rules;
	const struct security_rule_row *traffic = &reader->traffic;

	rules->items = xreallocarray(rules->items, rules->count + 1, sizeof(*rules->items));
	rules->items[rules->count++] = (struct security_rule_row){
		.group = xstrdup(reader->group->id),
		.egress = traffic->egress,
		.protocol = xstrdup(traffic->protocol),
		.from_port = traffic->from_port,
		.to_port = traffic->to_port,
		.target = xstrdup(target),
		.description = xstrdup_null(description),
	};
}

/* --- protocol and ports */

static int read_protocol(struct reader *reader, const char *text)
{
	static const char *const names[][2] = {
		{ "tcp", "6" },     { "udp", "17" }, { "icmp", "1" },
		{ "icmpv6", "58" }, { "-1", "all" },
	};
	int64_t number;

	if (!text)
		return ec2_error(reader->call, EC2_MISSING,
				 "The request must contain the parameter ipProtocol");
	reader->traffic.protocol = (char *)(uintptr_t)text;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq_nocase(text, names[i][0]) || str_eq_nocase(text, names[i][1])) {
			reader->traffic.protocol = (char *)(uintptr_t)names[i][0];
			return 0;
		}
	if (number_parse_i64(text, 0, 255, &number, NULL) < 0 || text[0] == '+' ||
	    (text[0] == '0' && text[1] != '\0'))
		return ec2_error(reader->call, EC2_INVALID,
				 "Invalid value '%.32s' for IP protocol. Unknown protocol.", text);
	return 0;
}

static int read_port(struct reader *reader, const char *text, int64_t max, int64_t *ret)
{
	*ret = -1;
	if (text && number_parse_i64(text, -1, max, ret, NULL) < 0)
		return ec2_error(reader->call, EC2_INVALID,
				 "Invalid value '%.32s' for portRange. It must be -1 to %d.", text,
				 (int)max);
	return 0;
}

static int read_port_range(struct reader *reader, const char *from, const char *to)
{
	struct security_rule_row *traffic = &reader->traffic;
	int r;

	if (!from || !to)
		return ec2_error(reader->call, EC2_INVALID,
				 "Invalid value 'Must specify both from and to ports with "
				 "TCP/UDP.' for portRange.");
	r = read_port(reader, from, 65535, &traffic->from_port);
	if (r == 0)
		r = read_port(reader, to, 65535, &traffic->to_port);
	if (r == 0 && (traffic->from_port < 0 || traffic->from_port > traffic->to_port))
		return ec2_error(reader->call, EC2_INVALID,
				 "Invalid TCP/UDP port range (%.8s:%.8s)", from, to);
	return r;
}

static int read_ports(struct reader *reader, const char *from, const char *to)
{
	struct security_rule_row *traffic = &reader->traffic;
	int r;

	traffic->from_port = traffic->to_port = -1;
	if (str_eq(traffic->protocol, "tcp") || str_eq(traffic->protocol, "udp"))
		return read_port_range(reader, from, to);
	/* Of all other protocols but ICMP, EC2 passes ports over. */
	if (!str_starts_with(traffic->protocol, "icmp"))
		return 0;
	r = read_port(reader, from, 255, &traffic->from_port);
	if (r == 0)
		r = read_port(reader, to, 255, &traffic->to_port);
	if (r == 0 && traffic->from_port == -1 && traffic->to_port != -1)
		return ec2_error(reader->call, EC2_INVALID,
				 "ICMP code (%.8s) is not possible with any type (-1)", to);
	return r;
}

static int read_traffic(struct reader *reader, const char *prefix)
{
	struct ec2_call *call = reader->call;
	const char *protocol = ec2_paramf(call, "%sIpProtocol", prefix);
	const char *from = ec2_paramf(call, "%sFromPort", prefix);
	const char *to = ec2_paramf(call, "%sToPort", prefix);
	int r = read_protocol(reader, protocol);

	return r < 0 ? r : read_ports(reader, from, to);
}

/* --- the other ends */

static int add_cidr(struct reader *reader, const char *text, int family, const char *description)
{
	char cidr[IP_TEXT_SIZE];
	int r = ec2_cidr_of_rule(reader->call, text, family, cidr);

	if (r == 0)
		add_rule(reader, cidr, description);
	return r;
}

static int read_ranges(struct reader *reader, const char *prefix, const char *list,
		       const char *member, int family)
{
	struct ec2_call *call = reader->call;
	_cleanup_free_ char *name = xasprintf("%s%s", prefix, list);
	int r = 0;

	for (size_t i = 1; r == 0 && ec2_param_item(call, name, i); i++) {
		const char *cidr = ec2_paramf(call, "%s.%zu.%s", name, i, member);

		if (!cidr)
			return ec2_error(call, EC2_MISSING,
					 "The request must contain the parameter %s", member);
		r = add_cidr(reader, cidr, family, ec2_paramf(call, "%s.%zu.Description", name, i));
	}
	return r;
}

static int check_user(struct ec2_call *call, const char *user)
{
	if (user && !str_eq(user, ec2_account(call)))
		return ec2_error(call, EC2_GROUP_NOT_FOUND,
				 "Account %s has no groups here: this is account %s", user,
				 ec2_account(call));
	return 0;
}

static int add_group(struct reader *reader, const char *id, const char *name,
		     const char *description)
{
	_cleanup_(security_group_list_clear) struct security_group_list found = { 0 };
	struct ec2_call *call = reader->call;
	int r;

	if (!id && !name)
		return ec2_error(call, EC2_MISSING,
				 "The request must contain the parameter groupName or groupId");
	r = id ? ec2_find_group(call, id, &found)
	       : ec2_find_group_in(call, reader->group->vpc, name, &found);
	if (r < 0)
		return r;
	if (!str_eq(found.items[0].vpc, reader->group->vpc))
		return ec2_error(call, EC2_GROUP_NOT_FOUND,
				 "You have specified two resources that belong to different "
				 "networks.");
	add_rule(reader, found.items[0].id, description);
	return 0;
}

static int read_groups(struct reader *reader, const char *prefix)
{
	struct ec2_call *call = reader->call;
	_cleanup_free_ char *list = xasprintf("%sGroups", prefix);
	int r = 0;

	for (size_t i = 1; r == 0 && ec2_param_item(call, list, i); i++) {
		r = check_user(call, ec2_paramf(call, "%s.%zu.UserId", list, i));
		if (r == 0)
			r = add_group(reader, ec2_paramf(call, "%s.%zu.GroupId", list, i),
				      ec2_paramf(call, "%s.%zu.GroupName", list, i),
				      ec2_paramf(call, "%s.%zu.Description", list, i));
	}
	return r;
}

static int read_permission(struct reader *reader, const char *prefix)
{
	size_t before = reader->rules->count;
	int r = read_traffic(reader, prefix);

	if (r == 0)
		r = read_ranges(reader, prefix, "IpRanges", "CidrIp", AF_INET);
	if (r == 0)
		r = read_ranges(reader, prefix, "Ipv6Ranges", "CidrIpv6", AF_INET6);
	if (r == 0)
		r = read_groups(reader, prefix);
	if (r == 0 && reader->rules->count == before)
		return ec2_error(reader->call, EC2_MISSING,
				 "A permission names no CIDR block and no security group");
	return r;
}

/* IpProtocol, FromPort, ToPort, CidrIp, SourceSecurityGroupName. */
static int read_flat(struct reader *reader)
{
	struct ec2_call *call = reader->call;
	const char *cidr = ec2_param(call, "CidrIp");
	const char *group = ec2_param(call, "SourceSecurityGroupName");
	int r = check_user(call, ec2_param(call, "SourceSecurityGroupOwnerId"));

	/* A group alone stands for all that it can send. */
	if (r == 0 && group && !ec2_param(call, "IpProtocol")) {
		reader->traffic.protocol = (char *)(uintptr_t) "-1";
		reader->traffic.from_port = reader->traffic.to_port = -1;
	} else if (r == 0) {
		r = read_traffic(reader, "");
	}
	if (r == 0 && cidr)
		r = add_cidr(reader, cidr, strchr(cidr, ':') ? AF_INET6 : AF_INET, NULL);
	if (r == 0 && group)
		r = add_group(reader, NULL, group, NULL);
	if (r == 0 && reader->rules->count == 0)
		return ec2_error(call, EC2_MISSING,
				 "The request must contain the parameter cidrIp or "
				 "ipPermissions");
	return r;
}

int ec2_permissions_read(struct ec2_call *call, const struct security_group_row *group, bool egress,
			 struct security_rule_list *ret_rules)
{
	struct reader reader = {
		.call = call, .group = group, .rules = ret_rules, .traffic = { .egress = egress }
	};
	int r = 0;

	if (!ec2_param_item(call, "IpPermissions", 1))
		return read_flat(&reader);
	for (size_t i = 1; r == 0 && ec2_param_item(call, "IpPermissions", i); i++) {
		_cleanup_free_ char *prefix = xasprintf("IpPermissions.%zu.", i);

		r = read_permission(&reader, prefix);
	}
	return r;
}
