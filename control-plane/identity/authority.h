/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_IDENTITY_AUTHORITY_H
#define BERTH_CONTROL_IDENTITY_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/cleanup.h"
#include "base/error.h"

/*
 * The small certificate authority of this control plane: it certifies agents, and the server that
 * they talk to. It lives in a directory of its own (mode 0700), is made when that is empty, and
 * trusted by nobody else:
 *
 *	ca.key, ca.pem          EC P-256, ten years; signs no further authorities
 *	server.key, server.pem  made anew at each start, for the names of that start
 *	control.sock            see admin.h
 *	lock                    one control plane at a time
 */
struct authority;

struct authority_config {
	const char *directory;
	const char *const *names; /* of the server: DNS names and addresses; each once is enough */
	size_t name_count;
	int64_t now_ms; /* wall clock */
};

int authority_open(const struct authority_config *config, struct authority **ret,
		   struct error *err);
void authority_free(struct authority *authority);
DEFINE_CLEANUP(struct authority, authority_free);

const char *authority_pem(const struct authority *authority);
const char *authority_fingerprint(const struct authority *authority);
/* Paths. */
const char *authority_ca_file(const struct authority *authority);
const char *authority_server_cert_file(const struct authority *authority);
const char *authority_server_key_file(const struct authority *authority);
const char *authority_socket(const struct authority *authority);

/* A client's certificate, PEM, for `life_ms` from now on; the caller frees. */
int authority_certify(const struct authority *authority, EVP_PKEY *key, const char *identity,
		      int64_t now_ms, int64_t life_ms, char **ret_pem, int64_t *ret_until_ms,
		      struct error *err);

#endif
