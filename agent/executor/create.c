/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE_CONTAINER, and what a restart has in common with it: files, root file system and
 * config.json on the pool, then the runtime under its monitor. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/executor/live.h"
#include "agent/executor/log_options.h"
#include "agent/executor/paths.h"
#include "agent/executor/plan.h"
#include "agent/executor/plan_mounts.h"
#include "agent/executor/task_files.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

struct creation {
	struct operation operation;
	struct creation *next; /* that waits for its turn */
	struct executor *executor;
	struct task_spec *spec;
	size_t index;
	bool again;
	container_made *done;
	void *data;

	/* The plan, made on the loop, and what it points to. */
	struct arena *arena;
	struct image *image;
	struct container_config config;
	char *runtime_id;
	char *run_id;
	char *cgroup;
	char *directory; /* of the container */
	char *files;     /* where hosts, hostname, resolv.conf are */
	char *hosts;     /* of a bridge task: addresses of this container and of those it links to
			  */
	bool own_files;  /* they are the container's own */
	char *volumes;
	char *bundle;
	char *state;
	int result;
	struct error err;
};

static void creation_free(void *data)
{
	struct creation *creation = data;

	operation_end(&creation->operation);
	task_spec_unref(creation->spec);
	arena_free(creation->arena);
	if (creation->image)
		image_unref(creation->image);
	free(creation->runtime_id);
	free(creation->run_id);
	free(creation->cgroup);
	free(creation->directory);
	free(creation->files);
	free(creation->hosts);
	free(creation->volumes);
	free(creation->bundle);
	free(creation->state);
	free(creation);
}

static void creation_run(struct creation *creation);

static void creations_next(struct executor *executor)
{
	while (executor->creations_first && executor->creations_running < executor->creations_max) {
		struct creation *creation = executor->creations_first;

		executor->creations_first = creation->next;
		if (!executor->creations_first)
			executor->creations_last = &executor->creations_first;
		executor->creations_running++;
		creation_run(creation);
	}
}

/* `err` NULL: it is made. */
static void creation_end(struct creation *creation, const char *error_name, const struct error *err)
{
	struct executor *executor = creation->executor;

	creation->done(creation->data, error_name, err);
	creation_free(creation);
	executor->creations_running--;
	creations_next(executor);
}

static void creation_failed(struct creation *creation, const char *name)
{
	creation_end(creation, name, &creation->err);
}

static void created(void *data, pid_t pid, const struct error *err)
{
	struct creation *creation = data;

	if (pid < 0) {
		/* The runtime looks for the program when it creates; to everybody else that is part
		 * of the start. */
		const char *name = pid == -ENOENT || pid == -EACCES ? "CannotStartContainerError"
				   : pid == -ETIMEDOUT              ? "DockerTimeoutError"
								    : NULL;

		creation->err = *err;
		if (pid == -ETIMEDOUT)
			say_timed_out(
				&creation->err, "created",
				creation->executor->config.config->container_create_timeout_ms);
		creation_failed(creation, name);
		return;
	}
	creation_end(creation, NULL, NULL);
}

static void run_monitor(struct creation *creation)
{
	struct executor *executor = creation->executor;
	const struct docker_config *docker = &creation->spec->containers[creation->index].docker;
	_cleanup_free_ char *log =
		path_log(executor->config.config, creation->spec->id, creation->runtime_id);
	_cleanup_free_ char *oom = cgroup_oom_events_path(&executor->cgroups, creation->cgroup);
	struct container_create_spec spec = {
		.id = creation->run_id,
		.bundle_dir = creation->bundle,
		.state_dir = creation->state,
		.log_path = str_eq(docker->log_driver, "none") ? NULL : log,
		.stdin_open = docker->open_stdin,
		.oom_events_path = oom,
	};

	if (log_options_read(&docker->log_options, &spec.log_max_bytes, &spec.log_max_files,
			     &creation->err) < 0 ||
	    container_create(executor->runtime, &spec, created, creation, &creation->err) < 0)
		creation_failed(creation, NULL);
}

static void prepare_work(void *data)
{
	struct creation *creation = data;
	const struct container_spec *spec = &creation->spec->containers[creation->index];
	int r;

	r = file_mkdirs(creation->directory, 0711, &creation->err);
	if (r == 0 && creation->own_files)
		r = task_files_write(creation->files, creation->spec, spec, creation->hosts,
				     &creation->err);
	/* What an attempt that was cut off left of it. */
	if (r == 0 && !creation->again && access(creation->bundle, F_OK) == 0)
		r = bundle_remove(creation->bundle, &creation->err);
	if (r == 0)
		r = bundle_create(creation->bundle, &creation->config, &creation->err);
	creation->result = r;
}

static void prepare_done(void *data)
{
	struct creation *creation = data;

	if (creation->result < 0)
		creation_failed(creation, NULL);
	else
		run_monitor(creation);
}

