/* SPDX-License-Identifier: Apache-2.0 */
/* AssociateVpcCidrBlock, AssociateSubnetCidrBlock, and both the other way round */
#include <string.h>

#include "control-plane/ec2/blocks.h"
#include "control-plane/ec2/cidr.h"
#include "control-plane/ec2/find.h"
#include "control-plane/services/networks.h"
#include "control-plane/services/services.h"
#include "control-plane/services/subnet.h"

#define BLOCKS_MAX 5 /* of one VPC and family */

static int answer(struct ec2_call *call, const char *kind, const char *member, const char *id,
		  const char *cidr, const char *state)
{
	const char *element =
		strchr(cidr, ':') ? "ipv6CidrBlockAssociation" : "cidrBlockAssociation";

	xml_text(&call->out, member, id);
	xml_open(&call->out, element);
	ec2_block_write(call, kind, id, cidr, state, NULL);
	xml_close(&call->out, element);
	return 0;
}

static int refuse_built_in(struct ec2_call *call, const char *what, const char *id)
{
	return ec2_error(call, EC2_NOT_PERMITTED,
			 "The %s '%s' has the blocks that berth-control's option --subnet gives, "
			 "and they cannot be changed.",
			 what, id);
}

/* --- of a VPC */

static int read_vpc_block(struct ec2_call *call, char ret_cidr[IP_TEXT_SIZE])
{
	int r = ec2_ipv6_block_of_vpc(call, ret_cidr);

	if (r < 0 || (ret_cidr[0] && !ec2_param(call, "CidrBlock")))
		return r;
	if (ret_cidr[0])
		return ec2_error(call, EC2_COMBINATION,
				 "The parameter CidrBlock may not be used with one of IPv6");
	return ec2_cidr_of_network(call, "InvalidVpc.Range", ret_cidr);
}

static int set_vpc_blocks(struct ec2_call *call, const struct vpc_row *vpc, bool ipv6,
			  const struct str_list *blocks)
{
	_cleanup_free_ char *joined = str_list_join(blocks, " ");
	struct error err = ERROR_INIT;

	if (vpc_set_cidrs(call->store, vpc->id, ipv6 ? vpc->cidrs : joined,
			  ipv6 ? joined : vpc->ipv6_cidrs, &err) < 0)
		return ec2_server_error(call, &err);
	return 0;
}

static int open_groups(struct ec2_call *call, const char *vpc)
{
	_cleanup_(security_group_list_clear) struct security_group_list groups = { 0 };
	struct error err = ERROR_INIT;
	int r = security_group_find(call->store, NULL, &groups, &err);

	for (size_t i = 0; r == 0 && i < groups.count; i++)
		if (str_eq(groups.items[i].vpc, vpc))
			r = security_group_open_ipv6(call->store, groups.items[i].id, &err);
	return r < 0 ? ec2_server_error(call, &err) : 0;
}

static int associate_vpc(struct ec2_call *call)
{
	_cleanup_(vpc_list_clear) struct vpc_list found = { 0 };
	_cleanup_str_list_ struct str_list blocks = STR_LIST_INIT;
	const struct vpc_row *vpc;
	const char *id = NULL, *has;
	char cidr[IP_TEXT_SIZE];
	bool ipv6;
	int r = ec2_param_required(call, "VpcId", &id);

	if (r == 0)
		r = ec2_find_vpc(call, id, &found);
	if (r == 0 && found.items[0].built_in)
		r = refuse_built_in(call, "vpc", id);
	if (r == 0)
		r = read_vpc_block(call, cidr);
	if (r != 0)
		return r;
	vpc = &found.items[0];
	ipv6 = strchr(cidr, ':') != NULL;
	has = ipv6 ? vpc->ipv6_cidrs : vpc->cidrs;
	str_list_split(&blocks, has, ' ', false);
	if (ec2_cidr_overlaps(has, cidr))
		return ec2_error(call, "CidrConflict",
				 "The CIDR '%s' conflicts with another one of %s (%s)", cidr, id,
				 has);
	if (blocks.count >= BLOCKS_MAX)
		return ec2_error(call, "CidrLimitExceeded",
				 "The maximum number of CIDR blocks of a VPC has been reached: %d",
				 BLOCKS_MAX);
	str_list_add(&blocks, cidr);
	r = set_vpc_blocks(call, vpc, ipv6, &blocks);
	/* Once, with the first one: what is closed after that is meant to be. */
	if (r == 0 && ipv6 && blocks.count == 1)
		r = open_groups(call, vpc->id);
	return r < 0 ? r : answer(call, EC2_BLOCK_OF_VPC, "vpcId", vpc->id, cidr, "associating");
}

