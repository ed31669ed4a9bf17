/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_WHY_H
#define BERTH_CLI_WHY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/*
 * The answer of /berth/v1/tasks as a text for people: a paragraph for each task. `name` is an ARN,
 * an id, or the beginning of one that only one task has; NULL: every task that is not simply where
 * it should be. -EINVAL: not such an answer; -ENOENT, -EEXIST: no such task, more than one.
 */
int why_text(const char *body, size_t size, const char *name, int64_t now_ms, struct strbuf *out,
	     struct error *err);

#endif
