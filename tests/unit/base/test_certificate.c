/* SPDX-License-Identifier: Apache-2.0 */
#include "base/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/x509.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "net_place.h"

#define ID      "0123456789abcdef0123456789abcdef"
#define HOUR_MS (INT64_C(3600) * 1000)

/* Two authorities, and what they have signed, in files. */
struct place {
	struct net_place *net;
	char *directory;
	struct net_place tls; /* the listener that asks for certificates */
	char seen[IDENTITY_SIZE];
	int arrived;
	int answered;
	int status;
	char *body;
	int closed;
	char *reason;
};

static char *path_of(const struct place *place, const char *name)
{
	return xasprintf("%s/%s", place->directory, name);
}

static void write_certificate(const struct place *place, const char *name, const X509 *certificate)
{
	_cleanup_free_ char *path = path_of(place, name);
	_cleanup_free_ char *pem = certificate_pem(certificate);

	assert_ok(file_write_atomic(AT_FDCWD, path, pem, strlen(pem), 0600, false, why));
}

static void write_key(const struct place *place, const char *name, const EVP_PKEY *key)
{
	_cleanup_free_ char *path = path_of(place, name);

	assert_ok(certificate_key_write(path, key, why));
}

/* <name>.pem and <name>.key. */
static void make(const struct place *place, const char *name, const char *authority,
		 struct certificate_terms terms)
{
	_cleanup_key_ EVP_PKEY *key = NULL;
	_cleanup_key_ EVP_PKEY *issuer_key = NULL;
	_cleanup_certificate_ X509 *issuer = NULL;
	_cleanup_certificate_ X509 *certificate = NULL;
	_cleanup_free_ char *issuer_path =
		authority ? xasprintf("%s/%s.pem", place->directory, authority) : NULL;
	_cleanup_free_ char *issuer_key_path =
		authority ? xasprintf("%s/%s.key", place->directory, authority) : NULL;
	_cleanup_free_ char *file = xasprintf("%s.pem", name);
	_cleanup_free_ char *key_file = xasprintf("%s.key", name);

	terms.common_name = name;
	if (!terms.until_ms) {
		terms.from_ms = clock_wall_ms() - HOUR_MS;
		terms.until_ms = clock_wall_ms() + HOUR_MS;
	}
	assert_ok(certificate_key_new(&key, why));
	if (authority) {
		assert_ok(certificate_read(issuer_path, &issuer, why));
		assert_ok(certificate_key_read(issuer_key_path, &issuer_key, why));
	}
	assert_ok(certificate_issue(&terms, key, issuer, authority ? issuer_key : key, &certificate,
				    why));
	write_certificate(place, file, certificate);
	write_key(place, key_file, key);
}

static void answer(void *data, struct web_request *request)
{
	struct place *place = data;
	const char *identity = web_request_identity(request);

	place->arrived++;
	snprintf(place->seen, sizeof(place->seen), "%s", identity ? identity : "");
	web_respond_text(request, 200, "text/plain", "hello");
}

static void refuse_upgrade(void *data, struct web_request *request)
{
	struct place *place = data;
	const char *identity = web_request_identity(request);

	snprintf(place->seen, sizeof(place->seen), "%s", identity ? identity : "");
	web_respond_text(request, 403, "text/plain", "no");
}

static int set_up(void **state)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	struct place *place = xcalloc(1, sizeof(*place));
	const struct certificate_terms server = { .purpose = CERTIFICATE_SERVER,
						  .names = names,
						  .name_count = 3 };
	const struct certificate_terms client = { .purpose = CERTIFICATE_CLIENT, .identity = ID };
	struct certificate_terms past = client;

	place->net = net_place_new();
	place->tls = *place->net;
	place->directory = make_test_directory();
	make(place, "ca", NULL, (struct certificate_terms){ .purpose = CERTIFICATE_AUTHORITY });
	make(place, "other-ca", NULL,
	     (struct certificate_terms){ .purpose = CERTIFICATE_AUTHORITY });
	make(place, "server", "ca", server);
	make(place, "client", "ca", client);
	make(place, "stranger", "other-ca", client);
	past.from_ms = clock_wall_ms() - 2 * HOUR_MS;
	past.until_ms = clock_wall_ms() - HOUR_MS;
	make(place, "past", "ca", past);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	net_place_free(place->net);
	file_remove_tree(AT_FDCWD, place->directory, NULL);
	free(place->directory);
	free(place->body);
	free(place->reason);
	free(place);
	return 0;
}

static void serve(struct place *place, const char *server)
{
	_cleanup_free_ char *cert = xasprintf("%s/%s.pem", place->directory, server);
	_cleanup_free_ char *key = xasprintf("%s/%s.key", place->directory, server);
	_cleanup_free_ char *ca = path_of(place, "ca.pem");
	const struct web_listener_config config = {
		.address = "127.0.0.1",
		.cert_file = cert,
		.key_file = key,
		.client_ca_file = ca,
		.on_request = answer,
		.on_upgrade = refuse_upgrade,
		.data = place,
	};

	assert_ok(web_listen(place->net->web, &config, &place->tls.listener, why));
}

