/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_IDENTITY_STORE_H
#define BERTH_AGENT_ECS_IDENTITY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ecs/identity.h"
#include "base/certificate.h"

/* The files of an identity: private to agent/ecs. */
struct identity_store {
	char *directory;
	char *authority, *certificate, *key;
	struct ecs_identity_files files; /* the same, for others */
};

void identity_store_init(struct identity_store *store, const char *data_dir);
void identity_store_clear(struct identity_store *store);

bool identity_store_is_enrolled(const struct identity_store *store);
/* When the certificate begins and ends, wall clock. */
int identity_store_term(const struct identity_store *store, int64_t *ret_from_ms,
			int64_t *ret_until_ms, struct error *err);

/* PEM of an authority, which must have this fingerprint: -EKEYREJECTED. It is kept. */
int identity_store_trust(const struct identity_store *store, const char *pem, size_t size,
			 const char *fingerprint, struct error *err);
/* A request for a certificate of the key, which is made when there is none; the caller frees. */
int identity_store_request(const struct identity_store *store, char **ret_base64,
			   struct error *err);
/* The answer to it: a certificate of that authority for that key, valid now. It is kept. */
int identity_store_keep(const struct identity_store *store, const char *pem, int64_t now_ms,
			struct error *err);

#endif
