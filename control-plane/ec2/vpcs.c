/* SPDX-License-Identifier: Apache-2.0 */
/* CreateVpc, DescribeVpcs, DeleteVpc */
#include <errno.h>
#include <stdlib.h>

#include "control-plane/ec2/blocks.h"
#include "control-plane/ec2/cidr.h"
#include "control-plane/ec2/describe.h"
#include "control-plane/ec2/find.h"

#define VPCS_MAX 20

static const char *const filters_known[] = {
	"vpc-id",
	"cidr",
	"cidr-block-association.cidr-block",
	"cidr-block-association.association-id",
	"cidr-block-association.state",
	"ipv6-cidr-block-association.ipv6-cidr-block",
	"ipv6-cidr-block-association.association-id",
	"ipv6-cidr-block-association.state",
	"state",
	"isDefault",
	"is-default",
	"owner-id",
	NULL,
};

static void write_blocks(struct ec2_call *call, const struct vpc_row *row, struct ec2_facts *facts)
{
	_cleanup_str_list_ struct str_list cidrs = STR_LIST_INIT;

	str_list_split(&cidrs, row->cidrs, ' ', false);
	xml_text(&call->out, "cidrBlock", cidrs.items[0]);
	ec2_fact(facts, "cidr", cidrs.items[0]);
	xml_open(&call->out, "cidrBlockAssociationSet");
	for (size_t i = 0; i < cidrs.count; i++) {
		xml_open(&call->out, "item");
		ec2_block_write(call, EC2_BLOCK_OF_VPC, row->id, cidrs.items[i], "associated",
				facts);
		xml_close(&call->out, "item");
	}
	xml_close(&call->out, "cidrBlockAssociationSet");
	ec2_ipv6_blocks_write(call, EC2_BLOCK_OF_VPC, row->id, row->ipv6_cidrs, facts);
}

/* The members of the VPC, and what filters ask of it. */
static int write_vpc(struct ec2_call *call, const void *data, struct ec2_facts *facts)
{
	const struct vpc_row *row = data;
	const char *is_default = row->built_in ? "true" : "false";

	xml_text(&call->out, "vpcId", row->id);
	xml_text(&call->out, "ownerId", ec2_account(call));
	xml_text(&call->out, "state", "available");
	write_blocks(call, row, facts);
	xml_text(&call->out, "dhcpOptionsId", "default");
	xml_text(&call->out, "instanceTenancy", "default");
	xml_text(&call->out, "isDefault", is_default);
	ec2_fact(facts, "vpc-id", row->id);
	ec2_fact(facts, "state", "available");
	ec2_fact(facts, "isDefault", is_default);
	ec2_fact(facts, "is-default", is_default);
	ec2_fact(facts, "owner-id", ec2_account(call));
	return ec2_tags_read(call, row->id, &call->out, facts);
}

static int show_all(struct ec2_call *call, struct ec2_selection *selection)
{
	_cleanup_(vpc_list_clear) struct vpc_list all = { 0 };
	struct error err = ERROR_INIT;
	int r = 0;

	if (vpc_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; r == 0 && i < all.count; i++)
		r = ec2_show(call, selection, all.items[i].id, write_vpc, &all.items[i]);
	return r;
}

static int describe_vpcs(struct ec2_call *call)
{
	static const struct ec2_description description = {
		.set = "vpcSet",
		.id_param = "VpcId",
		.filters = filters_known,
		.missing_code = EC2_VPC_NOT_FOUND,
		.missing_text = "The vpc ID '%s' does not exist",
		.show_all = show_all,
	};

	return ec2_describe(call, &description);
}

