/* SPDX-License-Identifier: Apache-2.0 */
#include "base/form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "base/url.h"

struct form_param {
	char *name;
	char *value;
	bool asked;
};

struct form {
	struct form_param *params;
	size_t count;
	struct map *by_name;
};

static bool is_text(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return false;
	}
	return str_is_utf8(text, size);
}

/* Every % begins %XX; -EINVAL also for what decodes to no text. */
static int decode(const char *text, size_t size, char **ret)
{
	_cleanup_free_ char *decoded = NULL;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\0')
			return -EINVAL;
		if (text[i] != '%')
			continue;
		if (i + 2 >= size || hex_digit_value(text[i + 1]) < 0 ||
		    hex_digit_value(text[i + 2]) < 0 || strncmp(text + i, "%00", 3) == 0)
			return -EINVAL;
	}
	decoded = url_decode(text, size, true);
	if (!is_text(decoded, strlen(decoded)))
		return -EINVAL;
	*ret = TAKE(decoded);
	return 0;
}

/* "name=value" or "name". */
static int add_param(struct form *form, const char *text, size_t size, struct error *err)
{
	const char *equals = memchr(text, '=', size);
	size_t name_size = equals ? (size_t)(equals - text) : size;
	struct form_param *param = &form->params[form->count];

	if (decode(text, name_size, &param->name) < 0 || param->name[0] == '\0') {
		free(param->name);
		return error_say(err, EINVAL, "parameter %zu has no name that can be read",
				 form->count + 1);
	}
	/* Counted from here on, so that form_free() finds the name. */
	form->count++;
	if (!equals)
		param->value = xstrdup("");
	else if (decode(equals + 1, size - name_size - 1, &param->value) < 0)
		return error_say(err, EINVAL, "the value of parameter %.100s can not be read",
				 param->name);
	if (map_set(form->by_name, param->name, param))
		return error_say(err, EINVAL, "parameter %.100s is there twice", param->name);
	return 0;
}

static size_t count_params(const char *text, size_t size)
{
	size_t count = 1;

	for (size_t i = 0; i < size; i++)
		count += text[i] == '&';
	return count;
}

int form_parse(const char *text, size_t size, const struct form_limits *limits,
	       struct form **ret_form, struct error *err)
{
	_cleanup_(form_free_cleanup) struct form *form = NULL;
	size_t count = count_params(text, size);

	if (size > limits->size)
		return error_say(err, EFBIG, "the form has %zu bytes: at most %zu are possible",
				 size, limits->size);
	if (count > limits->params)
		return error_say(err, EFBIG,
				 "the form has %zu parameters: at most %zu are possible", count,
				 limits->params);
	form = xcalloc(1, sizeof(*form));
	form->params = xcalloc(count, sizeof(*form->params));
	form->by_name = map_new();
	while (size > 0) {
		const char *end = memchr(text, '&', size);
		size_t part = end ? (size_t)(end - text) : size;

		if (part > 0) {
			int r = add_param(form, text, part, err);

			if (r < 0)
				return r;
		}
		text += end ? part + 1 : part;
		size -= end ? part + 1 : part;
	}
	*ret_form = TAKE(form);
	return 0;
}

void form_free(struct form *form)
{
	if (!form)
		return;
	for (size_t i = 0; i < form->count; i++) {
		free(form->params[i].name);
		free(form->params[i].value);
	}
	free(form->params);
	map_free(form->by_name);
	free(form);
}

const char *form_get(struct form *form, const char *name)
{
	struct form_param *param = map_get(form->by_name, name);

	if (!param)
		return NULL;
	param->asked = true;
	return param->value;
}

bool form_has_prefix(const struct form *form, const char *prefix)
{
	for (size_t i = 0; i < form->count; i++)
		if (str_starts_with(form->params[i].name, prefix))
			return true;
	return false;
}

const char *form_unasked(const struct form *form)
{
	for (size_t i = 0; i < form->count; i++)
		if (!form->params[i].asked)
			return form->params[i].name;
	return NULL;
}

size_t form_count(const struct form *form)
{
	return form->count;
}
