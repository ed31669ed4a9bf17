/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_TASKS_H
#define BERTH_CLI_TASKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What the introspection API says of tasks (/v1/tasks). Strings are never NULL. */

struct cli_container {
	char *runtime_id; /* "" until it is made */
	char *name;
	char *image;
	char *address;      /* the task's first IPv4 address, "" when it has none of its own */
	char *ports;        /* "49153->80/tcp, 53/udp"; "" when it publishes none */
	int64_t started_ms; /* 0: not started */
};

struct cli_task {
	char *arn;
	char *id; /* the last part of the ARN */
	char *family;
	char *version;
	char *known;
	char *desired; /* "" when the agent does not say */
	struct cli_container *containers;
	size_t container_count;
};

struct cli_tasks {
	struct cli_task *items;
	size_t count;
};

/* -EINVAL names the member that is wrong. */
int tasks_decode(const char *text, size_t size, struct cli_tasks *ret, struct error *err);
void tasks_free(struct cli_tasks *tasks);
#define _cleanup_tasks_ __attribute__((cleanup(tasks_free)))

/* By ARN, id, or the beginning of an id that only one task has. *ret borrows. -ENOENT, -EEXIST (of
 * more than one). */
int tasks_find(const struct cli_tasks *tasks, const char *name, const struct cli_task **ret,
	       struct error *err);
/* By name; NULL means the only one. -ENOENT, -EEXIST (the error names them all). */
int task_find_container(const struct cli_task *task, const char *name,
			const struct cli_container **ret, struct error *err);

#endif
