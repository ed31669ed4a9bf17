/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, times and characters as text, without stdio: part of berth-monitor. */
#ifndef BERTH_RUNTIME_MONITOR_TEXT_H
#define BERTH_RUNTIME_MONITOR_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Decimal digits into `out` (room for 20), not terminated; their number. */
size_t text_from_u64(uint64_t number, char *out);

/* The digits at the start of `text`; 0 when there are none. */
uint64_t text_to_u64(const char *text);

#define TEXT_TIME_SIZE 40
/* "2026-01-02T03:04:05.123456789Z", zeros at the end of the fraction dropped. */
void text_from_time(int64_t wall_ns, char out[TEXT_TIME_SIZE]);

/* Bytes of the UTF-8 character at `data` and its code point; 0 when it is none. */
size_t text_utf8_length(const char *data, size_t size, unsigned *ret_code);

/* `size` less the first bytes of a character that was cut off at the end (at most 3). */
size_t text_utf8_whole(const char *data, size_t size);

/* A line that is put together in a fixed buffer; what does not fit is left out, and the line is
 * marked. */
struct text_line {
	char *data;
	size_t size;
	size_t length;
	int cut;
};

void text_line_init(struct text_line *line, char *data, size_t size);
void text_add(struct text_line *line, const char *text);
void text_add_i64(struct text_line *line, int64_t number);
/* A JSON string with quotes. */
void text_add_json(struct text_line *line, const char *text, size_t size);

#endif
