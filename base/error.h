/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error is a number for the program and a sentence for the person who must act. It is filled
 *where the failure is known, prefixed on the way up, and logged once at the top:
 *
 *	pull registry:5000/web:1: open config.json: No such file or directory
 */
#ifndef BERTH_BASE_ERROR_H
#define BERTH_BASE_ERROR_H

#include <stdarg.h>

#define ERROR_TEXT_SIZE 1024

struct error {
	int code;                   /* errno-style, > 0; 0: no error */
	char text[ERROR_TEXT_SIZE]; /* NUL-terminated UTF-8, cut between characters when too long */
};

#define ERROR_INIT                                                                                 \
	{                                                                                          \
		.code = 0, .text = ""                                                              \
	}

/*
 * All return -code, so that `return error_set(...)` ends a function. `err` may be NULL. `code` is >
 * 0. The text is replaced; arguments may point into err->text.
 */
/* The sentence, then ": " and what strerror() says of the code. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The sentence alone. */
int error_say(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int error_vsay(struct error *err, int code, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* Puts "prefix: " in front of the text. Nothing when err is NULL or holds no error. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

void error_clear(struct error *err);

#endif
