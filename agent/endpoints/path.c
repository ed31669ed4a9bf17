/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/endpoints/path.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/url.h"

static bool escapes_are_well_formed(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '%')
			continue;
		if (size - i < 3 || !isxdigit((unsigned char)text[i + 1]) ||
		    !isxdigit((unsigned char)text[i + 2]) ||
		    (text[i + 1] == '0' && text[i + 2] == '0'))
			return false;
		i += 2;
	}
	return true;
}

/* Takes the last element off. */
static void go_up(struct strbuf *path)
{
	while (path->length > 0) {
		bool at_slash = path->data[path->length - 1] == '/';

		strbuf_truncate(path, path->length - 1);
		if (at_slash)
			return;
	}
}

int path_clean(const char *raw, char **ret, bool *ret_moved)
{
	_cleanup_free_ char *decoded = NULL;
	_cleanup_strbuf_ struct strbuf clean = STRBUF_INIT;
	bool slash_at_end;

	if (!escapes_are_well_formed(raw, strlen(raw)))
		return -EINVAL;
	decoded = url_decode(raw, strlen(raw), false);
	for (const char *at = decoded; *at;) {
		size_t size = strcspn(at, "/");

		if (size == 2 && at[0] == '.' && at[1] == '.') {
			go_up(&clean);
		} else if (size > 0 && !(size == 1 && at[0] == '.')) {
			strbuf_append_char(&clean, '/');
			strbuf_append_n(&clean, at, size);
		}
		at += size + (at[size] == '/');
	}
	slash_at_end = str_ends_with(decoded, "/");
	if (clean.length == 0 || slash_at_end)
		strbuf_append_char(&clean, '/');
	*ret_moved = !str_eq(strbuf_text(&clean), decoded);
	*ret = strbuf_take(&clean);
	return 0;
}

char *path_location(const char *clean, const char *query)
{
	struct strbuf location = STRBUF_INIT;

	for (const char *c = clean; *c; c++) {
		if (isalnum((unsigned char)*c) || strchr("-_.~$&+,/:;=@", *c))
			strbuf_append_char(&location, *c);
		else
			strbuf_appendf(&location, "%%%02X", (unsigned char)*c);
	}
	if (*query)
		strbuf_appendf(&location, "?%s", query);
	return strbuf_take(&location);
}

char *path_query_value(const char *query, const char *name)
{
	for (const char *at = query; *at;) {
		size_t size = strcspn(at, "&");
		size_t key_size = strcspn(at, "=&");
		_cleanup_free_ char *key = NULL;

		if (escapes_are_well_formed(at, size) && !memchr(at, ';', size)) {
			key = url_decode(at, key_size, true);
			if (str_eq(key, name))
				return key_size < size ? url_decode(at + key_size + 1,
								    size - key_size - 1, true)
						       : xstrdup("");
		}
		at += size + (at[size] == '&');
	}
	return NULL;
}
