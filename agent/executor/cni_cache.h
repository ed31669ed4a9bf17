/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_CACHE_H
#define BERTH_AGENT_EXECUTOR_CNI_CACHE_H

#include "base/error.h"
#include "base/json.h"
#include "cni-plugins/result.h"
#include "netns/namespace.h"

#include <stdbool.h>

/*
 * What is remembered of an attachment, in a file of the shape of libcni's cache: written without a
 * result before its first plugin runs, with it after the last one, removed after a successful DEL.
 */
struct cni_record {
	char *container_id;
	char *ifname;
	char *netns_path;            /* "" when there was none */
	struct netns_identity netns; /* what was bound there; zeros: unknown */
	char *conflist;
	char *args;     /* NULL: none */
	json_t *result; /* NULL: the ADD was not completed */
};

/* Durable against a crash of the agent; what it describes does not outlive a crash of the host. */
int cni_record_save(const char *directory, const struct cni_record *record, struct error *err);

/* -ENOENT; -EBADMSG when the file is not ours or is damaged. */
int cni_record_load(const char *directory, const char *container_id, const char *ifname,
		    struct cni_record *ret, struct error *err);
int cni_record_load_file(const char *directory, const char *file, struct cni_record *ret,
			 struct error *err);
int cni_record_remove(const char *directory, const char *container_id, const char *ifname,
		      struct error *err);
void cni_record_free(struct cni_record *record);

/* Removes what a crash in the middle of cni_record_save() left. Nobody else may be saving. */
int cni_record_sweep(const char *directory, struct error *err);

#endif
