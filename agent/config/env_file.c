/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/str.h"

#define LINES_MAX 10000

static bool is_name(const char *text)
{
	if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_", *text) ||
	    *text == '\0')
		return false;
	return text[strspn(text,
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789")] ==
	       '\0';
}

/* Takes the quotes off in place. False when they are not closed, or something follows them. */
static bool unquote(char *value)
{
	char quote = *value, *in = value + 1, *out = value;

	if (quote != '"' && quote != '\'')
		return true;
	while (*in && *in != quote) {
		if (quote == '"' && *in == '\\' && (in[1] == '"' || in[1] == '\\'))
			in++;
		*out++ = *in++;
	}
	if (*in != quote || in[1] != '\0')
		return false;
	*out = '\0';
	return true;
}

void config_file_parse(const char *text, const char *file, struct config_map *ret,
		       struct str_list *warnings)
{
	size_t number = 0;

	while (*text && number < LINES_MAX) {
		size_t length = strcspn(text, "\n");
		_cleanup_free_ char *copy = xstrndup(text, length);
		char *line = str_trim_in_place(copy), *equals, *name, *value;

		text += length + (text[length] == '\n');
		number++;
		if (*line == '\0' || *line == '#' || *line == ';')
			continue;
		/* The text of a line may be a secret: only its number is told. */
		equals = strchr(line, '=');
		if (!equals) {
			str_list_add_owned(
				warnings,
				xasprintf("%s, line %zu: it is not NAME=value and is skipped", file,
					  number));
			continue;
		}
		*equals = '\0';
		name = str_trim_in_place(line);
		value = str_trim_in_place(equals + 1);
		if (!is_name(name)) {
			str_list_add_owned(
				warnings,
				xasprintf("%s, line %zu: what stands before the = is not the name "
					  "of a variable; the line is skipped",
					  file, number));
			continue;
		}
		if (!unquote(value)) {
			str_list_add_owned(
				warnings,
				xasprintf("%s, line %zu: the quotes of %s are not closed, or "
					  "something follows them; the line is skipped",
					  file, number, name));
			continue;
		}
		config_map_set(ret, name, value);
	}
	if (*text)
		str_list_add_owned(warnings, xasprintf("%s: only the first %d lines are read", file,
						       LINES_MAX));
}
