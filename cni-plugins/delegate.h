/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_DELEGATE_H
#define BERTH_CNI_PLUGINS_DELEGATE_H

#include "cni-plugins/cni.h"

#include <stdbool.h>

/*
 * IPAM by another plugin: "ipam": {"type": "ecs-ipam"} in our configuration has that program of
 * CNI_PATH run with our own environment and configuration.
 */

/* The IPAM plugin that the configuration names; NULL when it names none ("ipam" absent or {}). */
int cni_ipam_type(const struct cni_request *request, const char **ret, struct cni_error *err);

/* Its answer, without interfaces; `ret` is fresh. */
int cni_ipam_add(const struct cni_request *request, const char *type, struct cni_result *ret,
		 struct cni_error *err);

/* DEL, CHECK, GC, STATUS: the command of the request, or DEL after a failed ADD. */
int cni_ipam_call(const struct cni_request *request, const char *type, const char *command,
		  struct cni_error *err);

/* The rest of a command whose own part returned `result`, with `err` filled on failure: the IPAM
 * plugin (NULL: none) is called all the same, and the first failure is told. */
int cni_with_ipam(const struct cni_request *request, const char *type, const char *command,
		  int result, struct cni_error *err);

/* The first executable regular file `name` in a colon-separated path; the caller frees. -ENOENT
 * names the places. */
int cni_find_plugin(const char *name, const char *path, char **ret, struct error *err);

#endif
