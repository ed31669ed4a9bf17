/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, requests and X.509 certificates, by libcrypto: EC P-256 and SHA-256 throughout.
 *
 * An identity is 32 lower-case hex digits. In a certificate it stands as the URI
 * "urn:berth:identity:<id>" among the subject's alternative names, which only an authority puts
 * there: it goes from one certificate of its holder to the next.
 */
#ifndef BERTH_BASE_CERTIFICATE_H
#define BERTH_BASE_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/cleanup.h"
#include "base/error.h"

#define IDENTITY_SIZE             33                 /* with the NUL */
#define FINGERPRINT_SIZE          65                 /* lower-case hex of SHA-256, with the NUL */
#define CERTIFICATE_REQUEST_LIMIT ((size_t)4 * 1024) /* characters of base64 */
#define CERTIFICATE_TEXT_LIMIT    ((size_t)16 * 1024)

DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free);
DEFINE_CLEANUP(X509, X509_free);
#define _cleanup_key_         _cleanup_(EVP_PKEY_free_cleanup)
#define _cleanup_certificate_ _cleanup_(X509_free_cleanup)

/* Keys. A file of one is PEM (PKCS 8) of mode 0600, and on the disk when this returns. */
int certificate_key_new(EVP_PKEY **ret, struct error *err);
int certificate_key_read(const char *path, EVP_PKEY **ret, struct error *err);
int certificate_key_write(const char *path, const EVP_PKEY *key, struct error *err);
/* Of its public half. */
int certificate_key_fingerprint(const EVP_PKEY *key, char out[FINGERPRINT_SIZE], struct error *err);

/* Certificates: the first of a PEM text or file. */
int certificate_parse(const char *pem, size_t size, X509 **ret, struct error *err);
int certificate_read(const char *path, X509 **ret, struct error *err);
/* The caller frees. */
char *certificate_pem(const X509 *certificate);
int certificate_fingerprint(const X509 *certificate, char out[FINGERPRINT_SIZE], struct error *err);
/* Wall clock. */
int64_t certificate_from_ms(const X509 *certificate);
int64_t certificate_until_ms(const X509 *certificate);
/* False: it has none, or more than one. */
bool certificate_identity(const X509 *certificate, char out[IDENTITY_SIZE]);
bool identity_is_valid(const char *text);

/*
 * A request to certify `key` (PKCS 10, DER in base64), signed by it. It asks for nothing: what the
 * certificate says is the authority's to decide. The caller frees.
 */
int certificate_request_new(EVP_PKEY *key, char **ret_base64, struct error *err);
/* From outside: the public key of a request that is signed by its other half. -EINVAL. */
int certificate_request_read(const char *base64, EVP_PKEY **ret_key, struct error *err);

enum certificate_purpose {
	CERTIFICATE_AUTHORITY, /* signs those of the others, and no further authority */
	CERTIFICATE_SERVER,
	CERTIFICATE_CLIENT,
};

struct certificate_terms {
	enum certificate_purpose purpose;
	const char *common_name;  /* for people */
	const char *identity;     /* of a client */
	const char *const *names; /* of a server: DNS names and addresses */
	size_t name_count;
	int64_t from_ms; /* wall clock */
	int64_t until_ms;
};

/* Certifies the public half of `key`. `issuer` NULL: signed by `issuer_key`, which is `key`. */
int certificate_issue(const struct certificate_terms *terms, EVP_PKEY *key, X509 *issuer,
		      EVP_PKEY *issuer_key, X509 **ret, struct error *err);

#endif
