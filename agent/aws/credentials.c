/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/credentials.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define FILE_MS    (60LL * 1000)     /* how long what has no end is good */
#define LONGEST_MS (3600LL * 1000)   /* how long anything is */
#define BEFORE_MS  (5LL * 60 * 1000) /* of its end something is renewed */
#define AGAIN_MS   (10LL * 1000)     /* after a failure */
#define SKEW_MS    (60LL * 1000)     /* less is left alone: servers take five minutes */

struct aws_credentials {
	struct credential_sources sources;
	struct credential_set set; /* the last that were found */
	int64_t look_at_ms;        /* monotonic: again then; INT64_MAX: never */
	struct credential_fetch *fetch;
	bool is_looking;
	int64_t since_ms; /* monotonic: there are good ones, or there were never any */
	struct error err; /* why there are none */
};

int64_t aws_credentials_wall_ms(const struct aws_credentials *credentials)
{
	return clock_wall_ms() + credentials->sources.skew_ms;
}

static bool are_good(const struct aws_credentials *credentials)
{
	const struct credential_set *set = &credentials->set;

	return set->access_key &&
	       (set->expires_ms == 0 || set->expires_ms > aws_credentials_wall_ms(credentials));
}

static int64_t good_for_ms(const struct aws_credentials *credentials)
{
	int64_t left_ms;

	if (credentials->set.expires_ms == 0)
		return FILE_MS;
	left_ms = credentials->set.expires_ms - aws_credentials_wall_ms(credentials) - BEFORE_MS;
	if (left_ms < AGAIN_MS)
		return AGAIN_MS;
	return left_ms < LONGEST_MS ? left_ms : LONGEST_MS;
}

static void looked(void *data, const struct credential_result *result)
{
	struct aws_credentials *credentials = data;

	credentials->fetch = NULL;
	credentials->is_looking = false;
	if (result->set) {
		bool is_first = !credentials->set.access_key;

		if (!are_good(credentials))
			credentials->since_ms = clock_monotonic_ms();
		credential_set_free(&credentials->set);
		credentials->set = *result->set;
		*result->set = (struct credential_set){ 0 };
		error_clear(&credentials->err);
		credentials->look_at_ms = result->is_fixed
						  ? INT64_MAX
						  : clock_monotonic_ms() + good_for_ms(credentials);
		if (is_first)
			log_info("AWS credentials were found", "source", result->from);
	} else {
		credentials->err = result->err;
		credentials->look_at_ms = clock_monotonic_ms() + AGAIN_MS;
		if (credentials->set.access_key)
			log_warn("AWS credentials cannot be renewed; the last ones are used while "
				 "they are good",
				 "error", result->err.text);
	}
}

static void look(struct aws_credentials *credentials)
{
	if (credentials->is_looking)
		return;
	credentials->is_looking = true;
	credentials->fetch = credential_fetch(&credentials->sources, looked, credentials);
}

struct aws_credentials *aws_credentials_new(const struct credential_sources *sources)
{
	struct aws_credentials *credentials = xcalloc(1, sizeof(*credentials));

	credentials->sources = *sources;
	credentials->since_ms = clock_monotonic_ms();
	look(credentials);
	return credentials;
}

void aws_credentials_free(struct aws_credentials *credentials)
{
	if (!credentials)
		return;
	credential_fetch_cancel(credentials->fetch);
	credential_set_free(&credentials->set);
	free(credentials);
}

int aws_credentials_get(struct aws_credentials *credentials, struct sigv4_credentials *ret,
			struct error *err)
{
	const struct credential_set *set = &credentials->set;
	char time[CLOCK_ISO8601_SIZE];

	if (clock_monotonic_ms() >= credentials->look_at_ms)
		look(credentials);
	if (are_good(credentials)) {
		*ret = (struct sigv4_credentials){ .access_key = set->access_key,
						   .secret = set->secret,
						   .token = set->token };
		return 0;
	}
	if (credentials->is_looking)
		return error_say(err, EAGAIN, "AWS credentials are still being asked for");
	if (!set->access_key)
		return error_say(err, ENOKEY, "%s", credentials->err.text);
	return error_say(err, ENOKEY, "the AWS credentials have expired at %s; %s",
			 format_iso8601(set->expires_ms, time), credentials->err.text);
}

struct aws_credentials_state aws_credentials_state(struct aws_credentials *credentials,
						   struct error *err)
{
	const struct credential_set *set = &credentials->set;
	struct sigv4_credentials keys;
	struct aws_credentials_state state = {
		.good = aws_credentials_get(credentials, &keys, err) == 0,
		.since_ms = credentials->since_ms,
		.ends = set->access_key && set->expires_ms != 0,
	};

	if (state.ends)
		state.left_ms = set->expires_ms - aws_credentials_wall_ms(credentials);
	if (!state.good && state.ends)
		state.since_ms = clock_monotonic_ms() + state.left_ms;
	return state;
}

void aws_credentials_refused(struct aws_credentials *credentials)
{
	/* Of the configuration: there will be no others. */
	if (credentials->look_at_ms != INT64_MAX)
		credentials->look_at_ms = clock_monotonic_ms();
}

int64_t aws_credentials_skew_ms(const struct aws_credentials *credentials)
{
	return credentials->sources.skew_ms;
}

bool aws_credentials_heard_date(struct aws_credentials *credentials, const char *date)
{
	int64_t server_ms, skew_ms, change_ms;

	if (!date || http_date_parse(date, &server_ms) < 0)
		return false;
	skew_ms = server_ms - clock_wall_ms();
	if (skew_ms > -SKEW_MS && skew_ms < SKEW_MS)
		skew_ms = 0;
	change_ms = skew_ms - credentials->sources.skew_ms;
	if (change_ms > -SKEW_MS && change_ms < SKEW_MS)
		return false;
	credentials->sources.skew_ms = skew_ms;
	if (skew_ms)
		log_warn("This host's clock is wrong: the control plane's is another, and is used "
			 "for signatures. Set the clock, or have it set (NTP)",
			 "ahead_seconds", LOG_NUM(skew_ms / -1000));
	else
		log_info("This host's clock is right again");
	return true;
}
