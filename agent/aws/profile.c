/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/profile.h"

#include <stddef.h>
#include <string.h>

#include "agent/aws/credential_set.h"
#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"

#define BLANKS         " \t\r"
#define MAX_DURATION_S (12 * 3600)

static const struct {
	const char *name;
	size_t offset;
} keys[] = {
	{ "aws_access_key_id", offsetof(struct profile, access_key) },
	{ "aws_secret_access_key", offsetof(struct profile, secret) },
	{ "aws_session_token", offsetof(struct profile, token) },
	{ "role_arn", offsetof(struct profile, role_arn) },
	{ "source_profile", offsetof(struct profile, source_profile) },
	{ "credential_source", offsetof(struct profile, credential_source) },
	{ "web_identity_token_file", offsetof(struct profile, web_identity_token_file) },
	{ "role_session_name", offsetof(struct profile, role_session_name) },
	{ "external_id", offsetof(struct profile, external_id) },
	{ "credential_process", offsetof(struct profile, credential_process) },
	{ "sso_start_url", offsetof(struct profile, sso_start_url) },
	{ "sso_session", offsetof(struct profile, sso_start_url) },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static char **place_of(struct profile *profile, size_t key)
{
	return (char **)((char *)profile + keys[key].offset);
}

/* "[profile NAME]", torn apart: is it the one? */
static bool is_heading_of(char *line, enum profile_file file, const char *name)
{
	char *close = strchr(line, ']');
	char *heading;

	if (!close)
		return false;
	*close = '\0';
	heading = str_trim_in_place(line + 1);
	if (file == PROFILE_CONFIG && str_starts_with(heading, "profile") &&
	    strchr(BLANKS, heading[7]) && heading[7] != '\0')
		heading = str_trim_in_place(heading + 7);
	else if (file == PROFILE_CONFIG && !str_eq(heading, "default"))
		return false;
	return str_eq(heading, name);
}

static void read_key(struct profile *profile, char *line)
{
	char *equals = strchr(line, '=');
	const char *name, *value;

	if (!equals)
		return;
	*equals = '\0';
	name = str_trim_in_place(line);
	value = str_trim_in_place(equals + 1);
	if (*value == '\0')
		return;
	if (str_eq(name, "duration_seconds") && profile->duration_s == 0)
		number_parse_i64(value, 1, MAX_DURATION_S, &profile->duration_s, NULL);
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (str_eq(name, keys[i].name) && !*place_of(profile, i))
			*place_of(profile, i) = xstrdup(value);
}

void profile_read(char *text, size_t size, enum profile_file file, const char *name,
		  struct profile *profile)
{
	/* Keys of the same profile in another file go together or not at all. */
	struct profile here = { 0 };
	bool wanted = false;
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		/* What is further in belongs to a setting that is none of ours ("s3 ="). */
		bool is_nested = *line == ' ' || *line == '\t';

		line = str_trim_in_place(line);
		if (*line == '[') {
			wanted = is_heading_of(line, file, name);
			here.found |= wanted;
		} else if (wanted && !is_nested && *line != '#' && *line != ';') {
			read_key(&here, line);
		}
	}
	explicit_bzero(text, size);
	profile->found |= here.found;
	if (profile->access_key || profile->secret) {
		secret_free(here.access_key);
		secret_free(here.secret);
		secret_free(here.token);
		here.access_key = here.secret = here.token = NULL;
	}
	if (profile->duration_s == 0)
		profile->duration_s = here.duration_s;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		char **place = place_of(profile, i), **found = place_of(&here, i);

		if (*found && !*place) {
			*place = *found;
			*found = NULL;
		}
	}
	profile_free(&here);
}

void profile_free(struct profile *profile)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		secret_free(*place_of(profile, i));
		*place_of(profile, i) = NULL;
	}
	memset(profile, 0, sizeof(*profile));
}
