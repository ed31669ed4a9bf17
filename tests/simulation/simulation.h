/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_SIMULATION_H
#define BERTH_TESTS_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "agent/engine/engine.h"
#include "agent/executor/executor.h"
#include "base/loop.h"

/*
 * One seeded history in virtual time. The agent in it is the whole real one: its wiring, engine,
 * outbox, store, sessions, decoders, reporter, telemetry. What it reaches the world by is replaced
 * when this program is linked: loop and clocks (loop.c), random bytes (random.c), HTTP and
 * websockets (http.c, websocket.c), the disk under SQLite (disk.c), the executor and with it the
 * host (host.c). At the other end is a control plane (control.c, sessions.c) that believes what it
 * is told.
 *
 * The world is slow and fails: connections are cut, answers lost, messages doubled, late and
 * mangled; the agent is killed at any call to the outside; the host reboots and the disk loses what
 * was not synced; it is full now and then; clocks step; containerd is gone. What must always hold
 * is checked after every event; what must have come true, at the end (check.c).
 */

#define FLOOD_TASKS    40
#define MAX_CONTAINERS 4

#define HOST_CPU_UNITS  2048
#define HOST_MEMORY_MIB 1024
#define HOST_GPUS       2

#define STORM_MS   INT64_C(60000)  /* faults until then; then every task is stopped */
#define QUIET_MS   INT64_C(240000) /* without faults, before that, in some histories */
#define SETTLED_MS INT64_C(900000) /* after all of that everything has ended */

struct sim;
struct ws;

/* ---- what happens, in order of time (queue.c) ---- */

struct sim_event {
	int64_t time_ms;
	uint64_t order;
	unsigned generation; /* of the agent that it is for; 0: any */
	void (*happen)(struct sim *sim, const struct sim_event *event);
	int task, container; /* -1: none */
	enum engine_effect_type effect;
	uint32_t attempt;
	bool failed;
	bool deed; /* the effect has taken place, whatever is said of it; of a stop: the process had
		      ended before */
	int64_t number;
	void *subject;
	void (*drop)(void *subject); /* of the subject, whether it happened or not */
};

/* ---- the host ---- */

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
	struct sim_dependency dependencies[MAX_CONTAINERS + 1]; /* and the relay */
	int dependency_count;
	bool mounts; /* the task's volume, if it has one */

	/* what will happen to it */
	bool pull_fails, create_fails, start_fails;
	int64_t runs_ms; /* -1: until it is stopped */
	struct engine_exit end;
	bool vanishes;     /* its monitor dies with it */
	bool ignores_term; /* only SIGKILL ends it */
	int64_t term_ms;
	int term_code;
	int64_t hangs_ms; /* how long it takes to die of SIGKILL; 0: it does at once */
	bool has_health;
	int64_t healthy_after_ms; /* from its start; -1: never */
	int start_timeout_s, stop_timeout_s;
	int restart_period_s; /* of its restart policy; 0: it has none. Code 3 is ignored by it */
	int restart_fails_in; /* each restart fails with this chance, one in so many; 0: none */

	/* the truth on the host */
	enum host_container host;
	bool pulled, stop_failed;
	bool connected, disconnect_failed; /* of a bridge task: its namespace and published port */
	int host_port;                     /* while it is; chosen anew each time */
	uint32_t attempt;                  /* of the run that `host` speaks of */
	uint32_t started;                  /* the last attempt that was started; 0: none */
	int64_t started_ms, ended_ms, dies_ms; /* of SIGKILL, when it hangs */
	struct engine_exit exit;               /* when it ended, and how */
	bool probed_healthy;                   /* what the agent was told last */

	/* what the control plane believes */
	enum container_status reported;
	bool reported_code;
	int reported_exit_code;

	enum container_status answered, remembered; /* as of the task */

	enum container_status seen; /* in the engine of this generation */
};

struct sim_task {
	char id[16];
	char arn[64];
	char *run_json, *stop_json;
	bool own_network, invalid, has_role, has_volume;
	bool connects; /* network mode bridge: each container has its own */
	bool relayed;  /* Service Connect: its last container is the relay */
	int gpu;       /* which of the host's it asks for; -1: none */
	int memory_mib, port;
	struct sim_container containers[MAX_CONTAINERS];
	int container_count;

	/* the truth on the host */
	bool namespace, attached, pause_died, tear_down_failed;
	bool cgroup, volume;
	/* Something of it failed, ended, was killed, or may take too long: a reason to stop it. */
	bool trouble;

	/* the control plane */
	bool wanted, stop_wanted;
	bool attach_reported;    /* the interface of an awsvpc task is ATTACHED */
	int64_t attach_again_ms; /* acknowledged: not announced before it has expired */
	bool run_acknowledged, stop_acknowledged; /* it heard so */
	bool run_safe, stop_safe; /* the agent said so: it must never be forgotten */
	enum task_status reported;
	bool refused, end_refused; /* a report was refused for good; that of its end was */
	/* What the agent was told to be known; and of that, what it must still know after a death.
	 */
	enum task_status answered, remembered;
	bool attach_answered;
	json_t *refused_report;
	bool known_here; /* to the agent of this generation */

	enum task_status seen_known, seen_desired;
};

struct disk_file;

struct sim {
	uint64_t seed, random;
	int events_now; /* so many had this time */
	FILE *trace;    /* or NULL */
	bool calm;      /* no more faults */
	int64_t end_ms; /* every task is stopped */
	bool clock_stepped;
	bool failed;
	int64_t now_ms;
	int64_t monotonic_offset_ms, wall_offset_ms;

