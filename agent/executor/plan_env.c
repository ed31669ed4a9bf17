/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/plan_env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/executor/service_connect.h"
#include "base/alloc.h"
#include "base/str.h"

struct environment {
	struct arena *arena;
	const char **items;
	size_t count;
	size_t capacity;
};

static bool names(const char *item, const char *name, size_t length)
{
	return strncmp(item, name, length) == 0 && item[length] == '=';
}

/* Puts "NAME=value" where the name was, or at the end. */
static void set(struct environment *env, const char *item)
{
	const char *equals = strchr(item, '=');
	size_t length;

	if (!equals || equals == item)
		return;
	length = (size_t)(equals - item);
	for (size_t i = 0; i < env->count; i++) {
		if (names(env->items[i], item, length)) {
			env->items[i] = item;
			return;
		}
	}
	if (env->count + 1 >= env->capacity) {
		const char **items = arena_calloc(env->arena, env->capacity * 2, sizeof(*items));

		memcpy(items, env->items, env->count * sizeof(*items));
		env->items = items;
		env->capacity *= 2;
	}
	env->items[env->count++] = item;
}

static void set_pair(struct environment *env, const char *name, const char *value)
{
	char *text = xasprintf("%s=%s", name, value);

	set(env, arena_strdup(env->arena, text));
	free(text);
}

static bool has(const struct environment *env, const char *name)
{
	for (size_t i = 0; i < env->count; i++) {
		if (names(env->items[i], name, strlen(name)))
			return true;
	}
	return false;
}

const char *const *plan_env(const struct plan_input *input, struct arena *arena)
{
	const struct container_spec *spec = input->container->spec;
	const struct task_spec *task = input->task->spec;
	struct environment env = { .arena = arena, .capacity = 32 };
	char *text;

	env.items = arena_calloc(arena, env.capacity, sizeof(*env.items));
	set(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < input->image->env.count; i++)
		set(&env, input->image->env.items[i]);
	if (input->hostname)
		set_pair(&env, "HOSTNAME", input->hostname);
	if (spec->docker.has_environment) {
		for (size_t i = 0; i < spec->docker.environment.count; i++)
			set(&env, spec->docker.environment.items[i]);
	} else {
		for (size_t i = 0; i < spec->environment.count; i++)
			set_pair(&env, spec->environment.items[i].name,
				 spec->environment.items[i].value);
	}

	if (service_connect_is_relay(task, spec)) {
		text = service_connect_listeners(task);
		if (text)
			set_pair(&env, SERVICE_CONNECT_LISTENERS, text);
		free(text);
		text = service_connect_addresses(input->task);
		if (task->network_mode == NETWORK_MODE_BRIDGE)
			set_pair(&env, SERVICE_CONNECT_ADDRESSES, text);
		free(text);
	}

	/* The endpoint is inside the task's own namespace; other network modes do not reach it
	 * without berth-init's rules. */
	text = xasprintf("http://169.254.170.2/v4/%s", input->container->endpoint_id);
	set_pair(&env, "ECS_CONTAINER_METADATA_URI_V4", text);
	free(text);
	if (task->role_credentials_id) {
		text = xasprintf("/v2/credentials/%s", task->role_credentials_id);
		set_pair(&env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", text);
		free(text);
	}
	/* A region that the image or the definition names, even as empty, is theirs. */
	if (!str_is_empty(input->config->region) && !has(&env, "AWS_REGION") &&
	    !has(&env, "AWS_DEFAULT_REGION")) {
		set_pair(&env, "AWS_REGION", input->config->region);
		set_pair(&env, "AWS_DEFAULT_REGION", input->config->region);
	}
	return env.items;
}