static void on_response(void *data, const struct http_response *response)
{
	struct place *place = data;

	place->answered = 1;
	place->status = response->error ? response->error : response->status;
	free(place->body);
	place->body = xstrdup(response->error ? response->err.text : response->body);
}

/* One request as `client` (NULL: with no certificate). */
static void call(struct place *place, const char *client)
{
	_cleanup_free_ char *ca = path_of(place, "ca.pem");
	_cleanup_free_ char *cert =
		client ? xasprintf("%s/%s.pem", place->directory, client) : NULL;
	_cleanup_free_ char *key = client ? xasprintf("%s/%s.key", place->directory, client) : NULL;
	_cleanup_free_ char *url = net_url(&place->tls, "https", "/");
	const struct http_client_config config = { .ca_file = ca,
						   .cert_file = cert,
						   .key_file = key };
	struct http_request request = { .url = url };
	struct http_client *http;

	place->answered = 0;
	strcpy(place->seen, "nothing");
	assert_ok(http_client_new(place->net->loop, &config, &http, why));
	assert_ok(http_send(http, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->answered);
	http_client_free(http);
}

static void who_shows_a_certificate_is_known_by_it(void **state)
{
	struct place *place = *state;

	serve(place, "server");
	call(place, "client");
	assert_int_equal(place->status, 200);
	assert_string_equal(place->seen, ID);
}

static void who_shows_none_is_nobody(void **state)
{
	struct place *place = *state;

	serve(place, "server");
	call(place, NULL);
	assert_int_equal(place->status, 200);
	assert_string_equal(place->seen, "");
}

static void certificates_of_others_end_the_handshake(void **state)
{
	/* of another authority, one that is over, one for servers */
	static const char *const clients[] = { "stranger", "past", "server", "ca" };
	struct place *place = *state;

	serve(place, "server");
	for (size_t i = 0; i < 4; i++) {
		call(place, clients[i]);
		assert_true(place->status < 0);
		assert_contains(place->body, "alert");
		assert_string_equal(place->seen, "nothing");
	}
	assert_int_equal(place->arrived, 0);
}

static void the_certificate_of_a_client_is_none_for_a_server(void **state)
{
	struct place *place = *state;

	serve(place, "client");
	call(place, "client");
	assert_int_equal(place->status, -EKEYREJECTED);
	serve(place, "stranger");
	call(place, "client");
	assert_int_equal(place->status, -EKEYREJECTED);
	assert_int_equal(place->arrived, 0);
}

static void on_close(void *data, struct ws *ws, const struct ws_close *close)
{
	struct place *place = data;

	(void)ws;
	place->closed = 1;
	place->status = close->http_status;
	str_replace(&place->reason, close->reason);
}

static void upgrade(struct place *place, const char *client)
{
	static const struct ws_callbacks callbacks = { .on_close = on_close };
	_cleanup_free_ char *ca = path_of(place, "ca.pem");
	_cleanup_free_ char *cert = xasprintf("%s/%s.pem", place->directory, client);
	_cleanup_free_ char *key = xasprintf("%s/%s.key", place->directory, client);
	_cleanup_free_ char *url = net_url(&place->tls, "https", "/ws");
	const struct ws_connect_config config = {
		.url = url, .ca_file = ca, .cert_file = cert, .key_file = key
	};
	struct ws *ws;

	place->closed = 0;
	strcpy(place->seen, "nothing");
	assert_ok(ws_connect(place->net->web, &config, &callbacks, place, &ws, why));
	net_wait(place->net, &place->closed);
}

static void websockets_show_the_certificate_that_is_there(void **state)
{
	struct place *place = *state;

	serve(place, "server");
	upgrade(place, "client");
	assert_int_equal(place->status, 403);
	assert_string_equal(place->seen, ID);
	/* renewed: another file under the same name */
	make(place, "client", "ca",
	     (struct certificate_terms){ .purpose = CERTIFICATE_CLIENT,
					 .identity = "ffffffffffffffffffffffffffffffff" });
	upgrade(place, "client");
	assert_string_equal(place->seen, "ffffffffffffffffffffffffffffffff");
	upgrade(place, "stranger");
	assert_int_equal(place->status, 0);
	assert_string_equal(place->seen, "nothing");
}

static void keys_are_for_their_owner_only(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *path = path_of(place, "client.key");
	struct stat file;

	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0600);
}

static void what_is_no_key_or_certificate_is_told(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *path = path_of(place, "bad");
	_cleanup_free_ char *missing = path_of(place, "missing");
	static const char locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
				     "-----END ENCRYPTED PRIVATE KEY-----\n";
	struct error err = ERROR_INIT;
	EVP_PKEY *key = NULL;
	X509 *certificate = NULL;

	assert_int_equal(certificate_key_read(missing, &key, &err), -ENOENT);
	assert_ok(file_write_atomic(AT_FDCWD, path, locked, strlen(locked), 0600, false, why));
	assert_int_equal(certificate_key_read(path, &key, &err), -EINVAL);
	assert_contains(err.text, "read the key ");
	assert_int_equal(certificate_read(path, &certificate, &err), -EINVAL);
	assert_contains(err.text, "read the certificate ");
	assert_null(key);
	assert_null(certificate);
}

