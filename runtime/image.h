/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images, through `ctr` and a containerd that need do nothing else. containerd is asked once per
 * image, never per container: pull, digest, configuration, layer directories, and one prepared
 * snapshot that keeps the layers from its garbage collector until image_remove(). What was learned
 * stays in memory and is learned anew after a restart.
 *
 * Everything is asynchronous on the loop. Callbacks are never called from within the function that
 * was given them.
 */
#ifndef BERTH_RUNTIME_IMAGE_H
#define BERTH_RUNTIME_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/str.h"

struct image_store;
struct image_operation;

struct image_store_config {
	const char *ctr_path;    /* NULL: "ctr" in PATH */
	const char *address;     /* containerd's socket; NULL: /run/containerd/containerd.sock */
	const char *name_space;  /* containerd's namespace; NULL: "berth" */
	const char *snapshotter; /* NULL: "overlayfs" */
	const char *run_dir; /* ours alone: for hosts.toml with credentials, 0700, best on tmpfs */
	const char *pin_prefix;  /* of the names of the snapshots that hold layers; NULL:
				    "berth-hold-" */
	unsigned parallel_pulls; /* at once; more wait in order; 0: 8 */
};

/* What stopped an operation; `err->text` has the registry's or containerd's own words. */
enum image_failure {
	IMAGE_OK,
	IMAGE_NOT_FOUND,     /* the registry (or, for image_inspect, this host) does not have it */
	IMAGE_UNAUTHORIZED,  /* 401, 403 */
	IMAGE_UNREACHABLE,   /* refused, no route, no such host, TLS failed, timeout of a connection
			      */
	IMAGE_TIMEOUT,       /* the whole pull took longer than it may */
	IMAGE_STALLED,       /* nothing moved, or containerd did not answer, for as long as that may
				last */
	IMAGE_NO_CONTAINERD, /* containerd is not running, or its socket is not there */
	IMAGE_NO_SPACE,      /* disk full */
	IMAGE_WRONG_PLATFORM, /* for another architecture or system than this host's */
	IMAGE_CORRUPT,        /* digest mismatch, unreadable layer or configuration */
	IMAGE_BAD_REFERENCE,  /* the name cannot be one */
	IMAGE_CANCELLED,      /* by image_cancel() */
	IMAGE_FAILED,         /* anything else */
};
const char *image_failure_name(enum image_failure failure);

struct image_healthcheck {
	struct str_list test; /* as in the image: {"CMD-SHELL", "..."}; empty: none */
	int64_t interval_ns;  /* 0: not said */
	int64_t timeout_ns;
	int64_t start_period_ns;
	int64_t retries;
};

/* Read only; lives while somebody holds a reference. */
struct image {
	char *reference;     /* complete: docker.io/library/busybox:1 */
	char *digest;        /* what the registry serves under the name: sha256:... */
	char *id;            /* digest of the configuration: sha256:... */
	int64_t size;        /* bytes of the compressed content; 0: unknown */
	struct str_list env; /* NAME=value */
	struct str_list entrypoint;
	struct str_list command;
	char *user;              /* "" : root */
	char *working_dir;       /* "" : / */
	char *stop_signal;       /* "" : SIGTERM; else "SIGQUIT" or "3" */
	struct str_list labels;  /* name=value */
	struct str_list volumes; /* paths */
	struct image_healthcheck healthcheck;
	char *architecture;     /* "amd64" */
	char *os;               /* "linux" */
	char *created;          /* as in the image; "" : not said */
	struct str_list layers; /* directories for overlayfs, topmost first, as in lowerdir= */
	unsigned references_;
};

struct image *image_ref(const struct image *image);
void image_unref(struct image *image);

enum registry_scheme {
	REGISTRY_SCHEME_DEFAULT, /* https; http for localhost, 127.* and [::1] unless a ca_file is
				    given */
	REGISTRY_SCHEME_HTTP,
	REGISTRY_SCHEME_HTTPS,
};

struct registry_options {
	enum registry_scheme scheme;
	const char *ca_file;  /* absolute; NULL: the system's */
	const char *user;     /* NULL: anonymous */
	const char *password; /* with user; never in argv, a log or a file that others can read */
};

