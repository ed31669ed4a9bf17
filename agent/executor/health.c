/* SPDX-License-Identifier: Apache-2.0 */
/* PROBE_HEALTH: the health check's command, in the container. */
#include <errno.h>
#include <stdlib.h>

#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "agent/executor/plan.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/cleanup.h"

#define OUTPUT_LIMIT 4096

struct probe {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	size_t index;
	struct arena *arena;
	struct image *image; /* what of the command is the image's; NULL: not needed */
	int64_t timeout_ms;
	struct container_exec *exec;
};

static void probe_free(void *data)
{
	struct probe *probe = data;

	operation_end(&probe->operation);
	address_free(&probe->address);
	task_spec_unref(probe->spec);
	arena_free(probe->arena);
	if (probe->image)
		image_unref(probe->image);
	free(probe);
}

void probe_cancel(struct probe *probe)
{
	container_exec_cancel(probe->exec);
	probe_free(probe);
}

static void probe_failed(struct probe *probe, const char *text)
{
	answer(probe->executor, &probe->address,
	       (struct engine_done){ .probe = { .exit_code = -1, .output = text } });
	probe_free(probe);
}

static void probed(void *data, const struct container_exec_result *result)
{
	struct probe *probe = data;
	struct live_task *task = live_task_find(probe->executor, probe->spec->id);

	if (task && task->containers[probe->index].probe == probe)
		task->containers[probe->index].probe = NULL;
	if (result->err && !result->timed_out) {
		probe_failed(probe, result->err->text);
		return;
	}
	answer(probe->executor, &probe->address,
	       (struct engine_done){ .probe = { .exit_code = result->exit_code,
						.timed_out = result->timed_out,
						.output = result->output } });
	probe_free(probe);
}

static void probe_run(struct probe *probe)
{
	struct executor *executor = probe->executor;
	struct live_container *container = live_container_get(executor, probe->spec, probe->index);
	_cleanup_free_ char *bundle =
		path_bundle(executor->config.config, probe->spec->id, container->runtime_id);
	_cleanup_free_ char *state = live_container_state_path(container);
	static const struct image no_image;
	struct container_exec_spec spec = {
		.id = container->run_id,
		.bundle_dir = bundle,
		.state_dir = state,
		.args = plan_health_command(live_container_spec(container),
					    probe->image ? probe->image : &no_image, probe->arena),
		.timeout_ms = probe->timeout_ms,
		.output_limit = OUTPUT_LIMIT,
	};
	struct error err = ERROR_INIT;

	if (!spec.args)
		probe_failed(probe, "the health check has no command");
	else if (container_exec(executor->runtime, &spec, probed, probe, &probe->exec, &err) < 0)
		probe_failed(probe, err.text);
	else
		container->probe = probe;
}

static void image_found(void *data, const struct image_result *result)
{
	struct probe *probe = data;
	struct live_container *container;

	if (result->failure != IMAGE_OK) {
		probe_failed(probe, result->err->text);
		return;
	}
	container = live_container_get(probe->executor, probe->spec, probe->index);
	if (!container->image)
		container->image = image_ref(result->image);
	probe->image = image_ref(result->image);
	probe_run(probe);
}

void act_probe(struct executor *executor, const struct engine_effect *effect)
{
	struct live_container *container =
		live_container_get(executor, effect->spec, effect->container_index);
	struct probe *probe = xcalloc(1, sizeof(*probe));

	probe->executor = executor;
	probe->address = address_of(effect);
	probe->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	probe->index = effect->container_index;
	probe->arena = arena_new();
	probe->image = container->image ? image_ref(container->image) : NULL;
	operation_begin(executor->operations, &probe->operation, probe_free, probe);
	probe->timeout_ms = effect->probe.timeout_ms;
	/* The image's own check, and the container was adopted after a restart: the image must be
	 * asked again. */
	if (!probe->image && live_container_spec(container)->docker.health_check.test.count == 0) {
		struct error err = ERROR_INIT;

		if (image_inspect(executor->images,
				  container_spec_image(live_container_spec(container)), image_found,
				  probe, NULL, &err) < 0)
			probe_failed(probe, err.text);
		return;
	}
	probe_run(probe);
}
