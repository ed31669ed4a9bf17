/* SPDX-License-Identifier: Apache-2.0 */
/* A task, with the JSON within its JSON; what is accepted must come back the same from the store.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ids(const struct task_spec *task)
{
	if (!task->id[0] || task->id[0] == '.' || strchr(task->id, '/'))
		abort();
	for (size_t i = 0; i < task->container_count; i++) {
		const struct container_spec *container = &task->containers[i];

		if (task_spec_container(task, container->name) != container)
			abort();
		if (container_spec_cpu_shares(container) < 2 ||
		    container_spec_memory_bytes(container) < 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct task_spec *task = NULL;
	struct task_spec *again = NULL;
	const char *stored;

	if (task_spec_decode_text((const char *)data, size, &task, NULL) < 0)
		return 0;
	check_ids(task);
	stored = task_spec_encode(task);
	if (task_spec_decode_text(stored, strlen(stored), &again, NULL) < 0 ||
	    strcmp(task_spec_encode(again), stored) != 0 || strcmp(again->arn, task->arn) != 0 ||
	    again->container_count != task->container_count)
		abort();
	task_spec_unref(again);
	task_spec_unref(task);
	return 0;
}
