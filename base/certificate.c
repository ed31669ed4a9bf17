/* SPDX-License-Identifier: Apache-2.0 */
#include "base/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/str.h"

#define CURVE      "prime256v1"
#define KEY_LIMIT  ((size_t)4 * 1024)
#define URI_PREFIX "urn:berth:identity:"

DEFINE_CLEANUP(BIO, BIO_free_all);
DEFINE_CLEANUP(X509_REQ, X509_REQ_free);

static int fail(struct error *err, int code, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return error_say(err, code, "%s: %s", what, reason ? reason : "OpenSSL does not do it");
}

/* A text that asks for a password must not make OpenSSL ask whoever sits at the terminal. */
static int no_password(char *buffer, int size, int writing, void *data)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)data;
	return -1;
}

/* ---- keys ---- */

int certificate_key_new(EVP_PKEY **ret, struct error *err)
{
	EVP_PKEY *key = EVP_EC_gen(CURVE);

	if (!key)
		return fail(err, EIO, "make a key");
	*ret = key;
	return 0;
}

static bool is_on_our_curve(const EVP_PKEY *key)
{
	char name[32];
	size_t size = 0;

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, name, sizeof(name), &size) == 1 && str_eq(name, CURVE);
}

int certificate_key_read(const char *path, EVP_PKEY **ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_(BIO_free_all_cleanup) BIO *bio = NULL;
	EVP_PKEY *key;
	size_t size = 0;
	int r;

	r = file_read(AT_FDCWD, path, KEY_LIMIT, &text, &size, err);
	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text, (int)size);
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	explicit_bzero(text, size);
	if (!key) {
		r = fail(err, EINVAL, "it is no key");
	} else if (!is_on_our_curve(key)) {
		EVP_PKEY_free(key);
		r = error_say(err, EINVAL, "it is no key on the curve P-256");
	} else {
		*ret = key;
		return 0;
	}
	error_prefix(err, "read the key %s", path);
	return r;
}

int certificate_key_write(const char *path, const EVP_PKEY *key, struct error *err)
{
	_cleanup_(BIO_free_all_cleanup) BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long size;

	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, no_password, NULL) != 1)
		return fail(err, EIO, "write a key");
	size = BIO_get_mem_data(bio, &text);
	return file_write_atomic(AT_FDCWD, path, text, (size_t)size, 0600, true, err);
}

static int digest_of(const void *data, size_t size, char out[FINGERPRINT_SIZE], struct error *err)
{
	unsigned char digest[32];
	size_t length = 0;

	if (EVP_Q_digest(NULL, "SHA256", NULL, data, size, digest, &length) != 1 ||
	    length != sizeof(digest))
		return fail(err, EIO, "make a fingerprint");
	hex_encode(digest, sizeof(digest), out);
	return 0;
}

int certificate_key_fingerprint(const EVP_PKEY *key, char out[FINGERPRINT_SIZE], struct error *err)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key, &der);
	int r;

	if (size <= 0)
		return fail(err, EIO, "make the fingerprint of a key");
	r = digest_of(der, (size_t)size, out, err);
	OPENSSL_free(der);
	return r;
}

/* ---- certificates ---- */

int certificate_parse(const char *pem, size_t size, X509 **ret, struct error *err)
{
	_cleanup_(BIO_free_all_cleanup) BIO *bio = NULL;
	X509 *certificate;

	if (size > CERTIFICATE_TEXT_LIMIT)
		return error_say(err, EFBIG, "a certificate has at most %zu bytes here",
				 CERTIFICATE_TEXT_LIMIT);
	bio = BIO_new_mem_buf(pem, (int)size);
	certificate = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
	if (!certificate)
		return fail(err, EINVAL, "it is no certificate");
	*ret = certificate;
	return 0;
}

int certificate_read(const char *path, X509 **ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	r = file_read(AT_FDCWD, path, CERTIFICATE_TEXT_LIMIT, &text, &size, err);
	if (r < 0)
		return r;
	r = certificate_parse(text, size, ret, err);
	if (r < 0)
		error_prefix(err, "read the certificate %s", path);
	return r;
}

