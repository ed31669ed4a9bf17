/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tls.h"
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

static int fail(struct error *err, int code, const char *what, const char *file)
{
	unsigned long number = ERR_peek_error(); /* the first is the cause */
	const char *reason = ERR_reason_error_string(number);

	if (ERR_SYSTEM_ERROR(number) && ERR_GET_REASON(number) > 0)
		code = ERR_GET_REASON(number);
	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(number))
		return error_set(err, code, "TLS: %s %s", what, file);
	return error_say(err, code, "TLS: %s %s: %s", what, file, reason ? reason : "failed");
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		return NULL;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	/* peers often end without a TLS close; that a message is whole is known from its length */
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION |
					     SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return context;
}

static int use_certificate(SSL_CTX *context, const char *cert_file, const char *key_file,
			   struct error *err)
{
	if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
		return fail(err, EINVAL, "read the certificate", cert_file);
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
		return fail(err, EINVAL, "read the key", key_file);
	if (SSL_CTX_check_private_key(context) != 1)
		return fail(err, EINVAL, "use the key", key_file);
	return 0;
}

/*
 * Who shows no certificate is let in, as nobody. There are no tickets: who resumes a session would
 * be whom he was then, when his certificate is over too.
 */
static int ask_clients(SSL_CTX *context, const char *ca_file, struct error *err)
{
	STACK_OF(X509_NAME) * names;

	if (SSL_CTX_load_verify_file(context, ca_file) != 1)
		return fail(err, EINVAL, "read the authorities", ca_file);
	names = SSL_load_client_CA_file(ca_file);
	if (!names)
		return fail(err, EINVAL, "read the authorities", ca_file);
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context, 0);
	return 0;
}

int tls_server_context(const char *cert_file, const char *key_file, const char *client_ca_file,
		       SSL_CTX **ret, struct error *err)
{
	SSL_CTX *context = new_context(TLS_server_method());
	int result;

	if (!context)
		return error_say(err, ENOMEM, "TLS: OpenSSL gives no context");
	result = use_certificate(context, cert_file, key_file, err);
	if (result == 0 && client_ca_file)
		result = ask_clients(context, client_ca_file, err);
	if (result < 0) {
		SSL_CTX_free(context);
		return result;
	}
	*ret = context;
	return 0;
}

static int trust(SSL_CTX *context, const char *ca_file, struct error *err)
{
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (ca_file && SSL_CTX_load_verify_file(context, ca_file) != 1)
		return fail(err, EINVAL, "read the authorities", ca_file);
	if (!ca_file && SSL_CTX_set_default_verify_paths(context) != 1)
		return fail(err, EINVAL, "read the authorities", "of the system");
	return 0;
}

int tls_client_context(const struct tls_client_config *config, SSL_CTX **ret, struct error *err)
{
	SSL_CTX *context = new_context(TLS_client_method());
	int result = 0;

	if (!context)
		return error_say(err, ENOMEM, "TLS: OpenSSL gives no context");
	if (config->insecure)
		SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	else
		result = trust(context, config->ca_file, err);
	if (result == 0 && config->cert_file)
		result = use_certificate(context, config->cert_file, config->key_file, err);
	if (result < 0) {
		SSL_CTX_free(context);
		return result;
	}
	*ret = context;
	return 0;
}

int tls_client_new(SSL_CTX *context, const char *host, SSL **ret, struct error *err)
{
	SSL *ssl = SSL_new(context);
	X509_VERIFY_PARAM *param;
	int ok;

	if (!ssl)
		return error_say(err, ENOMEM, "TLS: OpenSSL gives no connection");
	param = SSL_get0_param(ssl);
	if (ip_is_address(host)) {
		ok = X509_VERIFY_PARAM_set1_ip_asc(param, host);
	} else {
		X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		ok = X509_VERIFY_PARAM_set1_host(param, host, 0) &&
		     SSL_set_tlsext_host_name(ssl, host);
	}
	if (ok != 1) {
		SSL_free(ssl);
		return error_say(err, EINVAL, "TLS: \"%.128s\" cannot be verified", host);
	}
	SSL_set_connect_state(ssl);
	*ret = ssl;
	return 0;
}

bool tls_peer_identity(const SSL *ssl, char out[IDENTITY_SIZE])
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);

	return certificate && SSL_get_verify_result(ssl) == X509_V_OK &&
	       certificate_identity(certificate, out);
}
