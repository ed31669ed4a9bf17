/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENGINE_INTERNAL_H
#define BERTH_AGENT_ENGINE_INTERNAL_H

#include "agent/engine/engine.h"

/*
 * The engine's own structs, for the files of this folder. Whatever changes a task goes through
 * these steps: a handler applies the event to the state, and marks the task as touched; then each
 * touched task advances until nothing moves; then what changed is persisted in front of all other
 * effects of the step.
 */

#define STOP_ATTEMPTS 5 /* then the container is declared STOPPED */
#define TEAR_DOWN_ATTEMPTS                                                                         \
	3 /* then the task is declared STOPPED, and the rest is tried again later */
#define REMOVE_ATTEMPTS                                                                            \
	3 /* of a container that never ran, before its network is torn down all the same */
#define LONGEST_RETRY_MS 60000            /* between attempts at what must be removed */
#define REFUSED_LIMIT    1000             /* reports on tasks that could not be decoded */
#define PERSIST_AT_UNSET INT64_MIN        /* the end of the step sets the time */
#define ENDED_LIMIT      2048             /* names of ended tasks that are kept ... */
#define ENDED_KEPT_MS    (15 * 60 * 1000) /* ... for so long */
#define ENDED_BUCKETS    256
#define PERSIST_SOON_MS                                                                            \
	50 /* what the host or the next pull would tell us again may wait this long */

/* How much it matters that a change survives a crash. */
enum persist {
	PERSIST_SOON, /* we would learn it again: from the host, the monitor's record, or by doing
			 it again */
	PERSIST_NOW,  /* before anything else is done */
};

struct dependency {
	uint32_t on; /* index of the container */
	enum container_condition condition;
};

/* Beside each container_state: what is not worth keeping. */
struct container {
	struct dependency *dependencies;
	size_t dependency_count;
	uint32_t flight;         /* effects under way: 1 << type */
	int64_t flight_since_ms; /* when the last of them was begun */
	bool dirty;
	bool image_ready;    /* pulled by this process */
	bool may_exist;      /* something of it may be on the host */
	bool must_stop;      /* its start ended in doubt: it may run */
	bool exit_waits;     /* it exited before we heard that it had started */
	bool half_restarted; /* something of a restart that did not come about may be there */
	struct engine_exit early_exit;
	int stop_attempts, remove_attempts;
	int64_t retry_at_ms;   /* of a stop or removal */
	int64_t started_at_ms; /* monotonic, of its last run; may be negative after a restart */
	int disconnect_attempts;
	int64_t disconnect_retry_at_ms;
	int64_t next_probe_ms;
	int64_t failed_probes;
	enum container_status enqueued; /* the last status that went into a report */
	struct task *task;
	struct container *next_endpoint; /* in the table of endpoint ids */
};

/* What a task asks of the host. */
struct ask {
	int64_t cpu_units;
	int64_t memory_mib;
	uint16_t *tcp, *udp;
	size_t tcp_count, udp_count;
	uint64_t gpus;     /* bit n: the n-th GPU of the host */
	char *unknown_gpu; /* one that this host does not have; NULL: none */
};

/* See resource.c. */
struct resource {
	enum engine_resource_kind kind;
	size_t volume; /* of the task's spec */
	bool in_flight, created;
};

#define REPORT_QUEUE 6

struct pending_report {
	uint64_t serial; /* 0: not sent yet */
	bool flush;      /* only to carry containers */
	enum task_status status;
	enum container_status *containers; /* as they were; NONE: nothing to say */
};

struct task {
	struct task_state *state;
	struct container *containers;
	struct ask ask;
	struct resource *resources;
	size_t resource_count;
	uint32_t flight;
	bool touched, dirty, dirty_now, dead;
	bool rebooted;         /* it is being recovered, after the host has started anew: nothing of
				  it is run again */
	int64_t persist_at_ms; /* of what may wait; ENGINE_NEVER: nothing */

	/* admission */
	bool waits;
	struct task *queue_next, *queue_previous;
	int64_t passed_cpu_units,
		passed_memory_mib; /* held by tasks that came later and went in first */

	/* reports */
	struct pending_report reports[REPORT_QUEUE];
	size_t report_count;
	enum task_status enqueued;
	int64_t flush_at_ms; /* ENGINE_NEVER: nothing to flush */

