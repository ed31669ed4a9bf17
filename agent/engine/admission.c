/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use the host: tasks are let in, in order of arrival, as their share fits what is left.
 *
 * A task that must wait keeps its place: a later one may pass only when it leaves to everyone whom
 * it passes enough of the host, so that they never wait for anybody who came after them. So a large
 * task is not starved by small ones, and small ones do not stand idle behind a task that waits for
 * one port.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

/* Of the tasks that wait, so many are looked beyond. */
#define LOOKAHEAD 64

#define MIB INT64_C(1048576)

static bool has(const uint64_t *set, uint16_t port)
{
	return set[port / 64] >> (port % 64) & 1;
}

static void set_ports(uint64_t *set, const uint16_t *ports, size_t count, bool used)
{
	for (size_t i = 0; i < count; i++) {
		if (used)
			set[ports[i] / 64] |= UINT64_C(1) << (ports[i] % 64);
		else
			set[ports[i] / 64] &= ~(UINT64_C(1) << (ports[i] % 64));
	}
}

static void add_port(uint16_t **ports, size_t *count, uint16_t port)
{
	for (size_t i = 0; i < *count; i++)
		if ((*ports)[i] == port)
			return;
	*ports = xreallocarray(*ports, *count + 1, sizeof(**ports));
	(*ports)[(*count)++] = port;
}

static void add_gpu(const struct engine *engine, const char *id, struct ask *ask)
{
	for (size_t i = 0; i < engine->gpu_count; i++)
		if (str_eq(engine->gpus[i], id)) {
			ask->gpus |= UINT64_C(1) << i;
			return;
		}
	str_replace(&ask->unknown_gpu, id);
}

/* In host mode a container's port is the host's, also when the mapping leaves
 * that out. */
void ask_compute(const struct engine *engine, const struct task_spec *spec, struct ask *ret)
{
	int64_t cpu = 0, memory = 0;

	*ret = (struct ask){ 0 };
	for (size_t i = 0; i < spec->container_count; i++) {
		const struct container_spec *container = &spec->containers[i];

		cpu += container->cpu;
		memory += container->docker.memory_reservation_bytes > 0
				  ? container->docker.memory_reservation_bytes / MIB
				  : container->memory_mib;
		if (spec->network_mode == NETWORK_MODE_AWSVPC)
			continue;
		for (size_t j = 0; j < container->port_mapping_count; j++) {
			const struct port_mapping *mapping = &container->port_mappings[j];
			uint16_t port = mapping->host_port;

			if (port == 0 && spec->network_mode == NETWORK_MODE_HOST &&
			    mapping->range_end == 0)
				port = mapping->container_port;
			if (port == 0)
				continue;
			if (mapping->protocol == TRANSPORT_UDP)
				add_port(&ret->udp, &ret->udp_count, port);
			else
				add_port(&ret->tcp, &ret->tcp_count, port);
		}
	}
	for (size_t i = 0; i < spec->association_count; i++)
		if (str_eq(spec->associations[i].type, "gpu"))
			add_gpu(engine, spec->associations[i].name, ret);
	ret->cpu_units = spec->cpu > 0 ? (int64_t)(spec->cpu * 1024) : cpu;
	ret->memory_mib = spec->memory_mib > 0 ? spec->memory_mib : memory;
}

void ask_clear(struct ask *ask)
{
	free(ask->tcp);
	free(ask->udp);
	free(ask->unknown_gpu);
	*ask = (struct ask){ 0 };
}

static uint16_t taken(const uint64_t *set, const uint16_t *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (has(set, ports[i]))
			return ports[i];
	return 0;
}

char *admission_refusal(const struct engine *engine, const struct ask *ask)
{
	const struct engine_config *config = &engine->config;
	uint16_t port;

	if (ask->cpu_units > config->cpu_units)
		return xasprintf("it asks for %lld CPU units, and this host has %lld in all",
				 (long long)ask->cpu_units, (long long)config->cpu_units);
	if (ask->memory_mib > config->memory_mib)
		return xasprintf(
			"it asks for %lld MiB of memory, and this host has %lld for tasks in all",
			(long long)ask->memory_mib, (long long)config->memory_mib);
	if (ask->unknown_gpu)
		return xasprintf("it asks for GPU %s, which this host does not have",
				 ask->unknown_gpu);
	port = taken(engine->reserved_tcp, ask->tcp, ask->tcp_count);
	if (port)
		return xasprintf("it asks for TCP port %u, which is reserved on this host", port);
	port = taken(engine->reserved_udp, ask->udp, ask->udp_count);
	if (port)
		return xasprintf("it asks for UDP port %u, which is reserved on this host", port);
	return NULL;
}

