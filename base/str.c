/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/utf8.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_eq_nocase(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}

bool str_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_starts_with_nocase(const char *text, const char *prefix)
{
	for (; *prefix; text++, prefix++)
		if (lower(*text) != lower(*prefix))
			return false;
	return true;
}

bool str_ends_with(const char *text, const char *suffix)
{
	size_t length = strlen(text);
	size_t tail = strlen(suffix);

	return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

bool str_is_empty(const char *text)
{
	return !text || !*text;
}

bool str_is_utf8(const char *text, size_t size)
{
	while (size > 0) {
		uint32_t point;
		size_t length = utf8_decode(text, size, &point);

		if (length == 0)
			return false;
		text += length;
		size -= length;
	}
	return true;
}

char *str_trim_in_place(char *text)
{
	static const char blanks[] = " \t\r\n\v\f";
	char *end;

	text += strspn(text, blanks);
	for (end = text + strlen(text); end > text && strchr(blanks, end[-1]); end--)
		;
	*end = '\0';
	return text;
}

char *str_trim(const char *text)
{
	char *copy = xstrdup(text);
	char *start = str_trim_in_place(copy);

	memmove(copy, start, strlen(start) + 1);
	return copy;
}

void str_replace(char **pointer, const char *text)
{
	char *copy = xstrdup_null(text);

	free(*pointer);
	*pointer = copy;
}

void str_list_add_owned(struct str_list *list, char *text)
{
	list->items = xreallocarray(list->items, list->count + 2, sizeof(*list->items));
	list->items[list->count++] = text;
	list->items[list->count] = NULL;
}

void str_list_add(struct str_list *list, const char *text)
{
	str_list_add_owned(list, xstrdup(text));
}

bool str_list_has(const struct str_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_eq(list->items[i], text))
			return true;
	return false;
}

void str_list_split(struct str_list *list, const char *text, char separator, bool keep_empty)
{
	for (;;) {
		const char *end = strchrnul(text, separator);

		if (end > text || keep_empty)
			str_list_add_owned(list, xstrndup(text, (size_t)(end - text)));
		if (!*end)
			return;
		text = end + 1;
	}
}

char *str_list_join(const struct str_list *list, const char *separator)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			strbuf_append(&sb, separator);
		strbuf_append(&sb, list->items[i]);
	}
	return strbuf_take(&sb);
}

void str_list_free(struct str_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

const char *environment_get(char *const *environment, const char *name)
{
	size_t size = strlen(name);

	for (; environment && *environment; environment++)
		if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
			return *environment + size + 1;
	return NULL;
}
