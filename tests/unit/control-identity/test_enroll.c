/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, enrolment, renewal, and who may speak for an instance. */
#include "control-plane/identity/enroll.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "control-plane/identity/command.h"
#include "control-plane/identity/guard.h"
#include "control-plane/identity/identity.h"
#include "control-plane/store/clusters.h"
#include "control-plane/store/identities.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)

#define assert_ok(call)                                                                            \
	do {                                                                                       \
		struct error ok_err = ERROR_INIT;                                                  \
		struct error *why = &ok_err;                                                       \
                                                                                                   \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s", #call, ok_err.text);                                    \
	} while (0)

#define assert_refused(call, code, part)                                                           \
	do {                                                                                       \
		struct error refused_err = ERROR_INIT;                                             \
		struct error *why = &refused_err;                                                  \
		int refused = (call);                                                              \
                                                                                                   \
		if (refused != (code) || !strstr(refused_err.text, (part)))                        \
			fail_msg("%s: %d: %s", #call, refused, refused_err.text);                  \
	} while (0)

struct place {
	char directory[64];
	struct store *store;
	struct authority *authority;
	struct enroll enroll;
	int64_t now_ms;
};

static int open_authority(struct place *place, struct error *err)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	const struct authority_config config = { .directory = place->directory,
						 .names = names,
						 .name_count = 3,
						 .now_ms = place->now_ms };

	return authority_open(&config, &place->authority, err);
}

static int set_up(void **state)
{
	const struct store_config config = { ":memory:", "us-west-2", "000000000000" };
	struct place *place = xcalloc(1, sizeof(*place));

	place->now_ms = clock_wall_ms();
	strcpy(place->directory, "/tmp/berth-identity-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	assert_ok(store_open(&config, &place->store, why));
	assert_ok(open_authority(place, why));
	place->enroll = (struct enroll){ .store = place->store,
					 .authority = place->authority,
					 .life_ms = DAY_MS };
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	authority_free(place->authority);
	store_close(place->store);
	file_remove_tree(AT_FDCWD, place->directory, NULL);
	free(place);
	return 0;
}

static EVP_PKEY *new_key(void)
{
	EVP_PKEY *key = NULL;

	assert_ok(certificate_key_new(&key, why));
	return key;
}

/* A token, and what is sent with it for the key. */
static struct enroll_token token_for(struct place *place, const char *cluster, int64_t uses)
{
	const struct enroll_terms terms = { .cluster = cluster, .uses = uses, .life_ms = HOUR_MS };
	struct enroll_token token;
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *id = NULL;

	assert_ok(enroll_token_make(&place->enroll, &terms, place->now_ms, &text, &id, why));
	assert_ok(enroll_token_parse(text, &token, why));
	assert_string_equal(token.id, id);
	assert_string_equal(token.fingerprint, authority_fingerprint(place->authority));
	return token;
}

static struct enroll_request request_for(const struct enroll_token *token, EVP_PKEY *key)
{
	struct enroll_request request = { .name = xstrdup("host") };

	if (token) {
		memcpy(request.token_id, token->id, sizeof(request.token_id));
		memcpy(request.token_secret, token->secret, sizeof(request.token_secret));
	}
	assert_ok(certificate_request_new(key, &request.request, why));
	return request;
}

static int try_enrol(struct place *place, const struct enroll_token *token, EVP_PKEY *key,
		     char **ret_answer, struct error *err)
{
	struct enroll_request request = request_for(token, key);
	int r = enroll_with_token(&place->enroll, &request, place->now_ms, ret_answer, err);

	enroll_request_clear(&request);
	return r;
}

static int try_renew(struct place *place, const char *identity, EVP_PKEY *key, char **ret_answer,
		     struct error *err)
{
	struct enroll_request request = request_for(NULL, key);
	int r = enroll_renew(&place->enroll, identity, &request, place->now_ms, ret_answer, err);

	enroll_request_clear(&request);
	return r;
}

/* The certificate of an answer; its identity in `id`. */
static X509 *certificate_of(const char *answer, char id[IDENTITY_SIZE])
{
	_cleanup_free_ char *pem = NULL;
	X509 *certificate = NULL;

	assert_ok(enroll_decode_answer(answer, strlen(answer), &pem, why));
	assert_ok(certificate_parse(pem, strlen(pem), &certificate, why));
	assert_true(certificate_identity(certificate, id));
	return certificate;
}

static void enrol(struct place *place, const struct enroll_token *token, EVP_PKEY *key,
		  char id[IDENTITY_SIZE])
{
	_cleanup_free_ char *answer = NULL;

	assert_ok(try_enrol(place, token, key, &answer, why));
	X509_free(certificate_of(answer, id));
}

/* ---- the authority ---- */

static void an_authority_is_made_once(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *before = xstrdup(authority_fingerprint(place->authority));
	_cleanup_free_ char *ca = xstrdup(authority_ca_file(place->authority));
	_cleanup_free_ char *key = xasprintf("%s/ca.key", place->directory);
	_cleanup_free_ char *moved = xasprintf("%s/moved", place->directory);
	_cleanup_certificate_ X509 *certificate = NULL;
	_cleanup_certificate_ X509 *server = NULL;
	struct stat file;

	assert_refused(open_authority(place, why), -EWOULDBLOCK, "only one can run");
	assert_int_equal(stat(key, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0600);
	assert_ok(certificate_read(ca, &certificate, why));
	assert_ok(certificate_read(authority_server_cert_file(place->authority), &server, why));
	assert_int_equal(X509_check_ca(certificate), 1);
	assert_int_equal(X509_get_pathlen(certificate), 0);
	assert_int_equal(X509_get_extended_key_usage(server), XKU_SSL_SERVER);
	assert_int_equal(X509_check_ip_asc(server, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_host(server, "elsewhere", 0, 0, NULL), 0);

	authority_free(TAKE(place->authority));
	assert_ok(open_authority(place, why));
	assert_string_equal(authority_fingerprint(place->authority), before);

	/* killed between key and certificate: the key is used */
	authority_free(TAKE(place->authority));
	assert_int_equal(unlink(ca), 0);
	assert_ok(open_authority(place, why));

	/* without its key it is none */
	authority_free(TAKE(place->authority));
	assert_int_equal(rename(key, moved), 0);
	assert_refused(open_authority(place, why), -ENOENT, "ca.key");
	assert_int_equal(access(key, F_OK), -1);
	assert_int_equal(rename(moved, key), 0);
	assert_int_equal(chmod(place->directory, 0777), 0);
	assert_refused(open_authority(place, why), -EPERM, "others may write there");
}

static void another_key_is_noticed(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *path = xasprintf("%s/ca.key", place->directory);
	_cleanup_key_ EVP_PKEY *key = new_key();

	authority_free(TAKE(place->authority));
	assert_ok(certificate_key_write(path, key, why));
	assert_refused(open_authority(place, why), -EINVAL, "is not the key of");
}

/* ---- enrolment ---- */

static void a_token_makes_one_identity(void **state)
{
	struct place *place = *state;
	_cleanup_key_ EVP_PKEY *key = new_key();
	_cleanup_key_ EVP_PKEY *other = new_key();
	struct enroll_token token = token_for(place, NULL, 1);
	_cleanup_free_ char *answer = NULL;
	_cleanup_certificate_ X509 *certificate = NULL;
	_cleanup_certificate_ X509 *ca = NULL;
	char id[IDENTITY_SIZE];

	assert_ok(try_enrol(place, &token, key, &answer, why));
	certificate = certificate_of(answer, id);
	assert_ok(certificate_read(authority_ca_file(place->authority), &ca, why));
	assert_int_equal(X509_verify(certificate, X509_get0_pubkey(ca)), 1);
	assert_int_equal(X509_get_extended_key_usage(certificate), XKU_SSL_CLIENT);
	assert_int_equal(X509_check_private_key(certificate, key), 1);
	assert_int_equal(certificate_until_ms(certificate) / 1000, (place->now_ms + DAY_MS) / 1000);
	assert_refused(try_enrol(place, &token, other, &answer, why), -EACCES, "has been used");
}

static void a_lost_answer_is_given_again(void **state)
{
	struct place *place = *state;
	_cleanup_key_ EVP_PKEY *key = new_key();
	struct enroll_token token = token_for(place, NULL, 1);
	char first[IDENTITY_SIZE], second[IDENTITY_SIZE];

	enrol(place, &token, key, first);
	enrol(place, &token, key, second);
	assert_string_equal(first, second);
	/* with a new token too: a certificate that was let expire */
	token = token_for(place, NULL, 1);
	enrol(place, &token, key, second);
	assert_string_equal(first, second);
	/* which is used up by it */
	{
		_cleanup_key_ EVP_PKEY *other = new_key();
		char *answer = NULL;

		assert_refused(try_enrol(place, &token, other, &answer, why), -EACCES,
			       "has been used");
	}
}

static void tokens_that_are_none_are_refused(void **state)
{
	struct place *place = *state;
	_cleanup_key_ EVP_PKEY *key = new_key();
	struct enroll_token good = token_for(place, NULL, 1);
	struct enroll_token wrong = good;
	struct enroll_token unknown = good;
	struct enroll_request request;
	char *answer = NULL;
	char id[IDENTITY_SIZE];

	wrong.secret[0] = wrong.secret[0] == '0' ? '1' : '0';
	memset(unknown.id, '0', sizeof(unknown.id) - 1);
	assert_refused(try_enrol(place, &wrong, key, &answer, why), -EACCES,
		       "none of this control plane");
	assert_refused(try_enrol(place, &unknown, key, &answer, why), -EACCES,
		       "none of this control plane");
	/* a request that is none uses nothing up */
	request = request_for(&good, key);
	request.request[0] = '!';
	assert_refused(enroll_with_token(&place->enroll, &request, place->now_ms, &answer, why),
		       -EINVAL, "base64");
	enroll_request_clear(&request);

	place->now_ms += HOUR_MS;
	assert_refused(try_enrol(place, &good, key, &answer, why), -EACCES, "has expired");
	place->now_ms -= 1;
	enrol(place, &good, key, id);

	good = token_for(place, NULL, 1);
	assert_ok(enroll_token_revoke(place->store, good.id, place->now_ms, why));
	assert_int_equal(enroll_token_revoke(place->store, good.id, place->now_ms, NULL), -ENOENT);
	assert_refused(try_enrol(place, &good, key, &answer, why), -EACCES, "was revoked");
	assert_null(answer);
}

static void secrets_are_not_kept(void **state)
{
	struct place *place = *state;
	struct enroll_token token = token_for(place, NULL, 1);
	struct enroll_token_row row = { 0 };

	assert_ok(enroll_token_get(place->store, token.id, &row, why));
	assert_null(strstr(row.secret_hash, token.secret));
	assert_int_equal(strlen(row.secret_hash), 64);
	enroll_token_row_clear(&row);
	/* what is long over is forgotten */
	place->now_ms += 8 * DAY_MS;
	token_for(place, NULL, 1);
	assert_int_equal(enroll_token_get(place->store, token.id, &row, NULL), -ENOENT);
}

static void a_token_of_several_uses_makes_as_many(void **state)
{
	struct place *place = *state;
	struct enroll_token token = token_for(place, "blue", 2);
	char ids[2][IDENTITY_SIZE];
	char *answer = NULL;

	for (int i = 0; i < 3; i++) {
		_cleanup_key_ EVP_PKEY *key = new_key();

		if (i < 2)
			enrol(place, &token, key, ids[i]);
		else
			assert_refused(try_enrol(place, &token, key, &answer, why), -EACCES,
				       "has been used");
	}
	assert_string_not_equal(ids[0], ids[1]);
}

static void a_renewal_keeps_the_identity(void **state)
{
	struct place *place = *state;
	_cleanup_key_ EVP_PKEY *key = new_key();
	_cleanup_key_ EVP_PKEY *next = new_key();
	_cleanup_key_ EVP_PKEY *other = new_key();
	struct enroll_token token = token_for(place, NULL, 2);
	_cleanup_free_ char *answer = NULL;
	char id[IDENTITY_SIZE], other_id[IDENTITY_SIZE], renewed[IDENTITY_SIZE];
	struct identity_row row = { 0 };
	char *none = NULL;

	enrol(place, &token, key, id);
	enrol(place, &token, other, other_id);
	place->now_ms += HOUR_MS;
	assert_ok(try_renew(place, id, next, &answer, why));
	X509_free(certificate_of(answer, renewed));
	assert_string_equal(renewed, id);
	assert_ok(identity_get(place->store, id, &row, why));
	assert_int_equal(row.expires_at_ms, place->now_ms + DAY_MS);
	identity_row_clear(&row);

	assert_refused(try_renew(place, id, other, &none, why), -EACCES, "another agent's");
	assert_refused(try_renew(place, "ffffffffffffffffffffffffffffffff", next, &none, why),
		       -EACCES, "not known");
	assert_ok(identity_revoke(place->store, id, place->now_ms, why));
	assert_refused(try_renew(place, id, next, &none, why), -EACCES, "was revoked");
	/* nor does a token help the key of who was revoked */
	token = token_for(place, NULL, 1);
	assert_refused(try_enrol(place, &token, next, &none, why), -EACCES, "was revoked");
	assert_null(none);
}

static void a_token_of_another_cluster_does_not_move_a_host(void **state)
{
	struct place *place = *state;
	_cleanup_key_ EVP_PKEY *key = new_key();
	struct enroll_token blue = token_for(place, "blue", 1);
	struct enroll_token any = token_for(place, NULL, 1);
	char id[IDENTITY_SIZE];
	char *answer = NULL;

	enrol(place, &blue, key, id);
	assert_refused(try_enrol(place, &any, key, &answer, why), -EACCES, "another cluster");
}

/* ---- who may speak for an instance ---- */

static void bound_instances_are_their_identitys(void **state)
{
	struct place *place = *state;
	struct guard guard = { .store = place->store };
	_cleanup_key_ EVP_PKEY *key = new_key();
	_cleanup_key_ EVP_PKEY *other_key = new_key();
	struct enroll_token token = token_for(place, "blue", 2);
	char owner[IDENTITY_SIZE], other[IDENTITY_SIZE];
	struct container_instance_row bound = { .id = (char *)"1", .cluster = (char *)"blue" };
	struct container_instance_row free_one = bound;
	static const char unknown[] = "ffffffffffffffffffffffffffffffff";

	enrol(place, &token, key, owner);
	enrol(place, &token, other_key, other);
	bound.identity = owner;

	assert_ok(guard_instance(&guard, owner, &bound, why));
	assert_refused(guard_instance(&guard, other, &bound, why), -EACCES, "another agent");
	assert_refused(guard_instance(&guard, NULL, &bound, why), -EACCES, "another agent");
	assert_refused(guard_instance(&guard, unknown, &bound, why), -EACCES, "not known");
	assert_ok(guard_instance(&guard, NULL, &free_one, why));
	assert_ok(guard_instance(&guard, other, &free_one, why));
	assert_ok(guard_caller(&guard, NULL, why));
	assert_ok(guard_cluster(&guard, NULL, "any", why));
	assert_ok(guard_cluster(&guard, owner, "blue", why));
	assert_refused(guard_cluster(&guard, owner, "default", why), -EACCES,
		       "for the cluster blue");

	guard.required = true;
	assert_refused(guard_instance(&guard, NULL, &free_one, why), -EACCES, "identity only");
	assert_refused(guard_instance(&guard, owner, &free_one, why), -EACCES, "no identity yet");
	assert_refused(guard_caller(&guard, NULL, why), -EACCES, "identity only");
	assert_ok(guard_instance(&guard, owner, &bound, why));

	assert_ok(identity_revoke(place->store, owner, place->now_ms, why));
	assert_refused(guard_instance(&guard, owner, &bound, why), -EACCES, "was revoked");
	assert_refused(guard_cluster(&guard, owner, "blue", why), -EACCES, "was revoked");
}

static void arns_are_looked_up(void **state)
{
	struct place *place = *state;
	const struct guard guard = { .store = place->store };
	struct container_instance_row row = {
		.id = (char *)"11111111111111111111111111111111",
		.cluster = (char *)"default",
		.status = (char *)"ACTIVE",
		.version_info = (char *)"{}",
		.resources = (char *)"[]",
		.identity = (char *)"0123456789abcdef0123456789abcdef",
	};
	struct cluster_row cluster = { .name = (char *)"default",
				       .status = (char *)"ACTIVE",
				       .document = (char *)"{}",
				       .request = (char *)"{}" };
	_cleanup_free_ char *arn =
		arn_container_instance(store_scope(place->store), "default", row.id);
	_cleanup_free_ char *missing = arn_container_instance(store_scope(place->store), "default",
							      "22222222222222222222222222222222");

	assert_ok(cluster_create(place->store, &cluster, why));
	assert_ok(container_instance_add(place->store, &row, why));
	assert_refused(guard_instance_arn(&guard, NULL, arn, why), -EACCES, "another agent");
	assert_ok(guard_instance_arn(&guard, NULL, missing, why));
	assert_ok(guard_instance_arn(&guard, NULL, "no ARN", why));
	assert_ok(container_instance_bind(place->store, "default", row.id, NULL, why));
	assert_ok(guard_instance_arn(&guard, NULL, arn, why));
}

/* ---- small things ---- */

static void lives_are_numbers_with_a_unit(void **state)
{
	static const char *const bad[] = {
		"", "1", "h", "1.5h", "-1h", "1w", "1h ", "99999999999d"
	};
	int64_t ms = 0;

	(void)state;
	assert_ok(command_parse_life("90s", 1000, 400 * DAY_MS, &ms, why));
	assert_int_equal(ms, 90000);
	assert_ok(command_parse_life("15m", 1000, 400 * DAY_MS, &ms, why));
	assert_int_equal(ms, 15 * 60000);
	assert_ok(command_parse_life("90d", 1000, 400 * DAY_MS, &ms, why));
	assert_int_equal(ms, 90 * DAY_MS);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(command_parse_life(bad[i], 1000, DAY_MS, &ms, why), -EINVAL,
			       "must be a number and one of s, m, h and d");
	assert_refused(command_parse_life("2d", 1000, DAY_MS, &ms, why), -ERANGE,
		       "must be from 1s to 1d");
}

static void servers_are_known_by_their_names(void **state)
{
	_cleanup_str_list_ struct str_list given = STR_LIST_INIT;
	_cleanup_str_list_ struct str_list names = STR_LIST_INIT;
	struct identity_config config = { .listen = "10.0.0.1",
					  .advertise = "https://control.example:4510/",
					  .names = &given };

	(void)state;
	str_list_add(&given, "berth.example");
	identity_server_names(&config, &names);
	assert_true(str_list_has(&names, "berth.example"));
	assert_true(str_list_has(&names, "10.0.0.1"));
	assert_true(str_list_has(&names, "control.example"));
	assert_true(str_list_has(&names, "127.0.0.1"));
	assert_false(str_list_has(&names, "0.0.0.0"));
	assert_true(identity_is_name("a-b.example"));
	assert_true(identity_is_name("fd00::1"));
	assert_false(identity_is_name("a b"));
	assert_false(identity_is_name("a,DNS:b"));
	assert_false(identity_is_name(""));
}

int main(void)
{
#define on_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		on_place(an_authority_is_made_once),
		on_place(another_key_is_noticed),
		on_place(a_token_makes_one_identity),
		on_place(a_lost_answer_is_given_again),
		on_place(tokens_that_are_none_are_refused),
		on_place(secrets_are_not_kept),
		on_place(a_token_of_several_uses_makes_as_many),
		on_place(a_renewal_keeps_the_identity),
		on_place(a_token_of_another_cluster_does_not_move_a_host),
		on_place(bound_instances_are_their_identitys),
		on_place(arns_are_looked_up),
		cmocka_unit_test(lives_are_numbers_with_a_unit),
		cmocka_unit_test(servers_are_known_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