	/* network and end */
	int tear_down_attempts;
	bool network_abandoned;
	bool pause_lost; /* its exit overtook the end of OPEN_NETNS */
	int64_t network_retry_at_ms;
	bool cleaned;
	int64_t cleanup_at_ms, cleanup_retry_at_ms;

	/* wake-up */
	int64_t wake_ms;
	size_t heap_index; /* SIZE_MAX: not in the heap */

	struct task *next, *previous; /* order of arrival */
	struct task *next_hashed;
	struct task *next_touched;
};

/* A task that has ended and is gone: only its name is kept. */
struct ended {
	char *arn;
	uint64_t serial;
	int64_t at_ms;      /* monotonic, of this process: the wall clock may step */
	struct ended *next; /* the next younger one */
	struct ended *next_hashed;
};

/* A task that could not be decoded, or has ended here before: only its report is left to do. */
struct refused {
	char *arn;
	char *reason;
	uint64_t serial;
	struct refused *next;
};

struct engine {
	struct engine_config config;
	uint64_t reserved_tcp[1024], reserved_udp[1024]; /* bit sets of ports */
	uint64_t used_tcp[1024], used_udp[1024];
	int64_t cpu_units_used, memory_mib_used;
	char **gpus; /* their ids */
	size_t gpu_count;
	uint64_t used_gpus;
	size_t waiting;
	struct task *queue_head, *queue_tail;

	struct task **tasks_by_id;
	struct container **endpoints;
	size_t bucket_count, endpoint_bucket_count, endpoint_count; /* buckets: powers of two */
	size_t task_count;
	struct task *first, *last;
	uint64_t arrivals, report_serial;

	struct refused *refused;
	size_t refused_count;

	struct ended *ended_buckets[ENDED_BUCKETS];
	struct ended *ended_first, *ended_last; /* by age, the oldest first */
	size_t ended_count;
	uint64_t ended_serial; /* of the youngest */

	struct task **heap;
	size_t heap_count, heap_capacity;

	bool recovered;
	bool admission_due; /* the queue or what is free has changed */
	int64_t sequence_number;
	char *manifest_id; /* of the manifest whose stop verification is awaited; NULL: none */

	/* of the step under way */
	int64_t now_ms, wall_ms;
	struct task *touched, *touched_last;
	struct task *graves; /* freed at the next step */
	struct engine_effect *effects, *persists;
	size_t effect_count, effect_capacity, persist_count, persist_capacity;
	struct engine_effects result;
	void **scratch;
	size_t scratch_count, scratch_capacity;
};

static inline uint32_t flight_bit(enum engine_effect_type type)
{
	return UINT32_C(1) << type;
}

/* table.c */
size_t table_hash(const char *text);
struct task *table_find(const struct engine *engine, const char *id);
void table_add(struct engine *engine,
	       struct task *task); /* and its endpoints, at its place by arrival */
void table_remove(struct engine *engine, struct task *task);
struct container *table_find_endpoint(const struct engine *engine, const char *endpoint_id);

/* wake.c */
/* After so many attempts that failed: a second, then twice as long each time, to LONGEST_RETRY_MS.
 */
int64_t removal_wait_ms(int failed);
void wake_set(struct engine *engine, struct task *task); /* puts it where its wake_ms belongs */
void wake_remove(struct engine *engine, struct task *task);
int64_t wake_next(const struct engine *engine);
static inline void wake_at(struct task *task, int64_t ms)
{
	if (ms < task->wake_ms)
		task->wake_ms = ms;
}

/* effects.c */
struct engine_effect *effect_add(struct engine *engine, enum engine_effect_type type,
				 const struct task *task);
struct engine_effect *effect_add_container(struct engine *engine, enum engine_effect_type type,
					   const struct task *task, size_t index);
/* Also notes that it is under way. */
struct engine_effect *effect_start(struct engine *engine, enum engine_effect_type type,
				   struct task *task);
struct engine_effect *effect_start_container(struct engine *engine, enum engine_effect_type type,
					     struct task *task, size_t index);
void effects_begin(struct engine *engine);
void effects_persist(struct engine *engine, struct task *task);
const struct engine_effects *effects_end(struct engine *engine);
void *scratch_keep(struct engine *engine, void *memory); /* freed at the next step; returns it */

