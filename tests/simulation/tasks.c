/* SPDX-License-Identifier: Apache-2.0 */
/* Invents the tasks of a history, and what will happen to each of their containers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "simulation.h"

static void invent_end(struct sim *sim, struct sim_container *container)
{
	static const int codes[] = { 0, 0, 0, 1, 3, 42, 255 };

	container->runs_ms = sim_chance(sim, 50)   ? -1
			     : sim_chance(sim, 15) ? sim_between(sim, 0, 20)
						   : sim_between(sim, 0, 20000);
	container->end.code_known = true;
	if (sim_chance(sim, 15)) {
		container->end.signal = 9;
		container->end.oom = sim_chance(sim, 50);
	} else {
		container->end.exit_code = codes[sim_random(sim) % 7];
	}
	container->vanishes = sim_chance(sim, 3);
	container->ignores_term = sim_chance(sim, 25);
	container->term_ms = sim_between(sim, 0, 3000);
	container->hangs_ms = sim_chance(sim, 2) ? sim_between(sim, 1000, 400000) : 0;
	container->term_code = (int)sim_between(sim, 0, 3);
}

static void invent_container(struct sim *sim, struct sim_task *task, int index)
{
	struct sim_container *container = &task->containers[index];

	snprintf(container->name, sizeof(container->name), "c%d", index);
	container->essential = index == 0 ? !sim_chance(sim, 5) : sim_chance(sim, 40);
	container->mounts = sim_chance(sim, 50);
	container->pull_fails = sim_chance(sim, 4);
	container->create_fails = sim_chance(sim, 4);
	container->start_fails = sim_chance(sim, 4);
	container->has_health = sim_chance(sim, 40);
	container->healthy_after_ms = sim_chance(sim, 80) ? sim_between(sim, 0, 8000) : -1;
	container->start_timeout_s = sim_chance(sim, 30) ? (int)sim_between(sim, 1, 10) : 0;
	container->restart_period_s = sim_chance(sim, 25) ? (int)sim_between(sim, 1, 12) : 0;
	container->restart_fails_in = sim_chance(sim, 20) ? 4 : 0;
	container->stop_timeout_s = sim_chance(sim, 50) ? (int)sim_between(sim, 1, 5) : 0;
	invent_end(sim, container);
}

/* Mostly on later containers, so that there is no cycle; now and then on any. */
static void invent_dependencies(struct sim *sim, struct sim_task *task, int index)
{
	struct sim_container *container = &task->containers[index];

	for (int on = 0; on < task->container_count; on++) {
		bool allowed = on > index || sim_chance(sim, 1);

		if (!allowed || !sim_chance(sim, 40))
			continue;
		enum container_condition condition = (enum container_condition)sim_between(
			sim, CONTAINER_CONDITION_START, CONTAINER_CONDITION_HEALTHY);

		if (condition == CONTAINER_CONDITION_HEALTHY && !task->containers[on].has_health &&
		    !sim_chance(sim, 3))
			condition = CONTAINER_CONDITION_START;
		container->dependencies[container->dependency_count].on = on;
		container->dependencies[container->dependency_count++].condition = condition;
	}
}

static void append_container(struct strbuf *json, const struct sim_task *task, int index)
{
	const struct sim_container *container = &task->containers[index];

	strbuf_appendf(
		json,
		"%s{\"name\":\"%s\",\"image\":\"image-%d:1\",\"essential\":%s,\"startTimeout\":%d,"
		"\"stopTimeout\":%d",
		index ? "," : "", container->name, index, container->essential ? "true" : "false",
		container->start_timeout_s, container->stop_timeout_s);
	if (container->restart_period_s)
		strbuf_appendf(json,
			       ",\"restartPolicy\":{\"enabled\":true,\"ignoredExitCodes\":[3],"
			       "\"restartAttemptPeriod\":%d}",
			       container->restart_period_s);
	if (container->has_health)
		strbuf_append(json,
			      ",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{"
			      "\\\"Healthcheck\\\":{\\\"Test\\\":[\\\"CMD\\\",\\\"x\\\"],"
			      "\\\"Interval\\\":1000000000,\\\"Retries\\\":2}}\"}");
	strbuf_append(json, ",\"dependsOn\":[");
	for (int i = 0; i < container->dependency_count; i++)
		strbuf_appendf(json, "%s{\"containerName\":\"c%d\",\"condition\":\"%s\"}",
			       i ? "," : "", container->dependencies[i].on,
			       container_condition_name(container->dependencies[i].condition));
	strbuf_append(json, "]");
	if (task->has_volume && container->mounts)
		strbuf_append(
			json,
			",\"mountPoints\":[{\"sourceVolume\":\"v\",\"containerPath\":\"/v\"}]");
	if (task->port && index == 0)
		strbuf_appendf(json, ",\"portMappings\":[{\"containerPort\":%d,\"hostPort\":%d}]",
			       task->port, task->port);
	else if (task->connects)
		strbuf_append(json, ",\"portMappings\":[{\"containerPort\":80}]");
	strbuf_append(json, "}");
}

