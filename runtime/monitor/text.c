/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

size_t text_from_u64(uint64_t number, char *out)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	for (size_t i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	return count;
}

uint64_t text_to_u64(const char *text)
{
	uint64_t number = 0;

	while (*text >= '0' && *text <= '9')
		number = number * 10 + (uint64_t)(*text++ - '0');
	return number;
}

static char *put_digits(char *out, unsigned number, unsigned count)
{
	for (unsigned i = count; i > 0; i--) {
		out[i - 1] = (char)('0' + number % 10);
		number /= 10;
	}
	return out + count;
}

void text_from_time(int64_t wall_ns, char out[TEXT_TIME_SIZE])
{
	int64_t seconds = wall_ns / 1000000000;
	unsigned nanoseconds = (unsigned)(wall_ns % 1000000000);
	int64_t days = seconds / 86400;
	unsigned rest = (unsigned)(seconds % 86400);
	/* Days to a civil date, counted from 0000-03-01 so that the leap day is a year's last. */
	int64_t shifted = days + 719468;
	int64_t era = shifted / 146097;
	unsigned day_of_era = (unsigned)(shifted % 146097);
	unsigned year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month_index = (5 * day_of_year + 2) / 153;
	unsigned day = day_of_year - (153 * month_index + 2) / 5 + 1;
	unsigned month = month_index < 10 ? month_index + 3 : month_index - 9;
	unsigned year = (unsigned)(era * 400) + year_of_era + (month <= 2);

	out = put_digits(out, year, 4);
	*out++ = '-';
	out = put_digits(out, month, 2);
	*out++ = '-';
	out = put_digits(out, day, 2);
	*out++ = 'T';
	out = put_digits(out, rest / 3600, 2);
	*out++ = ':';
	out = put_digits(out, rest / 60 % 60, 2);
	*out++ = ':';
	out = put_digits(out, rest % 60, 2);
	if (nanoseconds) {
		*out++ = '.';
		out = put_digits(out, nanoseconds, 9);
		while (out[-1] == '0')
			out--;
	}
	*out++ = 'Z';
	*out = '\0';
}

size_t text_utf8_length(const char *data, size_t size, unsigned *ret_code)
{
	static const unsigned lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)data[0];
	unsigned code;
	size_t length;

	if (first < 0x80) {
		*ret_code = first;
		return 1;
	}
	if ((first & 0xe0) == 0xc0) {
		length = 2;
		code = first & 0x1f;
	} else if ((first & 0xf0) == 0xe0) {
		length = 3;
		code = first & 0x0f;
	} else if ((first & 0xf8) == 0xf0) {
		length = 4;
		code = first & 0x07;
	} else {
		return 0;
	}
	if (length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)data[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (next & 0x3f);
	}
	if (code < lowest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return length;
}

size_t text_utf8_whole(const char *data, size_t size)
{
	for (size_t back = 1; back <= 3 && back < size; back++) {
		unsigned char c = (unsigned char)data[size - back];
		size_t needs = (c & 0xe0) == 0xc0   ? 2
			       : (c & 0xf0) == 0xe0 ? 3
			       : (c & 0xf8) == 0xf0 ? 4
						    : 0;

		if ((c & 0xc0) == 0x80)
			continue;
		return needs > back ? size - back : size;
	}
	return size;
}

void text_line_init(struct text_line *line, char *data, size_t size)
{
	*line = (struct text_line){ .data = data, .size = size };
	data[0] = '\0';
}

static void add(struct text_line *line, const char *data, size_t size)
{
	if (line->cut || size >= line->size - line->length) {
		line->cut = 1;
		return;
	}
	memcpy(line->data + line->length, data, size);
	line->length += size;
	line->data[line->length] = '\0';
}

void text_add(struct text_line *line, const char *text)
{
	add(line, text, strlen(text));
}

void text_add_i64(struct text_line *line, int64_t number)
{
	char digits[21];
	size_t length = 0;

	if (number < 0)
		digits[length++] = '-';
	length += text_from_u64(number < 0 ? 0 - (uint64_t)number : (uint64_t)number,
				digits + length);
	add(line, digits, length);
}

void text_add_json(struct text_line *line, const char *text, size_t size)
{
	add(line, "\"", 1);
	for (size_t i = 0; i < size;) {
		unsigned code;
		size_t length = text_utf8_length(text + i, size - i, &code);

		if (!length) {
			add(line, "?", 1);
			i++;
			continue;
		}
		if (code < 0x20) {
			add(line, " ", 1);
		} else {
			if (code == '"' || code == '\\')
				add(line, "\\", 1);
			add(line, text + i, length);
		}
		i += length;
	}
	add(line, "\"", 1);
}