/* change.c: the only places where a status changes */
void touch(struct engine *engine, struct task *task);
void mark_task(struct task *task, enum persist when);
void mark_container(struct task *task, size_t index, enum persist when);
void container_reach(struct engine *engine, struct task *task, size_t index,
		     enum container_status status, enum persist when);
void container_want_stop(struct task *task, size_t index, enum persist when);
/* The first error stays: "<name>: <text>". Persisted before anything else. */
void container_set_reason(struct task *task, size_t index, const char *name, const char *text);
/* An error that it does not survive. */
void container_fail(struct task *task, size_t index, const char *name, const char *text);
int engine_exit_code(const struct engine_exit *exit); /* 128 + n for an end by signal n */
/* For good. */
void container_exited(struct engine *engine, struct task *task, size_t index,
		      const struct engine_exit *exit);
/* The end of one whose start nobody has told us of: it had started after all, or never. */
void container_ended_early(struct engine *engine, struct task *task, size_t index,
			   const struct engine_exit *exit);
void task_reach(struct engine *engine, struct task *task, enum task_status status);
void task_want_stop(struct engine *engine, struct task *task, enum persist when);
void task_set_reason(struct task *task, const char *reason); /* the first stays */

/* reason.c: the caller frees */
char *reason_make(const char *name, const char *text);
char *reason_cut(const char *text); /* at most 1024 bytes, between characters */

/* task.c */
struct task *task_new(struct task_state *state); /* takes the state */
void task_free(struct task *task);
bool all_containers_stopped(const struct task *task);
/* Some essential container is STOPPED. */
bool essential_container_stopped(const struct task *task);

/* identity.c */
void identity_assign(struct task_state *state, const uint64_t random[2], uint64_t salt);

/* prepare.c */
/* Fills in dependencies and the ask; -EINVAL: the task cannot run, and has its reasons. */
int task_prepare(struct engine *engine, struct task *task);

/* dependency.c */
enum verdict {
	VERDICT_SATISFIED,
	VERDICT_WAITS,
	VERDICT_FAILED,
};
/* VERDICT_FAILED: *ret_text (the caller frees) says why. Asks to be woken for a start timeout. */
enum verdict dependencies_check(const struct engine *engine, struct task *task, size_t index,
				char **ret_text);
bool dependency_satisfied(const struct container_state *on, enum container_condition condition);
/* Every container that depends on it is STOPPED. */
bool dependents_stopped(const struct task *task, size_t index);

/* admission.c */
void ask_compute(const struct engine *engine, const struct task_spec *spec, struct ask *ret);
void ask_clear(struct ask *ask);
void admission_queue(struct engine *engine, struct task *task);
void admission_leave(struct engine *engine, struct task *task); /* the queue, if it is in it */
void admission_take(struct engine *engine, struct task *task);
void admission_release(struct engine *engine, struct task *task);
void admission_run(struct engine *engine); /* lets in whoever may */
bool ports_taken(const struct engine *engine, const struct ask *ask);
/* Why it can never be admitted (the caller frees), or NULL. */
char *admission_refusal(const struct engine *engine, const struct ask *ask);

/* progress.c, network.c, health.c, cleanup.c: true when something moved */
void task_advance(struct engine *engine, struct task *task);
bool stop_advance(struct engine *engine, struct task *task, size_t index);
bool network_advance(struct engine *engine, struct task *task);
bool network_settled(const struct task *task);

/* connection.c: of the containers of a bridge task */
bool connection_ready(const struct task *task, size_t index);
/* Nothing of it is on the host. */
bool connection_gone(const struct task *task, size_t index);
bool connections_settled(const struct task *task);
/* Whether it shall be made now; `may_begin`: the container waits for nothing. */
bool connection_is_due(const struct task *task, size_t index, bool may_begin);
/* It will never be made: what leads out of it has ended. */
bool connection_is_hopeless(const struct task *task, size_t index);
/* Whether the container's network, and what else it must find there, is ready for it. */
bool connection_allows_creation(const struct task *task, size_t index);
void connection_advance(struct engine *engine, struct task *task, size_t index);
/* The container is STOPPED: true when something moved. */
bool disconnection_advance(struct engine *engine, struct task *task, size_t index);
void connection_recover(struct task *task, size_t index);
void connection_done(struct engine *engine, struct task *task, size_t index,
		     const struct engine_done *done);
