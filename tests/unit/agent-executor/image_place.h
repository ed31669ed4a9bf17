/* SPDX-License-Identifier: Apache-2.0 */
/* A host on which images are cleaned up: a real store, and a ctr that keeps its images in a file.
 */
#ifndef BERTH_TESTS_UNIT_AGENT_EXECUTOR_IMAGE_PLACE_H
#define BERTH_TESTS_UNIT_AGENT_EXECUTOR_IMAGE_PLACE_H

#include "agent/executor/image_cleanup.h"

#define PLACE_WAIT_MS 20000
#define PLACE_HOUR    3600000

struct image_place {
	char *dir;
	int containerd;             /* a socket that somebody listens at */
	struct agent_config config; /* for tests to change before place_start() */
	struct loop *loop;
	struct store *store;
	struct operations *operations;
	struct image_store *images;
	struct image_cleanup *cleanup; /* NULL: not started */
	struct task_state *tasks[4];
	size_t task_count;
};
extern struct image_place place;

int place_set_up(void **state);
int place_tear_down(void **state);
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, place_set_up, place_tear_down)

/* Files of the ctr; see image_place.c. The caller frees what is read; "": it is not there. */
void place_write(const char *name, const char *text);
char *place_read(const char *name);
void place_remove(const char *name);
bool place_has(const char *name);

/* A name that containerd has, of the manifest "sha256:<64 times the character>". */
void place_add_row(const char *name, char manifest, const char *size);
/* That manifest, of an image whose configuration is `config`. */
void place_add_blobs(char manifest, char config, const char *created);

/* An image `id` that a task pulled and that the last one forgot so long ago. */
void place_pulled(const char *name, char id, int64_t used_ago_s);
bool place_tracks(char id);
/* A task that is known from now on; `id` 0: it has not got its image yet. */
void place_task_arrives(const char *image, char id);
void place_forget_tasks(void);

/* The agent's life. Passes follow each other at once, but only while the loop turns. */
void place_start(void);
void place_stop(void);
void place_wait_for_pass(void);
/* Starts it if need be. */
void place_one_pass(void);
size_t place_passes(void);

/* The names that were removed since the last time, in order, with blanks between them. */
void place_assert_removed(const char *wanted);
/* Whether the log has it. */
bool place_logged(const char *part);
size_t place_count(const char *text, const char *part);

#endif
