/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_ENROLL_H
#define BERTH_AGENT_ECS_ENROLL_H

#include "agent/ecs/identity_store.h"
#include "base/loop.h"

/*
 * One attempt to get a certificate: by a token, or by the certificate that is there. Private to
 * agent/ecs.
 */
struct enroll;

struct enroll_input {
	struct loop *loop;
	const struct identity_store *store; /* borrowed */
	const char *endpoint;               /* https URL of the control plane */
	const char *token;                  /* NULL: the certificate is renewed */
};

/*
 * `code` 0: the certificate is kept. -EAGAIN: the control plane did not answer, or could not: later
 * it may. Others: it refuses, or is not the one that it should be. err has the sentence.
 */
typedef void enroll_callback(void *data, int code, const struct error *err);

/* The callback comes once, later; the attempt is gone after it. */
struct enroll *enroll_start(const struct enroll_input *input, enroll_callback *callback,
			    void *data);
/* No callback. NULL does nothing. */
void enroll_cancel(struct enroll *enroll);

#endif
