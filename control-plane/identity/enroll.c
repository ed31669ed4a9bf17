/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/identity/enroll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/random.h"
#include "base/str.h"
#include "control-plane/store/identities.h"

#define DAY_MS       (INT64_C(24) * 3600 * 1000)
#define KEEP_OLD_MS  (7 * DAY_MS) /* a token that is over, so that its user is told why */
#define ID_BYTES     ((IDENTITY_SIZE - 1) / 2)
#define TOKEN_BYTES  ((ENROLL_TOKEN_ID_SIZE - 1) / 2)
#define SECRET_BYTES ((ENROLL_TOKEN_SECRET_SIZE - 1) / 2)
#define ASK_FOR_NEW  "make another with berth-control token create"

static void hash_of(const char *secret, char out[FINGERPRINT_SIZE])
{
	unsigned char digest[32] = { 0 };
	size_t size = 0;

	EVP_Q_digest(NULL, "SHA256", NULL, secret, strlen(secret), digest, &size);
	hex_encode(digest, sizeof(digest), out);
}

/* ---- tokens ---- */

int enroll_token_make(const struct enroll *enroll, const struct enroll_terms *terms, int64_t now_ms,
		      char **ret_token, char **ret_id, struct error *err)
{
	struct enroll_token token;
	char hash[FINGERPRINT_SIZE];
	int r;

	random_hex(token.id, TOKEN_BYTES);
	random_hex(token.secret, SECRET_BYTES);
	memcpy(token.fingerprint, authority_fingerprint(enroll->authority),
	       sizeof(token.fingerprint));
	hash_of(token.secret, hash);
	r = enroll_token_delete_old(enroll->store, now_ms - KEEP_OLD_MS, err);
	if (r == 0)
		r = enroll_token_add(enroll->store,
				     &(struct enroll_token_row){
					     .id = token.id,
					     .secret_hash = hash,
					     .cluster = (char *)(uintptr_t)terms->cluster,
					     .uses_left = terms->uses,
					     .created_at_ms = now_ms,
					     .expires_at_ms = now_ms + terms->life_ms,
				     },
				     err);
	if (r == 0) {
		*ret_token = enroll_token_format(&token);
		*ret_id = xstrdup(token.id);
	}
	explicit_bzero(&token, sizeof(token));
	return r;
}

/* That the token is one, and not over. Whether it is used up depends on whom it makes. */
static int check_token(const struct enroll *enroll, const struct enroll_request *request,
		       int64_t now_ms, struct enroll_token_row *ret_row, struct error *err)
{
	char hash[FINGERPRINT_SIZE];
	int r = enroll_token_get(enroll->store, request->token_id, ret_row, err);

	hash_of(request->token_secret, hash);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT || strlen(ret_row->secret_hash) != sizeof(hash) - 1 ||
	    CRYPTO_memcmp(ret_row->secret_hash, hash, sizeof(hash) - 1) != 0)
		return error_say(err, EACCES,
				 "The token is none of this control plane's: " ASK_FOR_NEW ".");
	if (ret_row->revoked_at_ms)
		return error_say(err, EACCES, "The token %s was revoked: " ASK_FOR_NEW ".",
				 ret_row->id);
	if (ret_row->expires_at_ms <= now_ms)
		return error_say(err, EACCES, "The token %s has expired: " ASK_FOR_NEW ".",
				 ret_row->id);
	return 0;
}

static int use_token(const struct enroll *enroll, const struct enroll_token_row *token,
		     struct error *err)
{
	int r = enroll_token_use(enroll->store, token->id, err);

	if (r == -ENOENT)
		return error_say(err, EACCES, "The token %s has been used: " ASK_FOR_NEW ".",
				 token->id);
	return r;
}

/* ---- identities ---- */

static int certify(const struct enroll *enroll, EVP_PKEY *key, const char *identity, int64_t now_ms,
		   char **ret_answer, int64_t *ret_until_ms, struct error *err)
{
	_cleanup_free_ char *pem = NULL;
	int r = authority_certify(enroll->authority, key, identity, now_ms, enroll->life_ms, &pem,
				  ret_until_ms, err);

	if (r == 0)
		*ret_answer = enroll_encode_answer(identity, pem);
	return r;
}

static int make_new(const struct enroll *enroll, const struct enroll_request *request,
		    const struct enroll_token_row *token, EVP_PKEY *key, const char *key_hash,
		    int64_t now_ms, char **ret_answer, struct error *err)
{
	char id[IDENTITY_SIZE];
	int64_t until_ms = 0;
	int r = use_token(enroll, token, err);

	if (r < 0)
		return r;
	random_hex(id, ID_BYTES);
	r = certify(enroll, key, id, now_ms, ret_answer, &until_ms, err);
	if (r == 0)
		r = identity_add(enroll->store,
				 &(struct identity_row){
					 .id = id,
					 .name = request->name,
					 .cluster = token->cluster,
					 .key_hash = (char *)(uintptr_t)key_hash,
					 .token = token->id,
					 .created_at_ms = now_ms,
					 .expires_at_ms = until_ms,
				 },
				 err);
	if (r == 0)
		log_info("an agent was enrolled", "identity", id, "name", request->name, "token",
			 token->id, "cluster", token->cluster);
	return r;
}

