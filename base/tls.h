/* SPDX-License-Identifier: Apache-2.0 */
/* TLS contexts, 1.2 and later. */
#ifndef BERTH_BASE_TLS_H
#define BERTH_BASE_TLS_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/certificate.h"
#include "base/error.h"

/*
 * PEM files: the certificate chain and its key. With `client_ca_file` clients are asked for a
 * certificate: one that these authorities have not made for a client ends the handshake, none does
 * not. The caller frees with SSL_CTX_free().
 */
int tls_server_context(const char *cert_file, const char *key_file, const char *client_ca_file,
		       SSL_CTX **ret, struct error *err);

struct tls_client_config {
	const char *ca_file;   /* NULL: the system's authorities */
	const char *cert_file; /* what the client shows when it is asked; NULL: nothing */
	const char *key_file;
	bool insecure;
};

int tls_client_context(const struct tls_client_config *config, SSL_CTX **ret, struct error *err);
/* A client connection to `host`, a name or an address, which the certificate must be for. */
int tls_client_new(SSL_CTX *context, const char *host, SSL **ret, struct error *err);

/* The identity in the certificate that the peer has shown and that was verified; false: none. */
bool tls_peer_identity(const SSL *ssl, char out[IDENTITY_SIZE]);

#endif
