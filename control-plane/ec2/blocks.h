/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_EC2_BLOCKS_H
#define BERTH_CONTROL_EC2_BLOCKS_H

#include "base/ip.h"
#include "control-plane/ec2/call.h"
#include "control-plane/store/vpcs.h"

/* The address blocks of VPCs and subnets, as associations that come and go. */

#define EC2_BLOCK_OF_VPC    "vpc-cidr-assoc"
#define EC2_BLOCK_OF_SUBNET "subnet-cidr-assoc"

/* "vpc-cidr-assoc-0123456789abcdef0": the same each time for one block of one resource. Allocated.
 */
char *ec2_association_id(const char *kind, const char *resource, const char *cidr);

/* The members of one association; `state` is "associated", or what a call has begun. Facts may be
 * NULL. */
void ec2_block_write(struct ec2_call *call, const char *kind, const char *resource,
		     const char *cidr, const char *state, struct ec2_facts *facts);

/* <ipv6CidrBlockAssociationSet> of blocks with a space between ("" or NULL: none). */
void ec2_ipv6_blocks_write(struct ec2_call *call, const char *kind, const char *resource,
			   const char *cidrs, struct ec2_facts *facts);

/* The IPv6 block that CreateVpc or AssociateVpcCidrBlock asks for, "" when it asks for none: one
 * that it names, or (AmazonProvidedIpv6CidrBlock) a /56 that no VPC has. */
int ec2_ipv6_block_of_vpc(struct ec2_call *call, char ret_cidr[IP_TEXT_SIZE]);

/* Ipv6CidrBlock of a subnet: a /64 in the VPC's blocks, beside its other subnets. "" when the call
 * has none. */
int ec2_ipv6_block_of_subnet(struct ec2_call *call, const struct vpc_row *vpc,
			     char ret_cidr[IP_TEXT_SIZE]);

#endif
