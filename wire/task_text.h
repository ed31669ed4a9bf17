/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_TASK_TEXT_H
#define BERTH_WIRE_TASK_TEXT_H

#include <jansson.h>

#include "wire/task.h"

struct arena;

/* The task's JSON for the store: of role credentials nothing but the ids, which `task` knows. */
const char *task_text_without_secrets(json_t *value, const struct task_spec *task,
				      struct arena *arena);

#endif
