/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_RUN_NETWORK_H
#define BERTH_CONTROL_PLANE_SERVICES_RUN_NETWORK_H

#include "control-plane/services/private.h"
#include "control-plane/services/run.h"

#define RUN_SUBNETS_MAX 16

/* The network of one RunTask or StartTask. */
struct run_network {
	struct subnet *subnets[RUN_SUBNETS_MAX]; /* of the services */
	size_t count;
	char *default_group; /* stands in for groups that were not named; NULL: they were */
};

/*
 * The subnets of the request, which exist and are of one VPC, and its groups, which exist there.
 * -EINVAL with ECS's text.
 */
int run_network_read(struct services *services, const struct run_request *request,
		     struct run_network *ret_network, struct error *err);
void run_network_clear(struct run_network *network);

#endif
