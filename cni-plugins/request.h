/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_REQUEST_H
#define BERTH_CNI_PLUGINS_REQUEST_H

#include "cni-plugins/cni.h"

/* A request and what it borrows from. */
struct cni_call {
	struct cni_request request;
	char *text;
	json_t *config;
	struct cni_result previous;
	struct cni_attachment_id *valid;
};

/*
 * Reads and checks environment and stdin in the order of the reference skeleton: variables missing
 * (code 4), values (4), stdin (5), JSON (6), network name (7), version (1), command (4), namespace
 * (8). The caller frees, also on failure.
 */
int cni_call_read(struct cni_call *call, const struct cni_plugin *plugin,
		  const struct cni_world *world, struct cni_error *err);
void cni_call_free(struct cni_call *call);

/* "[A-Za-z0-9][A-Za-z0-9_.-]*": container ids and network names. */
bool cni_name_is_valid(const char *name);

#endif
