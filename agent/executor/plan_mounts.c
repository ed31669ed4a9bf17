/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/plan_mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

static const char *joined(struct arena *arena, const char *directory, const char *name)
{
	char *text = xasprintf("%s/%s", directory, name);
	const char *copy = arena_strdup(arena, text);

	free(text);
	return copy;
}

const char *plan_volume_path(const struct task_spec *task, const char *volumes, size_t index,
			     struct arena *arena)
{
	const struct volume_spec *volume = &task->volumes[index];
	char number[24];

	if (!str_is_empty(volume->source_path))
		return volume->source_path;
	snprintf(number, sizeof(number), "%zu", index);
	return joined(arena, volumes, number);
}

int plan_mounts(const struct plan_input *input, struct arena *arena,
		struct container_config *config, struct error *err)
{
	static const char *const files[] = { "resolv.conf", "hostname", "hosts" };
	const struct container_spec *spec = input->container->spec;
	const struct task_spec *task = input->task->spec;
	struct container_mount *mounts =
		arena_calloc(arena, spec->mount_point_count + 3, sizeof(*mounts));
	const char **tmpfs = arena_calloc(arena, spec->docker.tmpfs.count + 1, sizeof(*tmpfs));
	size_t n = 0;

	if (spec->docker.binds.count > 0)
		return error_say(
			err, ENOTSUP,
			"HostConfigError: Binds in dockerConfig are not supported: use volumes");
	for (size_t i = 0; i < 3; i++)
		mounts[n++] =
			(struct container_mount){ .source = joined(arena, input->files, files[i]),
						  .destination = joined(arena, "/etc", files[i]) };
	for (size_t i = 0; i < spec->mount_point_count; i++) {
		const struct mount_point *point = &spec->mount_points[i];
		const struct volume_spec *volume =
			task_spec_volume(task, point->source_volume ? point->source_volume : "");

		if (!volume)
			return error_say(err, EINVAL,
					 "HostConfigError: Invalid volume referenced: %s",
					 point->source_volume ? point->source_volume : "");
		if (!point->container_path || point->container_path[0] != '/')
			return error_say(err, EINVAL,
					 "HostConfigError: Unable to resolve volume mounts; "
					 "invalid path: %s %s: the path in "
					 "the container must be absolute",
					 spec->name, point->source_volume);
		mounts[n++] = (struct container_mount){
			.source = plan_volume_path(task, input->volumes,
						   (size_t)(volume - task->volumes), arena),
			.destination = point->container_path,
			.read_only = point->read_only,
		};
	}
	for (size_t i = 0; i < spec->docker.tmpfs.count; i++) {
		const struct text_pair *pair = &spec->docker.tmpfs.items[i];
		char *text = str_is_empty(pair->value)
				     ? xstrdup(pair->name)
				     : xasprintf("%s:%s", pair->name, pair->value);

		tmpfs[i] = arena_strdup(arena, text);
		free(text);
	}
	config->mounts = mounts;
	config->mount_count = n;
	config->tmpfs = tmpfs;
	return 0;
}
