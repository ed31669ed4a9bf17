/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_TELEMETRY_H
#define BERTH_AGENT_ECS_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "agent/ecs/instance.h"
#include "agent/ecs/metrics.h"
#include "base/loop.h"
#include "wire/status.h"
#include "wire/tcs.h"

/*
 * What is watched, and the messages made of it: every 20 s the figures of all watched containers
 * become at most a few requests of ten tasks each, kept in two queues of 15 (metrics, health) until
 * the telemetry session takes them. At the bound the newest interval is dropped.
 */
struct telemetry;

struct telemetry_container {
	const char *task_arn;
	const char *family;
	const char *version;
	const char *name;    /* as in the task definition */
	bool health_checked; /* healthCheckType is "docker" and it has a health check */
};

/* `config` and `instance` are borrowed. */
struct telemetry *telemetry_new(struct loop *loop, const struct agent_config *config,
				const struct ecs_instance *instance);
void telemetry_free(struct telemetry *telemetry);

/* Begins the schedule: the first interval is collected at once. */
void telemetry_start(struct telemetry *telemetry);

/* From RUNNING until STOPPED. Watching a watched container changes nothing. */
void telemetry_watch(struct telemetry *telemetry, const struct telemetry_container *container);
void telemetry_unwatch(struct telemetry *telemetry, const char *task_arn, const char *name);

/* A sample of a container that is not watched is dropped. */
void telemetry_add_sample(struct telemetry *telemetry, const char *task_arn, const char *name,
			  const struct metrics_sample *sample);
void telemetry_set_health(struct telemetry *telemetry, const char *task_arn, const char *name,
			  enum health_status health, int64_t since_wall_ms);

/* The container runtime answered, or did not. Called when an ACS heartbeat had the check made. */
void telemetry_set_runtime_status(struct telemetry *telemetry, bool healthy);

/* For the session that carries it. */

/* Called when there is something to take. */
void telemetry_on_ready(struct telemetry *telemetry, void (*callback)(void *data), void *data);
/* The requests of the oldest interval in the queues, stamped with the time of now. False: there is
 * none. */
bool telemetry_take(struct telemetry *telemetry, struct tcs_requests *ret);
/* The instance status when it was not reported yet, else NULL. The caller frees it. */
char *telemetry_instance_status(const struct telemetry *telemetry);
void telemetry_instance_status_sent(struct telemetry *telemetry);

/* How often each watched container shall be sampled, in ms: once a second, or the polling interval.
 */
int64_t telemetry_sample_interval_ms(const struct agent_config *config);

#endif
