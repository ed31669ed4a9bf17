/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_answer.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cni-plugins/result.h"

#define QUOTE_SIZE 256 /* of what a plugin printed, in an error */

/* The beginning of a text as one line. */
static const char *quote(const char *text, size_t size, char out[QUOTE_SIZE])
{
	size_t length = 0;

	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
		size--;
	for (size_t i = 0; i < size && length < QUOTE_SIZE - 1; i++) {
		unsigned char c = (unsigned char)text[i];

		out[length++] = c < ' ' || c == 0x7f ? ' ' : text[i];
	}
	out[length] = '\0';
	return out;
}

static const char *describe_end(const struct process_result *end, char out[64])
{
	if (end->signal)
		snprintf(out, 64, "signal %d (%s)", end->signal, strsignal(end->signal));
	else
		snprintf(out, 64, "exit status %d", end->exit_code);
	return out;
}

/* Reads {"code":...,"msg":...}. False when the value is no error object. */
static bool read_error(const json_t *value, const char *plugin, const char *command,
		       struct error *err)
{
	const json_t *code = json_object_get(value, "code");
	const json_t *text = json_object_get(value, "msg");
	const json_t *details = json_object_get(value, "details");
	const char *more = json_is_string(details) ? json_string_value(details) : "";

	if (!json_is_integer(code) || json_integer_value(code) == 0 || !json_is_string(text))
		return false;
	error_say(err, EREMOTEIO, "CNI plugin %s %s: %s%s%s (code %lld)", plugin, command,
		  json_string_value(text), *more ? "; " : "", more,
		  (long long)json_integer_value(code));
	return true;
}

static int read_failure(const char *plugin, const char *command, const struct process_result *end,
			const json_t *value, struct error *err)
{
	char text[QUOTE_SIZE], how[64];

	if (value && read_error(value, plugin, command, err))
		return -EREMOTEIO;
	if (end->out_size > 0)
		return error_say(err, EBADMSG,
				 "CNI plugin %s %s: netplugin failed but error parsing its "
				 "diagnostic message \"%s\": %s",
				 plugin, command, quote(end->out, end->out_size, text),
				 describe_end(end, how));
	if (end->errors_size > 0)
		return error_say(err, EREMOTEIO, "CNI plugin %s %s: netplugin failed: \"%s\": %s",
				 plugin, command, quote(end->errors, end->errors_size, text),
				 describe_end(end, how));
	return error_say(err, EREMOTEIO,
			 "CNI plugin %s %s: netplugin failed with no error message: %s", plugin,
			 command, describe_end(end, how));
}

static int read_success(const char *plugin, const char *command, const struct process_result *end,
			json_t *value, enum cni_version version, json_t **ret_result,
			struct error *err)
{
	_cleanup_cni_result_ struct cni_result result = CNI_RESULT_INIT;
	struct error why = ERROR_INIT;
	struct json_at root;
	char text[QUOTE_SIZE];

	if (value && read_error(value, plugin, command, err))
		return -EREMOTEIO;
	if (!ret_result)
		return 0;
	if (!value)
		return error_say(err, EBADMSG,
				 "CNI plugin %s %s: it ended well but its answer is no JSON: "
				 "\"%s\"",
				 plugin, command, quote(end->out, end->out_size, text));
	root = json_root(value);
	if (cni_result_parse(&root, version, &result, &why) < 0)
		return error_say(err, EBADMSG,
				 "CNI plugin %s %s: it ended well but its answer is no result: %s",
				 plugin, command, why.text);
	*ret_result = json_incref(value);
	return 0;
}

int cni_answer_read(const char *plugin, const char *command, const struct process_result *end,
		    enum cni_version version, json_t **ret_result, struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	const struct json_limits limits = { .size = CNI_ANSWER_LIMIT };

	if (end->timed_out)
		return error_say(
			err, ETIMEDOUT,
			"CNI plugin %s %s: it did not end within its deadline (%.1f s) and "
			"was killed",
			plugin, command, (double)end->duration_ms / 1000);
	if (end->out_cut)
		return error_say(err, EBADMSG,
				 "CNI plugin %s %s: its answer is longer than %zu bytes", plugin,
				 command, CNI_ANSWER_LIMIT);
	if (end->out_size > 0)
		(void)json_parse(end->out, end->out_size, &limits, &value, NULL);
	if (end->signal || end->exit_code != 0)
		return read_failure(plugin, command, end, value, err);
	return read_success(plugin, command, end, value, version, ret_result, err);
}
