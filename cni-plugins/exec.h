/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_EXEC_H
#define BERTH_CNI_PLUGINS_EXEC_H

#include "base/error.h"

#include <stddef.h>

/* Runs one program to its end, from a plugin (which has no loop). */
struct exec_answer {
	int exit_code; /* 128 + signal when a signal ended it */
	char *output;  /* at most EXEC_OUTPUT_LIMIT bytes, NUL-terminated; the caller frees */
	size_t size;
};

#define EXEC_OUTPUT_LIMIT ((size_t)1024 * 1024)

/*
 * `path` with our environment, CNI_COMMAND replaced by `command`, `input` on its stdin, its stderr
 * on ours. There is no deadline: the runtime's covers us and what we start, which stays in our
 * process group.
 */
int exec_plugin(const char *path, const char *command, const char *input, size_t input_size,
		struct exec_answer *ret, struct error *err);

#endif