static int check_vpc_block_unused(struct ec2_call *call, const char *vpc, const char *cidr)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list subnets = { 0 };
	struct error err = ERROR_INIT;

	if (vpc_subnet_find(call->store, NULL, &subnets, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < subnets.count; i++) {
		const struct vpc_subnet_row *row = &subnets.items[i];

		if (str_eq(row->vpc, vpc) && (subnet_cidrs_overlap(row->cidr, cidr) ||
					      subnet_cidrs_overlap(row->ipv6_cidr, cidr)))
			return ec2_error(call, EC2_BLOCK_IN_USE,
					 "The vpc %s currently has a subnet within CIDR block %s",
					 vpc, cidr);
	}
	return 0;
}

/* The place of the block in the list, or the list's size. */
static size_t find_block(const struct str_list *blocks, const char *kind, const char *resource,
			 const char *association)
{
	size_t i;

	for (i = 0; i < blocks->count; i++) {
		_cleanup_free_ char *id = ec2_association_id(kind, resource, blocks->items[i]);

		if (str_eq(id, association))
			break;
	}
	return i;
}

static int take_vpc_block(struct ec2_call *call, const struct vpc_row *vpc, bool ipv6,
			  const struct str_list *blocks, size_t index)
{
	_cleanup_str_list_ struct str_list left = STR_LIST_INIT;
	const char *cidr = blocks->items[index];
	int r = check_vpc_block_unused(call, vpc->id, cidr);

	if (r == 0 && vpc->built_in)
		r = refuse_built_in(call, "vpc", vpc->id);
	if (r == 0 && !ipv6 && index == 0)
		r = ec2_error(call, EC2_NOT_PERMITTED,
			      "The primary CIDR block %s of vpc %s may not be disassociated", cidr,
			      vpc->id);
	if (r < 0)
		return r;
	for (size_t i = 0; i < blocks->count; i++)
		if (i != index)
			str_list_add(&left, blocks->items[i]);
	r = set_vpc_blocks(call, vpc, ipv6, &left);
	return r < 0 ? r : answer(call, EC2_BLOCK_OF_VPC, "vpcId", vpc->id, cidr, "disassociating");
}

static int disassociate_vpc(struct ec2_call *call)
{
	_cleanup_(vpc_list_clear) struct vpc_list all = { 0 };
	struct error err = ERROR_INIT;
	const char *id = NULL;
	int r = ec2_param_required(call, "AssociationId", &id);

	if (r < 0)
		return r;
	if (vpc_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < all.count * 2; i++) {
		_cleanup_str_list_ struct str_list blocks = STR_LIST_INIT;
		const struct vpc_row *vpc = &all.items[i / 2];
		bool ipv6 = i % 2;
		size_t index;

		str_list_split(&blocks, ipv6 ? vpc->ipv6_cidrs : vpc->cidrs, ' ', false);
		index = find_block(&blocks, EC2_BLOCK_OF_VPC, vpc->id, id);
		if (index < blocks.count)
			return take_vpc_block(call, vpc, ipv6, &blocks, index);
	}
	return ec2_error(call, "InvalidVpcCidrBlockAssociationID.NotFound",
			 "The vpc CIDR block association ID '%s' does not exist", id);
}

/* --- of a subnet */

