/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a task's containers get once and keep: runtime ids and the ids of their metadata
 * endpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

#define NAME_KEPT    64 /* of a container's name in its runtime id */
#define TASK_ID_KEPT 128

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9E3779B97F4A7C15);
	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

/* A version 4 UUID from the event's random bits; `salt` tells the containers of one event apart. */
static void endpoint_id(const uint64_t random[2], uint64_t salt, char out[ENDPOINT_ID_SIZE])
{
	uint64_t high = mix(random[0] ^ mix(salt));
	uint64_t low = mix(random[1] ^ mix(~salt) ^ high);

	snprintf(out, ENDPOINT_ID_SIZE, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
		 (unsigned)(high >> 16) & 0xFFFF, (unsigned)high & 0xFFF,
		 0x8000U | ((unsigned)(low >> 48) & 0x3FFF),
		 (unsigned long long)(low & UINT64_C(0xFFFFFFFFFFFF)));
}

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* "<task id>-<name>-<attempt>", fit to be a directory and a container id; the index is added when
 * the name had to change. */
static char *runtime_id(const struct task_state *task, size_t index)
{
	const struct container_state *container = &task->containers[index];
	char name[NAME_KEPT + 1];
	bool changed = strlen(container->spec->name) > NAME_KEPT;
	size_t length = 0;

	for (const char *from = container->spec->name; *from && length < NAME_KEPT;
	     from++, length++) {
		name[length] = plain(*from) ? *from : '-';
		changed |= !plain(*from);
	}
	name[length] = '\0';
	if (changed)
		return xasprintf("%.*s-%s.%zu-%u", TASK_ID_KEPT, task->spec->id, name, index,
				 container->attempt);
	return xasprintf("%.*s-%s-%u", TASK_ID_KEPT, task->spec->id, name, container->attempt);
}

void identity_assign(struct task_state *state, const uint64_t random[2], uint64_t salt)
{
	for (size_t i = 0; i < state->container_count; i++) {
		free(state->containers[i].runtime_id);
		state->containers[i].runtime_id = runtime_id(state, i);
		endpoint_id(random, mix(salt) + i, state->containers[i].endpoint_id);
	}
}
