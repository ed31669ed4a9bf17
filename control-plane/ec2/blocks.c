/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/ec2/blocks.h"

#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/random.h"
#include "base/sigv4.h"
#include "control-plane/ec2/cidr.h"
#include "control-plane/services/subnet.h"

/* What EC2 lets a VPC have: /44, /48, ... /60; it gives a /56 itself, and a subnet is a /64. */
enum { VPC_MIN = 44, VPC_MAX = 60, VPC_STEP = 4, VPC_GIVEN = 56, SUBNET_LENGTH = 64 };

#define UNIQUE_LOCAL 0xfd

char *ec2_association_id(const char *kind, const char *resource, const char *cidr)
{
	_cleanup_free_ char *text = xasprintf("%s %s", resource, cidr);
	char digits[65];

	sha256_hex(text, strlen(text), digits);
	return xasprintf("%s-%.17s", kind, digits);
}

void ec2_block_write(struct ec2_call *call, const char *kind, const char *resource,
		     const char *cidr, const char *state, struct ec2_facts *facts)
{
	_cleanup_free_ char *id = ec2_association_id(kind, resource, cidr);
	bool ipv6 = strchr(cidr, ':') != NULL;
	struct strbuf *out = &call->out;

	xml_text(out, "associationId", id);
	xml_text(out, ipv6 ? "ipv6CidrBlock" : "cidrBlock", cidr);
	xml_open(out, ipv6 ? "ipv6CidrBlockState" : "cidrBlockState");
	xml_text(out, "state", state);
	xml_close(out, ipv6 ? "ipv6CidrBlockState" : "cidrBlockState");
	if (!facts)
		return;
	ec2_fact(facts,
		 ipv6 ? "ipv6-cidr-block-association.ipv6-cidr-block"
		      : "cidr-block-association.cidr-block",
		 cidr);
	ec2_fact(facts,
		 ipv6 ? "ipv6-cidr-block-association.association-id"
		      : "cidr-block-association.association-id",
		 id);
	ec2_fact(facts, ipv6 ? "ipv6-cidr-block-association.state" : "cidr-block-association.state",
		 state);
}

void ec2_ipv6_blocks_write(struct ec2_call *call, const char *kind, const char *resource,
			   const char *cidrs, struct ec2_facts *facts)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;

	if (cidrs)
		str_list_split(&list, cidrs, ' ', false);
	xml_open(&call->out, "ipv6CidrBlockAssociationSet");
	for (size_t i = 0; i < list.count; i++) {
		xml_open(&call->out, "item");
		ec2_block_write(call, kind, resource, list.items[i], "associated", facts);
		xml_close(&call->out, "item");
	}
	xml_close(&call->out, "ipv6CidrBlockAssociationSet");
}

static bool overlaps_any(const struct vpc_list *vpcs, const char *cidr)
{
	for (size_t i = 0; i < vpcs->count; i++)
		if (ec2_cidr_overlaps(vpcs->items[i].ipv6_cidrs, cidr))
			return true;
	return false;
}

/* Of the addresses that are anyone's for use at home: fd and 48 bits at random (RFC 4193). */
static int provide(struct ec2_call *call, char ret_cidr[IP_TEXT_SIZE])
{
	_cleanup_(vpc_list_clear) struct vpc_list vpcs = { 0 };
	struct ip_prefix prefix = { .address = { .family = AF_INET6 }, .length = VPC_GIVEN };
	struct error err = ERROR_INIT;

	if (vpc_find(call->store, NULL, &vpcs, &err) < 0)
		return ec2_server_error(call, &err);
	do {
		random_bytes(prefix.address.bytes, VPC_GIVEN / 8);
		prefix.address.bytes[0] = UNIQUE_LOCAL;
		ip_prefix_format(&prefix, ret_cidr);
	} while (overlaps_any(&vpcs, ret_cidr));
	return 0;
}

int ec2_ipv6_block_of_vpc(struct ec2_call *call, char ret_cidr[IP_TEXT_SIZE])
{
	const char *text = ec2_param(call, "Ipv6CidrBlock");
	bool provided = false;
	int r = ec2_param_bool(call, "AmazonProvidedIpv6CidrBlock", &provided);

	/* Where a block comes from, and who announces it, is nobody's business here. */
	(void)ec2_param(call, "Ipv6Pool");
	(void)ec2_param(call, "Ipv6CidrBlockNetworkBorderGroup");
	ret_cidr[0] = '\0';
	if (r < 0)
		return r;
	if (provided && text)
		return ec2_error(call, EC2_COMBINATION,
				 "The parameters AmazonProvidedIpv6CidrBlock and Ipv6CidrBlock may "
				 "not be used together");
	if (provided)
		return provide(call, ret_cidr);
	return text ? ec2_cidr_of_ipv6(call, text, VPC_MIN, VPC_MAX, VPC_STEP, "InvalidVpc.Range",
				       ret_cidr)
		    : 0;
}

int ec2_ipv6_block_of_subnet(struct ec2_call *call, const struct vpc_row *vpc,
			     char ret_cidr[IP_TEXT_SIZE])
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list all = { 0 };
	const char *text = ec2_param(call, "Ipv6CidrBlock");
	struct error err = ERROR_INIT;
	int r;

	ret_cidr[0] = '\0';
	if (!text)
		return 0;
	r = ec2_cidr_of_ipv6(call, text, SUBNET_LENGTH, SUBNET_LENGTH, 1, "InvalidSubnet.Range",
			     ret_cidr);
	if (r < 0)
		return r;
	if (!ec2_cidr_is_inside(vpc->ipv6_cidrs, ret_cidr))
		return ec2_error(call, "InvalidSubnet.Range",
				 "The CIDR '%s' is invalid: it is not inside %s (%s).", ret_cidr,
				 vpc->id,
				 vpc->ipv6_cidrs[0] ? vpc->ipv6_cidrs : "it has no IPv6 block");
	if (vpc_subnet_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < all.count; i++)
		if (str_eq(all.items[i].vpc, vpc->id) &&
		    subnet_cidrs_overlap(all.items[i].ipv6_cidr, ret_cidr))
			return ec2_error(call, "InvalidSubnet.Conflict",
					 "The CIDR '%s' conflicts with another subnet", ret_cidr);
	return 0;
}
