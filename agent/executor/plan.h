/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_PLAN_H
#define BERTH_AGENT_EXECUTOR_PLAN_H

#include "agent/config/config.h"
#include "agent/engine/state.h"
#include "base/arena.h"
#include "base/error.h"
#include "runtime/bundle.h"
#include "runtime/image.h"

/*
 * From what a task definition says of a container to what the runtime is told. Pure: reads nothing
 * but its arguments.
 */
struct plan_input {
	const struct agent_config *config;
	const struct task_state *task;
	const struct container_state *container;
	const struct image *image;
	const char *hostname; /* of the container */
	const char *files;    /* directory with hosts, hostname, resolv.conf for it */
	const char *volumes;  /* directory of the task's own volumes: <volumes>/<number> */
	const char *cgroup_path;
	const char *netns_path; /* awsvpc: the task's namespace; else NULL */
};

/*
 * Fills *ret; what it points to lives in `arena`, the image and the task. -ENOTSUP: the definition
 * asks for something that this version does not do, and the text names it; -EINVAL: it cannot be.
 * The error's text begins with the error name that is reported ("HostConfigError: ...").
 */
int plan_container(const struct plan_input *input, struct arena *arena,
		   struct container_config *ret, struct error *err);

/*
 * The command of a health probe for container_exec(): NULL-terminated, in `arena`. NULL: there is
 * none (["NONE"], or neither the definition nor the image has one).
 */
const char *const *plan_health_command(const struct container_spec *container,
				       const struct image *image, struct arena *arena);

/* What of the task as a whole this version does not do, as a sentence; NULL: nothing. Static or in
 * `arena`. */
const char *plan_unsupported(const struct task_spec *task, struct arena *arena);

#endif
