/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What deciding and remembering cost, without a host: the real engine, outbox and store run many
 * tasks whose every effect succeeds at once. For each number of tasks: the time of engine_step()
 * for an event, of a commit, and the heap that a task takes when all are RUNNING.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/engine/engine.h"
#include "agent/store/outbox.h"
#include "agent/store/store.h"
#include "base/alloc.h"
#include "base/str.h"

#define WALL_MS       INT64_C(1700000000000)
#define TASKS_AT_ONCE 10 /* in a payload, as an ECS control plane sends them */

struct bench {
	struct engine *engine;
	struct store *store;
	struct outbox *outbox;
	struct engine_effect **waiting; /* to be answered */
	size_t first, count, capacity;
	int64_t now_ms;
	size_t running;

	uint64_t steps, commits;
	int64_t step_ns, commit_ns, longest_step_ns;
};

/* Of the CPU, for what does not wait; else of the world. */
static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void keep(void *data, const struct engine_effect *effect)
{
	struct bench *bench = data;

	if (effect->type == EFFECT_STATUS_CHANGED) {
		const struct task_state *task = engine_task(bench->engine, effect->task_id);

		bench->running += !effect->container && task->known == TASK_STATUS_RUNNING;
		return;
	}
	if (effect->type < EFFECT_REPORT)
		return;
	if (bench->count == bench->capacity) {
		bench->capacity = bench->capacity ? bench->capacity * 2 : 64;
		bench->waiting = xreallocarray(bench->waiting, bench->capacity,
					       sizeof(struct engine_effect *));
	}
	bench->waiting[bench->count++] = engine_effect_copy(effect);
}

static void step(struct bench *bench, struct engine_event *event)
{
	int64_t begin_ns, took_ns;
	const struct engine_effects *effects;

	event->wall_ms = WALL_MS + bench->now_ms;
	begin_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
	effects = engine_step(bench->engine, bench->now_ms, event, NULL);
	took_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
	bench->steps++;
	bench->step_ns += took_ns;
	if (took_ns > bench->longest_step_ns)
		bench->longest_step_ns = took_ns;
	outbox_add(bench->outbox, effects);
}

