/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_NETWORKS_H
#define BERTH_CONTROL_PLANE_SERVICES_NETWORKS_H

#include "base/error.h"
#include "control-plane/services/services.h"

/*
 * The networks that tasks can be in: the VPCs and subnets of the store, each subnet with its pool
 * of addresses. One VPC is there from the beginning, with the subnets of --subnet and a default
 * security group.
 */
#define NETWORKS_VPC   "vpc-berth"
#define NETWORKS_GROUP "sg-berth"

/* At the start: the built-in VPC and the configured subnets into the store, then the pools. */
int networks_open(struct services *services, const struct services_config *config,
		  struct error *err);

/* Pools as the store has subnets: those that are there keep what they have given out. */
int networks_load(struct services *services, struct error *err);

/* Subnets, groups or rules were written in the caller's transaction. */
int networks_changed(struct services *services, struct error *err);

/* IPv4 addresses left; 0 for an unknown subnet. */
size_t networks_free_count(const struct services *services, const char *subnet);

#endif