struct image_progress {
	int64_t bytes_done;  /* over all layers */
	int64_t bytes_total; /* as far as known */
	const char *state;   /* "resolving", "downloading", "unpacking", "done" */
};

struct image_result {
	enum image_failure failure;
	const struct image *image; /* NULL unless IMAGE_OK; image_ref() to keep it */
	const struct error *err;   /* text set unless IMAGE_OK; code: an errno that fits */
};

struct image_pull_request {
	const char *reference; /* as users write it: "busybox", "host:5000/a/b:1@sha256:..." */
	struct registry_options registry;
	int64_t timeout_ms;            /* whole; 0: 2 hours */
	int64_t begin_timeout_ms;      /* to the first progress; 0: 5 minutes */
	int64_t inactivity_timeout_ms; /* between progress; 0: 1 minute */
	/* May be NULL. Must not cancel. */
	void (*on_progress)(void *data, const struct image_progress *progress);
	void (*on_done)(void *data, const struct image_result *result);
	void *data;
};

int image_store_new(struct loop *loop, const struct image_store_config *config,
		    struct image_store **ret, struct error *err);
/* Cancels what runs (its callbacks are not called). Pins stay. */
void image_store_free(struct image_store *store);

/*
 * Asks the registry and brings everything that is missing. Requests for the same reference with the
 * same registry options share one pull. *ret is valid until on_done is called. Fails at once only
 * for a bad request (-EINVAL, on_done is not called).
 */
int image_pull(struct image_store *store, const struct image_pull_request *request,
	       struct image_operation **ret, struct error *err);

/* The image as it is on this host, without asking a registry: IMAGE_NOT_FOUND when it is not. */
int image_inspect(struct image_store *store, const char *reference,
		  void (*on_done)(void *data, const struct image_result *result), void *data,
		  struct image_operation **ret, struct error *err);

/* Known from an earlier pull or inspection, at once; NULL: ask image_inspect(). Borrowed. */
const struct image *image_cached(struct image_store *store, const char *reference);

/* on_done follows with IMAGE_CANCELLED; the pull itself ends when nobody waits for it any more. */
void image_cancel(struct image_operation *operation);

/*
 * As image_inspect(), for an image that nobody is going to run: leaves no trace, and says nothing
 * of layers.
 */
int image_describe(struct image_store *store, const char *reference,
		   void (*on_done)(void *data, const struct image_result *result), void *data,
		   struct image_operation **ret, struct error *err);

/*
 * Takes an image from this host: its names (complete, as in image->reference), the snapshot that
 * holds its layers, and what containerd then has nobody to keep for. What is not there is removed.
 * `image_id` NULL: only the names. Whoever asks for the image meanwhile waits, and finds it gone.
 * The layers must not be in use: containerd does not know of containers.
 *
 * At once, on_done is not called: -EBUSY when somebody is just asking for it, -ECONNREFUSED without
 * containerd, -EINVAL. on_done: `err` NULL when it is gone; else it may be so in part.
 */
int image_remove(struct image_store *store, const char *image_id, const struct str_list *names,
		 void (*on_done)(void *data, const struct error *err), void *data,
		 struct error *err);

/* One name that containerd has. */
struct image_row {
	char *reference;
	char *digest; /* of the manifest or index */
	int64_t size; /* bytes of the compressed content, rounded; 0: unknown */
};

struct image_rows {
	struct image_row *items;
	size_t count;
};
void image_rows_free(struct image_rows *rows);

/* All names of the namespace. `rows` is valid during the callback. -ECONNREFUSED at once. */
int image_store_list(struct image_store *store,
		     void (*on_done)(void *data, const struct image_rows *rows,
				     const struct error *err),
		     void *data, struct error *err);

/* Where containerd keeps content and layers; at least one. Likewise. */
int image_store_directories(struct image_store *store,
			    void (*on_done)(void *data, const struct str_list *directories,
					    const struct error *err),
			    void *data, struct error *err);

/* Whether containerd answers; IMAGE_NO_CONTAINERD otherwise. result->image is NULL. */
int image_store_ping(struct image_store *store,
		     void (*on_done)(void *data, const struct image_result *result), void *data,
		     struct image_operation **ret, struct error *err);

#endif
