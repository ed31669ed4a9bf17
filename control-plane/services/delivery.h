/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_DELIVERY_H
#define BERTH_CONTROL_PLANE_SERVICES_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/services/services.h"
#include "wire/acs.h"

/*
 * What the sessions need to tell agents, and what they learn from the answers. Answers are written
 * at the end of the turn, many in one transaction: an acknowledgement lost in a crash only means
 * that something is sent again.
 */

/* Has the agent still to be told something of this task? */
enum delivery_need {
	DELIVERY_NOTHING,
	DELIVERY_RUN,
	DELIVERY_STOP,
};
enum delivery_need delivery_need(const struct task *task);
/* ... and of its interface, before the task itself? */
bool delivery_needs_attach(const struct task *task);

/* The task's JSON as it stands in a PayloadMessage; with fresh role credentials. The caller frees
 * (secrets). */
int delivery_task_text(struct services *services, struct task *task, char **ret_text,
		       struct error *err);

/* The interface of an awsvpc task. Borrows from the task. */
void delivery_eni(const struct task *task, struct acs_eni_out *ret_eni);

/* New credentials for a role of the task; NULL when it has no such role. Free with
 * role_credentials_free(). */
struct role_credentials *delivery_credentials(struct services *services, struct task *task,
					      enum credentials_role role);
/* Should the role's credentials be renewed now? */
bool delivery_credentials_due(const struct services *services, const struct task *task,
			      enum credentials_role role);

/* The payload left for the agent. */
void delivery_sent(struct services *services, struct task *task);
/* AckRequest of a payload: with desired status STOPPED or RUNNING. */
void delivery_acknowledged(struct services *services, struct task *task, enum delivery_need need);
void delivery_attach_sent(struct services *services, struct task *task);
void delivery_attach_acknowledged(struct services *services, struct task *task);
void delivery_credentials_acknowledged(struct services *services, struct task *task,
				       const char *credentials_id);

#endif
