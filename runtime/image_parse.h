/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of images: what `ctr` prints, and the JSON of manifests and configurations, none
 * of it trusted. */
#ifndef BERTH_RUNTIME_IMAGE_PARSE_H
#define BERTH_RUNTIME_IMAGE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "runtime/image.h"

/* ---- errors */

/* What ctr's standard error says, as a kind and as the last message without "ctr: ". The caller
 * frees *ret_text. */
enum image_failure image_failure_from_ctr(const char *errors, char **ret_text);
/* An errno that fits, > 0. */
int image_failure_errno(enum image_failure failure);

/* ---- progress of `ctr images pull` into a pipe: a frame of lines every 100 ms, drawn over and
 * over */

struct image_progress_parser {
	uint64_t frame_hash; /* of the frame that is being read, without times */
	uint64_t last_hash;
	int64_t bytes_done, bytes_total; /* of the frame that is being read */
	struct image_progress progress;  /* of the last whole frame */
};
/* True when the line ends a frame that differs from the one before: something moves. */
bool image_progress_line(struct image_progress_parser *parser, const char *line);

/* ---- images */

/* The table of `ctr images ls`, without rows that are none. */
void image_rows_parse(const char *table, struct image_rows *ret);
/* The digest of `reference` in that table; NULL: not listed. The caller frees it. */
char *image_list_find(const char *table, const char *reference);

/* The roots in the output of `ctr plugins ls -d`. -EINVAL: there are none. */
int image_directories_parse(const char *text, struct str_list *ret, struct error *err);

/* "42.0 MiB" at *at, which is moved behind it; -1: none. */
int64_t image_bytes_parse(const char **at);

/* "sha256:" and 64 hex digits. */
bool image_digest_is_valid(const char *digest);

struct image_manifest {
	char *config; /* digest; NULL: it is an index, see child */
	int64_t size; /* of configuration and layers */
	char *child;  /* digest of the manifest for the wanted platform */
};
/*
 * A manifest or an index (OCI or Docker). -ENOENT: the index has nothing for this platform, and the
 * text says what it has. -EINVAL. The caller frees both digests.
 */
int image_manifest_parse(const char *text, size_t size, const char *os, const char *architecture,
			 const char *variant, struct image_manifest *ret, struct error *err);

/* Fills in all that the configuration says; *ret_chain is the key of the top layer's snapshot, NULL
 * when there are no layers. */
int image_config_parse(const char *text, size_t size, struct image *image, char **ret_chain,
		       struct error *err);

/* "amd64" for "x86_64" and so on; *ret_variant "" or "v8". */
const char *image_host_architecture(const char **ret_variant);

/* The layers' directories from the output of `ctr snapshots prepare --mounts` (JSON) or `ctr
 * snapshots mounts` (a command). */
int image_mounts_parse(const char *text, struct str_list *ret_layers, struct error *err);

/* ---- registries */

/* The hosts.toml for a registry: address, CA, credentials. The caller frees (and forgets) it.
 * -EINVAL. */
int image_hosts_toml(const char *server, const struct registry_options *options, char **ret,
		     struct error *err);

#endif
