/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sigv4_canonical.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/url.h"

/*
 * Without empty segments and those that lead nowhere ("//", ".", ".."). What is left of the raw
 * path is encoded once more, but for its slashes. So does AWS for every service but S3.
 */
static void append_path(struct strbuf *sb, const char *path)
{
	_cleanup_str_list_ struct str_list raw = STR_LIST_INIT;
	_cleanup_free_ const char **kept = NULL;
	size_t count = 0;

	str_list_split(&raw, path, '/', false);
	kept = xcalloc(raw.count + 1, sizeof(*kept));
	for (size_t i = 0; i < raw.count; i++) {
		if (str_eq(raw.items[i], ".."))
			count -= count > 0;
		else if (*raw.items[i] && !str_eq(raw.items[i], "."))
			kept[count++] = raw.items[i];
	}
	for (size_t i = 0; i < count; i++) {
		strbuf_append_char(sb, '/');
		strbuf_append_urlencoded(sb, kept[i]);
	}
	if (count == 0 || str_ends_with(path, "/"))
		strbuf_append_char(sb, '/');
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * Parameters sorted by name and then value. Decoded first: whatever the request line has for a
 * space (+ or %20), the canonical form has %20. "=" sorts after what an encoded name can hold but
 * letters, which would put "a=" behind "a1="; the separator \x01 sorts before all.
 */
static void append_query(struct strbuf *sb, const char *query)
{
	_cleanup_str_list_ struct str_list raw = STR_LIST_INIT, pairs = STR_LIST_INIT;

	str_list_split(&raw, query, '&', false);
	for (size_t i = 0; i < raw.count; i++) {
		const char *pair = raw.items[i];
		size_t key_size = strcspn(pair, "=");
		const char *rest = pair[key_size] ? pair + key_size + 1 : "";
		_cleanup_free_ char *key = url_decode(pair, key_size, true);
		_cleanup_free_ char *value = url_decode(rest, strlen(rest), true);
		struct strbuf encoded = STRBUF_INIT;

		strbuf_append_urlencoded(&encoded, key);
		strbuf_append_char(&encoded, '\x01');
		strbuf_append_urlencoded(&encoded, value);
		str_list_add_owned(&pairs, strbuf_take(&encoded));
	}
	if (pairs.count > 0)
		qsort(pairs.items, pairs.count, sizeof(*pairs.items), by_text);
	for (size_t i = 0; i < pairs.count; i++) {
		*strchr(pairs.items[i], '\x01') = '=';
		if (i > 0)
			strbuf_append_char(sb, '&');
		strbuf_append(sb, pairs.items[i]);
	}
}

/* Without spaces around, and with one where there are several. */
static void append_value(struct strbuf *sb, const char *value)
{
	bool space = false;

	value += strspn(value, " \t");
	for (; *value; value++) {
		if (*value == ' ' || *value == '\t') {
			space = true;
			continue;
		}
		if (space)
			strbuf_append_char(sb, ' ');
		space = false;
		strbuf_append_char(sb, *value);
	}
}

struct field {
	char *name;
	const char *value;
	size_t order; /* values of one name stay in the order in which they were sent */
};

static int by_name(const void *a, const void *b)
{
	const struct field *one = a, *other = b;
	int order = strcmp(one->name, other->name);

	return order ? order : one->order < other->order ? -1 : 1;
}

static void append_headers(struct strbuf *sb, const struct header *headers, size_t count,
			   struct strbuf *names)
{
	struct field *fields = xcalloc(count, sizeof(*fields));

	for (size_t i = 0; i < count; i++) {
		fields[i] = (struct field){ xstrdup(headers[i].name), headers[i].value, i };
		for (char *c = fields[i].name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
	}
	qsort(fields, count, sizeof(*fields), by_name);
	for (size_t i = 0; i < count; i++) {
		bool again = i > 0 && str_eq(fields[i].name, fields[i - 1].name);

		if (again) {
			strbuf_truncate(sb, sb->length - 1);
			strbuf_append_char(sb, ',');
		} else {
			strbuf_appendf(sb, "%s:", fields[i].name);
			strbuf_appendf(names, "%s%s", i > 0 ? ";" : "", fields[i].name);
		}
		append_value(sb, fields[i].value);
		strbuf_append_char(sb, '\n');
	}
	for (size_t i = 0; i < count; i++)
		free(fields[i].name);
	free(fields);
}

char *sigv4_canonical_request(const char *method, const char *path, const char *query,
			      const struct header *headers, size_t header_count,
			      const char *payload_hash, char **ret_names)
{
	struct strbuf text = STRBUF_INIT, names = STRBUF_INIT;

	strbuf_appendf(&text, "%s\n", method);
	append_path(&text, path);
	strbuf_append_char(&text, '\n');
	append_query(&text, query);
	strbuf_append_char(&text, '\n');
	append_headers(&text, headers, header_count, &names);
	strbuf_appendf(&text, "\n%s\n%s", strbuf_text(&names), payload_hash);
	*ret_names = strbuf_take(&names);
	return strbuf_take(&text);
}
