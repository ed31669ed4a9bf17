/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_CNI_PLUGINS_CALL_H
#define BERTH_TESTS_CNI_PLUGINS_CALL_H

#include <jansson.h>

#include "cni-plugins/cni.h"

/* One call of a plugin within the test's process: environment and stdin in, exit code and output
 * out. */
struct call {
	const char *command; /* the variables; NULL: unset */
	const char *container_id;
	const char *netns;
	const char *ifname;
	const char *path;
	const char *args;
	const char *override;
	const char *config; /* stdin */
	size_t config_size; /* 0: strlen */
	int exit_code;
	char *out;
	json_t *answer; /* `out` as JSON; NULL when it is none */
};

/* A call that lacks nothing but its configuration. */
struct call call_good(const char *command);

void call_run(struct call *call, const struct cni_plugin *plugin);
void call_free(struct call *call);

/* Run, expected to succeed (fail with this code); the caller frees. */
void call_expect_success(struct call *call, const struct cni_plugin *plugin);
void call_expect_failure(struct call *call, const struct cni_plugin *plugin, int code,
			 const char *text);

/* A string by its path in the answer: "ips.0.address". NULL when it is not there. */
const char *call_text(const struct call *call, const char *path);

#endif
