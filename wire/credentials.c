/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

const char *credentials_role_name(enum credentials_role role)
{
	return role == CREDENTIALS_ROLE_TASK ? "TaskApplication" : "TaskExecution";
}

/* Not by way of an arena: what is secret is overwritten when it is freed. */
static int take_text(const struct json_at *at, const char *name, char **ret, struct error *err)
{
	const char *text = "";

	if (json_get_string(at, name, JSON_ANY_CASE | JSON_NULLABLE, &text, err) < 0) {
		if (err)
			err->code = EBADMSG;
		return -EBADMSG;
	}
	*ret = xstrdup(text);
	return 0;
}

int role_credentials_decode(const struct json_at *at, struct role_credentials **ret,
			    struct error *err)
{
	_cleanup_(role_credentials_free_cleanup) struct role_credentials *credentials =
		xcalloc(1, sizeof(*credentials));
	const struct {
		const char *name;
		char **text;
	} members[] = {
		{ "credentialsId", &credentials->id },
		{ "roleArn", &credentials->role_arn },
		{ "accessKeyId", &credentials->access_key_id },
		{ "secretAccessKey", &credentials->secret_access_key },
		{ "sessionToken", &credentials->session_token },
		{ "expiration", &credentials->expiration },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		int result = take_text(at, members[i].name, members[i].text, err);

		if (result < 0)
			return result;
	}
	if (!credentials->id[0])
		return json_fail(at, err, "CredentialsId is empty");
	*ret = TAKE(credentials);
	return 0;
}

struct role_credentials *role_credentials_copy(const struct role_credentials *credentials)
{
	struct role_credentials *copy = xcalloc(1, sizeof(*copy));

	copy->id = xstrdup(credentials->id);
	copy->role_arn = xstrdup(credentials->role_arn);
	copy->access_key_id = xstrdup(credentials->access_key_id);
	copy->secret_access_key = xstrdup(credentials->secret_access_key);
	copy->session_token = xstrdup(credentials->session_token);
	copy->expiration = xstrdup(credentials->expiration);
	return copy;
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void role_credentials_free(struct role_credentials *credentials)
{
	if (!credentials)
		return;
	free(credentials->id);
	free(credentials->role_arn);
	wipe(credentials->access_key_id);
	wipe(credentials->secret_access_key);
	wipe(credentials->session_token);
	free(credentials->expiration);
	free(credentials);
}