/* On the loop, because it reads the engine's state. */
static int make_plan(struct creation *creation)
{
	struct executor *executor = creation->executor;
	const struct agent_config *config = executor->config.config;
	const struct task_state *task =
		executor->config.task(executor->config.data, creation->spec->id);
	struct live_container *container =
		live_container_get(executor, creation->spec, creation->index);
	const struct container_spec *spec = live_container_spec(container);
	_cleanup_free_ char *hostname = task_hostname(creation->spec, spec);
	_cleanup_free_ char *netns = NULL;
	struct plan_input input;
	int r;

	if (!task)
		return error_say(&creation->err, ESRCH, "the task is not known any more");
	creation->arena = arena_new();
	creation->runtime_id = xstrdup(container->runtime_id);
	creation->run_id = xstrdup(container->run_id);
	creation->cgroup = xstrdup(container->cgroup);
	creation->directory = path_container(config, creation->spec->id, container->runtime_id);
	creation->bundle = path_bundle(config, creation->spec->id, container->runtime_id);
	creation->state = live_container_state_path(container);
	creation->own_files = !task_has_own_network(creation->spec);
	creation->files = creation->own_files ? xasprintf("%s/etc", creation->directory)
					      : path_task(config, creation->spec->id);
	creation->volumes = path_volumes(config, creation->spec->id);
	if (task_has_own_network(creation->spec))
		netns = path_netns(config, creation->spec->id);
	else if (task_connects_containers(creation->spec)) {
		netns = path_netns(config, container->runtime_id);
		creation->hosts = task_bridge_hosts(task, creation->index, hostname);
	}

	input = (struct plan_input){
		.config = config,
		.task = task,
		.container = &task->containers[creation->index],
		.image = creation->image,
		.hostname = arena_strdup(creation->arena, hostname),
		.files = creation->files,
		.volumes = creation->volumes,
		.cgroup_path = creation->cgroup,
		.netns_path = netns ? arena_strdup(creation->arena, netns) : NULL,
	};
	r = plan_container(&input, creation->arena, &creation->config, &creation->err);
	/* The engine's own strings may go while the pool works. */
	creation->config.id = creation->runtime_id;
	return r;
}

static void creation_planned(struct creation *creation)
{
	struct container_observation seen;

	if (make_plan(creation) < 0) {
		creation_failed(creation, NULL);
		return;
	}
	/* An earlier process of ours got as far as the monitor: its result is taken over. */
	if (container_observe(creation->state, &seen, NULL) == 0 &&
	    (seen.state == CONTAINER_CREATING || seen.state == CONTAINER_CREATED))
		run_monitor(creation);
	else
		operations_work(creation->executor->operations, prepare_work, prepare_done,
				creation);
}

static void image_found(void *data, const struct image_result *result)
{
	struct creation *creation = data;

	if (result->failure != IMAGE_OK) {
		creation->err = *result->err;
		creation_failed(creation, NULL);
		return;
	}
	creation->image = image_ref(result->image);
	creation_planned(creation);
}

static void creation_run(struct creation *creation)
{
	struct live_container *container =
		live_container_get(creation->executor, creation->spec, creation->index);

	if (container->image) {
		creation->image = image_ref(container->image);
		creation_planned(creation);
	} else if (image_inspect(creation->executor->images,
				 container_spec_image(live_container_spec(container)), image_found,
				 creation, NULL, &creation->err) < 0) {
		creation_failed(creation, NULL);
	}
}

void make_container(struct executor *executor, const struct task_spec *spec, size_t index,
		    bool again, container_made *done, void *data)
{
	struct creation *creation = xcalloc(1, sizeof(*creation));

	creation->executor = executor;
	creation->spec = task_spec_ref((struct task_spec *)(uintptr_t)spec);
	creation->index = index;
	creation->again = again;
	creation->done = done;
	creation->data = data;
	operation_begin(executor->operations, &creation->operation, creation_free, creation);
	*executor->creations_last = creation;
	executor->creations_last = &creation->next;
	creations_next(executor);
}

struct creating {
	struct operation operation;
	struct executor *executor;
	struct address address;
};

static void creating_free(void *data)
{
	struct creating *creating = data;

	operation_end(&creating->operation);
	address_free(&creating->address);
	free(creating);
}

static void made(void *data, const char *error_name, const struct error *err)
{
	struct creating *creating = data;

	if (err)
		answer_failed(creating->executor, &creating->address, error_name, err);
	else
		answer_ok(creating->executor, &creating->address);
	creating_free(creating);
}

void act_create(struct executor *executor, const struct engine_effect *effect)
{
	struct creating *creating = xcalloc(1, sizeof(*creating));

	creating->executor = executor;
	creating->address = address_of(effect);
	operation_begin(executor->operations, &creating->operation, creating_free, creating);
	make_container(executor, effect->spec, effect->container_index, false, made, creating);
}
