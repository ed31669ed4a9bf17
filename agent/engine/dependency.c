/* SPDX-License-Identifier: Apache-2.0 */
/* What a container waits for. */
#include <stdlib.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/strbuf.h"

/* "name(image) (KNOWN->DESIRED) - Exit: 1" */
static void append_container(struct strbuf *text, const struct container_state *container)
{
	strbuf_appendf(text, "%s(%s) (%s->%s)", container->spec->name,
		       container->spec->image ? container->spec->image : "",
		       container_status_name(container->known),
		       container_status_name(container->desired));
	if (container->has_exit_code)
		strbuf_appendf(text, " - Exit: %d", container->exit_code);
}

static char *failure(const struct container_state *on, const struct container_state *target,
		     const char *before, const char *after)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_append(&text, "dependency graph: ");
	strbuf_append(&text, before);
	strbuf_append(&text, "container ordering dependency [");
	append_container(&text, on);
	strbuf_append(&text, "] for target [");
	append_container(&text, target);
	strbuf_append(&text, "] ");
	strbuf_append(&text, after);
	return strbuf_take(&text);
}

static bool ran(const struct container_state *container)
{
	return container->started_at_ms != 0;
}

bool dependency_satisfied(const struct container_state *on, enum container_condition condition)
{
	bool stopped = on->known == CONTAINER_STATUS_STOPPED;

	switch (condition) {
	case CONTAINER_CONDITION_START:
		return on->known == CONTAINER_STATUS_RUNNING || (stopped && ran(on));
	case CONTAINER_CONDITION_CREATE:
		return (on->known >= CONTAINER_STATUS_CREATED && !stopped) || (stopped && ran(on));
	case CONTAINER_CONDITION_COMPLETE:
		return stopped && ran(on) && on->has_exit_code;
	case CONTAINER_CONDITION_SUCCESS:
		return stopped && ran(on) && on->has_exit_code && on->exit_code == 0;
	case CONTAINER_CONDITION_HEALTHY:
		return on->known == CONTAINER_STATUS_RUNNING &&
		       on->health == CONTAINER_HEALTH_HEALTHY;
	case CONTAINER_CONDITION_OTHER:
		break;
	}
	return false;
}

/* Why an unsatisfied condition can never be satisfied any more (the caller frees), or NULL. */
static char *hopeless(const struct task *task, const struct dependency *dependency,
		      const struct container_state *target)
{
	static const char failed[] = "failed to resolve ";
	const struct container_state *on = &task->state->containers[dependency->on];
	bool stopped = on->known == CONTAINER_STATUS_STOPPED;

	if (stopped && ran(on)) {
		if (dependency->condition == CONTAINER_CONDITION_HEALTHY)
			return failure(on, target, failed,
				       "because dependency stopped before it became healthy");
		if (dependency->condition == CONTAINER_CONDITION_COMPLETE)
			return failure(on, target, failed,
				       "because nobody knows how dependency exited");
	}
	if (dependency->condition == CONTAINER_CONDITION_SUCCESS && stopped)
		return failure(on, target, failed, "as dependency did not exit successfully.");
	if (stopped ||
	    (on->known < CONTAINER_STATUS_RUNNING && on->desired == CONTAINER_STATUS_STOPPED &&
	     !(task->containers[dependency->on].flight & flight_bit(EFFECT_START_CONTAINER))))
		return failure(on, target, failed, "because dependency will never start");
	return NULL;
}

/* startTimeout of the dependency, counted from its start, for what is awaited after the start. */
static char *timed_out(const struct engine *engine, struct task *task,
		       const struct dependency *dependency, const struct container_state *target)
{
	const struct container_state *on = &task->state->containers[dependency->on];

	if (dependency->condition == CONTAINER_CONDITION_START ||
	    dependency->condition == CONTAINER_CONDITION_CREATE || on->spec->start_timeout_s <= 0 ||
	    !ran(on))
		return NULL;
	int64_t deadline =
		task->containers[dependency->on].started_at_ms + on->spec->start_timeout_s * 1000;

	if (engine->now_ms >= deadline)
		return failure(on, target, "", "has timed out.");
	wake_at(task, deadline);
	return NULL;
}

enum verdict dependencies_check(const struct engine *engine, struct task *task, size_t index,
				char **ret_text)
{
	const struct container *container = &task->containers[index];
	const struct container_state *target = &task->state->containers[index];
	enum verdict verdict = VERDICT_SATISFIED;

	for (size_t i = 0; i < container->dependency_count; i++) {
		const struct dependency *dependency = &container->dependencies[i];

		if (dependency_satisfied(&task->state->containers[dependency->on],
					 dependency->condition))
			continue;
		char *text = hopeless(task, dependency, target);

		if (!text)
			text = timed_out(engine, task, dependency, target);
		if (text) {
			*ret_text = text;
			return VERDICT_FAILED;
		}
		verdict = VERDICT_WAITS;
	}
	return verdict;
}

bool dependents_stopped(const struct task *task, size_t index)
{
	for (size_t i = 0; i < task->state->container_count; i++) {
		if (task->state->containers[i].known == CONTAINER_STATUS_STOPPED)
			continue;
		for (size_t j = 0; j < task->containers[i].dependency_count; j++)
			if (task->containers[i].dependencies[j].on == index)
				return false;
	}
	return true;
}
