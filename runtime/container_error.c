/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container_error.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

/* A line of `--log-format json`: {"level":"error","msg":"...","time":"..."}. NULL: it is none, or
 * no error. */
static char *message_of(const char *line)
{
	_cleanup_json_ json_t *value = NULL;
	const char *message = NULL, *level = NULL;
	struct json_at root;

	if (json_parse(line, strlen(line), NULL, &value, NULL) < 0)
		return NULL;
	root = json_root(value);
	if (json_expect_object(&root, NULL) < 0 ||
	    json_get_string(&root, "msg", JSON_REQUIRED, &message, NULL) < 0 ||
	    json_get_string(&root, "level", JSON_OPTIONAL, &level, NULL) < 0)
		return NULL;
	return !level || str_eq(level, "error") || str_eq(level, "fatal") ? xstrdup(message) : NULL;
}

static char *last_message(const char *log)
{
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;
	char *plain = NULL;

	str_list_split(&lines, log, '\n', false);
	for (size_t i = lines.count; i > 0; i--) {
		const char *line = lines.items[i - 1];
		char *message = message_of(line);

		if (message) {
			free(plain);
			return message;
		}
		if (!plain && line[0] != '{')
			plain = xstrdup(line);
	}
	return plain ? plain : xstrdup("it gave no reason");
}

static int classify(const char *message)
{
	bool is_exec = strstr(message, "exec: \"") || strstr(message, "executable file") ||
		       strstr(message, "open executable");

	if (strstr(message, "no space left on device") ||
	    strstr(message, "No space left on device"))
		return ENOSPC;
	if (strstr(message, "already exists") || strstr(message, "container with given ID"))
		return EEXIST;
	if (is_exec && (strstr(message, "permission denied") ||
			strstr(message, "Permission denied") || strstr(message, "is a directory")))
		return EACCES;
	if (is_exec &&
	    (strstr(message, "not found") || strstr(message, "o such file or directory")))
		return ENOENT;
	return EIO;
}

int container_error_from_log(const char *what, const char *log, struct error *err)
{
	_cleanup_free_ char *message = last_message(log);
	int code = classify(message);

	if (code == ENOENT)
		return error_say(err, code,
				 "OCI runtime %s failed: %s: the command does not exist in the "
				 "image; check the "
				 "entry point and the command",
				 what, message);
	if (code == EACCES)
		return error_say(err, code,
				 "OCI runtime %s failed: %s: the command cannot be executed; check "
				 "its mode and the "
				 "container's user",
				 what, message);
	return error_say(err, code, "OCI runtime %s failed: %s", what, message);
}
