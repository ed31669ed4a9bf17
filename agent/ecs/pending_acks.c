/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/pending_acks.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

void pending_ack_free(struct pending_ack *ack)
{
	free(ack->message_id);
	free(ack->cluster);
	free(ack->container_instance);
	for (size_t i = 0; i < ack->credentials_count; i++) {
		free(ack->credentials[i].id);
		free(ack->credentials[i].expiration);
	}
	free(ack->credentials);
	free(ack);
}

void pending_acks_add(struct pending_acks *acks, const char *message_id, const char *cluster,
		      const char *container_instance)
{
	struct pending_ack *ack = xcalloc(1, sizeof(*ack));

	ack->message_id = xstrdup_null(message_id);
	ack->cluster = xstrdup_null(cluster);
	ack->container_instance = xstrdup_null(container_instance);
	if (acks->last)
		acks->last->next = ack;
	else
		acks->first = ack;
	acks->last = ack;
	if (++acks->count > PENDING_ACKS_MAX) {
		struct pending_ack *oldest = acks->first;

		acks->first = oldest->next;
		acks->count--;
		pending_ack_free(oldest);
	}
}

static void add_credentials(struct pending_ack *ack, const struct role_credentials *credentials)
{
	if (!credentials)
		return;
	ack->credentials = xreallocarray(ack->credentials, ack->credentials_count + 1,
					 sizeof(*ack->credentials));
	ack->credentials[ack->credentials_count++] = (struct pending_credentials){
		.id = xstrdup(credentials->id),
		.expiration = xstrdup(credentials->expiration),
	};
}

void pending_acks_add_payload(struct pending_acks *acks, const struct acs_payload *payload)
{
	pending_acks_add(acks, payload->message_id, payload->cluster_arn,
			 payload->container_instance_arn);
	for (size_t i = 0; i < payload->task_count; i++) {
		add_credentials(acks->last, payload->tasks[i].credentials.role);
		add_credentials(acks->last, payload->tasks[i].credentials.execution);
	}
}

struct pending_ack *pending_acks_take(struct pending_acks *acks, const char *message_id)
{
	struct pending_ack *previous = NULL;

	for (struct pending_ack *ack = acks->first; ack; previous = ack, ack = ack->next) {
		if (!str_eq(ack->message_id, message_id))
			continue;
		if (previous)
			previous->next = ack->next;
		else
			acks->first = ack->next;
		if (acks->last == ack)
			acks->last = previous;
		acks->count--;
		return ack;
	}
	return NULL;
}

void pending_acks_clear(struct pending_acks *acks)
{
	while (acks->first) {
		struct pending_ack *ack = acks->first;

		acks->first = ack->next;
		pending_ack_free(ack);
	}
	*acks = (struct pending_acks){ 0 };
}
