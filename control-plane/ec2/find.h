/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_EC2_FIND_H
#define BERTH_CONTROL_EC2_FIND_H

#include "control-plane/ec2/call.h"
#include "control-plane/store/security_groups.h"
#include "control-plane/store/vpcs.h"

/* The resources that a call names. Each list that is returned has exactly the one item; what is not
 * there is recorded in EC2's words. */

int ec2_find_vpc(struct ec2_call *call, const char *id, struct vpc_list *ret_list);
int ec2_find_subnet(struct ec2_call *call, const char *id, struct vpc_subnet_list *ret_list);
int ec2_find_group(struct ec2_call *call, const char *id, struct security_group_list *ret_list);
/* By GroupId, or by GroupName in the built-in VPC, as EC2 has it for the default VPC. */
int ec2_find_named_group(struct ec2_call *call, struct security_group_list *ret_list);
/* A group by name, in that VPC. */
int ec2_find_group_in(struct ec2_call *call, const char *vpc, const char *name,
		      struct security_group_list *ret_list);

/* Does a task that is not STOPPED hold an interface in the subnet (NULL: any), or with the group
 * (NULL: any)? */
bool ec2_is_in_use(const struct ec2_call *call, const char *subnet, const char *group);

#endif