static void a_request_gives_its_key(void **state)
{
	_cleanup_key_ EVP_PKEY *key = NULL;
	_cleanup_key_ EVP_PKEY *read = NULL;
	_cleanup_free_ char *request = NULL;

	(void)state;
	assert_ok(certificate_key_new(&key, why));
	assert_ok(certificate_request_new(key, &request, why));
	assert_true(strlen(request) < CERTIFICATE_REQUEST_LIMIT);
	assert_ok(certificate_request_read(request, &read, why));
	assert_int_equal(EVP_PKEY_eq(key, read), 1);
}

static char *request_of(EVP_PKEY *key, EVP_PKEY *signer)
{
	X509_REQ *request = X509_REQ_new();
	unsigned char *der = NULL;
	char *text;
	int size;

	X509_REQ_set_pubkey(request, key);
	assert_true(X509_REQ_sign(request, signer, EVP_sha256()) > 0);
	size = i2d_X509_REQ(request, &der);
	assert_true(size > 0);
	text = base64_encode(der, (size_t)size);
	OPENSSL_free(der);
	X509_REQ_free(request);
	return text;
}

static void bad_requests_are_refused(void **state)
{
	_cleanup_key_ EVP_PKEY *key = EVP_EC_gen("prime256v1");
	_cleanup_key_ EVP_PKEY *other = EVP_EC_gen("prime256v1");
	_cleanup_key_ EVP_PKEY *big = EVP_EC_gen("secp384r1");
	_cleanup_key_ EVP_PKEY *rsa = EVP_RSA_gen(2048);
	_cleanup_free_ char *good = request_of(key, key);
	_cleanup_free_ char *cut = xstrndup(good, strlen(good) / 8 * 4);
	_cleanup_free_ char *longer = xasprintf("%.*sAAAA", (int)(strlen(good) / 4 * 4), good);
	_cleanup_free_ char *forged = request_of(key, other);
	_cleanup_free_ char *big_text = request_of(big, big);
	_cleanup_free_ char *rsa_text = request_of(rsa, rsa);
	char huge[CERTIFICATE_REQUEST_LIMIT + 5];
	const struct {
		const char *text;
		const char *why;
	} table[] = {
		{ "", "none of PKCS 10" },
		{ "not base64!", "not base64" },
		{ "AAAA", "none of PKCS 10" },
		{ cut, "none of PKCS 10" },
		{ longer, "" },
		{ forged, "not signed by its own key" },
		{ big_text, "none on the curve P-256" },
		{ rsa_text, "none on the curve P-256" },
		{ huge, "more than 4096 characters" },
	};

	(void)state;
	memset(huge, 'A', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct error err = ERROR_INIT;
		EVP_PKEY *read = NULL;

		assert_int_equal(certificate_request_read(table[i].text, &read, &err), -EINVAL);
		assert_contains(err.text, table[i].why);
		assert_null(read);
	}
}

static void only_one_identity_counts(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *client = path_of(place, "client.pem");
	_cleanup_free_ char *server = path_of(place, "server.pem");
	_cleanup_certificate_ X509 *with = NULL;
	_cleanup_certificate_ X509 *without = NULL;
	char id[IDENTITY_SIZE] = "";

	assert_ok(certificate_read(client, &with, why));
	assert_ok(certificate_read(server, &without, why));
	assert_true(certificate_identity(with, id));
	assert_string_equal(id, ID);
	assert_false(certificate_identity(without, id));
	assert_false(identity_is_valid("0123456789ABCDEF0123456789abcdef"));
	assert_false(identity_is_valid("0123"));
	assert_false(identity_is_valid(NULL));
	make(place, "odd", "ca",
	     (struct certificate_terms){ .purpose = CERTIFICATE_CLIENT, .identity = "root" });
	X509_free(TAKE(without));
	free(TAKE(client));
	client = path_of(place, "odd.pem");
	assert_ok(certificate_read(client, &without, why));
	assert_false(certificate_identity(without, id));
}

int main(void)
{
#define on_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		on_place(who_shows_a_certificate_is_known_by_it),
		on_place(who_shows_none_is_nobody),
		on_place(certificates_of_others_end_the_handshake),
		on_place(the_certificate_of_a_client_is_none_for_a_server),
		on_place(websockets_show_the_certificate_that_is_there),
		on_place(keys_are_for_their_owner_only),
		on_place(what_is_no_key_or_certificate_is_told),
		on_place(only_one_identity_counts),
		cmocka_unit_test(a_request_gives_its_key),
		cmocka_unit_test(bad_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
