/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_SERVICE_CONNECT_H
#define BERTH_AGENT_EXECUTOR_SERVICE_CONNECT_H

#include "agent/engine/state.h"
#include "base/error.h"
#include "wire/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The user of the relay's container. */
#define SERVICE_CONNECT_USER "20000"
/* Its environment: {"<listener>": <port>, ...}, those that were chosen here. */
#define SERVICE_CONNECT_LISTENERS "APPNET_LISTENER_PORT_MAPPING"
/* In bridge mode: who is where. */
#define SERVICE_CONNECT_ADDRESSES "APPNET_CONTAINER_IP_MAPPING"

/*
 * The ports of a task's listeners: of each ingress in its order, then of the egress (0: there is
 * none). What the control plane leaves open is chosen from 32768 to 60999, none that the task
 * speaks of otherwise. Chosen by the task's id: the same ones whenever they are asked for, also by
 * the next process. The caller frees. -EBUSY: none is left.
 */
int service_connect_ports(const struct task_spec *task, uint16_t **ret, struct error *err);

/* The value of SERVICE_CONNECT_LISTENERS; NULL when none was chosen. The caller frees. */
char *service_connect_listeners(const struct task_spec *task);

/*
 * In bridge mode the relay's listeners are published: `relay`, a copy of the container's own, gets
 * their mappings behind those that it has. They live in *ret_mappings, which the caller frees.
 */
int service_connect_publish(const struct task_spec *task, struct container_spec *relay,
			    struct port_mapping **ret_mappings, struct error *err);

/* The addresses of a bridge task's containers, {"<container>": "172.29.0.2", ...}. The caller
 * frees.
 */
char *service_connect_addresses(const struct task_state *task);

bool service_connect_is_relay(const struct task_spec *task, const struct container_spec *container);

#endif
