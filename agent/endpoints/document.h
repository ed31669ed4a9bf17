/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_DOCUMENT_H
#define BERTH_AGENT_ENDPOINTS_DOCUMENT_H

#include "agent/endpoints/endpoints.h"
#include "agent/engine/state.h"
#include "base/strbuf.h"
#include "runtime/stats.h"

/* The JSON documents of the metadata endpoint, version 4, and of the introspection API. Pure: from
 * the engine's state to text, appended to `out`. */

struct document_context {
	const struct endpoints_identity *identity;
	bool without_zone; /* ECS_DISABLE_TASK_METADATA_AZ */
};

void document_container(const struct document_context *context, const struct task_state *task,
			const struct container_state *container, struct strbuf *out);
void document_task(const struct document_context *context, const struct task_state *task,
		   struct strbuf *out);

/* The CPU figures of a reading. */
struct document_cpu {
	uint64_t total_ns, user_ns, system_ns;
	uint64_t per_cpu_ns[STATS_CPUS_MAX];
	size_t per_cpu_count;
	uint64_t host_ns;
	unsigned online;
	uint64_t periods, throttled_periods, throttled_ns;
};

/* A reading that later differences refer to, and the last rate. Zeroed: there was none. */
struct document_previous {
	int64_t read_ns;
	struct document_cpu cpu;
	int64_t network_read_ns; /* 0: the network was not read */
	uint64_t rx_bytes, tx_bytes;
	bool has_rate;
	double rx_per_second, tx_per_second;
};

struct document_reading {
	const struct container_stats *stats;
	const struct network_stats *network; /* NULL: none of its own */
	uint64_t host_cpu_ns;
	unsigned online_cpus;
	const char *runtime_id;
	const char *name; /* the runtime's */
};

/* Docker's statistics document. `previous` gives preread, precpu_stats and the rate, and becomes
 * this reading. */
void document_stats(const struct document_reading *reading, struct document_previous *previous,
		    struct strbuf *out);

/* ---- the introspection API ---- */

void document_metadata(const struct endpoints_identity *identity, struct strbuf *out);
/* Amazon's members; and of a task that does not run yet, what it waits for. */
void document_introspected_task(const struct engine *engine, const struct task_state *task,
				struct strbuf *out);
/* Our own: status, since when, and what is waited for, of the task and each of its containers. */
void document_why(const struct engine *engine, const struct task_state *task, struct strbuf *out);

/* ---- both ---- */

/* The name that a runtime would show for the container: "ecs-<family>-<revision>-<name>-<hex>". */
void document_runtime_name(const struct task_state *task, const struct container_state *container,
			   struct strbuf *out);
/* A container is there for the endpoints once it was created. */
bool document_has(const struct container_state *container);
/* The id of the task's pause container; the caller frees. NULL: it has none, or not yet. */
char *document_pause_id(const struct task_state *task);

#endif
