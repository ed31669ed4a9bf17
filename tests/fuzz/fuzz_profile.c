/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials and configuration files that AWS's tools share. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/aws/profile.h"
#include "base/alloc.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct texts {
	const char *items[11];
};

static struct texts texts_of(const struct profile *profile)
{
	return (struct texts){ { profile->access_key, profile->secret, profile->token,
				 profile->role_arn, profile->source_profile,
				 profile->credential_source, profile->web_identity_token_file,
				 profile->role_session_name, profile->external_id,
				 profile->credential_process, profile->sso_start_url } };
}

static void read_as(const uint8_t *data, size_t size, enum profile_file file, const char *name,
		    struct profile *profile)
{
	char *text = xstrndup((const char *)data, size);

	size = strlen(text);
	profile_read(text, size, file, name, profile);
	for (size_t i = 0; i < size; i++)
		if (text[i] != '\0')
			abort(); /* a secret stays behind */
	free(text);
}

static void check(const struct profile *profile)
{
	const struct texts texts = texts_of(profile);
	bool any = profile->duration_s != 0;

	for (size_t i = 0; i < sizeof(texts.items) / sizeof(texts.items[0]); i++) {
		const char *value = texts.items[i];

		if (!value)
			continue;
		any = true;
		if (!*value || strchr(value, '\n') || strchr(" \t\r", value[0]) ||
		    strchr(" \t\r", value[strlen(value) - 1]))
			abort();
	}
	if (any && !profile->found)
		abort();
	if (profile->duration_s < 0 || profile->duration_s > 12 * 3600)
		abort();
}

static void try(const uint8_t *data, size_t size, enum profile_file file, const char *name)
{
	_cleanup_profile_ struct profile once = { 0 }, twice = { 0 };
	struct texts a, b;

	read_as(data, size, file, name, &once);
	check(&once);
	/* What is there already stays. */
	read_as(data, size, file, name, &twice);
	read_as(data, size, file, name, &twice);
	a = texts_of(&once);
	b = texts_of(&twice);
	for (size_t i = 0; i < sizeof(a.items) / sizeof(a.items[0]); i++)
		if (!str_eq(a.items[i], b.items[i]))
			abort();
	if (once.found != twice.found || once.duration_s != twice.duration_s)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try(data, size, PROFILE_CREDENTIALS, "default");
	try(data, size, PROFILE_CONFIG, "default");
	try(data, size, PROFILE_CONFIG, "work");
	return 0;
}
