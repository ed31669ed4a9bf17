/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/identity/authority.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/certificate.h"
#include "base/file.h"
#include "base/log.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)
#define CA_MS   (3650 * DAY_MS)
/* Hosts whose clocks are behind ours by less take what we sign. */
#define BACKDATE_MS HOUR_MS
#define WARN_MS     (365 * DAY_MS)

struct authority {
	char *directory;
	char *ca_file, *ca_key_file, *server_file, *server_key_file, *socket;
	int lock;
	X509 *certificate;
	EVP_PKEY *key;
	char *pem;
	char fingerprint[FINGERPRINT_SIZE];
};

static int write_certificate(const char *path, const X509 *certificate, struct error *err)
{
	_cleanup_free_ char *pem = certificate_pem(certificate);

	return file_write_atomic(AT_FDCWD, path, pem, strlen(pem), 0644, true, err);
}

/* The key first: with it alone, after a crash, the certificate is made; never the other way. */
static int make(struct authority *authority, int64_t now_ms, struct error *err)
{
	const struct certificate_terms terms = {
		.purpose = CERTIFICATE_AUTHORITY,
		.common_name = "berth-control authority",
		.from_ms = now_ms - BACKDATE_MS,
		.until_ms = now_ms + CA_MS,
	};
	int r;

	r = certificate_key_read(authority->ca_key_file, &authority->key, err);
	if (r == -ENOENT) {
		error_clear(err);
		r = certificate_key_new(&authority->key, err);
		if (r == 0)
			r = certificate_key_write(authority->ca_key_file, authority->key, err);
	}
	if (r == 0)
		r = certificate_issue(&terms, authority->key, NULL, authority->key,
				      &authority->certificate, err);
	if (r == 0)
		r = write_certificate(authority->ca_file, authority->certificate, err);
	if (r == 0)
		log_info("a certificate authority was made", "directory", authority->directory);
	return r;
}

static int load(struct authority *authority, int64_t now_ms, struct error *err)
{
	int64_t until_ms;
	int r;

	r = certificate_read(authority->ca_file, &authority->certificate, err);
	if (r == -ENOENT) {
		error_clear(err);
		return make(authority, now_ms, err);
	}
	if (r == 0)
		r = certificate_key_read(authority->ca_key_file, &authority->key, err);
	if (r < 0)
		return r;
	if (X509_check_private_key(authority->certificate, authority->key) != 1)
		return error_say(err, EINVAL, "%s is not the key of %s: bring back the one that is",
				 authority->ca_key_file, authority->ca_file);
	until_ms = certificate_until_ms(authority->certificate);
	if (until_ms - now_ms < WARN_MS)
		log_warn("the certificate authority ends within a year: then every agent must be "
			 "enrolled again, by an authority in another directory",
			 "directory", authority->directory);
	return 0;
}

/* As long as the authority: whoever can read its key can make another one anyway. */
static int certify_server(struct authority *authority, const struct authority_config *config,
			  struct error *err)
{
	const struct certificate_terms terms = {
		.purpose = CERTIFICATE_SERVER,
		.common_name = "berth-control",
		.names = config->names,
		.name_count = config->name_count,
		.from_ms = config->now_ms - BACKDATE_MS,
		.until_ms = certificate_until_ms(authority->certificate),
	};
	_cleanup_certificate_ X509 *certificate = NULL;
	_cleanup_key_ EVP_PKEY *key = NULL;
	int r;

	r = certificate_key_new(&key, err);
	if (r == 0)
		r = certificate_issue(&terms, key, authority->certificate, authority->key,
				      &certificate, err);
	if (r == 0)
		r = certificate_key_write(authority->server_key_file, key, err);
	return r < 0 ? r : write_certificate(authority->server_file, certificate, err);
}

static int make_directory(const char *path, struct error *err)
{
	struct stat status;
	int r = file_mkdirs(path, 0700, err);

	if (r < 0)
		return r;
	if (stat(path, &status) < 0)
		return error_set(err, errno, "look at %s", path);
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return error_say(err, EPERM,
				 "%s holds the keys of every agent, and others may write there: "
				 "chmod go-w it",
				 path);
	return 0;
}

int authority_open(const struct authority_config *config, struct authority **ret, struct error *err)
{
	_cleanup_(authority_free_cleanup) struct authority *authority =
		xcalloc(1, sizeof(*authority));
	_cleanup_free_ char *lock = xasprintf("%s/lock", config->directory);
	int r;

	authority->lock = -1;
	authority->directory = xstrdup(config->directory);
	authority->ca_file = xasprintf("%s/ca.pem", config->directory);
	authority->ca_key_file = xasprintf("%s/ca.key", config->directory);
	authority->server_file = xasprintf("%s/server.pem", config->directory);
	authority->server_key_file = xasprintf("%s/server.key", config->directory);
	authority->socket = xasprintf("%s/control.sock", config->directory);
	r = make_directory(config->directory, err);
	if (r == 0)
		r = file_lock(lock, &authority->lock, err);
	if (r == 0)
		r = load(authority, config->now_ms, err);
	if (r == 0)
		r = certificate_fingerprint(authority->certificate, authority->fingerprint, err);
	if (r == 0)
		r = certify_server(authority, config, err);
	if (r < 0) {
		error_prefix(err, "open the certificate authority");
		return r;
	}
	authority->pem = certificate_pem(authority->certificate);
	*ret = TAKE(authority);
	return 0;
}

void authority_free(struct authority *authority)
{
	if (!authority)
		return;
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
	if (authority->lock >= 0)
		close(authority->lock);
	free(authority->directory);
	free(authority->ca_file);
	free(authority->ca_key_file);
	free(authority->server_file);
	free(authority->server_key_file);
	free(authority->socket);
	free(authority->pem);
	free(authority);
}

const char *authority_pem(const struct authority *authority)
{
	return authority->pem;
}

const char *authority_fingerprint(const struct authority *authority)
{
	return authority->fingerprint;
}

const char *authority_ca_file(const struct authority *authority)
{
	return authority->ca_file;
}

const char *authority_server_cert_file(const struct authority *authority)
{
	return authority->server_file;
}

const char *authority_server_key_file(const struct authority *authority)
{
	return authority->server_key_file;
}

const char *authority_socket(const struct authority *authority)
{
	return authority->socket;
}

int authority_certify(const struct authority *authority, EVP_PKEY *key, const char *identity,
		      int64_t now_ms, int64_t life_ms, char **ret_pem, int64_t *ret_until_ms,
		      struct error *err)
{
	const struct certificate_terms terms = {
		.purpose = CERTIFICATE_CLIENT,
		.common_name = identity,
		.identity = identity,
		.from_ms = now_ms - (life_ms < BACKDATE_MS ? life_ms : BACKDATE_MS),
		.until_ms = now_ms + life_ms,
	};
	_cleanup_certificate_ X509 *certificate = NULL;
	int r;

	r = certificate_issue(&terms, key, authority->certificate, authority->key, &certificate,
			      err);
	if (r < 0)
		return r;
	*ret_pem = certificate_pem(certificate);
	*ret_until_ms = terms.until_ms;
	return 0;
}
