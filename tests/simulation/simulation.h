/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_SIMULATION_H
#define BERTH_TESTS_SIMULATION_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/engine/engine.h"
#include "agent/store/outbox.h"
#include "agent/store/store.h"

/*
 * One seeded history in virtual time: the real engine, outbox and store between a simulated host
 * and a simulated control plane. The host is slow and fails; messages are lost, doubled and late;
 * the agent is killed between any two effects; the disk is full now and then. What must always hold
 * is checked at every step; what must come true, at the end.
 */

#define MAX_TASKS      8
#define MAX_CONTAINERS 4

#define HOST_CPU_UNITS  2048
#define HOST_MEMORY_MIB 1024

enum host_container {
	HOST_ABSENT,
	HOST_HALF_MADE,
	HOST_CREATED,
	HOST_RUNNING,
	HOST_EXITED,
	HOST_VANISHED, /* its process is gone, and nothing was recorded */
};

struct sim_dependency {
	int on;
	enum container_condition condition;
};

struct sim_container {
	char name[16];
	bool essential;
	struct sim_dependency dependencies[MAX_CONTAINERS];
	int dependency_count;

	/* what will happen to it */
	bool pull_fails, create_fails, start_fails;
	int64_t runs_ms; /* -1: until it is stopped */
	struct engine_exit end;
	bool vanishes;     /* its monitor dies with it */
	bool ignores_term; /* only SIGKILL ends it */
	int64_t term_ms;
	int term_code;
	bool has_health;
	int64_t healthy_after_ms; /* from its start; -1: never */
	int start_timeout_s, stop_timeout_s;

	/* the truth on the host */
	enum host_container host;
	bool pulled, stop_failed;
	int starts;
	int64_t started_ms;
	struct engine_exit exit; /* when it ended, and how */
	bool probed_healthy;     /* what the agent was told last */

	/* what the control plane believes */
	enum container_status reported;
	bool reported_code;
	int reported_exit_code;

	enum container_status seen; /* in the engine of this generation */
};

struct sim_task {
	char id[16];
	char arn[64];
	char *run_json, *stop_json;
	struct task_spec *run_spec, *stop_spec;
	bool own_network, invalid;
	int memory_mib, port;
	struct sim_container containers[MAX_CONTAINERS];
	int container_count;

	/* the truth on the host */
	bool namespace, attached, pause_died, tear_down_failed;

	/* the control plane */
	bool sent, stop_wanted;
	bool run_acknowledged, stop_acknowledged; /* it heard so */
	bool run_safe, stop_safe; /* the agent said so: it must never be forgotten */
	enum task_status reported;
	bool refused; /* a report was refused */

	enum task_status seen_known, seen_desired;
};

enum sim_event_type {
	SIM_OPERATION,  /* an effect takes place on the host */
	SIM_DONE,       /* the agent hears of its end */
	SIM_EXIT,       /* a process ends by itself, or by a signal */
	SIM_EXIT_HEARD, /* the agent hears of it */
	SIM_PAUSE_KILLED,
	SIM_PAYLOAD,       /* arrives at the agent */
	SIM_REDELIVER,     /* the control plane looks what is not acknowledged */
	SIM_ACKNOWLEDGED,  /* arrives at the control plane */
	SIM_REPORT,        /* arrives at the control plane */
	SIM_REPORT_ANSWER, /* arrives at the agent */
	SIM_REPORT_RETRY,
	SIM_WAKE,
	SIM_FLUSH,
	SIM_CRASH,
	SIM_REBOOT,
	SIM_RESTART,
	SIM_DISK_FULL,
	SIM_DISK_FREE,
	SIM_WANT_TASK,
	SIM_WANT_STOP,
	SIM_MANIFEST,
	SIM_CALM, /* no more faults, and everything is stopped */
};

struct sim_event {
	int64_t time_ms;
	uint64_t order;
	enum sim_event_type type;
	unsigned generation; /* of the agent it is for; 0: any */
	int task, container; /* -1: none */
	enum engine_effect_type effect;
	bool failed;
	uint64_t number; /* serial of a report, wake-up time, epoch of a process */
	struct engine_effect *report;
};

struct sim {
	uint64_t seed, random;
	bool trace;
	bool calm; /* no more faults */
	bool failed;
	int64_t now_ms, wall_offset_ms;

	struct sim_event *events; /* a heap */
	size_t event_count, event_capacity;
	uint64_t order;

	struct store *store; /* the disk: it survives the agent */
	struct engine *engine;
	struct outbox *outbox;
	unsigned generation; /* 0: the agent is down */
	unsigned generations;
	int crash_countdown; /* effects until the agent dies; -1: it does not */
	bool flush_scheduled, disk_full;
	int64_t wake_ms;

	struct sim_task tasks[MAX_TASKS];
	int task_count;
	int64_t sequence;
	uint64_t steps;
};

/* random.c */
uint64_t sim_random(struct sim *sim);
int64_t sim_between(struct sim *sim, int64_t low, int64_t high); /* both included */
bool sim_chance(struct sim *sim, int percent);
bool sim_fault(struct sim *sim, int percent); /* never when calm */

/* queue.c */
struct sim_event *sim_schedule(struct sim *sim, enum sim_event_type type, int64_t delay_ms);
bool sim_next(struct sim *sim, struct sim_event *ret);
void sim_event_clear(struct sim_event *event);

/* tasks.c */
void tasks_invent(struct sim *sim);
void tasks_free(struct sim *sim);

/* host.c */
void host_perform(struct sim *sim, const struct engine_effect *effect, int task, int container);
void host_operation(struct sim *sim, const struct sim_event *event);
void host_done(struct sim *sim, const struct sim_event *event);
void host_exit(struct sim *sim, const struct sim_event *event);
void host_agent_died(struct sim *sim);
void host_reboot(struct sim *sim);
struct engine_observation host_observe(const struct sim_container *container);

/* control.c */
void control_want_task(struct sim *sim, int task);
void control_want_stop(struct sim *sim, int task);
void control_redeliver(struct sim *sim, int task);
void control_acknowledged(struct sim *sim, const struct sim_event *event);
void control_report(struct sim *sim, const struct sim_event *event);
void control_manifest(struct sim *sim);
void control_agent_died(struct sim *sim);

/* agent.c */
void agent_start(struct sim *sim);
void agent_die(struct sim *sim);
void agent_step(struct sim *sim, struct engine_event *event);
void agent_flush(struct sim *sim);
void agent_send_report(struct sim *sim, const struct engine_effect *effect);

/* check.c */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(const struct sim *sim, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void check_step(struct sim *sim);
void check_recovered(struct sim *sim);
void check_effect(struct sim *sim, const struct engine_effect *effect, int task, int container);
void check_acknowledge(struct sim *sim, int task, bool stop);
void check_end(struct sim *sim);

#endif
