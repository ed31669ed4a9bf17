/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_AGENT_ENGINE_WORLD_H
#define BERTH_TESTS_AGENT_ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/engine/engine.h"

/*
 * An engine in a world made of nothing but the test: effects gather until the test answers them,
 * and time stands still until the test moves it.
 */
struct world {
	struct engine_config config;
	struct engine *engine;
	int64_t now_ms, wall_ms, wake_ms;
	struct engine_effect **effects; /* not answered yet, in order */
	size_t effect_count, effect_capacity;
	struct engine_effects last; /* of the last step */
	/* What a task needs beside containers and network is there by the next step, unless the
	 * test wants to say so itself. */
	struct engine_effect *resources[8];
	size_t resource_count;
	bool holds_resources;
	bool rebooted; /* what is recovered is told so */
	int64_t sequence;
};

#define WORLD_START_MS INT64_C(1700000000000) /* wall clock at now_ms 1000 */

/* 2048 CPU units, 1024 MiB; recovered, empty. */
struct world *world_new(void);
/* The same with `change` applied to the configuration first. */
struct world *world_new_with(void (*change)(struct engine_config *config));
void world_free(struct world *world);

/* ---- a restart of the agent: a world whose engine is new, and what was saved ---- */
struct world *world_before_recovery(void);
/* A saved task of one container, and what is seen of it. The task is taken over. */
void world_recover(struct world *world, struct task_state *task,
		   struct engine_observation container, struct engine_observation pause);
void world_finish_recovery(struct world *world);
/* All of this for one task; nothing was done before the end of it. */
struct world *world_recovered(struct task_state *task, struct engine_observation container);
/* A task of one container "app", as the store would give it: started 50 s ago, if it was. */
struct task_state *saved_task(const char *id, const char *more, enum container_status known,
			      bool start_intended);

/* The end of a CREATE_RESOURCE that must be among the gathered effects (holds_resources). */
void world_resource_done(struct world *world, const char *id, enum engine_resource_kind kind,
			 const char *failure);

/* Steps, and gathers the effects. */
void world_step(struct world *world, struct engine_event *event);
/* Moves time by `ms`, stopping at each wake-up on the way. */
void world_wait(struct world *world, int64_t ms);

/* ---- tasks: JSON as the control plane sends it ---- */

/* A container object: name, essential or not, and more members (each with a comma in front) or "".
 */
char *container_json(const char *name, bool essential, const char *more);
/* A task in host network mode; `more` as above; `containers` separated by commas. Both strings are
 * freed when `containers` came from container_json(): see world_run(). */
char *task_json(const char *id, const char *desired, const char *more, const char *containers);
struct task_spec *spec_of(const char *json);

#define ARN(id) "arn:aws:ecs:here:1:task/c/" id

/* A payload of one task, given as JSON (freed). */
void world_payload(struct world *world, char *json);
/* RUNNING, and STOPPED, of a task of these containers (freed). */
void world_run(struct world *world, const char *id, const char *more, char *containers);
void world_stop(struct world *world, const char *id);

/* ---- effects ---- */

/* The first gathered effect of that kind, or NULL. `container` NULL: any, and the task's own. */
const struct engine_effect *world_find(struct world *world, enum engine_effect_type type,
				       const char *id, const char *container);
size_t world_count(struct world *world, enum engine_effect_type type);
/* It must be there; it is taken out. The caller frees with engine_effect_free(). */
struct engine_effect *world_take(struct world *world, enum engine_effect_type type, const char *id,
				 const char *container);
void world_drop(struct world *world, enum engine_effect_type type); /* all of them */

/* Answers an effect that must be there. */
void world_done(struct world *world, enum engine_effect_type type, const char *id,
		const char *container);
void world_failed(struct world *world, enum engine_effect_type type, const char *id,
		  const char *container, const char *name, const char *text);
void world_answer(struct world *world, const char *id, const char *container,
		  struct engine_done done);
void world_exited(struct world *world, const char *id, const char *container,
		  struct engine_exit exit);
void world_exited_with(struct world *world, const char *id, const char *container, int code);
void world_probed(struct world *world, const char *id, const char *container, int exit_code,
		  const char *output);

/* Pull, create, start: each must be asked for in turn. */
void world_start(struct world *world, const char *id, const char *container);

/* The report that must be there; taken out. */
struct engine_effect *world_report(struct world *world, const char *id);
/* The same, and the control plane accepts it. */
void world_accept(struct world *world, const char *id);
void world_accept_all(struct world *world);
/* Takes the report of the task, checks its status (and containers: "a=RUNNING b=STOPPED(3)"), and
 * accepts it. */
void expect_report(struct world *world, const char *id, const char *status, const char *containers);

/* ---- state ---- */

const struct task_state *world_task(struct world *world, const char *id);
const struct container_state *world_container(struct world *world, const char *id,
					      const char *container);

#endif
