/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_EC2_EC2_H
#define BERTH_CONTROL_EC2_EC2_H

#include <stddef.h>

#include "control-plane/store/store.h"

struct services; /* control-plane/services */

/*
 * The part of EC2 by which the networks of tasks are made: VPCs, subnets, security groups, and the
 * interfaces of tasks to look at. Its query protocol: a form in, XML out.
 */
#define EC2_BODY_LIMIT   ((size_t)256 * 1024)
#define EC2_PARAMS_LIMIT 2000

struct ec2 {
	struct store *store;       /* borrowed, as all here */
	struct services *services; /* its tasks have the interfaces */
	const char *default_zone;  /* what a subnet of any zone shows; NULL: <region>a */
};

struct ec2_response {
	int status;
	char *body; /* XML, allocated */
	char request_id[37];
};

/* One call; always answers. */
void ec2_dispatch(const struct ec2 *ec2, const char *body, size_t size,
		  struct ec2_response *ret_response);
/* The answer to what is refused before it is a call. */
void ec2_refuse(int status, const char *code, const char *message,
		struct ec2_response *ret_response);
void ec2_response_clear(struct ec2_response *response);

#endif
