/* SPDX-License-Identifier: Apache-2.0 */
/* CreateSubnet, DescribeSubnets, ModifySubnetAttribute, DeleteSubnet */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "control-plane/ec2/blocks.h"
#include "control-plane/ec2/cidr.h"
#include "control-plane/ec2/describe.h"
#include "control-plane/ec2/find.h"
#include "control-plane/services/networks.h"
#include "control-plane/services/subnet.h"

#define SUBNETS_MAX 200 /* of one VPC */
#define ZONE_MAX    64

static const char *const filters_known[] = {
	"subnet-id",
	"vpc-id",
	"availability-zone",
	"availabilityZone",
	"cidr-block",
	"cidr",
	"cidrBlock",
	"state",
	"default-for-az",
	"owner-id",
	"subnet-arn",
	"available-ip-address-count",
	"defaultForAz",
	"ipv6-native",
	"ipv6-cidr-block-association.ipv6-cidr-block",
	"ipv6-cidr-block-association.association-id",
	"ipv6-cidr-block-association.state",
	NULL,
};

/* Of any zone: it shows the one that instances are in by default. */
static char *zone_of(const struct ec2_call *call, const char *zone)
{
	if (zone)
		return xstrdup(zone);
	return call->ec2->default_zone ? xstrdup(call->ec2->default_zone)
				       : xasprintf("%sa", store_scope(call->store)->region);
}

static void add_facts(struct ec2_call *call, const struct vpc_subnet_row *row, const char *zone,
		      const char *arn, size_t free_count, struct ec2_facts *facts)
{
	const char *is_default = row->built_in ? "true" : "false";
	_cleanup_free_ char *left = xasprintf("%zu", free_count);

	ec2_fact(facts, "subnet-id", row->id);
	ec2_fact(facts, "subnet-arn", arn);
	ec2_fact(facts, "vpc-id", row->vpc);
	ec2_fact(facts, "availability-zone", zone);
	ec2_fact(facts, "availabilityZone", zone);
	ec2_fact(facts, "cidr-block", row->cidr);
	ec2_fact(facts, "cidrBlock", row->cidr);
	ec2_fact(facts, "cidr", row->cidr);
	ec2_fact(facts, "state", "available");
	ec2_fact(facts, "default-for-az", is_default);
	ec2_fact(facts, "defaultForAz", is_default);
	ec2_fact(facts, "ipv6-native", row->cidr ? "false" : "true");
	ec2_fact(facts, "owner-id", ec2_account(call));
	ec2_fact(facts, "available-ip-address-count", left);
}

static int write_subnet(struct ec2_call *call, const void *data, struct ec2_facts *facts)
{
	const struct vpc_subnet_row *row = data;
	_cleanup_free_ char *zone = zone_of(call, row->zone);
	_cleanup_free_ char *arn = ec2_arn(call, "subnet", row->id);
	size_t free_count = networks_free_count(call->ec2->services, row->id);
	struct strbuf *out = &call->out;

	xml_text(out, "subnetId", row->id);
	xml_text(out, "subnetArn", arn);
	xml_text(out, "state", "available");
	xml_text(out, "ownerId", ec2_account(call));
	xml_text(out, "vpcId", row->vpc);
	xml_text(out, "cidrBlock", row->cidr);
	xml_i64(out, "availableIpAddressCount", (int64_t)free_count);
	xml_text(out, "availabilityZone", zone);
	xml_bool(out, "defaultForAz", row->built_in);
	xml_bool(out, "mapPublicIpOnLaunch", false);
	xml_bool(out, "assignIpv6AddressOnCreation", row->assigns_ipv6);
	xml_bool(out, "ipv6Native", !row->cidr);
	ec2_ipv6_blocks_write(call, EC2_BLOCK_OF_SUBNET, row->id, row->ipv6_cidr, facts);
	add_facts(call, row, zone, arn, free_count, facts);
	return ec2_tags_read(call, row->id, out, facts);
}

