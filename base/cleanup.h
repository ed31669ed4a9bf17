/* SPDX-License-Identifier: Apache-2.0 */
/* Locals that own: freed or closed when they go out of scope, unless handed over with TAKE(). */
#ifndef BERTH_BASE_CLEANUP_H
#define BERTH_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Any pointer from malloc; initialise it (NULL). */
#define _cleanup_free_ _cleanup_(cleanup_free)
/* An int; initialise it to -1. */
#define _cleanup_close_    _cleanup_(cleanup_close)
#define _cleanup_fclose_   _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

/*
 * DEFINE_CLEANUP(struct thing, thing_free) makes thing_free_cleanup(), so that
 * `_cleanup_(thing_free_cleanup) struct thing *thing = NULL;` calls thing_free(thing) unless it is
 * NULL.
 */
#define DEFINE_CLEANUP(type, function)                                                             \
	static inline void function##_cleanup(type **pointer)                                      \
	{                                                                                          \
		if (*pointer)                                                                      \
			function(*pointer);                                                        \
	}                                                                                          \
	struct function##_cleanup_needs_a_semicolon

/* Hands over: yields the value and leaves NULL (or -1) behind. */
#define TAKE(pointer)                                                                              \
	({                                                                                         \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int taken_fd_ = (fd);                                                              \
		(fd) = -1;                                                                         \
		taken_fd_;                                                                         \
	})

#endif
