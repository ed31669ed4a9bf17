/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"

#define FILE_LIMIT (1024 * 1024)
#define FRESH_MS   60000

struct ecs_credentials {
	const struct agent_config *config;
	char *file; /* NULL: nowhere to look */
	char *profile;
	int64_t read_at_ms; /* 0: never */
	char *access_key;
	char *secret;
	char *token;
};

struct ecs_credentials *ecs_credentials_new(const struct agent_config *config)
{
	struct ecs_credentials *credentials = xcalloc(1, sizeof(*credentials));
	const char *file = getenv("AWS_SHARED_CREDENTIALS_FILE");
	const char *profile = getenv("AWS_PROFILE");
	const char *home = getenv("HOME");

	credentials->config = config;
	if (!str_is_empty(file))
		credentials->file = xstrdup(file);
	else if (!str_is_empty(home))
		credentials->file = xasprintf("%s/.aws/credentials", home);
	credentials->profile = xstrdup(str_is_empty(profile) ? "default" : profile);
	return credentials;
}

static void forget(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static void forget_all(struct ecs_credentials *credentials)
{
	forget(&credentials->access_key);
	forget(&credentials->secret);
	forget(&credentials->token);
}

void ecs_credentials_free(struct ecs_credentials *credentials)
{
	if (!credentials)
		return;
	forget_all(credentials);
	free(credentials->file);
	free(credentials->profile);
	free(credentials);
}

/* One line within the wanted profile. */
static void read_key(struct ecs_credentials *credentials, char *line)
{
	char *equals = strchr(line, '=');
	const char *name;
	char **place = NULL;

	if (!equals)
		return;
	*equals = '\0';
	name = str_trim_in_place(line);
	if (str_eq(name, "aws_access_key_id"))
		place = &credentials->access_key;
	else if (str_eq(name, "aws_secret_access_key"))
		place = &credentials->secret;
	else if (str_eq(name, "aws_session_token"))
		place = &credentials->token;
	if (!place)
		return;
	forget(place);
	*place = xstrdup(str_trim_in_place(equals + 1));
}

static void read_profile(struct ecs_credentials *credentials, char *text)
{
	bool wanted = false;
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		line = str_trim_in_place(line);
		if (*line == '[') {
			char *close = strchr(line, ']');

			if (close)
				*close = '\0';
			wanted = close && str_eq(str_trim_in_place(line + 1), credentials->profile);
		} else if (wanted && *line != '#' && *line != ';') {
			read_key(credentials, line);
		}
	}
}

static int read_file(struct ecs_credentials *credentials, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int result;

	if (!credentials->file)
		return error_say(err, ENOKEY,
				 "HOME is not set, so that there is no shared credentials file");
	result = file_read(AT_FDCWD, credentials->file, FILE_LIMIT, &text, &size, err);
	if (result < 0)
		return result;
	forget_all(credentials);
	read_profile(credentials, text);
	explicit_bzero(text, size);
	credentials->read_at_ms = clock_monotonic_ms();
	return 0;
}

int ecs_credentials_get(struct ecs_credentials *credentials, struct sigv4_credentials *ret,
			struct error *err)
{
	const struct agent_config *config = credentials->config;
	struct error cause = ERROR_INIT;

	if (*config->access_key_id) {
		ret->access_key = config->access_key_id;
		ret->secret = config->secret_access_key;
		ret->token = config->session_token;
		return 0;
	}
	/* When the file is gone for a moment (it is being rotated), the last keys may still be
	 * good. */
	if (credentials->read_at_ms == 0 ||
	    clock_monotonic_ms() - credentials->read_at_ms > FRESH_MS)
		read_file(credentials, &cause);
	if (str_is_empty(credentials->access_key) || str_is_empty(credentials->secret))
		return error_say(err, ENOKEY,
				 "there are no AWS credentials: set AWS_ACCESS_KEY_ID and "
				 "AWS_SECRET_ACCESS_KEY, or put "
				 "keys under [%s] in %s%s%s",
				 credentials->profile,
				 credentials->file ? credentials->file : "~/.aws/credentials",
				 cause.code ? " - " : "", cause.text);
	ret->access_key = credentials->access_key;
	ret->secret = credentials->secret;
	ret->token = credentials->token;
	return 0;
}
