/* SPDX-License-Identifier: Apache-2.0 */
/* What this host keeps of its identity, and whether that is of use. */
#include "agent/ecs/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/ecs/identity_store.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

#define ID      "0123456789abcdef0123456789abcdef"
#define HOUR_MS (INT64_C(3600) * 1000)

#define assert_ok(call)                                                                            \
	do {                                                                                       \
		struct error ok_err = ERROR_INIT;                                                  \
		struct error *why = &ok_err;                                                       \
                                                                                                   \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s", #call, ok_err.text);                                    \
	} while (0)

struct place {
	char directory[64];
	struct identity_store store;
	EVP_PKEY *authority_key;
	X509 *authority;
	struct loop *loop;
	struct agent_config *config;
	struct ecs_identity *identity;
	int told; /* 1 + the exit code */
	char text[ERROR_TEXT_SIZE];
};

static X509 *issue(enum certificate_purpose purpose, const char *identity, int64_t from_ms,
		   int64_t until_ms, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	const struct certificate_terms terms = { .purpose = purpose,
						 .common_name = "x",
						 .identity = identity,
						 .from_ms = from_ms,
						 .until_ms = until_ms };
	X509 *certificate = NULL;

	assert_ok(certificate_issue(&terms, key, issuer, issuer_key, &certificate, why));
	return certificate;
}

static int set_up(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));
	int64_t now_ms = clock_wall_ms();
	_cleanup_free_ char *pem = NULL;
	char fingerprint[FINGERPRINT_SIZE];

	strcpy(place->directory, "/tmp/berth-identity-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	identity_store_init(&place->store, place->directory);
	assert_ok(loop_new(&place->loop, why));
	assert_ok(certificate_key_new(&place->authority_key, why));
	place->authority =
		issue(CERTIFICATE_AUTHORITY, NULL, now_ms - HOUR_MS, now_ms + 1000 * HOUR_MS,
		      place->authority_key, NULL, place->authority_key);
	pem = certificate_pem(place->authority);
	assert_ok(certificate_fingerprint(place->authority, fingerprint, why));
	assert_ok(identity_store_trust(&place->store, pem, strlen(pem), fingerprint, why));
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	ecs_identity_free(place->identity);
	config_free(place->config);
	loop_free(place->loop);
	X509_free(place->authority);
	EVP_PKEY_free(place->authority_key);
	identity_store_clear(&place->store);
	file_remove_tree(AT_FDCWD, place->directory, NULL);
	free(place);
	return 0;
}

/* What the authority makes of a request, for that time. */
static char *certify(struct place *place, const char *identity, int64_t from_ms, int64_t until_ms)
{
	_cleanup_free_ char *request = NULL;
	_cleanup_key_ EVP_PKEY *key = NULL;
	_cleanup_certificate_ X509 *certificate = NULL;

	assert_ok(identity_store_request(&place->store, &request, why));
	assert_ok(certificate_request_read(request, &key, why));
	certificate = issue(CERTIFICATE_CLIENT, identity, from_ms, until_ms, key, place->authority,
			    place->authority_key);
	return certificate_pem(certificate);
}

static int keep(struct place *place, const char *pem, struct error *err)
{
	return identity_store_keep(&place->store, pem, clock_wall_ms(), err);
}

static void the_key_is_made_once_and_the_certificate_kept(void **state)
{
	struct place *place = *state;
	int64_t now_ms = clock_wall_ms(), from_ms = 0, until_ms = 0;
	_cleanup_free_ char *first = certify(place, ID, now_ms - HOUR_MS, now_ms + HOUR_MS);
	_cleanup_free_ char *second = certify(place, ID, now_ms - HOUR_MS, now_ms + 2 * HOUR_MS);

	assert_false(identity_store_is_enrolled(&place->store));
	assert_ok(keep(place, first, why));
	assert_true(identity_store_is_enrolled(&place->store));
	assert_ok(keep(place, second, why)); /* the same key: both fit it */
	assert_ok(identity_store_term(&place->store, &from_ms, &until_ms, why));
	assert_int_equal(until_ms / 1000, (now_ms + 2 * HOUR_MS) / 1000);
}

