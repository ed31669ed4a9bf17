/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_EC2_PERMISSION_H
#define BERTH_CONTROL_EC2_PERMISSION_H

#include "control-plane/ec2/call.h"
#include "control-plane/store/security_groups.h"

/* The rules that a call of Authorize... or Revoke... describes, one for each other end: from
 * IpPermissions.N, or from the older parameters of the call itself. Ids are not given. */
int ec2_permissions_read(struct ec2_call *call, const struct security_group_row *group, bool egress,
			 struct security_rule_list *ret_rules);

/* A rule's other end. */
bool ec2_rule_is_of_group(const struct security_rule_row *rule);
bool ec2_rule_is_of_ipv6(const struct security_rule_row *rule);

/* <ipPermissions> or <ipPermissionsEgress> out of a group's rules. */
void ec2_permissions_write(struct ec2_call *call, const char *element,
			   const struct security_rule_list *rules, bool egress);

#endif