char *certificate_pem(const X509 *certificate)
{
	_cleanup_(BIO_free_all_cleanup) BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long size;

	if (!bio || PEM_write_bio_X509(bio, certificate) != 1)
		return xstrdup("");
	size = BIO_get_mem_data(bio, &text);
	return xstrndup(text, (size_t)size);
}

int certificate_fingerprint(const X509 *certificate, char out[FINGERPRINT_SIZE], struct error *err)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);
	int r;

	if (size <= 0)
		return fail(err, EIO, "make the fingerprint of a certificate");
	r = digest_of(der, (size_t)size, out, err);
	OPENSSL_free(der);
	return r;
}

static int64_t time_ms(const ASN1_TIME *time)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

int64_t certificate_from_ms(const X509 *certificate)
{
	return time_ms(X509_get0_notBefore(certificate));
}

int64_t certificate_until_ms(const X509 *certificate)
{
	return time_ms(X509_get0_notAfter(certificate));
}

bool identity_is_valid(const char *text)
{
	return text && strlen(text) == IDENTITY_SIZE - 1 &&
	       strspn(text, "0123456789abcdef") == IDENTITY_SIZE - 1;
}

/* The text after the prefix, if the name is such a URI, or NULL. */
static const char *identity_of_name(const GENERAL_NAME *name, size_t *ret_size)
{
	size_t prefix = strlen(URI_PREFIX);
	const char *uri;
	size_t size;

	if (name->type != GEN_URI)
		return NULL;
	uri = (const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
	size = (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier);
	if (size < prefix || memcmp(uri, URI_PREFIX, prefix) != 0)
		return NULL;
	*ret_size = size - prefix;
	return uri + prefix;
}

bool certificate_identity(const X509 *certificate, char out[IDENTITY_SIZE])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	char found[IDENTITY_SIZE] = "";
	int count = 0;

	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		size_t size = 0;
		const char *text = identity_of_name(sk_GENERAL_NAME_value(names, i), &size);

		if (!text)
			continue;
		count++;
		if (size == IDENTITY_SIZE - 1)
			memcpy(found, text, size);
	}
	GENERAL_NAMES_free(names);
	if (count != 1 || !identity_is_valid(found))
		return false;
	memcpy(out, found, sizeof(found));
	return true;
}

/* ---- requests ---- */

int certificate_request_new(EVP_PKEY *key, char **ret_base64, struct error *err)
{
	_cleanup_(X509_REQ_free_cleanup) X509_REQ *request = X509_REQ_new();
	unsigned char *der = NULL;
	int size;

	if (!request || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_pubkey(request, key) != 1 ||
	    X509_REQ_sign(request, key, EVP_sha256()) <= 0)
		return fail(err, EIO, "make a request for a certificate");
	size = i2d_X509_REQ(request, &der);
	if (size <= 0)
		return fail(err, EIO, "make a request for a certificate");
	*ret_base64 = base64_encode(der, (size_t)size);
	OPENSSL_free(der);
	return 0;
}

static int check_request(X509_REQ *request, EVP_PKEY **ret_key, struct error *err)
{
	_cleanup_key_ EVP_PKEY *key = X509_REQ_get_pubkey(request);

	if (!key)
		return fail(err, EINVAL, "the key of the request cannot be read");
	if (!is_on_our_curve(key))
		return error_say(err, EINVAL,
				 "the key of the request is none on the curve P-256, which is "
				 "the only one that is taken");
	if (X509_REQ_verify(request, key) != 1)
		return fail(err, EINVAL, "the request is not signed by its own key");
	*ret_key = TAKE(key);
	return 0;
}

int certificate_request_read(const char *base64, EVP_PKEY **ret_key, struct error *err)
{
	_cleanup_(X509_REQ_free_cleanup) X509_REQ *request = NULL;
	_cleanup_free_ unsigned char *der = NULL;
	const unsigned char *at;
	size_t size = 0;

	if (strlen(base64) > CERTIFICATE_REQUEST_LIMIT)
		return error_say(err, EINVAL, "the request has more than %zu characters",
				 CERTIFICATE_REQUEST_LIMIT);
	if (base64_decode(base64, &der, &size) < 0)
		return error_say(err, EINVAL, "the request is not base64");
	at = der;
	request = d2i_X509_REQ(NULL, &at, (long)size);
	if (!request || at != der + size)
		return fail(err, EINVAL, "the request is none of PKCS 10");
	return check_request(request, ret_key, err);
}

