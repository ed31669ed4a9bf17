/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_CONFLIST_H
#define BERTH_AGENT_EXECUTOR_CNI_CONFLIST_H

#include "base/error.h"
#include "base/json.h"
#include "cni-plugins/version.h"

#include <stdbool.h>
#include <stddef.h>

/* A list of plugins to run for one network, as read from its JSON. */
struct cni_conflist {
	json_t *json;
	const char *name; /* borrowed from json, like the types */
	enum cni_version version;
	json_t *plugins[32];
	const char *types[32];
	size_t count;
};

/* -EINVAL names what is wrong. The caller frees. */
int cni_conflist_parse(const char *text, struct cni_conflist *ret, struct error *err);
void cni_conflist_free(struct cni_conflist *list);

/*
 * What one plugin gets on its stdin: its object with the list's name and version, and the previous
 * result (NULL: none). `leaving`: the namespace will be dropped; told to those that declare
 * "leaveToNetns". The caller frees.
 */
char *cni_conflist_input(const struct cni_conflist *list, size_t index, json_t *previous,
			 bool leaving);

#endif
