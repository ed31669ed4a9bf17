/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/identity_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"

void identity_store_init(struct identity_store *store, const char *data_dir)
{
	store->directory = xasprintf("%s/identity", data_dir);
	store->authority = xasprintf("%s/authority.pem", store->directory);
	store->certificate = xasprintf("%s/certificate.pem", store->directory);
	store->key = xasprintf("%s/key.pem", store->directory);
	store->files = (struct ecs_identity_files){ .authority = store->authority,
						    .certificate = store->certificate,
						    .key = store->key };
}

void identity_store_clear(struct identity_store *store)
{
	free(store->directory);
	free(store->authority);
	free(store->certificate);
	free(store->key);
	*store = (struct identity_store){ .directory = NULL };
}

bool identity_store_is_enrolled(const struct identity_store *store)
{
	return access(store->certificate, F_OK) == 0;
}

int identity_store_term(const struct identity_store *store, int64_t *ret_from_ms,
			int64_t *ret_until_ms, struct error *err)
{
	_cleanup_certificate_ X509 *certificate = NULL;
	int r = certificate_read(store->certificate, &certificate, err);

	if (r < 0)
		return r;
	*ret_from_ms = certificate_from_ms(certificate);
	*ret_until_ms = certificate_until_ms(certificate);
	return 0;
}

int identity_store_trust(const struct identity_store *store, const char *pem, size_t size,
			 const char *fingerprint, struct error *err)
{
	_cleanup_certificate_ X509 *authority = NULL;
	_cleanup_free_ char *text = NULL;
	char found[FINGERPRINT_SIZE] = "";
	int r;

	r = certificate_parse(pem, size, &authority, err);
	if (r == 0)
		r = certificate_fingerprint(authority, found, err);
	if (r < 0) {
		error_prefix(err, "what answers there is no berth-control with --identity");
		return -EKEYREJECTED;
	}
	if (!str_eq(found, fingerprint))
		return error_say(err, EKEYREJECTED,
				 "its authority is not the one that made the token (fingerprint "
				 "%.16s..., not %.16s...): the token is of another control plane, "
				 "or somebody else answers in its place",
				 found, fingerprint);
	/* What was verified, and nothing that came with it. */
	text = certificate_pem(authority);
	r = file_mkdirs(store->directory, 0700, err);
	if (r == 0)
		r = file_write_atomic(AT_FDCWD, store->authority, text, strlen(text), 0644, true,
				      err);
	return r;
}

int identity_store_request(const struct identity_store *store, char **ret_base64, struct error *err)
{
	_cleanup_key_ EVP_PKEY *key = NULL;
	int r = certificate_key_read(store->key, &key, err);

	if (r == -ENOENT) {
		error_clear(err);
		r = certificate_key_new(&key, err);
		if (r == 0)
			r = certificate_key_write(store->key, key, err);
	}
	return r < 0 ? r : certificate_request_new(key, ret_base64, err);
}

static int check_time(const X509 *certificate, int64_t now_ms, struct error *err)
{
	char now[CLOCK_ISO8601_SIZE], bound[CLOCK_ISO8601_SIZE];
	int64_t from_ms = certificate_from_ms(certificate);
	int64_t until_ms = certificate_until_ms(certificate);

	if (now_ms >= from_ms && now_ms < until_ms)
		return 0;
	return error_say(err, EKEYREJECTED,
			 "the certificate %s %s, and this host's clock says %s: one of the two "
			 "clocks is wrong",
			 now_ms < from_ms ? "begins at" : "ended at",
			 format_iso8601(now_ms < from_ms ? from_ms : until_ms, bound),
			 format_iso8601(now_ms, now));
}

int identity_store_keep(const struct identity_store *store, const char *pem, int64_t now_ms,
			struct error *err)
{
	_cleanup_certificate_ X509 *certificate = NULL;
	_cleanup_certificate_ X509 *authority = NULL;
	_cleanup_key_ EVP_PKEY *key = NULL;
	_cleanup_free_ char *text = NULL;
	char id[IDENTITY_SIZE];
	int r;

	r = certificate_parse(pem, strlen(pem), &certificate, err);
	if (r == 0)
		r = certificate_read(store->authority, &authority, err);
	if (r == 0)
		r = certificate_key_read(store->key, &key, err);
	if (r < 0)
		return r;
	if (X509_check_private_key(certificate, key) != 1 ||
	    X509_verify(certificate, X509_get0_pubkey(authority)) != 1 ||
	    !certificate_identity(certificate, id))
		return error_say(err, EKEYREJECTED,
				 "the control plane has answered with a certificate that is not "
				 "for this host");
	r = check_time(certificate, now_ms, err);
	if (r < 0)
		return r;
	text = certificate_pem(certificate);
	return file_write_atomic(AT_FDCWD, store->certificate, text, strlen(text), 0644, true, err);
}
