/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_OPERATION_H
#define BERTH_AGENT_EXECUTOR_OPERATION_H

#include "base/loop.h"

/*
 * What is under way for the executor: each has an entry in its struct, so that nothing is forgotten
 * when the executor goes, and nobody is called back for an executor that has gone.
 */
struct operations;

struct operation {
	struct operation *next, **link; /* link NULL: not begun, or ended */
	void (*free)(void *data);
	void *data;
};

struct operations *operations_new(struct loop *loop);

/* `free_data` is called with `data` by operations_free() if the operation has not ended by then. */
void operation_begin(struct operations *operations, struct operation *operation,
		     void (*free_data)(void *data), void *data);
/* For the function that frees the struct. Nothing when it has not begun. */
void operation_end(struct operation *operation);

/*
 * As loop_work(), for an operation that has begun. After operations_abandon() neither `work` is
 * begun nor `done` called.
 */
void operations_work(struct operations *operations, void (*work)(void *data),
		     void (*done)(void *data), void *data);

/* Waits for what the pool is doing now; nothing calls back from then on. */
void operations_abandon(struct operations *operations);
/* Frees what has not ended. */
void operations_free(struct operations *operations);

#endif
