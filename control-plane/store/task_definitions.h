/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_TASK_DEFINITIONS_H
#define BERTH_CONTROL_STORE_TASK_DEFINITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/store/store.h"

#define TASK_DEFINITION_ACTIVE             "ACTIVE"
#define TASK_DEFINITION_INACTIVE           "INACTIVE"
#define TASK_DEFINITION_DELETE_IN_PROGRESS "DELETE_IN_PROGRESS"

/*
 * One revision. `document` is the JSON object that RegisterTaskDefinition validated and completed:
 * every member of the API's taskDefinition object that never changes (family, containerDefinitions,
 * networkMode, cpu, memory, volumes, requiresAttributes, compatibilities, ...), without
 * taskDefinitionArn, revision, status and the times.
 */
struct task_definition_row {
	char *family;
	int64_t revision;
	char *status;
	char *document;
	char *registered_by;
	int64_t registered_at_ms;
	int64_t deregistered_at_ms;     /* 0: not */
	int64_t delete_requested_at_ms; /* 0: not */
};

struct task_definition_list {
	struct task_definition_row *items; /* document and registered_by are NULL in lists */
	size_t count;
};

struct family_list {
	char **items;
	size_t count;
};

void task_definition_row_clear(struct task_definition_row *row);
void task_definition_list_clear(struct task_definition_list *list);
void family_list_clear(struct family_list *list);

/* Adds the next revision of the family; a number is never given twice, even after a delete. */
int task_definition_add(struct store *store, const char *family, const char *document,
			const char *registered_by, int64_t now_ms, int64_t *ret_revision,
			struct error *err);

/* -ENOENT when there is none (err untouched then). */
int task_definition_get(struct store *store, const char *family, int64_t revision,
			struct task_definition_row *ret_row, struct error *err);

/* The newest ACTIVE revision; -ENOENT when there is none (err untouched then). */
int task_definition_newest(struct store *store, const char *family,
			   struct task_definition_row *ret_row, struct error *err);

/* ACTIVE to INACTIVE, INACTIVE to DELETE_IN_PROGRESS: writes the status and its time. */
int task_definition_set_status(struct store *store, const char *family, int64_t revision,
			       const char *status, int64_t now_ms, struct error *err);

int task_definition_delete(struct store *store, const char *family, int64_t revision,
			   struct error *err);

/*
 * Revisions with that status, optionally of one family, ordered by family and then numeric revision
 * (both reversed when descending), after the given place (after_family NULL: from the first).
 */
struct task_definition_query {
	const char *status;
	const char *family; /* NULL: all */
	bool descending;
	const char *after_family;
	int64_t after_revision;
	int64_t limit;
};

int task_definition_find(struct store *store, const struct task_definition_query *query,
			 struct task_definition_list *ret_list, struct error *err);

/*
 * Families by name. status ACTIVE: with an ACTIVE revision; INACTIVE: without; NULL: all. `prefix`
 * and `after` may be NULL.
 */
int task_definition_families(struct store *store, const char *prefix, const char *status,
			     const char *after, int64_t limit, struct family_list *ret_list,
			     struct error *err);

#endif
