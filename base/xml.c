/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xml.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

void xml_open(struct strbuf *out, const char *name)
{
	strbuf_appendf(out, "<%s>", name);
}

void xml_close(struct strbuf *out, const char *name)
{
	strbuf_appendf(out, "</%s>", name);
}

/* What stands for the character; NULL: itself. */
static const char *escape_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\r':
		return "&#13;";
	case '\t':
	case '\n':
		return NULL;
	default:
		return (unsigned char)c < 0x20 ? REPLACEMENT : NULL;
	}
}

static void append_escaped(struct strbuf *out, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		uint32_t point = 0;
		size_t size = utf8_decode(text, left, &point);
		const char *escape = size == 1 ? escape_of(*text) : NULL;

		if (size == 0 || point == 0xfffe || point == 0xffff)
			strbuf_append(out, REPLACEMENT);
		else if (escape)
			strbuf_append(out, escape);
		else
			strbuf_append_n(out, text, size);
		text += size ? size : 1;
		left -= size ? size : 1;
	}
}

void xml_text(struct strbuf *out, const char *name, const char *text)
{
	if (!text)
		return;
	xml_open(out, name);
	append_escaped(out, text);
	xml_close(out, name);
}

void xml_i64(struct strbuf *out, const char *name, int64_t number)
{
	strbuf_appendf(out, "<%s>%" PRId64 "</%s>", name, number, name);
}

void xml_bool(struct strbuf *out, const char *name, bool value)
{
	xml_text(out, name, value ? "true" : "false");
}