static int check_room(struct ec2_call *call)
{
	_cleanup_(vpc_list_clear) struct vpc_list all = { 0 };
	struct error err = ERROR_INIT;

	if (vpc_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	if (all.count >= VPCS_MAX)
		return ec2_error(call, "VpcLimitExceeded",
				 "The maximum number of VPCs has been reached: %d", VPCS_MAX);
	return 0;
}

/* What a VPC can be asked for and is only as it is. */
static int check_options(struct ec2_call *call)
{
	const char *tenancy = ec2_param(call, "InstanceTenancy");

	if (tenancy && !str_eq(tenancy, "default"))
		return ec2_error(call, EC2_INVALID,
				 "Invalid value '%s' for instanceTenancy: it must be default",
				 tenancy);
	return 0;
}

static int make_vpc(struct ec2_call *call, const struct vpc_row *row)
{
	_cleanup_free_ char *group_id = vpc_resource_id("sg");
	const struct security_group_row group = {
		.id = group_id,
		.vpc = row->id,
		.name = (char[]){ SECURITY_GROUP_DEFAULT },
		.description = (char[]){ "default VPC security group" },
	};
	struct error err = ERROR_INIT;

	if (vpc_add(call->store, row, &err) < 0 ||
	    security_group_add(call->store, &group, &err) < 0 ||
	    (row->ipv6_cidrs[0] && security_group_open_ipv6(call->store, group_id, &err) < 0))
		return ec2_server_error(call, &err);
	return ec2_tags_of_new(call, "vpc", row->id);
}

static int create_vpc(struct ec2_call *call)
{
	_cleanup_free_ char *id = vpc_resource_id("vpc");
	char cidr[IP_TEXT_SIZE], ipv6_cidr[IP_TEXT_SIZE];
	const struct vpc_row row = { .id = id, .cidrs = cidr, .ipv6_cidrs = ipv6_cidr };
	int r = ec2_cidr_of_network(call, "InvalidVpc.Range", cidr);

	if (r == 0)
		r = ec2_ipv6_block_of_vpc(call, ipv6_cidr);
	if (r == 0)
		r = check_options(call);
	if (r == 0)
		r = check_room(call);
	if (r == 0)
		r = make_vpc(call, &row);
	return r < 0 ? r : ec2_show_new(call, "vpc", write_vpc, &row);
}

/* Its default group goes with it; anything else in it keeps it. */
static int check_empty(struct ec2_call *call, const char *vpc)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list subnets = { 0 };
	_cleanup_(security_group_list_clear) struct security_group_list groups = { 0 };
	struct error err = ERROR_INIT;
	bool empty = true;

	if (vpc_subnet_find(call->store, NULL, &subnets, &err) < 0 ||
	    security_group_find(call->store, NULL, &groups, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < subnets.count; i++)
		empty = empty && !str_eq(subnets.items[i].vpc, vpc);
	for (size_t i = 0; i < groups.count; i++)
		empty = empty && (!str_eq(groups.items[i].vpc, vpc) ||
				  str_eq(groups.items[i].name, SECURITY_GROUP_DEFAULT));
	return empty ? 0
		     : ec2_error(call, EC2_DEPENDENCY,
				 "The vpc '%s' has dependencies and cannot be deleted.", vpc);
}

static int delete_vpc(struct ec2_call *call)
{
	_cleanup_(vpc_list_clear) struct vpc_list found = { 0 };
	_cleanup_free_ char *group = NULL;
	struct error err = ERROR_INIT;
	const char *id = NULL;
	int r = ec2_param_required(call, "VpcId", &id);

	if (r == 0)
		r = ec2_find_vpc(call, id, &found);
	if (r == 0 && found.items[0].built_in)
		r = ec2_error(call, EC2_NOT_PERMITTED,
			      "The vpc '%s' is that of berth-control's own subnets and cannot be "
			      "deleted.",
			      id);
	if (r == 0)
		r = check_empty(call, id);
	if (r < 0)
		return r;
	if (security_group_default(call->store, id, &group, &err) < 0 ||
	    security_group_delete(call->store, group, &err) < 0 ||
	    vpc_delete(call->store, id, &err) < 0)
		return ec2_server_error(call, &err);
	r = ec2_tags_forget(call, group);
	if (r == 0)
		r = ec2_tags_forget(call, id);
	ec2_return_true(call);
	return r;
}

const struct ec2_action ec2_vpc_actions[] = {
	{ "CreateVpc", create_vpc, true },
	{ "DescribeVpcs", describe_vpcs, false },
	{ "DeleteVpc", delete_vpc, true },
	{ 0 },
};
