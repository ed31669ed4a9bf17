/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_NETWORK_VIEW_H
#define BERTH_CONTROL_PLANE_SERVICES_NETWORK_VIEW_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "control-plane/services/services.h"
#include "wire/acs_network.h"

/*
 * The networks of all tasks at one moment, from which each instance is told its part. Read once for
 * any number of instances; valid until the next call into the service.
 */
struct network_view;

int network_view_new(struct services *services, struct network_view **ret_view, struct error *err);
void network_view_free(struct network_view *view);
DEFINE_CLEANUP(struct network_view, network_view_free);

/* The part of that instance, all but the head of the message. Valid until the next one is asked
 * for. */
void network_view_of(struct network_view *view, const char *instance_arn,
		     struct acs_network *ret_network);

/* Did the agent of that instance announce that it enforces security groups? */
int network_is_announced(struct services *services, const char *instance_arn, bool *ret_announced,
			 struct error *err);

#endif