static int certify_again(const struct enroll *enroll, const struct identity_row *identity,
			 const struct enroll_token_row *token, EVP_PKEY *key, int64_t now_ms,
			 char **ret_answer, struct error *err)
{
	int64_t until_ms = 0;
	int r = 0;

	if (identity->revoked_at_ms)
		return error_say(err, EACCES,
				 "The key of this host belongs to the identity %s, which was "
				 "revoked: remove the agent's state, so that it makes another.",
				 identity->id);
	if (!str_eq(identity->cluster, token->cluster))
		return error_say(err, EACCES,
				 "The token %s is for another cluster than the identity %s of this "
				 "host.",
				 token->id, identity->id);
	if (!str_eq(identity->token, token->id))
		r = use_token(enroll, token, err);
	if (r == 0)
		r = certify(enroll, key, identity->id, now_ms, ret_answer, &until_ms, err);
	if (r == 0)
		r = identity_certified(enroll->store, identity->id, identity->key_hash, token->id,
				       until_ms, err);
	if (r == 0)
		log_info("an agent was enrolled again", "identity", identity->id, "token",
			 token->id);
	return r;
}

static int enroll_key(const struct enroll *enroll, const struct enroll_request *request,
		      const struct enroll_token_row *token, EVP_PKEY *key, int64_t now_ms,
		      char **ret_answer, struct error *err)
{
	struct identity_row identity = { 0 };
	char key_hash[FINGERPRINT_SIZE];
	int r = certificate_key_fingerprint(key, key_hash, err);

	if (r == 0)
		r = identity_get_by_key(enroll->store, key_hash, &identity, err);
	if (r == -ENOENT)
		r = make_new(enroll, request, token, key, key_hash, now_ms, ret_answer, err);
	else if (r == 0)
		r = certify_again(enroll, &identity, token, key, now_ms, ret_answer, err);
	identity_row_clear(&identity);
	return r;
}

/* Ends the transaction: a token that is used up without an identity would be lost. */
static int end_transaction(const struct enroll *enroll, int r, char **answer, struct error *err)
{
	if (r == 0)
		r = store_commit(enroll->store, err);
	if (r < 0) {
		store_rollback(enroll->store);
		free(*answer);
		*answer = NULL;
	}
	return r;
}

int enroll_with_token(const struct enroll *enroll, const struct enroll_request *request,
		      int64_t now_ms, char **ret_answer, struct error *err)
{
	struct enroll_token_row token = { 0 };
	_cleanup_key_ EVP_PKEY *key = NULL;
	char *answer = NULL;
	int r;

	/* Before the request is looked into: nobody else has us verify signatures. */
	r = check_token(enroll, request, now_ms, &token, err);
	if (r == 0)
		r = certificate_request_read(request->request, &key, err);
	if (r == 0)
		r = store_begin(enroll->store, err);
	if (r == 0) {
		r = enroll_key(enroll, request, &token, key, now_ms, &answer, err);
		r = end_transaction(enroll, r, &answer, err);
	}
	enroll_token_row_clear(&token);
	if (r == 0)
		*ret_answer = answer;
	return r;
}

int enroll_renew(const struct enroll *enroll, const char *identity,
		 const struct enroll_request *request, int64_t now_ms, char **ret_answer,
		 struct error *err)
{
	struct identity_row row = { 0 };
	_cleanup_key_ EVP_PKEY *key = NULL;
	_cleanup_free_ char *answer = NULL;
	char key_hash[FINGERPRINT_SIZE];
	int64_t until_ms = 0;
	int r;

	r = certificate_request_read(request->request, &key, err);
	if (r == 0)
		r = certificate_key_fingerprint(key, key_hash, err);
	if (r == 0)
		r = identity_get(enroll->store, identity, &row, err);
	if (r == -ENOENT)
		r = error_say(err, EACCES, "The identity %s is not known to this control plane.",
			      identity);
	if (r == 0 && row.revoked_at_ms)
		r = error_say(err, EACCES, "The identity %s was revoked.", identity);
	if (r == 0)
		r = certify(enroll, key, identity, now_ms, &answer, &until_ms, err);
	if (r == 0)
		r = identity_certified(enroll->store, identity, key_hash, row.token, until_ms, err);
	/* Of another identity: a key is one agent's. */
	if (r == -EEXIST)
		r = error_say(err, EACCES, "The key of the request is another agent's.");
	identity_row_clear(&row);
	if (r == 0)
		*ret_answer = TAKE(answer);
	return r;
}
