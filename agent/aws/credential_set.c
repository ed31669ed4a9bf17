/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/credential_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

#define DOCUMENT_LIMIT (64 * 1024)

bool credential_set_is_whole(const struct credential_set *set)
{
	return !str_is_empty(set->access_key) && !str_is_empty(set->secret);
}

void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void credential_set_free(struct credential_set *set)
{
	secret_free(set->access_key);
	secret_free(set->secret);
	secret_free(set->token);
	memset(set, 0, sizeof(*set));
}

/* A code that comes from outside is shown cut. */
static int refused(const struct json_at *root, const char *code, struct error *err)
{
	const char *message = "";

	json_get_string(root, "Message", JSON_NULLABLE | JSON_ANY_CASE, &message, NULL);
	return error_say(err, EACCES, "the answer has the code %.64s%s%.256s", code,
			 *message ? ": " : "", message);
}

int credential_document_parse(const char *text, size_t size, struct credential_set *ret,
			      struct error *err)
{
	static const struct json_limits limits = { .size = DOCUMENT_LIMIT, .depth = 8 };
	const unsigned wanted = JSON_REQUIRED | JSON_NOT_EMPTY | JSON_ANY_CASE;
	const unsigned optional = JSON_NULLABLE | JSON_ANY_CASE;
	const char *code = "Success", *key = "", *secret = "", *token = NULL, *expiration = NULL;
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	int64_t expires_ms = 0;
	int result;

	result = json_parse(text, size, &limits, &value, err);
	if (result < 0)
		return result;
	root = json_root(value);
	result = json_expect_object(&root, err);
	if (result == 0)
		result = json_get_string(&root, "Code", optional, &code, err);
	if (result == 0 && !str_eq(code, "Success"))
		result = refused(&root, code, err);
	if (result == 0)
		result = json_get_string(&root, "AccessKeyId", wanted, &key, err);
	if (result == 0)
		result = json_get_string(&root, "SecretAccessKey", wanted, &secret, err);
	if (result == 0)
		result = json_get_string(&root, "Token", optional, &token, err);
	if (result == 0)
		result = json_get_string(&root, "Expiration", optional, &expiration, err);
	if (result == 0 && !str_is_empty(expiration))
		result = parse_iso8601(expiration, &expires_ms, err);
	if (result < 0)
		return result;
	*ret = (struct credential_set){ .access_key = xstrdup(key),
					.secret = xstrdup(secret),
					.token = str_is_empty(token) ? NULL : xstrdup(token),
					.expires_ms = expires_ms };
	return 0;
}
