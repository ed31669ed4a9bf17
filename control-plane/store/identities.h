/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_IDENTITIES_H
#define BERTH_CONTROL_STORE_IDENTITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/store/store.h"

/* Who an agent may prove to be, and the tokens with which it becomes that. Times are wall clock;
 * 0: not (yet). */

/* A token that enrols; of its secret only the SHA-256 is here. */
struct enroll_token_row {
	char *id;
	char *secret_hash; /* lower-case hex */
	char *cluster;     /* the only one that its identities may register in; NULL: any */
	int64_t uses_left;
	int64_t created_at_ms;
	int64_t expires_at_ms;
	int64_t revoked_at_ms;
};

struct enroll_token_list {
	struct enroll_token_row *items;
	size_t count;
};

void enroll_token_row_clear(struct enroll_token_row *row);
void enroll_token_list_clear(struct enroll_token_list *list);

int enroll_token_add(struct store *store, const struct enroll_token_row *row, struct error *err);
/* -ENOENT when there is none (err untouched then). */
int enroll_token_get(struct store *store, const char *id, struct enroll_token_row *ret_row,
		     struct error *err);
/* By creation. */
int enroll_token_all(struct store *store, struct enroll_token_list *ret_list, struct error *err);
/* One use less; -ENOENT when none is left. */
int enroll_token_use(struct store *store, const char *id, struct error *err);
/* -ENOENT when there is none that is not revoked already. */
int enroll_token_revoke(struct store *store, const char *id, int64_t now_ms, struct error *err);
/* Those that have been of no use since `before_ms`. */
int enroll_token_delete_old(struct store *store, int64_t before_ms, struct error *err);

struct identity_row {
	char *id;       /* as in the certificate */
	char *name;     /* what the host called itself */
	char *cluster;  /* of the token; NULL: any */
	char *key_hash; /* SHA-256 of its public key; one identity a key */
	char *token;    /* the id of the token that it was last enrolled with */
	int64_t created_at_ms;
	int64_t expires_at_ms; /* of its newest certificate */
	int64_t revoked_at_ms;
};

struct identity_list {
	struct identity_row *items;
	size_t count;
};

void identity_row_clear(struct identity_row *row);
void identity_list_clear(struct identity_list *list);

int identity_add(struct store *store, const struct identity_row *row, struct error *err);
/* -ENOENT when there is none (err untouched then). */
int identity_get(struct store *store, const char *id, struct identity_row *ret_row,
		 struct error *err);
int identity_get_by_key(struct store *store, const char *key_hash, struct identity_row *ret_row,
			struct error *err);
int identity_all(struct store *store, struct identity_list *ret_list, struct error *err);
/* It has a new certificate, perhaps for a new key or by a new token. */
int identity_certified(struct store *store, const char *id, const char *key_hash, const char *token,
		       int64_t expires_at_ms, struct error *err);
/* -ENOENT when there is none that is not revoked already. */
int identity_revoke(struct store *store, const char *id, int64_t now_ms, struct error *err);

#endif