static const char *network_mode(const struct sim_task *task)
{
	return task->own_network ? "awsvpc" : task->connects ? "bridge" : "host";
}

static char *task_text(const struct sim_task *task, int index, const char *desired)
{
	struct strbuf json = STRBUF_INIT;

	strbuf_appendf(&json,
		       "{\"arn\":\"%s\",\"desiredStatus\":\"%s\",\"family\":\"f\",\"version\":"
		       "\"1\",\"cpu\":0.25,"
		       "\"memory\":%d,\"networkMode\":\"%s\"",
		       task->arn, desired, task->memory_mib, network_mode(task));
	if (task->has_role)
		strbuf_appendf(
			&json,
			",\"roleCredentials\":{\"credentialsId\":\"credentials-%d\",\"roleArn\":"
			"\"role\","
			"\"accessKeyId\":\"a\",\"secretAccessKey\":\"s\",\"sessionToken\":\"t\","
			"\"expiration\":\"2030-01-01T00:00:00Z\",\"roleType\":\"TaskApplication\"}",
			index);
	if (task->own_network)
		strbuf_appendf(&json,
			       ",\"elasticNetworkInterfaces\":[{\"attachmentArn\":\"attachment-%"
			       "d\",\"ec2Id\":\"e\","
			       "\"macAddress\":\"0a:00:00:00:%02x:%02x\",\"ipv4Addresses\":[{"
			       "\"primary\":true,"
			       "\"privateAddress\":\"10.0.0.7\"}],\"subnetGatewayIpv4Address\":"
			       "\"10.0.0.1/24\"}]",
			       index, index >> 8, index & 0xff);
	if (task->has_volume)
		strbuf_append(&json, ",\"volumes\":[{\"name\":\"v\",\"host\":{}}]");
	if (task->gpu >= 0)
		strbuf_appendf(&json,
			       ",\"associations\":[{\"type\":\"gpu\",\"name\":\"GPU-%d\","
			       "\"containers\":[\"c0\"]}]",
			       task->gpu);
	if (task->relayed)
		strbuf_appendf(&json,
			       ",\"attachments\":[{\"attachmentType\":\"serviceconnectdetail\","
			       "\"attachmentProperties\":[{\"name\":\"ContainerName\",\"value\":"
			       "\"c%d\"},{\"name\":\"ServiceConnectConfig\",\"value\":\"{"
			       "\\\"ingressConfig\\\":[{}]}\"}]}]",
			       task->container_count - 1);
	strbuf_append(&json, ",\"containers\":[");
	for (int i = 0; i < task->container_count; i++)
		append_container(&json, task, i);
	/* A member of the wrong type: nobody can read it. */
	strbuf_append(&json, task->invalid ? "],\"ipcMode\":7}" : "]}");
	return strbuf_take(&json);
}

static void name_task(struct sim_task *task, int index)
{
	snprintf(task->id, sizeof(task->id), "t%d", index);
	snprintf(task->arn, sizeof(task->arn), "arn:aws:ecs:here:1:task/c/t%d", index);
}

static void write_task(struct sim_task *task, int index)
{
	task->run_json = task_text(task, index, "RUNNING");
	task->stop_json = task_text(task, index, "STOPPED");
}

/* As on a log router. */
static void make_relay_depend(struct sim_task *task)
{
	struct sim_container *relay = &task->containers[task->container_count - 1];

	if (task->container_count == 1 || task->memory_mib % 8 != 0 ||
	    task->containers[0].dependency_count > 0)
		return;
	relay->dependencies[relay->dependency_count].on = 0;
	relay->dependencies[relay->dependency_count++].condition = CONTAINER_CONDITION_START;
}

static void mark_needed(const struct sim_task *task, int index, bool needed[MAX_CONTAINERS])
{
	const struct sim_container *container = &task->containers[index];

	if (needed[index])
		return;
	needed[index] = true;
	for (int i = 0; i < container->dependency_count; i++)
		mark_needed(task, container->dependencies[i].on, needed);
}

