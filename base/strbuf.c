/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

const char *strbuf_text(const struct strbuf *sb)
{
	return sb->data ? sb->data : "";
}

void strbuf_reserve(struct strbuf *sb, size_t extra)
{
	size_t need = sb->length + extra + 1;
	size_t capacity = sb->capacity ? sb->capacity : 32;

	assert(need > extra);
	if (sb->data && need <= sb->capacity)
		return;
	while (capacity < need)
		capacity *= 2;
	sb->data = xrealloc(sb->data, capacity);
	sb->data[sb->length] = '\0';
	sb->capacity = capacity;
}

void strbuf_append_n(struct strbuf *sb, const void *data, size_t size)
{
	strbuf_reserve(sb, size);
	if (size)
		memcpy(sb->data + sb->length, data, size);
	sb->length += size;
	sb->data[sb->length] = '\0';
}

void strbuf_append(struct strbuf *sb, const char *text)
{
	strbuf_append_n(sb, text, strlen(text));
}

void strbuf_append_char(struct strbuf *sb, char c)
{
	strbuf_append_n(sb, &c, 1);
}

void strbuf_vappendf(struct strbuf *sb, const char *format, va_list args)
{
	va_list again;
	int need;

	va_copy(again, args);
	strbuf_reserve(sb, 64);
	need = vsnprintf(sb->data + sb->length, sb->capacity - sb->length, format, args);
	assert(need >= 0);
	if ((size_t)need >= sb->capacity - sb->length) {
		strbuf_reserve(sb, (size_t)need);
		vsnprintf(sb->data + sb->length, sb->capacity - sb->length, format, again);
	}
	sb->length += (size_t)need;
	va_end(again);
}

void strbuf_appendf(struct strbuf *sb, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	strbuf_vappendf(sb, format, args);
	va_end(args);
}

static void append_json_ascii(struct strbuf *sb, char c)
{
	switch (c) {
	case '"':
		strbuf_append(sb, "\\\"");
		break;
	case '\\':
		strbuf_append(sb, "\\\\");
		break;
	case '\n':
		strbuf_append(sb, "\\n");
		break;
	case '\r':
		strbuf_append(sb, "\\r");
		break;
	case '\t':
		strbuf_append(sb, "\\t");
		break;
	default:
		strbuf_appendf(sb, "\\u%04x", (unsigned char)c);
	}
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

void strbuf_append_json_n(struct strbuf *sb, const char *text, size_t size)
{
	size_t i = 0;

	strbuf_reserve(sb, size + 2);
	strbuf_append_char(sb, '"');
	while (i < size) {
		size_t start = i;
		uint32_t point;
		size_t length;

		while (i < size && is_plain((unsigned char)text[i]))
			i++;
		strbuf_append_n(sb, text + start, i - start);
		if (i == size)
			break;
		if ((unsigned char)text[i] < 0x80) {
			append_json_ascii(sb, text[i++]);
			continue;
		}
		length = utf8_decode(text + i, size - i, &point);
		if (length == 0) {
			strbuf_append(sb, "\\ufffd");
			i++;
		} else {
			if (point == 0x2028 || point == 0x2029)
				strbuf_appendf(sb, "\\u%04x", point);
			else
				strbuf_append_n(sb, text + i, length);
			i += length;
		}
	}
	strbuf_append_char(sb, '"');
}

void strbuf_append_json(struct strbuf *sb, const char *text)
{
	if (text)
		strbuf_append_json_n(sb, text, strlen(text));
	else
		strbuf_append(sb, "null");
}

/* Go's encoding/json: the shortest digits; %e for what is small or large, with no zero-padded
 * exponent. There it is large from 1e21; here from 2^63, as readers take whole numbers for
 * integers. */
void strbuf_append_json_double(struct strbuf *sb, double number)
{
	char digits[40];
	double size = fabs(number);
	int precision = 1;
	int exponent;
	char *e;

	if (!isfinite(number) || size == 0) {
		strbuf_append_char(sb, '0');
		return;
	}
	for (; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*e", precision - 1, number);
		if (strtod(digits, NULL) == number)
			break;
	}
	e = strchr(digits, 'e');
	assert(e);
	exponent = (int)strtol(e + 1, NULL, 10);
	if (size >= 1e-6 && size < 0x1p63) {
		int decimals = precision - 1 - exponent;

		strbuf_appendf(sb, "%.*f", decimals > 0 ? decimals : 0, number);
		return;
	}
	strbuf_append_n(sb, digits, (size_t)(e - digits));
	strbuf_appendf(sb, "e%+d", exponent);
}

static void append_percent(struct strbuf *sb, const char *text, const char *space)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_' || c == '.' || c == '~')
			strbuf_append_char(sb, (char)c);
		else if (c == ' ')
			strbuf_append(sb, space);
		else
			strbuf_appendf(sb, "%%%02X", c);
	}
}

void strbuf_append_urlencoded(struct strbuf *sb, const char *text)
{
	append_percent(sb, text, "%20");
}

void strbuf_append_formencoded(struct strbuf *sb, const char *text)
{
	append_percent(sb, text, "+");
}

void strbuf_reset(struct strbuf *sb)
{
	strbuf_truncate(sb, 0);
}

void strbuf_truncate(struct strbuf *sb, size_t length)
{
	assert(length <= sb->length);
	sb->length = length;
	if (sb->data)
		sb->data[length] = '\0';
}

void strbuf_consume(struct strbuf *sb, size_t size)
{
	assert(size <= sb->length);
	if (size == 0)
		return;
	memmove(sb->data, sb->data + size, sb->length - size + 1);
	sb->length -= size;
}

char *strbuf_take(struct strbuf *sb)
{
	char *text;

	strbuf_reserve(sb, 0);
	text = sb->data;
	sb->data = NULL;
	sb->length = 0;
	sb->capacity = 0;
	return text;
}

void strbuf_free(struct strbuf *sb)
{
	free(sb->data);
	sb->data = NULL;
	sb->length = 0;
	sb->capacity = 0;
}
