/* SPDX-License-Identifier: Apache-2.0 */
/* A containerd and registries of our own, on loopback, for one test program. */
#ifndef BERTH_TESTS_UNIT_RUNTIME_LIVE_REGISTRY_H
#define BERTH_TESTS_UNIT_RUNTIME_LIVE_REGISTRY_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/image.h"

/* Runs a program to its end; fails the test unless it exits with 0. */
void live_command(const char *const *argv);
/* Whether it exits with 0. */
bool live_command_succeeds(const char *const *argv);

struct live_containerd {
	pid_t pid;
	char *address;
	char *dir;
};
void live_containerd_start(struct live_containerd *containerd, const char *dir);
void live_containerd_stop(struct live_containerd *containerd);

struct live_registry {
	pid_t pid;
	int port;
	char *ca_file; /* NULL: plain http */
};
/* With `user` it asks for him and `password`; with `tls` it has a certificate of its own for
 * localhost and 127.0.0.1. */
void live_registry_start(struct live_registry *registry, const char *dir, int tls, const char *user,
			 const char *password);
void live_registry_stop(struct live_registry *registry);

/*
 * An image of two layers (a static busybox below, one file above) as OCI layout in `dir`, tagged
 * with the architecture's name: for this host's architecture and for s390x, and an index
 * ("only-foreign") with neither amd64 nor arm64.
 */
void live_make_images(const char *dir);
/* Pushes a tag of the layout. */
void live_push(const char *layout, const char *tag, const struct live_registry *registry,
	       const char *name, const char *user_and_password);

/* What came of one pull or inspection. */
struct live_fetch {
	bool done;
	enum image_failure failure;
	struct image *image; /* NULL, or a reference for the test to drop */
	struct error err;
	int progress;
};
/* Pulls over `store`; `registry` may be NULL, inactivity_ms 0. Not done before the loop turns. */
void live_pull_begin(struct live_fetch *fetch, struct image_store *store, const char *reference,
		     const struct registry_options *registry, int64_t inactivity_ms);
/* For image_pull() and image_inspect(); `data` is the fetch. */
void live_fetch_done(void *data, const struct image_result *result);

#endif
