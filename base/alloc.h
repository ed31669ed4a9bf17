/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that never returns NULL. When memory is out, the process says so and ends: what
 * matters is durable, and the supervisor starts it again. Whoever allocates for something that came
 * from outside bounds it first.
 */
#ifndef BERTH_BASE_ALLOC_H
#define BERTH_BASE_ALLOC_H

#include <stdarg.h>
#include <stddef.h>

/* Never NULL, also for 0 bytes. The caller frees with free(). */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
/* Zeroed. n * size is checked for overflow. */
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *xrealloc(void *pointer, size_t size) __attribute__((returns_nonnull, warn_unused_result));
void *xreallocarray(void *pointer, size_t n, size_t size)
	__attribute__((returns_nonnull, warn_unused_result));
/* Room for one more than `count` items of `size` bytes; begin with NULL and 0, and add one at a
 * time. Grows by doubling. */
void *xgrow(void *items, size_t count, size_t size)
	__attribute__((returns_nonnull, warn_unused_result));

/* `text` must not be NULL. */
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull, warn_unused_result));
/* NULL for NULL. */
char *xstrdup_null(const char *text) __attribute__((malloc, warn_unused_result));
/* At most `size` bytes of `text`, NUL-terminated. */
char *xstrndup(const char *text, size_t size)
	__attribute__((malloc, returns_nonnull, warn_unused_result));
void *xmemdup(const void *data, size_t size)
	__attribute__((malloc, returns_nonnull, warn_unused_result));
char *xasprintf(const char *format, ...)
	__attribute__((malloc, returns_nonnull, warn_unused_result, format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args)
	__attribute__((malloc, returns_nonnull, warn_unused_result, format(printf, 1, 0)));

#endif