static int set_subnet_block(struct ec2_call *call, const struct vpc_subnet_row *row,
			    const char *cidr)
{
	struct error err = ERROR_INIT;

	if (vpc_subnet_set_ipv6(call->store, row->id, cidr, cidr && row->assigns_ipv6, &err) < 0)
		return ec2_server_error(call, &err);
	return 0;
}

static int associate_subnet(struct ec2_call *call)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list found = { 0 };
	_cleanup_(vpc_list_clear) struct vpc_list vpc = { 0 };
	const char *id = NULL, *block = NULL;
	char cidr[IP_TEXT_SIZE];
	int r = ec2_param_required(call, "SubnetId", &id);

	if (r == 0)
		r = ec2_param_required(call, "Ipv6CidrBlock", &block);
	if (r == 0)
		r = ec2_find_subnet(call, id, &found);
	if (r == 0 && found.items[0].built_in)
		r = refuse_built_in(call, "subnet", id);
	if (r == 0 && found.items[0].ipv6_cidr)
		r = ec2_error(call, "CidrLimitExceeded",
			      "The subnet '%s' has an IPv6 CIDR block already: %s", id,
			      found.items[0].ipv6_cidr);
	if (r == 0)
		r = ec2_find_vpc(call, found.items[0].vpc, &vpc);
	if (r == 0)
		r = ec2_ipv6_block_of_subnet(call, &vpc.items[0], cidr);
	if (r != 0)
		return r;
	r = set_subnet_block(call, &found.items[0], cidr);
	return r < 0 ? r : answer(call, EC2_BLOCK_OF_SUBNET, "subnetId", id, cidr, "associating");
}

static bool has_ipv6_tasks(const struct ec2_call *call, const char *subnet)
{
	const struct task *task;
	size_t cursor = 0;

	while ((task = services_next_task(call->ec2->services, &cursor)))
		if (task->eni && task->eni->ipv6 && task->state != TASK_STOPPED &&
		    str_eq(task->eni->subnet_id, subnet))
			return true;
	return false;
}

static int take_subnet_block(struct ec2_call *call, const struct vpc_subnet_row *row)
{
	int r = 0;

	if (row->built_in)
		r = refuse_built_in(call, "subnet", row->id);
	else if (!row->cidr)
		r = ec2_error(call, EC2_NOT_PERMITTED,
			      "The subnet '%s' is of IPv6 alone: its block %s may not be "
			      "disassociated",
			      row->id, row->ipv6_cidr);
	else if (has_ipv6_tasks(call, row->id))
		r = ec2_error(call, EC2_BLOCK_IN_USE,
			      "The subnet %s currently has interfaces with addresses of %s",
			      row->id, row->ipv6_cidr);
	else
		r = set_subnet_block(call, row, NULL);
	return r < 0 ? r
		     : answer(call, EC2_BLOCK_OF_SUBNET, "subnetId", row->id, row->ipv6_cidr,
			      "disassociating");
}

static int disassociate_subnet(struct ec2_call *call)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list all = { 0 };
	struct error err = ERROR_INIT;
	const char *id = NULL;
	int r = ec2_param_required(call, "AssociationId", &id);

	if (r < 0)
		return r;
	if (vpc_subnet_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < all.count; i++) {
		const struct vpc_subnet_row *row = &all.items[i];
		_cleanup_free_ char *own = NULL;

		if (!row->ipv6_cidr)
			continue;
		own = ec2_association_id(EC2_BLOCK_OF_SUBNET, row->id, row->ipv6_cidr);
		if (str_eq(own, id))
			return take_subnet_block(call, row);
	}
	return ec2_error(call, "InvalidSubnetCidrBlockAssociationID.NotFound",
			 "The subnet CIDR block association ID '%s' does not exist", id);
}

const struct ec2_action ec2_association_actions[] = {
	{ "AssociateVpcCidrBlock", associate_vpc, true },
	{ "DisassociateVpcCidrBlock", disassociate_vpc, true },
	{ "AssociateSubnetCidrBlock", associate_subnet, true },
	{ "DisassociateSubnetCidrBlock", disassociate_subnet, true },
	{ 0 },
};
