/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_DOCUMENT_H
#define BERTH_AGENT_ENDPOINTS_DOCUMENT_H

#include "agent/endpoints/endpoints.h"
#include "agent/engine/state.h"
#include "base/strbuf.h"
#include "runtime/stats.h"

/* The JSON documents of the metadata endpoint, version 4. Pure: from the engine's state to text,
 * appended to `out`. */

struct document_context {
	const struct endpoints_identity *identity;
	bool without_zone; /* ECS_DISABLE_TASK_METADATA_AZ */
};

void document_container(const struct document_context *context, const struct task_state *task,
			const struct container_state *container, struct strbuf *out);
void document_task(const struct document_context *context, const struct task_state *task,
		   struct strbuf *out);

/* A reading that later rates and differences refer to. */
struct document_previous {
	bool valid;
	int64_t read_ns;
	uint64_t cpu_total_ns, cpu_user_ns, cpu_system_ns;
	uint64_t host_cpu_ns;
	int64_t network_read_ns;
	uint64_t rx_bytes, tx_bytes;
};

struct document_reading {
	const struct container_stats *stats;
	const struct network_stats *network; /* NULL: none of its own */
	uint64_t host_cpu_ns;
	unsigned online_cpus;
	const char *runtime_id;
	const char *name; /* the runtime's */
};

/* Docker's statistics document. `previous` gives precpu_stats and the rates. */
void document_stats(const struct document_reading *reading,
		    const struct document_previous *previous, struct strbuf *out);
void document_remember(const struct document_reading *reading, struct document_previous *previous);

/* ---- the introspection API ---- */

void document_metadata(const struct endpoints_identity *identity, struct strbuf *out);
void document_introspected_task(const struct task_state *task, struct strbuf *out);

/* The name that a runtime would show for the container: "ecs-<family>-<revision>-<name>-<hex>". */
void document_runtime_name(const struct task_state *task, const struct container_state *container,
			   struct strbuf *out);
/* A container is there for the endpoints once something of it may be on the host. */
bool document_has(const struct container_state *container);

#endif
