/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

char *quoted(const char *json)
{
	char *copy = xstrdup(json);

	for (char *c = copy; *c; c++) {
		if (*c == '\'')
			*c = '"';
	}
	return copy;
}

struct task_spec *spec_of(const char *json)
{
	char *text = quoted(json);
	struct task_spec *spec = NULL;
	struct error err = ERROR_INIT;

	if (task_spec_decode_text(text, strlen(text), &spec, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	free(text);
	return spec;
}

struct task_state *state_of(const char *json)
{
	struct task_spec *spec = spec_of(json);
	struct task_state *task = task_state_new(spec);

	task_spec_unref(spec);
	task->known = task->desired = TASK_STATUS_RUNNING;
	for (size_t i = 0; i < task->container_count; i++) {
		struct container_state *container = &task->containers[i];

		free(container->runtime_id);
		container->runtime_id = xasprintf("%s-%s-1", task->spec->id, container->spec->name);
		strcpy(container->endpoint_id, "8ab3c1f0-d2e4-46b7-8100-0123456789ab");
		container->known = container->desired = CONTAINER_STATUS_RUNNING;
		container->created_at_ms = INT64_C(1773500467220);
		container->started_at_ms = INT64_C(1773500468500);
	}
	return task;
}

void assert_json(const char *text, const char *expected)
{
	char *wanted = quoted(expected);

	if (strcmp(text, wanted) != 0)
		fail_msg("\n%s\nis not\n%s", text, wanted);
	free(wanted);
}
