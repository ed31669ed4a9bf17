/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_IDENTITY_DOCUMENT_H
#define BERTH_AGENT_ECS_IDENTITY_DOCUMENT_H

#include "agent/aws/imds.h"
#include "agent/config/config.h"
#include "base/loop.h"

/*
 * What EC2 says of this instance, and its signature over it: texts that are handed on as they are.
 * Each is asked for during up to 30 seconds. What does not come is "", and that is no error: the
 * control plane decides what it wants to see.
 */
struct identity_call;

/* Valid during the callback. */
struct identity_document {
	const char *document, *signature;
};

typedef void identity_callback(void *data, const struct identity_document *identity);

/* The callback comes once, later. The call is valid until then. */
struct identity_call *identity_document_get(struct loop *loop, struct imds *imds,
					    const struct agent_config *config,
					    identity_callback *callback, void *data);
void identity_document_cancel(struct identity_call *call); /* NULL does nothing */

#endif
