/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/ecs/enroll.h"
#include "agent/ecs/identity_store.h"
#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"

#define TOKEN_FILE_LIMIT ((size_t)4 * 1024)
#define SECOND_MS        INT64_C(1000)
#define HOUR_MS          (3600 * SECOND_MS)
#define LOOK_MS          (12 * HOUR_MS) /* the clock may be set meanwhile */
#define AFTER_EXPIRY_MS  (HOUR_MS / 6)
#define NEW_TOKEN        "make a token with berth-control token create, and give it as BERTH_ENROLL_TOKEN"

static const struct backoff_policy enroll_policy = {
	.min_ms = SECOND_MS,
	.max_ms = 60 * SECOND_MS,
	.multiplier = 2,
	.jitter = 0.2,
};

struct ecs_identity {
	struct loop *loop;
	const struct agent_config *config;
	char *endpoint;
	struct identity_store store;
	struct loop_timer *timer; /* the next attempt: to enrol, or to renew */
	struct backoff backoff;
	struct enroll *enroll; /* NULL between attempts */
	bool enrolled;
	enum ecs_exit failed; /* to be told, with the next */
	struct error err;
	ecs_identity_callback *callback; /* NULL: it has come */
	void *data;
};

/* ---- renewal ---- */

/* At two thirds of the certificate's life. */
static void plan_renewal(struct ecs_identity *identity)
{
	struct error err = ERROR_INIT;
	int64_t from_ms, until_ms, wait_ms;

	if (identity_store_term(&identity->store, &from_ms, &until_ms, &err) < 0) {
		log_error("the certificate of this host cannot be read", "error", err.text);
		loop_timer_start(identity->timer, AFTER_EXPIRY_MS);
		return;
	}
	wait_ms = from_ms + (until_ms - from_ms) / 3 * 2 - clock_wall_ms();
	if (wait_ms > LOOK_MS)
		wait_ms = LOOK_MS;
	loop_timer_start(identity->timer, wait_ms > 0 ? wait_ms : 0);
}

static bool is_due(const struct ecs_identity *identity)
{
	int64_t from_ms, until_ms;

	return identity_store_term(&identity->store, &from_ms, &until_ms, NULL) < 0 ||
	       clock_wall_ms() >= from_ms + (until_ms - from_ms) / 3 * 2;
}

/* Ten attempts in what is left; then there is little hope without a person. */
static int64_t renewal_wait_ms(const struct ecs_identity *identity)
{
	int64_t from_ms, until_ms, left_ms;

	if (identity_store_term(&identity->store, &from_ms, &until_ms, NULL) < 0)
		return AFTER_EXPIRY_MS;
	left_ms = until_ms - clock_wall_ms();
	if (left_ms <= 0)
		return AFTER_EXPIRY_MS;
	left_ms /= 10;
	return left_ms < SECOND_MS ? SECOND_MS : left_ms > HOUR_MS ? HOUR_MS : left_ms;
}

static void on_renewed(void *data, int code, const struct error *err)
{
	struct ecs_identity *identity = data;

	identity->enroll = NULL;
	if (code == 0) {
		log_info("the certificate of this host was renewed");
		plan_renewal(identity);
		return;
	}
	log_error("the certificate of this host cannot be renewed: when it ends, so do the "
		  "sessions",
		  "error", err->text);
	loop_timer_start(identity->timer, renewal_wait_ms(identity));
}

static void renew(struct ecs_identity *identity)
{
	const struct enroll_input input = {
		.loop = identity->loop,
		.store = &identity->store,
		.endpoint = identity->endpoint,
	};

	if (!is_due(identity)) {
		plan_renewal(identity);
		return;
	}
	identity->enroll = enroll_start(&input, on_renewed, identity);
}

/* ---- enrolment ---- */

static void tell(struct ecs_identity *identity, enum ecs_exit exit_code, const struct error *err)
{
	ecs_identity_callback *callback = TAKE(identity->callback);

	callback(identity->data, exit_code, err);
}

static void on_enrolled(void *data, int code, const struct error *err)
{
	struct ecs_identity *identity = data;

	identity->enroll = NULL;
	if (code == -EAGAIN) {
		log_warn("this host is not enrolled yet; it is tried again", "error", err->text);
		loop_timer_start(
			identity->timer,
			config_scaled_ms(identity->config,
					 backoff_next_ms(&identity->backoff, random_unit())));
		return;
	}
	if (code < 0) {
		tell(identity, ECS_EXIT_TERMINAL, err);
		return;
	}
	log_info("this host was enrolled", "control_plane", identity->endpoint, "directory",
		 identity->store.directory);
	identity->enrolled = true;
	plan_renewal(identity);
	tell(identity, ECS_EXIT_OK, NULL);
}

/* The token itself, or that of the file: there is one of the two. The caller frees and wipes. */
static int read_token(const struct agent_config *config, char **ret, struct error *err)
{
	if (!*config->enroll_token)
		return file_read(AT_FDCWD, config->enroll_token_file, TOKEN_FILE_LIMIT, ret, NULL,
				 err);
	*ret = xstrdup(config->enroll_token);
	return 0;
}

