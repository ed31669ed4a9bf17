/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#define COMPACT_FROM 64

/*
 * A task whose rows are to be written or, `forget`, deleted. All of its rows, whichever of them the
 * engine named: they are written as they are at the commit, which is later, and must be of one
 * moment.
 */
struct row {
	struct task_spec *spec;
	bool forget;
	uint64_t serial, oldest_kept; /* of `forget` */
};

struct outbox {
	const struct engine *engine;
	struct store *store;
	outbox_act *act;
	void *data;

	struct row *rows;
	size_t row_count, row_capacity, compact_at;
	bool has_sequence_number;
	int64_t sequence_number;

	struct engine_effect **effects;
	size_t effect_count, effect_capacity;
};

struct outbox *outbox_new(const struct engine *engine, struct store *store, outbox_act *act,
			  void *data)
{
	struct outbox *outbox = xcalloc(1, sizeof(*outbox));

	outbox->engine = engine;
	outbox->store = store;
	outbox->act = act;
	outbox->data = data;
	outbox->compact_at = COMPACT_FROM;
	return outbox;
}

static void clear_rows(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->row_count; i++)
		task_spec_unref(outbox->rows[i].spec);
	outbox->row_count = 0;
	outbox->compact_at = COMPACT_FROM;
	outbox->has_sequence_number = false;
}

void outbox_free(struct outbox *outbox)
{
	if (!outbox)
		return;
	clear_rows(outbox);
	for (size_t i = 0; i < outbox->effect_count; i++)
		engine_effect_free(outbox->effects[i]);
	free(outbox->effects);
	free(outbox->rows);
	free(outbox);
}

/* Deletions first. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *one = a, *other = b;

	if (one->forget != other->forget)
		return one->forget ? -1 : 1;
	return strcmp(one->spec->id, other->spec->id);
}

static void sort_rows(struct outbox *outbox)
{
	size_t kept = 0;

	if (outbox->row_count == 0)
		return;
	qsort(outbox->rows, outbox->row_count, sizeof(*outbox->rows), compare_rows);
	for (size_t i = 1; i < outbox->row_count; i++) {
		if (compare_rows(&outbox->rows[kept], &outbox->rows[i]) == 0)
			task_spec_unref(outbox->rows[i].spec);
		else
			outbox->rows[++kept] = outbox->rows[i];
	}
	outbox->row_count = kept + 1;
}

static void add_row(struct outbox *outbox, const struct engine_effect *effect)
{
	if (outbox->row_count >= outbox->compact_at) {
		sort_rows(outbox);
		outbox->compact_at =
			outbox->row_count * 2 > COMPACT_FROM ? outbox->row_count * 2 : COMPACT_FROM;
	}
	if (outbox->row_count == outbox->row_capacity) {
		outbox->row_capacity = outbox->row_capacity ? outbox->row_capacity * 2 : 16;
		outbox->rows =
			xreallocarray(outbox->rows, outbox->row_capacity, sizeof(*outbox->rows));
	}
	struct row *row = &outbox->rows[outbox->row_count++];

	*row = (struct row){
		.spec = task_spec_ref((struct task_spec *)effect->spec),
		.forget = effect->type == EFFECT_FORGET_TASK,
	};
	if (row->forget) {
		row->serial = effect->forget.serial;
		row->oldest_kept = effect->forget.oldest_kept;
	}
}

/* While the disk refuses, the control plane sends its payloads again and again: one answer to each
 * is enough. */
static bool acknowledged_already(const struct outbox *outbox, const struct engine_effect *effect)
{
	if (effect->type != EFFECT_ACKNOWLEDGE)
		return false;
	for (size_t i = 0; i < outbox->effect_count; i++)
		if (outbox->effects[i]->type == EFFECT_ACKNOWLEDGE &&
		    str_eq(outbox->effects[i]->message_id, effect->message_id))
			return true;
	return false;
}

static void add_effect(struct outbox *outbox, const struct engine_effect *effect)
{
	if (acknowledged_already(outbox, effect))
		return;
	if (outbox->effect_count == outbox->effect_capacity) {
		outbox->effect_capacity =
			outbox->effect_capacity ? outbox->effect_capacity * 2 : 16;
		outbox->effects = xreallocarray(outbox->effects, outbox->effect_capacity,
						sizeof(struct engine_effect *));
	}
	outbox->effects[outbox->effect_count++] = engine_effect_copy(effect);
}

void outbox_add(struct outbox *outbox, const struct engine_effects *effects)
{
	for (size_t i = 0; i < effects->count; i++) {
		const struct engine_effect *effect = &effects->items[i];

		switch (effect->type) {
		case EFFECT_PERSIST_TASK:
		case EFFECT_PERSIST_CONTAINER:
			add_row(outbox, effect);
			break;
		case EFFECT_PERSIST_SEQUENCE:
			outbox->has_sequence_number = true;
			outbox->sequence_number = effect->sequence_number;
			break;
		case EFFECT_FORGET_TASK:
			add_row(outbox, effect);
			add_effect(outbox, effect);
			break;
		default:
			add_effect(outbox, effect);
			break;
		}
	}
}

bool outbox_commits(const struct outbox *outbox)
{
	return outbox->row_count > 0 || outbox->has_sequence_number;
}

bool outbox_waits(const struct outbox *outbox)
{
	return outbox_commits(outbox) || outbox->effect_count > 0;
}

/* What is written is the state as it is now: never older than what was decided. */
static int write_row(struct outbox *outbox, const struct row *row, struct error *err)
{
	const struct task_state *task;
	int r;

	if (row->forget) {
		r = store_delete_task(outbox->store, row->spec->id, clock_wall_ms(), err);
		return r < 0 ? r
			     : store_save_ended(outbox->store, row->spec->arn, row->serial,
						row->oldest_kept, err);
	}
	task = engine_task(outbox->engine, row->spec->id);
	if (!task)
		return 0; /* forgotten since */
	r = store_save_task(outbox->store, task, err);
	for (size_t i = 0; r == 0 && i < task->container_count; i++)
		r = store_save_container(outbox->store, task, &task->containers[i], err);
	return r;
}

static int commit(struct outbox *outbox, struct error *err)
{
	int r;

	if (!outbox_commits(outbox))
		return 0;
	sort_rows(outbox);
	r = store_begin(outbox->store, err);
	for (size_t i = 0; r == 0 && i < outbox->row_count; i++)
		r = write_row(outbox, &outbox->rows[i], err);
	if (r == 0 && outbox->has_sequence_number)
		r = store_set_sequence_number(outbox->store, outbox->sequence_number, err);
	if (r < 0) {
		store_rollback(outbox->store);
		return r;
	}
	return store_commit(outbox->store, err);
}

int outbox_flush(struct outbox *outbox, struct error *err)
{
	int r = commit(outbox, err);

	if (r < 0)
		return r;
	clear_rows(outbox);

	/* What is added while these are carried out waits for the next flush. */
	struct engine_effect **effects = TAKE(outbox->effects);
	size_t count = outbox->effect_count;

	outbox->effect_count = outbox->effect_capacity = 0;
	for (size_t i = 0; i < count; i++) {
		outbox->act(outbox->data, effects[i]);
		engine_effect_free(effects[i]);
	}
	free(effects);
	return 0;
}