bool ports_taken(const struct engine *engine, const struct ask *ask)
{
	return taken(engine->used_tcp, ask->tcp, ask->tcp_count) ||
	       taken(engine->used_udp, ask->udp, ask->udp_count);
}

static bool fits(const struct engine *engine, const struct ask *ask)
{
	return engine->cpu_units_used + ask->cpu_units <= engine->config.cpu_units &&
	       engine->memory_mib_used + ask->memory_mib <= engine->config.memory_mib &&
	       !(engine->used_gpus & ask->gpus) && !ports_taken(engine, ask);
}

static bool share_port(const uint16_t *a, size_t a_count, const uint16_t *b, size_t b_count)
{
	for (size_t i = 0; i < a_count; i++)
		for (size_t j = 0; j < b_count; j++)
			if (a[i] == b[j])
				return true;
	return false;
}

/* `task` may pass `waiter`: with all who passed it, it leaves the waiter what it asks for. */
static bool may_pass(const struct engine *engine, const struct task *task,
		     const struct task *waiter)
{
	return engine->config.cpu_units - waiter->passed_cpu_units - task->ask.cpu_units >=
		       waiter->ask.cpu_units &&
	       engine->config.memory_mib - waiter->passed_memory_mib - task->ask.memory_mib >=
		       waiter->ask.memory_mib &&
	       !(task->ask.gpus & waiter->ask.gpus) &&
	       !share_port(task->ask.tcp, task->ask.tcp_count, waiter->ask.tcp,
			   waiter->ask.tcp_count) &&
	       !share_port(task->ask.udp, task->ask.udp_count, waiter->ask.udp,
			   waiter->ask.udp_count);
}

void admission_leave(struct engine *engine, struct task *task)
{
	if (!task->waits)
		return;
	task->waits = false;
	engine->admission_due = true;
	*(task->queue_previous ? &task->queue_previous->queue_next : &engine->queue_head) =
		task->queue_next;
	*(task->queue_next ? &task->queue_next->queue_previous : &engine->queue_tail) =
		task->queue_previous;
	engine->waiting--;
}

static void account(struct engine *engine, const struct task *task, int sign)
{
	engine->cpu_units_used += sign * task->ask.cpu_units;
	engine->memory_mib_used += sign * task->ask.memory_mib;
	assert(engine->cpu_units_used >= 0 && engine->memory_mib_used >= 0);
	engine->used_gpus =
		sign > 0 ? engine->used_gpus | task->ask.gpus : engine->used_gpus & ~task->ask.gpus;
	set_ports(engine->used_tcp, task->ask.tcp, task->ask.tcp_count, sign > 0);
	set_ports(engine->used_udp, task->ask.udp, task->ask.udp_count, sign > 0);
	for (struct task *waiter = engine->queue_head; waiter; waiter = waiter->queue_next) {
		if (waiter->state->arrival >= task->state->arrival)
			break;
		waiter->passed_cpu_units += sign * task->ask.cpu_units;
		waiter->passed_memory_mib += sign * task->ask.memory_mib;
	}
}

void admission_take(struct engine *engine, struct task *task)
{
	task->state->admitted = task->state->begun = true;
	if (!task->state->spec->skips_host_resources)
		account(engine, task, 1);
}

void admission_release(struct engine *engine, struct task *task)
{
	if (!task->state->admitted)
		return;
	task->state->admitted = false;
	engine->admission_due = true;
	if (!task->state->spec->skips_host_resources)
		account(engine, task, -1);
}

static void admit(struct engine *engine, struct task *task)
{
	admission_leave(engine, task);
	admission_take(engine, task);
	mark_task(task, PERSIST_NOW);
	touch(engine, task);
}

void admission_queue(struct engine *engine, struct task *task)
{
	if (task->waits || task->state->admitted)
		return;
	if (task->state->spec->skips_host_resources) {
		admit(engine, task);
		return;
	}
	engine->admission_due = true;
	task->waits = true;
	task->queue_next = NULL;
	task->queue_previous = engine->queue_tail;
	*(engine->queue_tail ? &engine->queue_tail->queue_next : &engine->queue_head) = task;
	engine->queue_tail = task;
	engine->waiting++;
}

void admission_run(struct engine *engine)
{
	struct task *blocked[LOOKAHEAD];
	size_t blocked_count = 0;
	struct task *next;

	engine->admission_due = false;
	for (struct task *task = engine->queue_head; task; task = next) {
		bool may = fits(engine, &task->ask);

		next = task->queue_next;
		for (size_t i = 0; may && i < blocked_count; i++)
			may = may_pass(engine, task, blocked[i]);
		if (may) {
			admit(engine, task);
			continue;
		}
		if (blocked_count == LOOKAHEAD)
			return;
		blocked[blocked_count++] = task;
	}
}
