/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_EC2_CIDR_H
#define BERTH_CONTROL_EC2_CIDR_H

#include "base/ip.h"
#include "control-plane/ec2/call.h"

/* The parameter CidrBlock of a VPC or subnet: IPv4, /16 to /28 (else `range_code`), host bits
 * cleared. */
int ec2_cidr_of_network(struct ec2_call *call, const char *range_code, char ret_cidr[IP_TEXT_SIZE]);

/* An IPv6 block of a length between `min` and `max` in steps (else `range_code`), host bits
 * cleared.
 */
int ec2_cidr_of_ipv6(struct ec2_call *call, const char *text, unsigned int min, unsigned int max,
		     unsigned int step, const char *range_code, char ret_cidr[IP_TEXT_SIZE]);

/* Of a rule: any prefix of that family, host bits cleared. */
int ec2_cidr_of_rule(struct ec2_call *call, const char *text, int family,
		     char ret_cidr[IP_TEXT_SIZE]);

/* Is the network inside one of the blocks, which are separated by spaces? */
bool ec2_cidr_is_inside(const char *blocks, const char *cidr);
/* Does it overlap one of them? */
bool ec2_cidr_overlaps(const char *blocks, const char *cidr);

#endif
