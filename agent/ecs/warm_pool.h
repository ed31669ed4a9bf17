/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_WARM_POOL_H
#define BERTH_AGENT_ECS_WARM_POOL_H

#include "agent/aws/imds.h"
#include "agent/config/config.h"
#include "base/error.h"
#include "base/loop.h"

/*
 * An instance in a warm pool of an auto scaling group is kept ready, and must take no tasks before
 * it is put into service: the wait until its target lifecycle state is InService. Within two hours
 * there must be such a state at all; then it may take as long as it takes.
 */
struct warm_pool_wait;

/* `err` is NULL when the instance is in service. */
typedef void warm_pool_callback(void *data, const struct error *err);

/* The callback comes once, later. The wait is valid until then. */
struct warm_pool_wait *warm_pool_wait_begin(struct loop *loop, struct imds *imds,
					    const struct agent_config *config,
					    warm_pool_callback *callback, void *data);
void warm_pool_wait_cancel(struct warm_pool_wait *wait); /* NULL does nothing */

#endif
