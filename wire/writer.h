/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_WRITER_H
#define BERTH_WIRE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "wire/text.h"

/*
 * Writes JSON as the protocol's peers do: compact; `<`, `>`, `&`, U+2028 and U+2029 escaped; bytes
 * that are no UTF-8 as U+FFFD; numbers in their shortest form. The caller writes members in
 * alphabetical order.
 *
 * A key of NULL means an element of a list (or the outermost value). Functions with a text leave
 * the member out when the text is NULL.
 */
struct writer {
	struct strbuf *out;
	bool first; /* nothing yet in the innermost object or list */
};

struct writer writer_to(struct strbuf *out);
void write_object(struct writer *writer, const char *key);
void write_object_end(struct writer *writer);
void write_list(struct writer *writer, const char *key);
void write_list_end(struct writer *writer);
void write_text(struct writer *writer, const char *key, const char *text);
/* At most `limit` bytes of it, cut before a character that would not fit whole. */
void write_text_cut(struct writer *writer, const char *key, const char *text, size_t limit);
void write_bool(struct writer *writer, const char *key, bool value);
void write_i64(struct writer *writer, const char *key, int64_t value);
/* Not a number or infinite: 0. */
void write_double(struct writer *writer, const char *key, double value);
/* Wall ms as epoch seconds: 1700000000.12. */
void write_epoch(struct writer *writer, const char *key, int64_t wall_ms);
/* JSON text as it is. */
void write_raw(struct writer *writer, const char *key, const char *json);
void write_texts(struct writer *writer, const char *key, const char *const *items, size_t count);

/* As write_epoch, alone. */
void append_json_epoch(struct strbuf *out, int64_t wall_ms);

#endif
