/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_SPOT_H
#define BERTH_AGENT_ECS_SPOT_H

#include "agent/aws/imds.h"
#include "agent/config/config.h"
#include "agent/ecs/client.h"
#include "agent/ecs/instance.h"
#include "base/loop.h"

#define SPOT_INTERVAL_MS 1000

/*
 * A spot instance is told two minutes before it is taken away: then it drains, so that its services
 * have their tasks elsewhere in time. The metadata service is asked once a second, as the notice
 * comes no other way: a small request on a connection that is kept. Once the control plane has
 * taken the state nothing is asked any more; the way back is the operator's.
 */
struct spot_watch;

struct spot_config {
	struct loop *loop;
	struct imds *imds;
	struct ecs_client *client;
	const struct ecs_instance *instance;
	int64_t interval_ms; /* SPOT_INTERVAL_MS */
};

struct spot_watch *spot_watch_new(const struct spot_config *config); /* all is borrowed */
void spot_watch_free(struct spot_watch *watch);                      /* NULL does nothing */

#endif
