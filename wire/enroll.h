/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ENROLL_H
#define BERTH_WIRE_ENROLL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/certificate.h"
#include "base/cleanup.h"
#include "base/error.h"

/*
 * How an agent gets an identity of its own from berth-control:
 *
 *	GET  ENROLL_AUTHORITY_PATH    the authority's certificate, PEM. The agent cannot verify who
 *	                              answers yet; it compares the fingerprint with the token's.
 *	POST ENROLL_PATH              token and request for a certificate; TLS is verified against
 *	                              that authority from now on
 *	POST ENROLL_RENEW_PATH        a request alone, over TLS with the certificate that is there
 *
 * The last two are answered with 200 and the certificate, or with {"__type":, "message":}.
 */
#define ENROLL_AUTHORITY_PATH "/berth/v1/identity/authority"
#define ENROLL_PATH           "/berth/v1/identity/enroll"
#define ENROLL_RENEW_PATH     "/berth/v1/identity/renew"
#define ENROLL_BODY_LIMIT     ((size_t)16 * 1024)
#define ENROLL_NAME_MAX       255

#define ENROLL_TOKEN_ID_SIZE     17 /* 16 lower-case hex digits and NUL */
#define ENROLL_TOKEN_SECRET_SIZE 33

/*
 * What a person carries from the control plane to a host:
 * "berth1-<id>-<secret>-<fingerprint of the authority>", all hex. The fingerprint is not sent back.
 */
struct enroll_token {
	char id[ENROLL_TOKEN_ID_SIZE];
	char secret[ENROLL_TOKEN_SECRET_SIZE];
	char fingerprint[FINGERPRINT_SIZE];
};

/* Blanks around it are passed over. -EINVAL; the text itself never appears in the error. */
int enroll_token_parse(const char *text, struct enroll_token *ret, struct error *err);
/* The caller frees, and wipes. */
char *enroll_token_format(const struct enroll_token *token);

struct enroll_request {
	char token_id[ENROLL_TOKEN_ID_SIZE]; /* "" in a renewal */
	char token_secret[ENROLL_TOKEN_SECRET_SIZE];
	char *name;    /* what the host calls itself, for people; printable, "" if none */
	char *request; /* see certificate_request_new() */
};

/* The caller frees, and wipes. */
char *enroll_encode_request(const struct enroll_request *request);
/* From outside. `with_token`: it must be there. -EINVAL. */
int enroll_decode_request(const char *body, size_t size, bool with_token,
			  struct enroll_request *ret, struct error *err);
void enroll_request_clear(struct enroll_request *request);

char *enroll_encode_answer(const char *identity, const char *certificate);
/* The certificate, PEM, not looked into; the caller frees. -EBADMSG. */
int enroll_decode_answer(const char *body, size_t size, char **ret_certificate, struct error *err);

#endif
