/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_DOCUMENT_PARTS_H
#define BERTH_AGENT_ENDPOINTS_DOCUMENT_PARTS_H

#include "agent/engine/engine.h"
#include "wire/writer.h"

/* Members that the documents have in common. */

/* RFC 3339; left out when it is 0. */
void write_time(struct writer *writer, const char *key, int64_t wall_ms);
/* By name, in the order of bytes; of a name that is there twice the first counts. */
void write_map(struct writer *writer, const char *key, const struct text_pair *pairs, size_t count);
void write_addresses(struct writer *writer, const char *key, const struct eni_address *addresses,
		     size_t count);
/* Left out when there are none. */
void write_volumes(struct writer *writer, const struct task_spec *task,
		   const struct container_spec *container);
/* Published ports, once each; `host_ip`: once for each family that they are bound in, and where.
 * Nothing when there are none. */
void write_bindings(struct writer *writer, const struct connection_state *connection, bool host_ip);
/* Left out without a restart policy. */
void write_restarts(struct writer *writer, const struct container_state *container);
/* What the task (`container` NULL) or the container waits for, as sentences; left out when that is
 * nothing. */
void write_waits(struct writer *writer, const struct engine *engine, const struct task_state *task,
		 const char *container);

#endif
