/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct writer writer_to(struct strbuf *out)
{
	return (struct writer){ .out = out, .first = true };
}

static void begin(struct writer *writer, const char *key)
{
	if (!writer->first)
		strbuf_append_char(writer->out, ',');
	writer->first = false;
	if (key) {
		strbuf_append_json(writer->out, key);
		strbuf_append_char(writer->out, ':');
	}
}

static void open_with(struct writer *writer, const char *key, char bracket)
{
	begin(writer, key);
	strbuf_append_char(writer->out, bracket);
	writer->first = true;
}

static void close_with(struct writer *writer, char bracket)
{
	strbuf_append_char(writer->out, bracket);
	/* Whatever was just closed is an element of what surrounds it. */
	writer->first = false;
}

void write_object(struct writer *writer, const char *key)
{
	open_with(writer, key, '{');
}

void write_object_end(struct writer *writer)
{
	close_with(writer, '}');
}

void write_list(struct writer *writer, const char *key)
{
	open_with(writer, key, '[');
}

void write_list_end(struct writer *writer)
{
	close_with(writer, ']');
}

void write_text(struct writer *writer, const char *key, const char *text)
{
	if (!text)
		return;
	begin(writer, key);
	strbuf_append_json(writer->out, text);
}

void write_text_cut(struct writer *writer, const char *key, const char *text, size_t limit)
{
	size_t length;

	if (!text)
		return;
	length = strlen(text);
	if (length > limit) {
		length = limit;
		/* Not within a character: back to where its first byte was, at most three steps. */
		while (length > 0 && limit - length < 3 &&
		       ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
		if (((unsigned char)text[length] & 0xc0) == 0x80)
			length = limit; /* it was no UTF-8 to begin with */
	}
	begin(writer, key);
	strbuf_append_json_n(writer->out, text, length);
}

void write_bool(struct writer *writer, const char *key, bool value)
{
	begin(writer, key);
	strbuf_append(writer->out, value ? "true" : "false");
}

void write_i64(struct writer *writer, const char *key, int64_t value)
{
	begin(writer, key);
	strbuf_appendf(writer->out, "%" PRId64, value);
}

void write_double(struct writer *writer, const char *key, double value)
{
	begin(writer, key);
	strbuf_append_json_double(writer->out, value);
}

void append_json_epoch(struct strbuf *out, int64_t wall_ms)
{
	int64_t seconds = wall_ms / 1000;
	int ms = abs((int)(wall_ms % 1000));

	if (wall_ms < 0 && seconds == 0)
		strbuf_append_char(out, '-');
	strbuf_appendf(out, "%" PRId64, seconds);
	if (ms == 0)
		return;
	if (ms % 100 == 0)
		strbuf_appendf(out, ".%d", ms / 100);
	else if (ms % 10 == 0)
		strbuf_appendf(out, ".%02d", ms / 10);
	else
		strbuf_appendf(out, ".%03d", ms);
}

void write_epoch(struct writer *writer, const char *key, int64_t wall_ms)
{
	begin(writer, key);
	append_json_epoch(writer->out, wall_ms);
}

void write_raw(struct writer *writer, const char *key, const char *json)
{
	if (!json)
		return;
	begin(writer, key);
	strbuf_append(writer->out, json);
}

void write_texts(struct writer *writer, const char *key, const char *const *items, size_t count)
{
	write_list(writer, key);
	for (size_t i = 0; i < count; i++)
		write_text(writer, NULL, items[i]);
	write_list_end(writer);
}
