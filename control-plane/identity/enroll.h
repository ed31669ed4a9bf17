/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_IDENTITY_ENROLL_H
#define BERTH_CONTROL_IDENTITY_ENROLL_H

#include <stdint.h>

#include "base/error.h"
#include "base/web.h"
#include "control-plane/identity/authority.h"
#include "control-plane/store/store.h"
#include "wire/enroll.h"

/* Tokens, and the identities that they make. Nothing here waits. */
struct enroll {
	struct store *store; /* borrowed, as the next */
	struct authority *authority;
	int64_t life_ms; /* of an agent's certificate */
};

struct enroll_terms {
	const char *cluster; /* NULL: any */
	int64_t uses;        /* > 0 */
	int64_t life_ms;
};

/* The token as a person carries it, which is not to be had again; the caller frees and wipes. */
int enroll_token_make(const struct enroll *enroll, const struct enroll_terms *terms, int64_t now_ms,
		      char **ret_token, char **ret_id, struct error *err);

/*
 * Makes an identity for the key of the request, or certifies it again when the key has one already:
 * an answer that was lost, or a certificate that was let expire. Uses the token up, unless it has
 * made that very identity. *ret_answer is the body for the agent; the caller frees.
 *
 * -EINVAL: what was sent is wrong; -EACCES: refused. Both with a sentence for who enrols.
 */
int enroll_with_token(const struct enroll *enroll, const struct enroll_request *request,
		      int64_t now_ms, char **ret_answer, struct error *err);
/* A new certificate for who has shown one of this identity. The same errors. */
int enroll_renew(const struct enroll *enroll, const char *identity,
		 const struct enroll_request *request, int64_t now_ms, char **ret_answer,
		 struct error *err);

/* Answers a request for one of the paths of wire/enroll.h; false: it is none. */
bool enroll_http_request(const struct enroll *enroll, struct web_request *request);

#endif
