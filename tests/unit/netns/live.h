/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_NETNS_LIVE_H
#define BERTH_TESTS_NETNS_LIVE_H

#include <stddef.h>

/*
 * Tests on the real kernel. Each program moves into a network and a mount namespace of its own
 * first: that is its "host", and everything it makes ends with it.
 */

/* Ends the program with 77 and a reason when this machine does not let us. */
void live_enter(void);

/* A directory of this test, on a file system of its own whose mounts propagate (shared). */
const char *live_directory(void);

/* <directory>/<name>; freed with the directory. */
const char *live_path(const char *name);

/* Removes the directory and everything in it, mounts included. */
void live_leave(void);

/* How many mounts of namespaces below the directory this process sees; how many file descriptors it
 * has. */
size_t live_namespace_mounts(void);
size_t live_open_files(void);

#endif