static int show_all(struct ec2_call *call, struct ec2_selection *selection)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list all = { 0 };
	struct error err = ERROR_INIT;
	int r = 0;

	if (vpc_subnet_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; r == 0 && i < all.count; i++)
		r = ec2_show(call, selection, all.items[i].id, write_subnet, &all.items[i]);
	return r;
}

static int describe_subnets(struct ec2_call *call)
{
	static const struct ec2_description description = {
		.set = "subnetSet",
		.id_param = "SubnetId",
		.filters = filters_known,
		.missing_code = EC2_SUBNET_NOT_FOUND,
		.missing_text = "The subnet ID '%s' does not exist",
		.show_all = show_all,
	};

	return ec2_describe(call, &description);
}

static int check_zone(struct ec2_call *call, const char *zone)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";

	if (zone && (strlen(zone) > ZONE_MAX || zone[strspn(zone, allowed)] != '\0'))
		return ec2_error(call, EC2_INVALID,
				 "Value (%.64s) for parameter availabilityZone is invalid.", zone);
	return 0;
}

/* Inside the VPC, and beside its other subnets. */
static int check_place(struct ec2_call *call, const struct vpc_row *vpc, const char *cidr)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list all = { 0 };
	struct error err = ERROR_INIT;
	size_t count = 0;

	if (cidr && !ec2_cidr_is_inside(vpc->cidrs, cidr))
		return ec2_error(call, "InvalidSubnet.Range",
				 "The CIDR '%s' is invalid: it is not inside %s (%s).", cidr,
				 vpc->id, vpc->cidrs);
	if (vpc_subnet_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < all.count; i++) {
		if (!str_eq(all.items[i].vpc, vpc->id))
			continue;
		count++;
		if (subnet_cidrs_overlap(all.items[i].cidr, cidr))
			return ec2_error(call, "InvalidSubnet.Conflict",
					 "The CIDR '%s' conflicts with another subnet", cidr);
	}
	if (count >= SUBNETS_MAX)
		return ec2_error(call, "SubnetLimitExceeded",
				 "The maximum number of subnets of a VPC has been reached: %d",
				 SUBNETS_MAX);
	return 0;
}

static int add_subnet(struct ec2_call *call, const struct vpc_subnet_row *row)
{
	struct error err = ERROR_INIT;

	/* The pool is there before the answer shows what is left in it. */
	if (vpc_subnet_add(call->store, row, &err) < 0 ||
	    networks_changed(call->ec2->services, &err) < 0)
		return ec2_server_error(call, &err);
	return ec2_tags_of_new(call, "subnet", row->id);
}

/* Of IPv4 unless Ipv6Native is asked for; *ret_native: it is. */
static int read_ipv4_block(struct ec2_call *call, bool *ret_native, char ret_cidr[IP_TEXT_SIZE])
{
	int r = ec2_param_bool(call, "Ipv6Native", ret_native);

	if (r < 0 || !*ret_native)
		return r < 0 ? r : ec2_cidr_of_network(call, "InvalidSubnet.Range", ret_cidr);
	if (ec2_param(call, "CidrBlock"))
		return ec2_error(
			call, EC2_COMBINATION,
			"The parameters Ipv6Native and CidrBlock may not be used together");
	if (!ec2_param(call, "Ipv6CidrBlock"))
		return ec2_error(call, EC2_MISSING,
				 "The request must contain the parameter Ipv6CidrBlock");
	return 0;
}