/* What the agent adds by itself: all depend on the relay but those on which it depends. */
static void depend_on_relay(struct sim_task *task)
{
	bool needed[MAX_CONTAINERS] = { false };
	int relay = task->container_count - 1;

	mark_needed(task, relay, needed);
	for (int i = 0; i < relay; i++) {
		struct sim_container *container = &task->containers[i];
		struct sim_dependency *added =
			&container->dependencies[container->dependency_count];

		if (needed[i])
			continue;
		container->dependency_count++;
		added->on = relay;
		added->condition = task->containers[relay].has_health ? CONTAINER_CONDITION_HEALTHY
								      : CONTAINER_CONDITION_START;
	}
}

static void invent_task(struct sim *sim, int index)
{
	struct sim_task *task = &sim->tasks[index];

	name_task(task, index);
	task->own_network = sim_chance(sim, 40);
	task->connects = !task->own_network && sim_chance(sim, 60);
	task->has_role = sim_chance(sim, 30);
	task->has_volume = sim_chance(sim, 30);
	task->gpu = sim_chance(sim, 15) ? (int)sim_between(sim, 0, HOST_GPUS) : -1;
	task->invalid = sim_chance(sim, 2);
	task->memory_mib = (int)sim_between(sim, 50, 600);
	if (sim_chance(sim, 2))
		task->memory_mib = 2000;
	task->port = sim_chance(sim, 25) ? 8080 : 0;
	task->container_count = (int)sim_between(sim, 1, MAX_CONTAINERS);
	for (int i = 0; i < task->container_count; i++)
		invent_container(sim, task, i);
	for (int i = 0; i < task->container_count; i++) {
		invent_dependencies(sim, task, i);
		task->trouble |= task->containers[i].start_timeout_s > 0;
	}
	/* Not by a draw of its own: the histories of all others stay what they were. */
	task->relayed = (task->connects || task->own_network) && task->memory_mib % 4 == 0;
	if (task->relayed)
		make_relay_depend(task);
	write_task(task, index);
	if (task->relayed)
		depend_on_relay(task);
}

static void want_task(struct sim *sim, const struct sim_event *event)
{
	control_want_task(sim, event->task);
}

static void want_stop(struct sim *sim, const struct sim_event *event)
{
	control_want_stop(sim, event->task);
}

static void make_room(struct sim *sim, int count)
{
	sim->task_count = count;
	sim->tasks = xcalloc((size_t)count, sizeof(*sim->tasks));
}

void tasks_invent(struct sim *sim)
{
	bool flood = sim_chance(sim, 3);
	int64_t last_ms = flood ? 3000 : 20000;

	make_room(sim, flood ? FLOOD_TASKS : (int)sim_between(sim, 1, 6));
	for (int i = 0; i < sim->task_count; i++) {
		invent_task(sim, i);
		sim_schedule(sim, sim_between(sim, 0, last_ms), want_task)->task = i;
		if (sim_chance(sim, 50))
			sim_schedule(sim, sim_between(sim, 0, STORM_MS), want_stop)->task = i;
		sim_schedule(sim, sim->end_ms + sim_between(sim, 1, 1000), want_stop)->task = i;
	}
}

/* A service with its own network, a role, and a sidecar that it waits for. */
void tasks_plain(struct sim *sim, int count)
{
	make_room(sim, count);
	for (int i = 0; i < count; i++) {
		struct sim_task *task = &sim->tasks[i];

		name_task(task, i);
		task->own_network = task->has_role = true;
		task->gpu = -1;
		task->memory_mib = 64;
		task->container_count = 2;
		for (int j = 0; j < 2; j++) {
			struct sim_container *container = &task->containers[j];

			snprintf(container->name, sizeof(container->name), "c%d", j);
			container->essential = j == 0;
			container->runs_ms = -1;
			container->healthy_after_ms = -1;
		}
		task->containers[0].dependencies[0] =
			(struct sim_dependency){ 1, CONTAINER_CONDITION_START };
		task->containers[0].dependency_count = 1;
		write_task(task, i);
		sim_schedule(sim, i * 10, want_task)->task = i;
	}
}

void tasks_free(struct sim *sim)
{
	for (int i = 0; i < sim->task_count; i++) {
		free(sim->tasks[i].run_json);
		free(sim->tasks[i].stop_json);
		json_decref(sim->tasks[i].refused_report);
	}
	free(sim->tasks);
}

int task_index(const struct sim *sim, const char *id_or_arn)
{
	const char *slash = id_or_arn ? strrchr(id_or_arn, '/') : NULL;
	const char *id = slash ? slash + 1 : id_or_arn;

	for (int i = 0; id && i < sim->task_count; i++)
		if (str_eq(sim->tasks[i].id, id))
			return i;
	return -1;
}
