/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_INTERNAL_H
#define BERTH_AGENT_ENDPOINTS_INTERNAL_H

#include "agent/endpoints/answer.h"
#include "agent/endpoints/document.h"
#include "agent/endpoints/endpoints.h"
#include "agent/endpoints/rate.h"
#include "base/ip.h"
#include "base/map.h"

struct endpoints {
	struct endpoints_config config;
	struct document_context context;
	struct web_listener *introspection;
	struct web_listener *host_metadata;
	struct rate_limiter *host_rate;
	struct ip_prefix task_subnet; /* where tasks ask from that have ecs-eth0 */
	struct map *sockets;          /* task id -> struct task_socket */
	struct map *addresses;        /* IPv4 address -> struct task_address */
	struct map
		*readings; /* runtime id -> struct reading, of containers that were asked about */
	struct health_request *health; /* those who wait for the answer */
	size_t readings_limit;         /* at so many those of tasks that are gone are dropped */
};

/* ---- routes ---- */

/* The metadata endpoint. `task_id`: on the socket of this task, or from its address, which is
 * answered for itself alone ("": nobody, who is told nothing); NULL: on the host's. */
void metadata_request(struct endpoints *endpoints, struct rate_limiter *rate, const char *task_id,
		      struct web_request *request);
void introspection_request(void *data, struct web_request *request);

/* ---- statistics ---- */

void statistics_of_container(struct endpoints *endpoints, struct asking *asking,
			     const struct task_state *task,
			     const struct container_state *container);
void statistics_of_task(struct endpoints *endpoints, struct asking *asking,
			const struct task_state *task);
/* What was read of the task's containers is forgotten. */
void statistics_forget(struct endpoints *endpoints, const char *task_id);
void statistics_free(struct endpoints *endpoints);

#endif
