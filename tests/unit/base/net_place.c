/* SPDX-License-Identifier: Apache-2.0 */
#include "net_place.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"

struct net_place *net_place_new(void)
{
	struct net_place *place = xcalloc(1, sizeof(*place));

	assert_ok(loop_new(&place->loop, why));
	assert_ok(web_new(place->loop, NULL, &place->web, why));
	assert_ok(http_client_new(place->loop, NULL, &place->client, why));
	return place;
}

void net_place_listen(struct net_place *place, struct web_listener_config config)
{
	config.address = "127.0.0.1";
	assert_ok(web_listen(place->web, &config, &place->listener, why));
	assert_int_not_equal(web_listener_port(place->listener), 0);
}

void net_place_free(struct net_place *place)
{
	http_client_free(place->client);
	web_free(place->web);
	loop_free(place->loop);
	free(place);
}

static void on_late(void *data)
{
	struct net_place *place = data;

	place->late = true;
}

void net_wait(struct net_place *place, const int *flag)
{
	struct loop_timer *timer = loop_timer_new(place->loop, on_late, place);

	place->late = false;
	loop_timer_start(timer, 20 * 1000);
	while (!*flag && !place->late)
		loop_run_once(place->loop, true);
	loop_timer_free(timer);
	if (place->late)
		fail_msg("what was waited for did not happen");
}

void net_settle(struct net_place *place)
{
	for (int i = 0; i < 10; i++)
		loop_run_once(place->loop, false);
}

char *net_url(struct net_place *place, const char *scheme, const char *path)
{
	return xasprintf("%s://127.0.0.1:%u%s", scheme, web_listener_port(place->listener), path);
}

int raw_connect(struct net_place *place)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(web_listener_port(place->listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

void raw_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

struct reader {
	struct strbuf text;
	int fd;
	const char *until;
	int done;
};

static void on_raw_data(void *data, int events)
{
	struct reader *reader = data;
	char buffer[4096];
	ssize_t got = recv(reader->fd, buffer, sizeof(buffer), 0);

	(void)events;
	if (got > 0)
		strbuf_append_n(&reader->text, buffer, (size_t)got);
	if (got == 0 || (got < 0 && errno != EAGAIN) ||
	    (reader->until && strstr(strbuf_text(&reader->text), reader->until)))
		reader->done = 1;
}

char *raw_read(struct net_place *place, int fd, const char *until)
{
	struct reader reader = { .text = STRBUF_INIT, .fd = fd, .until = until };
	struct loop_fd *watch;

	assert_ok(loop_fd_new(place->loop, fd, LOOP_READ, on_raw_data, &reader, &watch, why));
	net_wait(place, &reader.done);
	loop_fd_free(watch);
	return strbuf_take(&reader.text);
}

void raw_reset(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static void add_name(X509 *cert)
{
	X509_EXTENSION *names =
		X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");

	assert_non_null(names);
	X509_add_ext(cert, names, -1);
	X509_EXTENSION_free(names);
}

void make_certificate(const char *directory, char **ret_cert, char **ret_key)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	FILE *file;

	assert_non_null(key);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	add_name(cert);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);

	*ret_cert = xasprintf("%s/cert.pem", directory);
	*ret_key = xasprintf("%s/key.pem", directory);
	file = fopen(*ret_cert, "we");
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
	file = fopen(*ret_key, "we");
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(cert);
	EVP_PKEY_free(key);
}
