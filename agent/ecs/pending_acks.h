/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_PENDING_ACKS_H
#define BERTH_AGENT_ECS_PENDING_ACKS_H

#include <stddef.h>

#include "wire/acs.h"

/*
 * Payloads, manifests and networks that came in and are not acknowledged yet, with what their acks
 * must echo. Each copy that comes in is one entry. At PENDING_ACKS_MAX the oldest is dropped: the
 * control plane sends it again.
 */
#define PENDING_ACKS_MAX 1024

struct pending_credentials {
	char *id;
	char *expiration;
};

struct pending_ack {
	struct pending_ack *next;
	char *message_id;
	char *cluster;
	char *container_instance;
	struct pending_credentials
		*credentials; /* in the order of the payload, role before execution role */
	size_t credentials_count;
};

struct pending_acks {
	struct pending_ack *first, *last;
	size_t count;
};

/* NULL strings are kept as they are. */
void pending_acks_add(struct pending_acks *acks, const char *message_id, const char *cluster,
		      const char *container_instance);
void pending_acks_add_payload(struct pending_acks *acks, const struct acs_payload *payload);
/* The oldest of that id, or NULL. The caller frees it. */
struct pending_ack *pending_acks_take(struct pending_acks *acks, const char *message_id);
void pending_ack_free(struct pending_ack *ack);
void pending_acks_clear(struct pending_acks *acks);

#endif
