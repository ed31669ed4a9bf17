/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/sts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/aws/xml_texts.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/strbuf.h"

#define API_VERSION "2011-06-15"

static void add_param(struct strbuf *out, const char *name, const char *value)
{
	if (str_is_empty(value))
		return;
	strbuf_appendf(out, "&%s=", name);
	strbuf_append_urlencoded(out, value);
}

static char *begin(struct strbuf *out, const char *action, const struct sts_role *role,
		   const char *token)
{
	strbuf_appendf(out, "Action=%s&Version=" API_VERSION, action);
	add_param(out, "RoleArn", role->arn);
	add_param(out, "RoleSessionName", role->session_name);
	add_param(out, "ExternalId", role->external_id);
	add_param(out, "WebIdentityToken", token);
	if (role->duration_s > 0)
		strbuf_appendf(out, "&DurationSeconds=%lld", (long long)role->duration_s);
	return strbuf_take(out);
}

char *sts_assume_role(const struct sts_role *role)
{
	struct strbuf out = STRBUF_INIT;

	return begin(&out, "AssumeRole", role, NULL);
}

char *sts_assume_role_with_web_identity(const struct sts_role *role, const char *token)
{
	struct strbuf out = STRBUF_INIT;
	struct sts_role known = *role;

	/* A token says itself whose it is. */
	known.external_id = NULL;
	return begin(&out, "AssumeRoleWithWebIdentity", &known, token);
}

int sts_read_keys(const char *xml, size_t size, struct credential_set *ret, struct error *err)
{
	static const char *const names[] = { "AccessKeyId", "SecretAccessKey", "SessionToken",
					     "Expiration" };
	char *texts[4] = { 0 };
	struct credential_set set;
	bool whole = xml_texts_find(xml, size, names, texts, 4) == 0;
	int result = 0;

	set = (struct credential_set){ texts[0], texts[1], texts[2], 0 };
	if (!whole || !credential_set_is_whole(&set) || str_is_empty(set.token))
		result = error_say(err, EINVAL, "the answer has no keys");
	else if (str_is_empty(texts[3]))
		result = error_say(err, EINVAL, "the answer does not say when its keys expire");
	else
		result = parse_iso8601(texts[3], &set.expires_ms, err);
	free(texts[3]);
	if (result < 0) {
		credential_set_free(&set);
		return result;
	}
	*ret = set;
	return 0;
}

int sts_read_failure(int status, const char *xml, size_t size, struct error *err)
{
	return xml_texts_failure(status, xml, size, NULL, err);
}
