/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_EXECUTOR_H
#define BERTH_AGENT_EXECUTOR_EXECUTOR_H

#include "agent/config/config.h"
#include "agent/engine/engine.h"
#include "agent/store/store.h"
#include "base/error.h"
#include "base/loop.h"
#include "runtime/stats.h"

/*
 * Carries the engine's effects out on this host: images, namespaces, containers. Independent
 * effects run side by side. Each ends with one EVENT_EFFECT_DONE; each may be repeated after a
 * crash for what is half done, and finishes it then.
 */
struct executor;

struct executor_config {
	struct loop *loop;
	const struct agent_config *config;
	struct store *store; /* remembers which images tasks pulled and used */
	/* The state of a task, as engine_task(): borrowed until the next event. NULL: unknown. */
	const struct task_state *(*task)(void *data, const char *task_id);
	/* All of them, as engine_next_task(). */
	const struct task_state *(*next_task)(void *data, const struct task_state *previous);
	void (*post)(void *data, const struct engine_event *event);
	/*
	 * The namespace of an awsvpc task, or of a container of a bridge task, is there (also when
	 * it is adopted): `listen_fd` listens inside it at 169.254.170.2:51679 and is the callee's.
	 * And: it is about to go. `place` tells those of one task apart.
	 */
	void (*namespace_opened)(void *data, const char *task_id, const char *place, int listen_fd);
	/* Instead, in the shape of EC2: the task asks the host's metadata port, from this address,
	 * until its namespace closes. */
	void (*task_addressed)(void *data, const char *task_id, const char *address);
	void (*namespace_closing)(void *data, const char *task_id, const char *place);
	/*
	 * Before the interfaces of a task are made: false when the rules that they are subject to
	 * are in force; else ready(ready_data, err) is called, perhaps at once, when they are
	 * (`err` NULL) or were refused, unless the executor is freed first. May be NULL.
	 */
	bool (*wait_for_rules)(void *data, const struct task_spec *spec,
			       void (*ready)(void *data, const struct error *err),
			       void *ready_data);
	/* The MTU of an interface that is made then; 0: as its link is. May be NULL. */
	uint32_t (*task_mtu)(void *data);
	/* The host's table of routing for what the interface with this MAC sends; 0: the main one
	 * alone. May be NULL. */
	uint32_t (*routing_table)(void *data, const char *mac);
	void *data;
};

/* Prepares directories and control groups, binds the monitors' socket. Pending work is not finished
 * by executor_free(). */
int executor_new(const struct executor_config *config, struct executor **ret, struct error *err);
void executor_free(struct executor *executor);

/* True when the executor carries out effects of this type. */
bool executor_does(enum engine_effect_type type);
void executor_act(struct executor *executor, const struct engine_effect *effect);

/*
 * What is true of a saved task: the pause process, and its containers in order (ret_containers has
 * task->container_count entries). What runs is watched from now on. Blocks on small files only.
 */
void executor_observe(struct executor *executor, const struct task_state *task,
		      struct engine_observation *ret_pause,
		      struct engine_observation *ret_containers);

/* Removes what is there of tasks that `known` does not know: directories, mounts, namespaces,
 * control groups. Blocks. */
void executor_sweep(struct executor *executor);

/* From now on, images that no task needs are removed now and then, as the settings say. All tasks
 * whose containers are on this host must be known. */
void executor_start_image_cleanup(struct executor *executor);

/* Those of the settings that may change while the agent runs are others. */
void executor_settings_changed(struct executor *executor);

/* Whether containerd answers: for the health of the runtime. The callback comes once, later; asked
 * again before it came, it is the answer to both. */
void executor_ping(struct executor *executor, void (*done)(void *data, bool healthy), void *data);

/* Statistics of a running container, read now. -ENOENT when it does not run. `network` (may be
 * NULL) is that of its task. */
int executor_read_stats(struct executor *executor, const char *task_id, const char *container,
			struct container_stats *ret, struct network_stats *ret_network,
			struct error *err);

#endif
