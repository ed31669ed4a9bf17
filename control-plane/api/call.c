/* SPDX-License-Identifier: Apache-2.0 */
/* What every handler uses: errors, members of the input, members of the output. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "control-plane/api/api.h"
#include "control-plane/api/member.h"

int api_error(struct api_call *call, const char *type, const char *format, ...)
{
	va_list args;

	free(call->error_message);
	va_start(args, format);
	call->error_message = xvasprintf(format, args);
	va_end(args);
	call->error_type = type;
	return -EINVAL;
}

void api_error_member(struct api_call *call, const char *name, json_t *value)
{
	if (!call->error_members)
		call->error_members = json_object();
	json_object_set_new(call->error_members, name, value);
}

int api_server_error(struct api_call *call, const struct error *err)
{
	log_error("API call failed inside", "operation",
		  call->operation ? call->operation->name : NULL, "request", call->request_id,
		  "error", err->text);
	api_error(call, API_SERVER, "%s failed inside the control plane: %s (request %s)",
		  call->operation ? call->operation->name : "The call", err->text,
		  call->request_id);
	return -EIO;
}

const char *api_input_string(const struct api_call *call, const char *name)
{
	return member_string(call->input, name);
}

int64_t api_input_integer(const struct api_call *call, const char *name, int64_t fallback)
{
	return member_integer(call->input, name, fallback);
}

bool api_input_bool(const struct api_call *call, const char *name, bool fallback)
{
	return member_bool(call->input, name, fallback);
}

json_t *api_input_member(const struct api_call *call, const char *name)
{
	return json_object_get(call->input, name);
}

static bool is_blank(const char *text)
{
	return !text || text[strspn(text, " \t\r\n")] == '\0';
}

int api_input_required(struct api_call *call, const char *name, const char *type, const char *label,
		       const char **ret_value)
{
	const char *value = api_input_string(call, name);

	if (is_blank(value))
		return api_error(call, type, "%s can not be blank.", label);
	*ret_value = value;
	return 0;
}

int api_input_list(struct api_call *call, const char *name, const char *type, const char *label,
		   size_t max, json_t **ret_list)
{
	json_t *list = api_input_member(call, name);

	if (json_array_size(list) == 0)
		return api_error(call, type, "%s cannot be empty.", label);
	if (json_array_size(list) > max)
		return api_error(call, type, "%s can have at most %zu items.", label, max);
	*ret_list = list;
	return 0;
}

static bool in_words(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (str_eq(text, *words))
			return true;
	return false;
}

int api_check_enum(struct api_call *call, const char *type, const char *label, const char *text,
		   const char *const *words)
{
	_cleanup_strbuf_ struct strbuf list = STRBUF_INIT;

	if (in_words(text, words))
		return 0;
	for (size_t i = 0; words[i]; i++)
		strbuf_appendf(&list, "%s%s", i > 0 ? "," : "", words[i]);
	return api_error(call, type, "%s should be one of [%s]", label, strbuf_text(&list));
}

bool api_includes(const struct api_call *call, const char *word)
{
	size_t i;
	json_t *item;

	json_array_foreach (api_input_member(call, "include"), i, item)
		if (str_eq(json_string_value(item), word))
			return true;
	return false;
}

int api_check_include(struct api_call *call, const char *const *words)
{
	size_t i;
	json_t *item;
	int r;

	json_array_foreach (api_input_member(call, "include"), i, item) {
		r = api_check_enum(call, API_INVALID, "include", json_string_value(item), words);
		if (r < 0)
			return r;
	}
	return 0;
}

bool api_is_name(const char *text, size_t max)
{
	size_t length =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return length > 0 && length <= max && text[length] == '\0';
}

json_t *api_time(int64_t wall_ms)
{
	return json_real((double)wall_ms / 1000.0);
}

void api_set_time(json_t *object, const char *name, int64_t wall_ms)
{
	if (wall_ms != 0)
		json_object_set_new(object, name, api_time(wall_ms));
}

void api_set_string(json_t *object, const char *name, const char *text)
{
	member_set_string(object, name, text);
}

void api_set_document(json_t *object, const char *name, const char *document)
{
	if (document)
		json_object_set_new(object, name, json_loads(document, JSON_DECODE_ANY, NULL));
}

void api_failure(json_t *failures, const char *arn, const char *reason, const char *detail)
{
	json_t *failure = json_object();

	api_set_string(failure, "arn", arn);
	api_set_string(failure, "reason", reason);
	api_set_string(failure, "detail", detail);
	json_array_append_new(failures, failure);
}