static void enroll(struct ecs_identity *identity)
{
	_cleanup_free_ char *token = NULL;
	struct error err = ERROR_INIT;
	int r = read_token(identity->config, &token, &err);

	if (r < 0) {
		error_prefix(&err, "BERTH_ENROLL_TOKEN_FILE");
		tell(identity, ECS_EXIT_TERMINAL, &err);
		return;
	}
	identity->enroll = enroll_start(&(struct enroll_input){ .loop = identity->loop,
								.store = &identity->store,
								.endpoint = identity->endpoint,
								.token = token },
					on_enrolled, identity);
	explicit_bzero(token, strlen(token));
}

static void on_timer(void *data)
{
	struct ecs_identity *identity = data;

	if (identity->failed)
		tell(identity, identity->failed, &identity->err);
	else if (identity->enrolled)
		renew(identity);
	else
		enroll(identity);
}

static bool has_token(const struct agent_config *config)
{
	return *config->enroll_token || *config->enroll_token_file;
}

/* Of a certificate that is there: 0 good, 1 over, and there is a token for another; or the reason
 * why it is no use. */
static int check_term(struct ecs_identity *identity, enum ecs_exit *ret_exit, struct error *err)
{
	char now[CLOCK_ISO8601_SIZE], bound[CLOCK_ISO8601_SIZE];
	int64_t from_ms, until_ms, now_ms = clock_wall_ms();

	*ret_exit = ECS_EXIT_TERMINAL;
	if (identity_store_term(&identity->store, &from_ms, &until_ms, err) < 0)
		return has_token(identity->config) ? 1 : -EINVAL;
	if (now_ms < from_ms) {
		*ret_exit = ECS_EXIT_ERROR;
		return error_say(err, EKEYREJECTED,
				 "the certificate of this host begins at %s, and its clock says "
				 "%s: set the clock",
				 format_iso8601(from_ms, bound), format_iso8601(now_ms, now));
	}
	if (now_ms < until_ms)
		return 0;
	if (has_token(identity->config))
		return 1;
	return error_say(err, EKEYEXPIRED,
			 "the certificate of this host ended at %s (its clock says %s): " NEW_TOKEN,
			 format_iso8601(until_ms, bound), format_iso8601(now_ms, now));
}

void ecs_identity_start(struct ecs_identity *identity, ecs_identity_callback *callback, void *data)
{
	enum ecs_exit exit_code = ECS_EXIT_TERMINAL;
	int r = 1;

	identity->callback = callback;
	identity->data = data;
	if (identity_store_is_enrolled(&identity->store))
		r = check_term(identity, &exit_code, &identity->err);
	if (r == 0) {
		identity->enrolled = true;
		plan_renewal(identity);
		tell(identity, ECS_EXIT_OK, NULL);
		return;
	}
	/* What may end the agent comes from the loop. */
	if (r < 0)
		identity->failed = exit_code;
	loop_timer_start(identity->timer, 0);
}

/* ---- life ---- */

int ecs_identity_new(struct loop *loop, const struct agent_config *config,
		     struct ecs_identity **ret, struct error *err)
{
	_cleanup_free_ char *endpoint = config_endpoint(config);
	struct ecs_identity *identity;
	struct identity_store store;
	bool is_secure = str_starts_with(endpoint, "https://");
	bool is_enrolled;

	*ret = NULL;
	/* AWS has no tokens: there signing is all. */
	if (!*config->backend_host && !has_token(config))
		return 0;
	identity_store_init(&store, config->data_dir);
	is_enrolled = identity_store_is_enrolled(&store);
	if (!is_enrolled && !has_token(config)) {
		identity_store_clear(&store);
		return 0;
	}
	/* That a token needs it is the configuration's to say (agent/config/load.c). */
	if (!is_secure) {
		error_say(err, EINVAL,
			  "this host is enrolled (%s): ECS_BACKEND_HOST must be the https:// "
			  "address of its control plane, not %s",
			  store.directory, endpoint);
		identity_store_clear(&store);
		return -EINVAL;
	}
	identity = xcalloc(1, sizeof(*identity));
	identity->loop = loop;
	identity->config = config;
	identity->endpoint = TAKE(endpoint);
	identity->store = store;
	identity->timer = loop_timer_new(loop, on_timer, identity);
	backoff_reset(&identity->backoff, &enroll_policy);
	*ret = identity;
	return 0;
}

void ecs_identity_free(struct ecs_identity *identity)
{
	if (!identity)
		return;
	enroll_cancel(identity->enroll);
	loop_timer_free(identity->timer);
	identity_store_clear(&identity->store);
	free(identity->endpoint);
	free(identity);
}

const struct ecs_identity_files *ecs_identity_files(const struct ecs_identity *identity)
{
	return &identity->store.files;
}
