/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_REPORTER_H
#define BERTH_AGENT_ECS_REPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "agent/ecs/client.h"
#include "agent/ecs/host.h"
#include "agent/ecs/instance.h"
#include "agent/engine/engine.h"
#include "base/loop.h"

/*
 * Status changes on their way to the control plane: in order for each task, at most ten calls at
 * once over all tasks, repeated until they are accepted or can never be.
 */
struct reporter;

/* `accepted`: EVENT_REPORT_ACCEPTED, else EVENT_REPORT_REFUSED. The strings are valid during the
 * call. */
typedef void reporter_callback(void *data, const char *task_arn, uint64_t serial, bool accepted);

/* All is borrowed. */
struct reporter *reporter_new(struct loop *loop, struct ecs_client *client,
			      const struct agent_config *config, const struct host_resources *host,
			      const struct ecs_instance *instance, reporter_callback *callback,
			      void *data);
/* Forgets what is under way: it is durable, and reported again after the next start. */
void reporter_free(struct reporter *reporter);

/* Copies what it needs. The callback comes once for each report, later. */
void reporter_submit(struct reporter *reporter, const struct engine_report *report);

/* The control plane has been heard of: what waits because it did not answer is tried within a
 * second. See ecs_client_hurry(). */
void reporter_hurry(struct reporter *reporter);

/* Reports that wait or are under way. */
size_t reporter_pending(const struct reporter *reporter);

#endif
