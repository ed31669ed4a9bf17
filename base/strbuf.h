/* SPDX-License-Identifier: Apache-2.0 */
/* A string that grows. Always NUL-terminated once anything was appended. */
#ifndef BERTH_BASE_STRBUF_H
#define BERTH_BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf {
	char *data; /* NULL while empty and fresh; else NUL-terminated */
	size_t length;
	size_t capacity;
};

#define STRBUF_INIT                                                                                \
	{                                                                                          \
		.data = NULL, .length = 0, .capacity = 0                                           \
	}

/* The text so far; "" when nothing was appended. Valid until the next append. */
const char *strbuf_text(const struct strbuf *sb);

void strbuf_append(struct strbuf *sb, const char *text);
void strbuf_append_n(struct strbuf *sb, const void *data, size_t size);
void strbuf_append_char(struct strbuf *sb, char c);
void strbuf_appendf(struct strbuf *sb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void strbuf_vappendf(struct strbuf *sb, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/*
 * A JSON string with its quotes, escaped as the reference (Go) does: also <, >, &, U+2028 and
 * U+2029 as \u00XX; bytes that are not UTF-8 become U+FFFD. `text` NULL gives null.
 */
void strbuf_append_json(struct strbuf *sb, const char *text);
void strbuf_append_json_n(struct strbuf *sb, const char *text, size_t size);
/* A JSON number, the shortest that reads back equal: 12, 0.1, 1e-9, 1e+21. NaN and infinities give
 * 0. */
void strbuf_append_json_double(struct strbuf *sb, double number);

/* Percent-encoded as RFC 3986 (all but A-Z a-z 0-9 - _ . ~); space gives %20. */
void strbuf_append_urlencoded(struct strbuf *sb, const char *text);
/* The same, but space gives + (application/x-www-form-urlencoded, as Go's url.Values). */
void strbuf_append_formencoded(struct strbuf *sb, const char *text);

/* Back to empty; keeps the memory. */
void strbuf_reset(struct strbuf *sb);
/* Drops all but the first `length` bytes; `length` <= sb->length. */
void strbuf_truncate(struct strbuf *sb, size_t length);
/* Drops the first `size` bytes; `size` <= sb->length. */
void strbuf_consume(struct strbuf *sb, size_t size);
/* Room for `extra` more bytes and the NUL without another allocation. */
void strbuf_reserve(struct strbuf *sb, size_t extra);

/* The string (never NULL), which the caller frees; the builder is empty and fresh again. */
char *strbuf_take(struct strbuf *sb);
/* Frees the memory, not the struct. */
void strbuf_free(struct strbuf *sb);

#define _cleanup_strbuf_ __attribute__((cleanup(strbuf_free)))

#endif