	struct sim_event *events; /* a heap */
	size_t event_count, event_capacity;
	uint64_t order;

	/* the agent */
	struct agent *agent; /* NULL: it is down */
	struct loop *loop;
	unsigned generation; /* of the agent that is up; 0: none is */
	unsigned generations;
	int crash_in; /* calls to the outside until it dies; 0: it does not */
	bool dead;    /* it has died in the middle of something: nothing that it still does has an
			 effect */
	bool stopped; /* it has ended by itself */

	/* its disk */
	struct disk_file *files;
	bool disk_full, disk_fails;
	uint64_t disk_random;

	/* its host */
	struct executor *executor;
	bool containerd_gone;
	unsigned boots;
	int last_port;
	struct sim_task *tasks;
	int task_count;
	int64_t cpu_units, memory_mib; /* of all tasks together */

	/* the network and the control plane */
	bool control_down, black_hole;
	struct ws *sockets;
	int64_t socket_serial;
	struct ws *acs, *tcs; /* the sessions that it has; NULL: none */
	bool registered;
	int64_t sequence;
	bool manifest_due;

	/* figures */
	uint64_t steps, reports, payloads;
};

/* The functions that stand in for base/ have no context: there is one world at a time. */
extern struct sim *sim_world;

/* main.c: all of a world goes. */
void sim_finish(struct sim *sim);

/* random.c */
uint64_t sim_random(struct sim *sim);
int64_t sim_between(struct sim *sim, int64_t low, int64_t high); /* both included */
bool sim_chance(struct sim *sim, int percent);
bool sim_chance_in(struct sim *sim, int one_in);
bool sim_fault(struct sim *sim, int percent); /* never when calm */
uint64_t mix_random(uint64_t *state);

/* queue.c: the event is to be filled in, and valid until the next one is scheduled. */
struct sim_event *sim_schedule(struct sim *sim, int64_t delay_ms,
			       void (*happen)(struct sim *sim, const struct sim_event *event));
bool sim_next(struct sim *sim, struct sim_event *ret);
/* The time of the next event; INT64_MAX: there is none. */
int64_t sim_next_ms(const struct sim *sim);
void sim_event_clear(struct sim_event *event);

/* loop.c */
void sim_loop_turn(struct sim *sim); /* what was deferred */

/* http.c: what a dead agent had sent has arrived, or never will. */
void http_agent_died(struct sim *sim);

/* websocket.c, of the control plane's end. Text is copied; a socket that is not open takes nothing.
 */
void socket_send(struct sim *sim, struct ws *ws, const char *text);
void socket_close(struct sim *sim, struct ws *ws, int code);
bool socket_is_acs(const struct ws *ws);
int64_t socket_serial(const struct ws *ws); /* no two have the same */
/* The connection breaks: what is on its way is lost, and an end may hear of it late, or never. And:
 * every one does. */
void socket_cut(struct sim *sim, struct ws *ws);
void sockets_cut(struct sim *sim);
void sockets_agent_died(struct sim *sim);
void sockets_free(struct sim *sim);

/* disk.c */
void disk_power_lost(struct sim *sim); /* what was not synced is lost, torn, or not */
void disk_free(struct sim *sim);
void disk_install(void); /* once */

/* tasks.c */
void tasks_invent(struct sim *sim);
void tasks_plain(struct sim *sim, int count); /* that run, and go on running */
void tasks_free(struct sim *sim);
int task_index(const struct sim *sim, const char *id_or_arn); /* -1: none of ours */

/* faults.c */
void faults_invent(struct sim *sim);
void faults_after_death(struct sim *sim); /* in the middle of something */

/* memory.c: prints what the agent takes for each task. */
int memory_measure(void);

/* quiet.c */
void check_quiet(struct sim *sim, const struct sim_event *event);

/* host.c */
void host_agent_died(struct sim *sim);
void host_reboot(struct sim *sim);
void host_kill_pause(struct sim *sim, int task);

/* control.c, the API */
void control_call(struct sim *sim, const char *operation, const char *body, int *ret_status,
		  char **ret_answer);
/* The answer to such a call has arrived at the agent. */
void control_answered(struct sim *sim, const char *operation, const char *body, bool taken);
void control_want_task(struct sim *sim, int task);
void control_want_stop(struct sim *sim, int task);
/* sessions.c */
void control_opened(struct sim *sim, struct ws *ws);
void control_message(struct sim *sim, struct ws *ws, const char *text, size_t size);
void control_closed(struct sim *sim, struct ws *ws);
void control_deliver(struct sim *sim,
		     const struct sim_event *event); /* whatever is not acknowledged */
void control_manifest(struct sim *sim);

/* agent.c */
void agent_start_event(struct sim *sim, const struct sim_event *event);
void agent_die(struct sim *sim);
/* A call to the outside: the agent may die right now. False: it is dead, and the call has no
 * effect. */
bool agent_reaches_out(struct sim *sim);
const struct engine *agent_engine(const struct sim *sim); /* NULL while it is down */

/* check.c */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(const struct sim *sim, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void check_step(struct sim *sim);
void check_recovered(struct sim *sim);
void check_effect(struct sim *sim, const struct engine_effect *effect, int task, int container);
bool check_is_settled(struct sim *sim); /* nothing is left to do */
void check_end(struct sim *sim);

#endif