static int create_subnet(struct ec2_call *call)
{
	_cleanup_(vpc_list_clear) struct vpc_list vpc = { 0 };
	_cleanup_free_ char *id = vpc_resource_id("subnet");
	const char *zone = ec2_param(call, "AvailabilityZone");
	const char *vpc_id = NULL;
	char cidr[IP_TEXT_SIZE], ipv6_cidr[IP_TEXT_SIZE];
	struct vpc_subnet_row row = { .id = id, .zone = (char *)(uintptr_t)zone };
	bool native = false;
	int r = ec2_param_required(call, "VpcId", &vpc_id);

	if (r == 0)
		r = ec2_find_vpc(call, vpc_id, &vpc);
	if (r == 0)
		r = read_ipv4_block(call, &native, cidr);
	if (r == 0)
		r = check_zone(call, zone);
	if (r == 0)
		r = check_place(call, &vpc.items[0], native ? NULL : cidr);
	if (r == 0)
		r = ec2_ipv6_block_of_subnet(call, &vpc.items[0], ipv6_cidr);
	if (r != 0)
		return r;
	row.cidr = native ? NULL : cidr;
	row.ipv6_cidr = ipv6_cidr[0] ? ipv6_cidr : NULL;
	row.assigns_ipv6 = native;
	row.vpc = vpc.items[0].id;
	r = add_subnet(call, &row);
	return r < 0 ? r : ec2_show_new(call, "subnet", write_subnet, &row);
}

static int delete_subnet(struct ec2_call *call)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list found = { 0 };
	struct error err = ERROR_INIT;
	const char *id = NULL;
	int r = ec2_param_required(call, "SubnetId", &id);

	if (r == 0)
		r = ec2_find_subnet(call, id, &found);
	if (r != 0)
		return r;
	if (found.items[0].built_in)
		return ec2_error(call, EC2_NOT_PERMITTED,
				 "The subnet '%s' is given by berth-control's option --subnet and "
				 "cannot be deleted.",
				 id);
	if (ec2_is_in_use(call, id, NULL))
		return ec2_error(call, EC2_DEPENDENCY,
				 "The subnet '%s' has dependencies and cannot be deleted.", id);
	if (vpc_subnet_delete(call->store, id, &err) < 0)
		return ec2_server_error(call, &err);
	ec2_return_true(call);
	return ec2_tags_forget(call, id);
}

static int set_assigns_ipv6(struct ec2_call *call, const struct vpc_subnet_row *row, bool assigns)
{
	struct error err = ERROR_INIT;

	if (assigns && !row->ipv6_cidr)
		return ec2_error(call, EC2_INVALID,
				 "Invalid value 'true' for assignIpv6AddressOnCreation. The subnet "
				 "'%s' has no IPv6 CIDR block",
				 row->id);
	if (!assigns && !row->cidr)
		return ec2_error(call, EC2_INVALID,
				 "Invalid value 'false' for assignIpv6AddressOnCreation. The "
				 "subnet '%s' is of IPv6 alone",
				 row->id);
	if (vpc_subnet_set_ipv6(call->store, row->id, row->ipv6_cidr, assigns, &err) < 0)
		return ec2_server_error(call, &err);
	return 0;
}

/* Of what a subnet can be told, that which this one can do. */
static int modify_subnet(struct ec2_call *call)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list found = { 0 };
	const char *id = NULL;
	bool assigns = false, maps_public = false;
	int r = ec2_param_required(call, "SubnetId", &id);

	if (r == 0)
		r = ec2_find_subnet(call, id, &found);
	if (r == 0)
		r = ec2_param_bool(call, "MapPublicIpOnLaunch.Value", &maps_public);
	if (r == 0 && maps_public)
		r = ec2_error(call, EC2_INVALID,
			      "Invalid value 'true' for mapPublicIpOnLaunch: there are no public "
			      "addresses");
	if (r == 0)
		r = ec2_param_bool(call, "AssignIpv6AddressOnCreation.Value", &assigns);
	if (r == 0 && ec2_param(call, "AssignIpv6AddressOnCreation.Value"))
		r = set_assigns_ipv6(call, &found.items[0], assigns);
	ec2_return_true(call);
	return r;
}

const struct ec2_action ec2_subnet_actions[] = {
	{ "CreateSubnet", create_subnet, true },
	{ "DescribeSubnets", describe_subnets, false },
	{ "ModifySubnetAttribute", modify_subnet, true },
	{ "DeleteSubnet", delete_subnet, true },
	{ 0 },
};
