/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_CONFIG_TEXT_H
#define BERTH_CNI_PLUGINS_CONFIG_TEXT_H

#include "base/json.h"
#include "cni-plugins/cni.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Keys as the plugins of EC2's interfaces have them: everything is a string, an empty one counts as
 * absent, and CNI_ARGS may say otherwise. Return 0, or -1 with the error filled.
 */

/* NULL when it is absent or empty. */
int cni_config_text(const struct json_at *at, const char *name, const char **ret,
		    struct cni_error *err);

/* A number in its decimal digits. Absent: *ret stays as it is, or with `must` an error. */
int cni_config_number(const struct json_at *at, const char *name, bool must, uint64_t min,
		      uint64_t max, uint64_t *ret, struct cni_error *err);

/* "uid" and "gid", who may open a tap. */
int cni_config_owner(const struct json_at *at, bool must, uid_t *ret_uid, gid_t *ret_gid,
		     struct cni_error *err);

/* Says that a key is missing; -1. */
int cni_config_missing(const char *name, struct cni_error *err);

struct cni_override {
	const char *arg, *key;
	enum cni_override_type {
		CNI_OVERRIDE_TEXT,
		CNI_OVERRIDE_LIST, /* with commas */
		CNI_OVERRIDE_FLAG, /* "true", "1", ... */
	} type;
};

/* Puts what CNI_ARGS ("K=V;K=V", NULL: none) say into the configuration. Empty values and unknown
 * names are passed over. */
int cni_config_override(const char *args, const struct cni_override *overrides, size_t count,
			json_t *values, struct cni_error *err);

/*
 * Calls read(at, whole, data, err) for the configuration with what CNI_ARGS say; `whole`: see
 * cni_wants_whole(). What a DEL has to undo was made with a configuration that could be read: it
 * succeeds with what was read. *ret_values, the caller's also on failure: what `read` borrows from.
 */
int cni_config_read_text(const struct cni_request *request, const struct cni_override *overrides,
			 size_t count,
			 int (*read)(const struct json_at *at, bool whole, void *data,
				     struct cni_error *err),
			 void *data, json_t **ret_values, struct cni_error *err);

#endif
