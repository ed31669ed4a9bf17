/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_DOCUMENT_NETWORK_H
#define BERTH_AGENT_ENDPOINTS_DOCUMENT_NETWORK_H

#include "agent/engine/state.h"
#include "wire/task.h"
#include "wire/writer.h"

/* The member "Networks" of each container of the task: its primary interface, or the mode alone.
 * `connection`: of the container itself, in bridge mode; NULL: it has none. */
void write_networks(struct writer *writer, const struct task_spec *spec,
		    const struct connection_state *connection);

#endif
