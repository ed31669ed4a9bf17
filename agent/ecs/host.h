/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_HOST_H
#define BERTH_AGENT_ECS_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "base/error.h"

/* What this host offers to tasks: the numbers of the registration, and of the engine's ledger. */
struct host_resources {
	int64_t cpu_units;    /* 1024 for each CPU that this process may use */
	int64_t memory_mib;   /* physical memory less ECS_RESERVED_MEMORY */
	struct str_list gpus; /* ids; none unless ECS_ENABLE_GPU_SUPPORT */
	bool ipv6;            /* tasks may have it */
	bool ipv6_only;       /* others reach the host by nothing else */
};

/* -ERANGE: more memory is reserved than there is; or what gpu_ids_read() says. Freed by
 * host_resources_free(), which a zeroed one does not need. */
int host_resources_read(const struct agent_config *config, struct host_resources *ret,
			struct error *err);
void host_resources_free(struct host_resources *resources);

/* Names this boot of the host; NULL: it cannot be read. The caller frees. */
char *host_boot_id(void);

/* CPUs that this process may use, at least 1. */
int64_t host_cpu_count(void);

#endif