static void answers_that_do_not_fit_are_not_kept(void **state)
{
	struct place *place = *state;
	int64_t now_ms = clock_wall_ms();
	_cleanup_key_ EVP_PKEY *other = NULL;
	_cleanup_certificate_ X509 *for_other = NULL;
	_cleanup_certificate_ X509 *self_signed = NULL;
	_cleanup_key_ EVP_PKEY *own = NULL;
	_cleanup_free_ char *no_identity = certify(place, NULL, now_ms - HOUR_MS, now_ms + HOUR_MS);
	_cleanup_free_ char *later = certify(place, ID, now_ms + HOUR_MS, now_ms + 2 * HOUR_MS);
	_cleanup_free_ char *over = certify(place, ID, now_ms - 2 * HOUR_MS, now_ms - HOUR_MS);
	_cleanup_free_ char *for_other_pem = NULL;
	_cleanup_free_ char *self_signed_pem = NULL;

	assert_ok(certificate_key_new(&other, why));
	assert_ok(certificate_key_read(place->store.key, &own, why));
	for_other = issue(CERTIFICATE_CLIENT, ID, now_ms - HOUR_MS, now_ms + HOUR_MS, other,
			  place->authority, place->authority_key);
	self_signed =
		issue(CERTIFICATE_CLIENT, ID, now_ms - HOUR_MS, now_ms + HOUR_MS, own, NULL, own);
	for_other_pem = certificate_pem(for_other);
	self_signed_pem = certificate_pem(self_signed);
	const struct {
		const char *pem;
		const char *why;
	} table[] = {
		{ "", "it is no certificate" },
		{ for_other_pem, "not for this host" },
		{ self_signed_pem, "not for this host" },
		{ no_identity, "not for this host" },
		{ later, "one of the two clocks is wrong" },
		{ over, "one of the two clocks is wrong" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct error err = ERROR_INIT;

		assert_true(keep(place, table[i].pem, &err) < 0);
		assert_non_null(strstr(err.text, table[i].why));
		assert_false(identity_store_is_enrolled(&place->store));
	}
}

static void another_authority_is_not_trusted(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;
	_cleanup_free_ char *pem = certificate_pem(place->authority);
	struct error err = ERROR_INIT;
	char fingerprint[FINGERPRINT_SIZE];

	memset(fingerprint, '0', sizeof(fingerprint) - 1);
	fingerprint[sizeof(fingerprint) - 1] = '\0';
	assert_ok(file_read(AT_FDCWD, place->store.authority, 10000, &before, NULL, why));
	assert_int_equal(identity_store_trust(&place->store, pem, strlen(pem), fingerprint, &err),
			 -EKEYREJECTED);
	assert_non_null(strstr(err.text, "not the one that made the token"));
	assert_int_equal(identity_store_trust(&place->store, "<html>", 6, fingerprint, &err),
			 -EKEYREJECTED);
	assert_non_null(strstr(err.text, "no berth-control with --identity"));
	assert_ok(file_read(AT_FDCWD, place->store.authority, 10000, &after, NULL, why));
	assert_string_equal(before, after);
}

/* ---- whether it is used ---- */

static int make(struct place *place, const char *host, const char *token, struct error *err)
{
	_cleanup_free_ char *backend = xasprintf("ECS_BACKEND_HOST=%s", host);
	_cleanup_free_ char *data = xasprintf("ECS_DATADIR=%s", place->directory);
	_cleanup_free_ char *enroll = xasprintf("BERTH_ENROLL_TOKEN=%s", token);
	char region[] = "AWS_DEFAULT_REGION=us-west-2";
	char *environment[] = { region, backend, data, enroll, NULL };

	ecs_identity_free(TAKE(place->identity));
	config_free(TAKE(place->config));
	assert_ok(config_load(environment, NULL, &place->config, NULL, why));
	return ecs_identity_new(place->loop, place->config, &place->identity, err);
}

static void on_told(void *data, enum ecs_exit exit_code, const struct error *err)
{
	struct place *place = data;

	place->told = 1 + (int)exit_code;
	snprintf(place->text, sizeof(place->text), "%s", err ? err->text : "");
	loop_stop(place->loop);
}

static void enrolled_for(struct place *place, int64_t from_ms, int64_t until_ms)
{
	_cleanup_free_ char *pem = certify(place, ID, from_ms, until_ms);

	assert_ok(file_write_atomic(AT_FDCWD, place->store.certificate, pem, strlen(pem), 0644,
				    false, why));
}

static void on_aws_there_is_none(void **state)
{
	struct place *place = *state;

	assert_ok(make(place, "", "", why));
	assert_null(place->identity);
	assert_ok(make(place, "https://control.example", "", why));
	assert_null(place->identity);
	/* what is kept is of no interest to AWS */
	enrolled_for(place, clock_wall_ms() - HOUR_MS, clock_wall_ms() + HOUR_MS);
	assert_ok(make(place, "", "", why));
	assert_null(place->identity);
}

static void it_needs_tls(void **state)
{
	struct place *place = *state;
	struct error err = ERROR_INIT;

	enrolled_for(place, clock_wall_ms() - HOUR_MS, clock_wall_ms() + HOUR_MS);
	assert_int_equal(make(place, "http://127.0.0.1:4510", "", &err), -EINVAL);
	assert_non_null(strstr(err.text, "this host is enrolled"));
	assert_null(place->identity);
}

static void what_is_kept_is_used_at_once(void **state)
{
	struct place *place = *state;

	enrolled_for(place, clock_wall_ms() - HOUR_MS, clock_wall_ms() + 3 * HOUR_MS);
	assert_ok(make(place, "control.example", "", why));
	ecs_identity_start(place->identity, on_told, place);
	assert_int_equal(place->told, 1 + ECS_EXIT_OK);
	assert_string_equal(ecs_identity_files(place->identity)->key, place->store.key);
}

static void start(struct place *place)
{
	ecs_identity_start(place->identity, on_told, place);
	assert_int_equal(place->told, 0); /* not from within */
	loop_run(place->loop);
}

static void a_certificate_that_is_over_asks_for_a_token(void **state)
{
	struct place *place = *state;

	enrolled_for(place, clock_wall_ms() - 3 * HOUR_MS, clock_wall_ms() - HOUR_MS);
	assert_ok(make(place, "https://127.0.0.1:1", "", why));
	start(place);
	assert_int_equal(place->told, 1 + ECS_EXIT_TERMINAL);
	assert_non_null(strstr(place->text, "ended at"));
	assert_non_null(strstr(place->text, "berth-control token create"));
}

static void a_certificate_that_is_not_yet_valid_asks_for_the_clock(void **state)
{
	struct place *place = *state;

	enrolled_for(place, clock_wall_ms() + HOUR_MS, clock_wall_ms() + 3 * HOUR_MS);
	assert_ok(make(place, "https://127.0.0.1:1", "", why));
	start(place);
	assert_int_equal(place->told, 1 + ECS_EXIT_ERROR);
	assert_non_null(strstr(place->text, "set the clock"));
}

static void a_token_that_is_none_ends_it(void **state)
{
	struct place *place = *state;

	assert_ok(make(place, "https://127.0.0.1:1", "berth1-secret", why));
	start(place);
	assert_int_equal(place->told, 1 + ECS_EXIT_TERMINAL);
	assert_non_null(strstr(place->text, "the token is none"));
	assert_null(strstr(place->text, "secret"));
}

int main(void)
{
#define on_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		on_place(the_key_is_made_once_and_the_certificate_kept),
		on_place(answers_that_do_not_fit_are_not_kept),
		on_place(another_authority_is_not_trusted),
		on_place(on_aws_there_is_none),
		on_place(it_needs_tls),
		on_place(what_is_kept_is_used_at_once),
		on_place(a_certificate_that_is_over_asks_for_a_token),
		on_place(a_certificate_that_is_not_yet_valid_asks_for_the_clock),
		on_place(a_token_that_is_none_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
