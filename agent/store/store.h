/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_STORE_STORE_H
#define BERTH_AGENT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/engine/state.h"
#include "base/error.h"
#include "base/str.h"

/*
 * What survives the agent: <data dir>/agent.db (SQLite, WAL, every commit on disk before it
 * returns). One agent at a time: <data dir>/agent.lock is held as long as the store is open.
 *
 * All functions: 0 or -errno. -ENOSPC: the disk is full and nothing was written; the caller keeps
 * what it has and comes again.
 */
struct store;

/*
 * -EWOULDBLOCK: another agent works on this directory; err says which process. `data_dir` NULL
 * keeps everything in memory, for tests. A file written by a newer Berth is refused.
 */
int store_open(const char *data_dir, struct store **ret, struct error *err);
void store_close(struct store *store);
static inline void store_close_cleanup(struct store **store)
{
	if (*store)
		store_close(*store);
}

/* All writes of one turn are one transaction. Writes outside of one are transactions of their own.
 */
int store_begin(struct store *store, struct error *err);
int store_commit(struct store *store,
		 struct error *err); /* on failure everything since begin is undone */
void store_rollback(struct store *store);

/* Writes the task's own row, without its containers. */
int store_save_task(struct store *store, const struct task_state *task, struct error *err);
int store_save_container(struct store *store, const struct task_state *task,
			 const struct container_state *container, struct error *err);
/* The task's row and its containers', whose images were last used `at_ms` then (wall clock).
 * Deleting what is not there is success. */
int store_delete_task(struct store *store, const char *task_id, int64_t at_ms, struct error *err);

/* Names of tasks that have ended: nothing else is known of them any more. */
struct store_ended_task {
	char *arn;
	uint64_t serial;
};

struct store_ended {
	struct store_ended_task *items; /* by serial */
	size_t count;
};
/* Remembers one more, and drops those below `oldest_kept`. */
int store_save_ended(struct store *store, const char *arn, uint64_t serial, uint64_t oldest_kept,
		     struct error *err);
int store_load_ended(struct store *store, struct store_ended *ret, struct error *err);
void store_ended_free(struct store_ended *ended);

/* A saved task that cannot be read any more. */
struct store_damaged {
	char *task_id;
	char *what; /* a sentence */
};

struct store_tasks {
	struct task_state **items; /* in order of arrival; each may be taken (set to NULL) */
	size_t count;
	struct store_damaged *damaged; /* rows that are left as they are; to be logged */
	size_t damaged_count;
};
int store_load_tasks(struct store *store, struct store_tasks *ret, struct error *err);
void store_tasks_free(struct store_tasks *tasks);

/* Facts of the agent itself. */
#define STORE_CONTAINER_INSTANCE "container-instance-arn"
#define STORE_CLUSTER            "cluster"
#define STORE_AVAILABILITY_ZONE  "availability-zone"
#define STORE_EC2_INSTANCE       "ec2-instance-id"
#define STORE_AGENT_VERSION      "agent-version"
#define STORE_BOOT_ID            "boot-id"  /* of the host, when the agent ran last */
#define STORE_TRIED_AT           "tried-at" /* when it was last tried whether this can be written */

/* *ret is NULL when there is none; the caller frees it. */
int store_get_fact(struct store *store, const char *name, char **ret, struct error *err);
/* `value` NULL removes it. */
int store_set_fact(struct store *store, const char *name, const char *value, struct error *err);

/* The latest sequence number; -1 when none was saved. */
int store_get_sequence_number(struct store *store, int64_t *ret, struct error *err);
int store_set_sequence_number(struct store *store, int64_t number, struct error *err);

/* Network interfaces that the control plane announced, until they are reported or expire. */
struct store_attachment {
	char *arn;
	char *task_arn; /* NULL: of the instance */
	char *mac;
	char *message;         /* the announcement as JSON, for whoever wants the rest of it */
	int64_t expires_at_ms; /* wall clock */
	bool sent;             /* ATTACHED was accepted */
};

struct store_attachments {
	struct store_attachment *items;
	size_t count;
};
int store_save_attachment(struct store *store, const struct store_attachment *attachment,
			  struct error *err);
int store_delete_attachment(struct store *store, const char *arn, struct error *err);
int store_load_attachments(struct store *store, struct store_attachments *ret, struct error *err);
void store_attachments_free(struct store_attachments *attachments);

/* Images that tasks pulled or used, until they are removed from the host. All times are wall clock.
 */
struct store_image {
	char *id;                /* digest of its configuration */
	struct str_list names;   /* complete references; none: they lead to other images by now */
	char *digest;            /* of the manifest or index; NULL: none */
	int64_t size_bytes;      /* compressed; 0: unknown */
	int64_t pulled_at_ms;    /* when it was first seen */
	int64_t last_used_at_ms; /* when the last task that used it was forgotten; first: as above
				  */
	bool pull_succeeded;     /* it was pulled for a task, not only found here */
};

struct store_images {
	struct store_image *items;
	size_t count;
};

/* `name` leads to the image `id`, and to no other any more. */
struct store_image_seen {
	const char *name, *id, *digest;
	int64_t size_bytes;
	int64_t at_ms;
	bool pull_succeeded; /* stays true once it was */
};
/* Writes only when something of it (but its time) is new. */
int store_track_image(struct store *store, const struct store_image_seen *seen, struct error *err);
/* Whether the image that `name` leads to was pulled for a task. */
int store_image_was_pulled(struct store *store, const char *name, bool *ret, struct error *err);
/* Deleting what is not there is success. */
int store_delete_image(struct store *store, const char *id, struct error *err);
int store_load_images(struct store *store, struct store_images *ret, struct error *err);
void store_images_free(struct store_images *images);

/* Forgets every task, attachment, image and fact: this is another instance now. */
int store_clear(struct store *store, struct error *err);

#endif
