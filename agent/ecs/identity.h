/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_IDENTITY_H
#define BERTH_AGENT_ECS_IDENTITY_H

#include <stdbool.h>

#include "agent/config/config.h"
#include "agent/ecs/registration.h"
#include "base/error.h"
#include "base/loop.h"

/*
 * An identity of this host's own, with which it proves to berth-control who it is: a key that never
 * leaves the host, and a certificate that the control plane has made for it. They are in
 * <data directory>/identity (mode 0700):
 *
 *	key.pem          made once (0600)
 *	authority.pem    what the control plane is verified against
 *	certificate.pem  shown to it; its presence says that this host is enrolled
 *
 * Without a certificate it enrols, with the token that is configured. From two thirds of its life
 * on the certificate is renewed.
 */
struct ecs_identity;

/*
 * *ret is NULL when this agent has none and is to get none: then it signs, as on AWS. -EINVAL: what
 * is configured, or what is stored, does not allow of one, and err says what to do.
 */
int ecs_identity_new(struct loop *loop, const struct agent_config *config,
		     struct ecs_identity **ret, struct error *err);
void ecs_identity_free(struct ecs_identity *identity);

/* Paths for TLS to the control plane. What is there changes with each renewal. */
struct ecs_identity_files {
	const char *authority;
	const char *certificate;
	const char *key;
};
const struct ecs_identity_files *ecs_identity_files(const struct ecs_identity *identity);

/* exit_code ECS_EXIT_OK: there is a certificate. Otherwise the agent ends with it, and err says
 * why. */
typedef void ecs_identity_callback(void *data, enum ecs_exit exit_code, const struct error *err);

/* Calls back once: within this call when it is enrolled already, later otherwise. */
void ecs_identity_start(struct ecs_identity *identity, ecs_identity_callback *callback, void *data);

#endif