/* ---- issuing ---- */

static bool add_extension(X509 *certificate, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	int ok;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, (X509 *)(uintptr_t)issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ok = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

/* Not by the configuration's syntax, in which a name could say more than a name. */
static bool push_name(GENERAL_NAMES *names, int type, const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value;

	if (!name)
		return false;
	if (type == GEN_IPADD) {
		value = a2i_IPADDRESS(text);
	} else {
		value = ASN1_IA5STRING_new();
		if (value && ASN1_STRING_set(value, text, -1) != 1) {
			ASN1_STRING_free(value);
			value = NULL;
		}
	}
	if (!value) {
		GENERAL_NAME_free(name);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return true;
	GENERAL_NAME_free(name);
	return false;
}

static bool add_names(X509 *certificate, const struct certificate_terms *terms)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	bool ok = names != NULL;

	for (size_t i = 0; ok && i < terms->name_count; i++)
		ok = push_name(names, ip_is_address(terms->names[i]) ? GEN_IPADD : GEN_DNS,
			       terms->names[i]);
	if (ok && terms->identity) {
		_cleanup_free_ char *uri = xasprintf(URI_PREFIX "%s", terms->identity);

		ok = push_name(names, GEN_URI, uri);
	}
	if (ok && sk_GENERAL_NAME_num(names) > 0)
		ok = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
	GENERAL_NAMES_free(names);
	return ok;
}

static bool add_extensions(X509 *certificate, const X509 *issuer,
			   const struct certificate_terms *terms)
{
	bool is_authority = terms->purpose == CERTIFICATE_AUTHORITY;

	/* The purposes of an authority bound those of what it signs. */
	return add_extension(certificate, issuer, NID_basic_constraints,
			     is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
	       add_extension(certificate, issuer, NID_key_usage,
			     is_authority ? "critical,keyCertSign,cRLSign"
					  : "critical,digitalSignature") &&
	       add_extension(certificate, issuer, NID_ext_key_usage,
			     is_authority                           ? "serverAuth,clientAuth"
			     : terms->purpose == CERTIFICATE_SERVER ? "serverAuth"
								    : "clientAuth") &&
	       add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
	       add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
	       add_names(certificate, terms);
}

static bool set_serial(X509 *certificate)
{
	BIGNUM *number = BN_new();
	bool ok = number && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

	BN_free(number);
	return ok;
}

static bool set_time(ASN1_TIME *to, int64_t wall_ms)
{
	return ASN1_TIME_set(to, (time_t)(wall_ms / 1000)) != NULL;
}

static bool fill(X509 *certificate, const struct certificate_terms *terms, EVP_PKEY *key,
		 X509 *issuer)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
	       set_time(X509_getm_notBefore(certificate), terms->from_ms) &&
	       set_time(X509_getm_notAfter(certificate), terms->until_ms) &&
	       X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Berth",
					  -1, -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					  (const unsigned char *)terms->common_name, -1, -1,
					  0) == 1 &&
	       X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name) ==
		       1 &&
	       X509_set_pubkey(certificate, key) == 1 &&
	       add_extensions(certificate, issuer ? issuer : certificate, terms);
}

int certificate_issue(const struct certificate_terms *terms, EVP_PKEY *key, X509 *issuer,
		      EVP_PKEY *issuer_key, X509 **ret, struct error *err)
{
	_cleanup_certificate_ X509 *certificate = X509_new();

	if (!certificate || !fill(certificate, terms, key, issuer) ||
	    X509_sign(certificate, issuer_key, EVP_sha256()) <= 0)
		return fail(err, EIO, "make a certificate");
	*ret = TAKE(certificate);
	return 0;
}
