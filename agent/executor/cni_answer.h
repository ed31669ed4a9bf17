/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_ANSWER_H
#define BERTH_AGENT_EXECUTOR_CNI_ANSWER_H

#include "base/error.h"
#include "base/json.h"
#include "base/process.h"
#include "cni-plugins/version.h"

#define CNI_ANSWER_LIMIT ((size_t)1024 * 1024)

/*
 * What a plugin's end means. `plugin` and `command` serve the sentence. 0: success, and for an ADD
 * *ret_result (may be NULL for others) is its result in `version`'s shape. -ETIMEDOUT, -EBADMSG,
 * -EREMOTEIO as in cni.h.
 *
 * A plugin that exits with 0 and prints an error object has failed: there are such.
 */
int cni_answer_read(const char *plugin, const char *command, const struct process_result *end,
		    enum cni_version version, json_t **ret_result, struct error *err);

#endif
