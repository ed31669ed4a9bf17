/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_CREDENTIAL_SET_H
#define BERTH_AGENT_AWS_CREDENTIAL_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Keys with which requests are signed. Zeroed: none. */
struct credential_set {
	char *access_key;
	char *secret;
	char *token;        /* NULL: long-lived keys */
	int64_t expires_ms; /* of the wall clock; 0: never */
};

bool credential_set_is_whole(const struct credential_set *set);
/* The memory is wiped; `set` is zeroed. */
void credential_set_free(struct credential_set *set);
/* Wipes and frees a text that was secret; NULL does nothing. */
void secret_free(char *secret);

/*
 * The document by which instance metadata and container endpoints hand out keys:
 * {"AccessKeyId", "SecretAccessKey", "Token", "Expiration": "2026-01-02T03:04:05Z", "Code"}.
 * -EINVAL for what is none, -EACCES when its Code is another than Success. *ret is written on
 * success only.
 */
int credential_document_parse(const char *text, size_t size, struct credential_set *ret,
			      struct error *err);

#define _cleanup_credential_set_ __attribute__((cleanup(credential_set_free)))

#endif