void disconnection_done(struct engine *engine, struct task *task, size_t index,
			const struct engine_done *done);

void health_advance(struct engine *engine, struct task *task, size_t index);
void health_started(struct engine *engine, struct task *task, size_t index);
/* It was started in an earlier life of the agent, at container->started_at_ms. */
void health_resumed(struct engine *engine, struct task *task, size_t index);
void cleanup_schedule(struct engine *engine, struct task *task, int64_t stopped_ms_ago);
void cleanup_hasten(struct engine *engine); /* when the limit of tasks comes near */
/* Removes containers whose time has come. */
bool container_removal_advance(struct engine *engine, struct task *task, size_t index);
bool container_left_behind(const struct task *task,
			   size_t index); /* made, never ran, not removed yet */
void cleanup_advance(struct engine *engine, struct task *task);
bool cleanup_due(const struct engine *engine, const struct task *task);

/* resource.c */
void resources_prepare(struct task *task);
bool resources_ready(const struct task *task, size_t container); /* all that the container uses */
bool resources_in_flight(const struct task *task);
void resources_advance(struct engine *engine, struct task *task);
void resource_done(struct engine *engine, struct task *task, const struct engine_done *done);

/* restart.c */
/* The end of a container that runs: its own, unless its policy has it started again. */
void container_ended(struct engine *engine, struct task *task, size_t index,
		     const struct engine_exit *exit);
/* The same for one of whose run we know only what its record says. */
void container_ended_after(struct engine *engine, struct task *task, size_t index,
			   const struct engine_exit *exit);
bool restart_advance(struct engine *engine, struct task *task, size_t index);
void restarted(struct engine *engine, struct task *task, size_t index,
	       const struct engine_done *done);
/* The end of a STOP of one that was being restarted; false: it must be tried again. */
bool restart_stopped(struct engine *engine, struct task *task, size_t index,
		     const struct engine_done *done, bool last_attempt);
/* True: it is being restarted, and that goes on. */
bool restart_recover(struct engine *engine, struct task *task, size_t index,
		     const struct engine_observation *observation);

/* report.c */
void report_task_status(struct task *task); /* its known status has just changed */
void report_advance(struct engine *engine, struct task *task);
void report_accepted(struct task *task, uint64_t serial);
void report_refused(struct task *task, uint64_t serial);
void refused_add(struct engine *engine, const char *arn, const char *reason);
void refused_end(struct engine *engine, uint64_t serial);
bool refused_pending(const struct engine *engine, const char *arn);
void reports_free(struct task *task);

/* ended.c */
void ended_add(struct engine *engine, const char *arn, uint64_t serial);
void ended_clear(struct engine *engine);

/* signal.c: "SIGTERM", "TERM", "15", "SIGRTMIN+3"; 0: no such signal */
int signal_parse(const char *text);

/* outcome.c */
void effect_done(struct engine *engine, struct task *task, const struct engine_event *event);
void network_done(struct engine *engine, struct task *task, const struct engine_done *done);
void pause_exited(struct engine *engine, struct task *task, const struct engine_exit *exit);
void health_done(struct engine *engine, struct task *task, size_t index,
		 const struct engine_done *done);
/* The digest is not for us to report: the task definition names it. */
bool reference_has_digest(const struct container_spec *spec);
/* Index of the container the event names, SIZE_MAX when there is none (or it names an earlier
 * attempt). */
size_t event_container(const struct task *task, const struct engine_event *event);
/* What the task is told of a failure. */
const char *done_error_name(const struct engine_done *done, const char *otherwise);
const char *done_error_text(const struct engine_done *done);

/* payload.c, recover.c */
void payload_apply(struct engine *engine, const struct engine_payload *payload);
void manifest_apply(struct engine *engine, const struct engine_manifest *manifest);
void stop_verified_apply(struct engine *engine, const struct engine_stop_verified *verified);
void task_recover(struct engine *engine, const struct engine_recovered *recovered);
void recovery_finish(struct engine *engine, const struct engine_recovery_end *end);

#endif
