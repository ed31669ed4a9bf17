/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by image.c, image_fetch.c, image_remove.c, image_query.c and image_command.c alone. */
#ifndef BERTH_RUNTIME_IMAGE_INTERNAL_H
#define BERTH_RUNTIME_IMAGE_INTERNAL_H

#include "base/process.h"
#include "runtime/image.h"
#include "runtime/image_parse.h"

#define IMAGE_CACHE_MAX 1024
/* Directories below run_dir, with credentials. */
#define IMAGE_HOSTS_PREFIX "registry-"

/* What one caller waits for. */
struct image_operation {
	struct image_operation *next;
	struct image_store *store;
	struct image_fetch *fetch; /* NULL: `failure` is on its way through `timer` */
	const struct image *image; /* known at once: on its way too */
	enum image_failure failure;
	struct loop_timer *timer;
	void (*on_progress)(void *data, const struct image_progress *progress);
	void (*on_done)(void *data, const struct image_result *result);
	void *data;
};

enum image_step {
	IMAGE_STEP_PULL,
	IMAGE_STEP_LIST,
	IMAGE_STEP_MANIFEST,
	IMAGE_STEP_CONFIG,
	IMAGE_STEP_PREPARE,
	IMAGE_STEP_MOUNTS,
	IMAGE_STEP_PING,
};

enum image_fetch_kind {
	IMAGE_FETCH_PULL,
	IMAGE_FETCH_INSPECT,
	IMAGE_FETCH_DESCRIBE, /* an inspection that leaves no trace: no pin, nothing is kept */
	IMAGE_FETCH_PING,
};

/* One piece of work with containerd, for all who want the same. */
struct image_fetch {
	struct image_fetch *next;
	struct image_store *store;
	struct image_operation *operations;
	enum image_fetch_kind kind;
	bool running;    /* pulls may have to wait for their turn, all for the end of a removal */
	bool held;       /* knows which image it is, and that one is being removed */
	char *reference; /* complete */
	char *server;    /* "https://registry:5000" */
	bool plain_http;
	struct registry_options registry; /* its strings are ours */
	int64_t timeout_ms, begin_timeout_ms, inactivity_timeout_ms;

	enum image_step step;
	struct process *process;
	/* While pulling: whether it still goes on; else what is to be said on the next turn. */
	struct loop_timer *timer;
	int64_t progress_due_ms; /* by the monotonic clock */
	char *hosts_dir;         /* private, with credentials; NULL: none */
	struct image_progress_parser progress;

	struct image *image;
	char *manifest; /* digest */
	char *chain;
	bool index_followed;
};

struct image_store {
	struct loop *loop;
	char *ctr_path, *address, *name_space, *snapshotter, *run_dir, *pin_prefix;
	unsigned parallel_pulls;
	struct str_list environment;
	struct image_fetch *fetches;
	struct image_operation *leaving; /* operations without a fetch */
	struct image_removal *removals;
	struct image_query *queries;
	struct image *cache[IMAGE_CACHE_MAX]; /* oldest first */
	size_t cache_count;
};

/* image_command.c: ctr's command lines */
void image_command(const struct image_store *store, struct str_list *argv);
void image_command_pull(const struct image_fetch *fetch, struct str_list *argv);
/* 0 when it ended well, else -errno and its own words; -ENOENT: what it was told is not there. */
int image_command_check(const struct process_result *result, struct error *err);
char *image_pin_name(const struct image_store *store, const char *image_id);
/* Makes fetch->hosts_dir where its options need one. */
int image_hosts_make(struct image_fetch *fetch, struct error *err);
void image_hosts_remove(struct image_fetch *fetch);
/* 0, or -ECONNREFUSED with a sentence, at once: ctr itself would try for ten seconds. */
int image_containerd_check(const struct image_store *store, struct error *err);

/* image_fetch.c */
struct image_fetch *image_fetch_new(struct image_store *store, enum image_fetch_kind kind,
				    const char *reference);
/* Starts it, or leaves it for later: too many pulls are under way, or what it asks for is being
 * removed. */
void image_fetch_schedule(struct image_fetch *fetch);
/* Something has ended: those that wait may go on. */
void image_fetch_wake(struct image_store *store);
/* Ends it: all who still wait are told. */
void image_fetch_finish(struct image_fetch *fetch, enum image_failure failure, const char *text);
/* Without telling anybody. */
void image_fetch_free(struct image_fetch *fetch);

/* image.c */
struct image *image_cache_find(struct image_store *store, const char *reference);
void image_cache_put(struct image_store *store, struct image *image);
/* Forgets the image under every name; `image_id` or `reference` may be NULL. */
void image_cache_drop(struct image_store *store, const char *image_id, const char *reference);

/* image_remove.c */
/* `image_id` or `reference` may be NULL. */
bool image_is_being_removed(const struct image_store *store, const char *image_id,
			    const char *reference);
/* Removes a name that was fetched and is of no use; failures are logged. */
void image_remove_name(struct image_store *store, const char *reference);
/* Cancels all of them; nobody is told. */
void image_removals_free(struct image_store *store);

/* image_query.c: likewise */
void image_queries_free(struct image_store *store);

#endif
