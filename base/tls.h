/* SPDX-License-Identifier: Apache-2.0 */
/* TLS contexts, 1.2 and later. */
#ifndef BERTH_BASE_TLS_H
#define BERTH_BASE_TLS_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/error.h"

/* PEM files: the certificate chain and its key. The caller frees with SSL_CTX_free(). */
int tls_server_context(const char *cert_file, const char *key_file, SSL_CTX **ret,
		       struct error *err);
/* `ca_file` NULL: the system's authorities. */
int tls_client_context(const char *ca_file, bool insecure, SSL_CTX **ret, struct error *err);
/* A client connection to `host`, a name or an address, which the certificate must be for. */
int tls_client_new(SSL_CTX *context, const char *host, SSL **ret, struct error *err);

#endif
