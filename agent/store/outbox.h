/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_STORE_OUTBOX_H
#define BERTH_AGENT_STORE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/engine/engine.h"
#include "agent/store/store.h"
#include "base/error.h"

/*
 * Effects between decision and deed: what must be durable is written first, all of one turn in one
 *transaction; only then is the rest carried out. While the disk refuses, nothing is acknowledged,
 *done or lost.
 *
 *	outbox_add(outbox, engine_step(...));      for each event of the turn
 *	outbox_flush(outbox, &err);                at its end; when it fails, again later
 */
struct outbox;

/* Carries out one effect. PERSIST_* never come here; FORGET_TASK comes once the rows are deleted.
 * May call outbox_add(). */
typedef void outbox_act(void *data, const struct engine_effect *effect);

/* `engine` and `store` are borrowed. */
struct outbox *outbox_new(const struct engine *engine, struct store *store, outbox_act *act,
			  void *data);
void outbox_free(struct outbox *outbox);

void outbox_add(struct outbox *outbox, const struct engine_effects *effects);

/* True when there is something to flush. */
bool outbox_waits(const struct outbox *outbox);

/* True when the next flush writes to the store. */
bool outbox_commits(const struct outbox *outbox);

/* Commits, then acts, in order. On failure everything is kept for the next call. */
int outbox_flush(struct outbox *outbox, struct error *err);

#endif
