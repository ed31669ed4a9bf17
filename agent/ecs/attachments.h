/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_ATTACHMENTS_H
#define BERTH_AGENT_ECS_ATTACHMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "agent/ecs/client.h"
#include "agent/ecs/instance.h"
#include "base/loop.h"
#include "wire/acs.h"

/*
 * Network interfaces that the control plane has announced, until this agent has told it that they
 * are there. With the veth driver an interface is there as soon as it is announced: the agent makes
 * it itself. With the eni driver it is there when a device with its MAC address appears before the
 * announcement expires.
 */
struct attachments;

struct attachment {
	const char *mac;
	const char *attachment_arn;
	const char *task_arn;  /* NULL: an interface of the instance */
	int64_t expires_at_ms; /* wall clock */
	bool sent;             /* the control plane has heard that it is attached */
};

/* Called on each change, and on its end; may be NULL. What is saved comes back by
 * attachments_restore(). save() logs why it failed, with -errno. */
struct attachments_keeper {
	int (*save)(void *data, const struct attachment *attachment);
	void (*forget)(void *data, const char *attachment_arn);
	void *data;
};

struct attachments *attachments_new(struct loop *loop, struct ecs_client *client,
				    const struct agent_config *config,
				    const struct ecs_instance *instance,
				    const struct attachments_keeper *keeper);
void attachments_free(struct attachments *attachments);

/* One interface each. One that is known already, by its attachment, is left as it is; so is another
 * with a MAC that one still waits for. -errno: one could not be saved, and is not known: it must be
 * announced again. */
int attachments_add(struct attachments *attachments, const struct acs_attach_interfaces *attach);
/* A saved one. One that has expired without having been sent is forgotten. */
void attachments_restore(struct attachments *attachments, const struct attachment *attachment);
/* A device with this MAC address (any case) is there. False: it has not been announced. */
bool attachments_link_appeared(struct attachments *attachments, const char *mac);
/* The task is forgotten, and its interfaces with it. */
void attachments_forget_task(struct attachments *attachments, const char *task_arn);
size_t attachments_count(const struct attachments *attachments);

#endif
