/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Cuts at the end of the last whole UTF-8 character when `text` was filled to the brim. */
static void cut_cleanly(char *text, size_t size)
{
	size_t end = strnlen(text, size);
	size_t start = end;
	unsigned char lead;
	size_t need;

	if (end == 0)
		return;
	do
		start--;
	while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80);
	lead = (unsigned char)text[start];
	need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (end - start < need)
		text[start] = '\0';
}

/* The result is built aside: an argument may point into the text that it replaces. */
static void set_text(struct error *err, const char *format, va_list args, const char *tail)
{
	char text[ERROR_TEXT_SIZE];
	int written = vsnprintf(text, sizeof(text), format, args);

	if (written < 0) {
		text[0] = '\0';
		written = 0;
	}
	if ((size_t)written < sizeof(text) && tail) {
		int more = snprintf(text + written, sizeof(text) - (size_t)written, ": %s", tail);

		if (more > 0)
			written += more;
	}
	if ((size_t)written >= sizeof(text))
		cut_cleanly(text, sizeof(text));
	memcpy(err->text, text, strlen(text) + 1);
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	assert(code > 0);
	if (err) {
		char buffer[128];

		va_start(args, format);
		set_text(err, format, args, strerror_r(code, buffer, sizeof(buffer)));
		va_end(args);
		err->code = code;
	}
	return -code;
}

int error_vsay(struct error *err, int code, const char *format, va_list args)
{
	assert(code > 0);
	if (err) {
		set_text(err, format, args, NULL);
		err->code = code;
	}
	return -code;
}

int error_say(struct error *err, int code, const char *format, ...)
{
	va_list args;
	int result;

	va_start(args, format);
	result = error_vsay(err, code, format, args);
	va_end(args);
	return result;
}

void error_prefix(struct error *err, const char *format, ...)
{
	char old[ERROR_TEXT_SIZE];
	va_list args;

	if (!err || err->code == 0)
		return;
	memcpy(old, err->text, sizeof(old));
	va_start(args, format);
	set_text(err, format, args, old);
	va_end(args);
}

void error_clear(struct error *err)
{
	if (err) {
		err->code = 0;
		err->text[0] = '\0';
	}
}