static void flush(struct bench *bench)
{
	struct error err = ERROR_INIT;
	int64_t begin_ns = now_ns(CLOCK_MONOTONIC);

	if (outbox_flush(bench->outbox, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	bench->commits++;
	bench->commit_ns += now_ns(CLOCK_MONOTONIC) - begin_ns;
}

static void answer(struct bench *bench, const struct engine_effect *effect)
{
	struct engine_event event = {
		.type = EVENT_EFFECT_DONE,
		.task_id = effect->task_id,
		.container = effect->container,
		.attempt = effect->attempt,
		.done = { .type = effect->type },
	};

	switch (effect->type) {
	case EFFECT_REPORT:
		event.type = EVENT_REPORT_ACCEPTED;
		event.report = effect->report.serial;
		break;
	case EFFECT_CREATE_RESOURCE:
		event.done.resource = effect->resource.index;
		break;
	case EFFECT_PULL_IMAGE:
		event.done.image = (struct engine_image){
			.digest =
				"sha256:"
				"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			.id = "sha256:"
			      "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210",
		};
		break;
	case EFFECT_OPEN_NETNS:
	case EFFECT_ATTACH_NETWORK:
		event.done.network = (struct engine_network){
			.pause_pid = 4711,
			.netns_path = "/run/berth/netns/0123456789abcdef0123456789abcdef",
			.interface = "eth0",
			.address = "10.0.0.7",
		};
		break;
	case EFFECT_START_CONTAINER:
		event.done.pid = 4712;
		break;
	default:
		break;
	}
	step(bench, &event);
}

/* Turns of the loop: each answers what the one before has begun, then commits once. */
static void settle(struct bench *bench)
{
	while (outbox_waits(bench->outbox)) {
		flush(bench);
		bench->now_ms++;
		size_t end = bench->count;

		for (; bench->first < end; bench->first++) {
			answer(bench, bench->waiting[bench->first]);
			engine_effect_free(bench->waiting[bench->first]);
		}
		memmove(bench->waiting, &bench->waiting[end],
			(bench->count - end) * sizeof(struct engine_effect *));
		bench->count -= end;
		bench->first = 0;
	}
}

/* What a small service looks like: its own network, a sidecar that it waits for, a log driver. */
static struct task_spec *task(size_t number, const char *desired)
{
	char *json = xasprintf(
		"{\"arn\":\"arn:aws:ecs:here:1:task/c/%032zx\",\"desiredStatus\":\"%s\","
		"\"family\":\"web\",\"version\":\"7\",\"networkMode\":\"awsvpc\",\"cpu\":0.25,"
		"\"memory\":64,\"elasticNetworkInterfaces\":[{\"ec2Id\":\"e\",\"macAddress\":"
		"\"0a:00:00:00:00:01\",\"ipv4Addresses\":[{\"primary\":true,\"privateAddress\":"
		"\"10.0.0.7\"}],\"subnetGatewayIpv4Address\":\"10.0.0.1/24\"}],\"containers\":["
		"{\"name\":\"app\",\"image\":\"127.0.0.1:5000/"
		"web:7\",\"essential\":true,\"cpu\":128,"
		"\"memory\":32,\"command\":[\"/bin/server\",\"--port\",\"8080\"],\"environment\":"
		"{\"LOG_LEVEL\":\"info\",\"REGION\":\"here\",\"DATABASE\":\"db.example:5432\"},"
		"\"portMappings\":[{\"containerPort\":8080}],\"dependsOn\":[{\"containerName\":"
		"\"proxy\",\"condition\":\"START\"}]},"
		"{\"name\":\"proxy\",\"image\":\"127.0.0.1:5000/proxy:1\",\"essential\":false,"
		"\"cpu\":64,\"memory\":16}]}",
		number, desired);
	struct task_spec *spec = NULL;
	struct error err = ERROR_INIT;

	if (task_spec_decode_text(json, strlen(json), &spec, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	free(json);
	return spec;
}

static void send_payloads(struct bench *bench, size_t first, size_t count, const char *desired)
{
	for (size_t i = 0; i < count; i += TASKS_AT_ONCE) {
		struct task_spec *specs[TASKS_AT_ONCE];
		struct engine_event event = {
			.type = EVENT_PAYLOAD,
			.payload = { .message_id = "m",
				     .tasks = specs,
				     .random = { i + 1, i + 2 } },
		};

		while (event.payload.task_count < TASKS_AT_ONCE &&
		       i + event.payload.task_count < count) {
			specs[event.payload.task_count] =
				task(first + i + event.payload.task_count, desired);
			event.payload.task_count++;
		}
		step(bench, &event);
		settle(bench);
		for (size_t j = 0; j < event.payload.task_count; j++)
			task_spec_unref(specs[j]);
	}
}

/* The wait before a task is cleaned up is over. */
static void forget(struct bench *bench)
{
	while (engine_task_count(bench->engine) > 0) {
		bench->now_ms += 10000;
		step(bench, &(struct engine_event){ .type = EVENT_TIME_PASSED });
		settle(bench);
	}
}

static size_t heap(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void measure(size_t count, const char *directory)
{
	struct bench bench = { .now_ms = 1000 };
	struct error err = ERROR_INIT;
	struct engine_config config;
	size_t before, with_tasks, after;

	engine_config_defaults(&config);
	config.cpu_units = config.memory_mib = 1 << 30;
	config.task_limit = 1 << 20;
	config.cleanup_wait_ms = 0;
	if (store_open(directory, &bench.store, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	bench.engine = engine_new(&config);
	bench.outbox = outbox_new(bench.engine, bench.store, keep, &bench);
	step(&bench, &(struct engine_event){ .type = EVENT_RECOVERY_FINISHED,
					     .recovery_end = { .sequence_number = -1 } });
	/* The first few fill caches and prepared statements. */
	send_payloads(&bench, 1 << 20, TASKS_AT_ONCE, "RUNNING");
	send_payloads(&bench, 1 << 20, TASKS_AT_ONCE, "STOPPED");
	forget(&bench);
	before = heap();
	bench.running = 0;
	bench.steps = bench.commits = 0;
	bench.step_ns = bench.commit_ns = bench.longest_step_ns = 0;

	send_payloads(&bench, 0, count, "RUNNING");
	with_tasks = heap();
	if (bench.running != count) {
		fprintf(stderr, "%zu of %zu tasks run\n", bench.running, count);
		exit(1);
	}
	printf("| %zu | %.1f | %.1f | %.0f | %.1f | %zu |", count,
	       (double)bench.steps / (double)count,
	       (double)bench.step_ns / (double)bench.steps / 1000,
	       (double)bench.longest_step_ns / 1000,
	       (double)bench.commit_ns / (double)bench.commits / 1000,
	       (with_tasks - before) / count);
	send_payloads(&bench, 0, count, "STOPPED");
	forget(&bench);
	after = heap();
	printf(" %zu |\n", after > before ? (after - before) / count : 0);
	fflush(stdout);
	outbox_free(bench.outbox);
	engine_free(bench.engine);
	store_close(bench.store);
	free(bench.waiting);
}

int main(int argc, char **argv)
{
	static const size_t counts[] = { 10, 100, 500, 1000, 2000 };

	if (argc != 2) {
		fprintf(stderr, "usage: bench-engine EMPTY_DIRECTORY\n");
		return 2;
	}
	printf("| tasks | events a task | step, us | longest step, us | commit and act, us | heap "
	       "a "
	       "task, bytes | left of it when it has ended |\n|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		char *directory = xasprintf("%s/%zu", argv[1], counts[i]);

		measure(counts[i], directory);
		free(directory);
	}
	return 0;
}
