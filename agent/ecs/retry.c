/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/retry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define QUOTA_TOKENS  500
#define QUOTA_RETRY   5
#define QUOTA_TIMEOUT 10
#define QUOTA_CLEAN   1

#define STANDARD_ATTEMPTS 3
#define STANDARD_MAX_MS   20000
#define SUBMIT_ATTEMPTS   298
#define SUBMIT_GROWING    13
#define SUBMIT_FLAT_MS    (5 * 60 * 1000)

static const char *const throttling[] = {
	"Throttling",
	"ThrottlingException",
	"ThrottledException",
	"RequestThrottled",
	"RequestThrottledException",
	"TooManyRequestsException",
	"ProvisionedThroughputExceededException",
	"TransactionInProgressException",
	"RequestLimitExceeded",
	"BandwidthLimitExceeded",
	"LimitExceededException",
	"SlowDown",
	"PriorRequestNotComplete",
	"EC2ThrottledException",
};

enum retry_kind retry_classify(int error, int http_status, const char *error_name)
{
	switch (error) {
	case 0:
		break;
	case -ETIMEDOUT:
		return RETRY_AFTER_TIMEOUT;
	case -EINVAL: /* the URL or a header is none */
	case -EFBIG:
	case -ENOENT: /* there is no such name */
		return RETRY_NEVER;
	default:
		return RETRY_AGAIN;
	}
	if (http_status == 500 || http_status == 502 || http_status == 503 || http_status == 504)
		return RETRY_AGAIN;
	if (str_eq(error_name, "RequestTimeout") || str_eq(error_name, "RequestTimeoutException"))
		return RETRY_AGAIN;
	for (size_t i = 0; i < sizeof(throttling) / sizeof(throttling[0]); i++)
		if (str_eq(error_name, throttling[i]))
			return RETRY_AGAIN;
	return RETRY_NEVER;
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (str_eq(name, *names))
			return true;
	return false;
}

bool retry_is_about_time(const char *error_name)
{
	static const char *const names[] = { "RequestTimeTooSkewed",
					     "RequestExpired",
					     "RequestInTheFuture",
					     "InvalidSignatureException",
					     "SignatureDoesNotMatch",
					     "AuthFailure",
					     "RequestTimeTooSkewedException",
					     NULL };

	return is_one_of(error_name, names);
}

bool retry_is_about_keys(const char *error_name)
{
	static const char *const names[] = { "ExpiredToken",         "ExpiredTokenException",
					     "InvalidClientTokenId", "UnrecognizedClientException",
					     "TokenRefreshRequired", NULL };

	return is_one_of(error_name, names);
}

int retry_max_attempts(enum ecs_retry retry)
{
	if (retry == ECS_RETRY_NONE)
		return 1;
	return retry == ECS_RETRY_SUBMIT ? SUBMIT_ATTEMPTS : STANDARD_ATTEMPTS;
}

int64_t retry_wait_ms(enum ecs_retry retry, int attempt, double random)
{
	double wait;

	if (retry == ECS_RETRY_SUBMIT) {
		if (attempt > SUBMIT_GROWING)
			return SUBMIT_FLAT_MS;
		return (int64_t)(1LL << attempt) * (30 + (int64_t)(random * 30));
	}
	wait = random * (double)(1LL << (attempt < 30 ? attempt : 30)) * 1000;
	return wait < STANDARD_MAX_MS ? (int64_t)wait : STANDARD_MAX_MS;
}

void retry_quota_init(struct retry_quota *quota)
{
	quota->tokens = QUOTA_TOKENS;
}

int retry_quota_take(struct retry_quota *quota, enum retry_kind kind)
{
	int cost = kind == RETRY_AFTER_TIMEOUT ? QUOTA_TIMEOUT : QUOTA_RETRY;

	if (quota->tokens < cost)
		return 0;
	quota->tokens -= cost;
	return cost;
}

void retry_quota_return(struct retry_quota *quota, int cost)
{
	quota->tokens += cost > 0 ? cost : QUOTA_CLEAN;
	if (quota->tokens > QUOTA_TOKENS)
		quota->tokens = QUOTA_TOKENS;
}

void retry_error_name(const char *header, char *out, size_t size)
{
	const char *hash;
	size_t length = strcspn(header, ":");

	hash = memchr(header, '#', length);
	if (hash) {
		length -= (size_t)(hash + 1 - header);
		header = hash + 1;
	}
	snprintf(out, size, "%.*s", (int)(length < 128 ? length : 128), header);
}
