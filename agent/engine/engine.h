/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENGINE_ENGINE_H
#define BERTH_AGENT_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/engine/state.h"
#include "base/strbuf.h"
#include "wire/task.h"

/*
 * The engine decides what must happen to the tasks of this host. It is a pure function of its
 *state, the time and one event; it answers with effects, which the shell carries out and answers
 *with events:
 *
 *	event -> engine_step() -> effects -> (commit, then act) -> EVENT_EFFECT_DONE ->
 *engine_step() -> ...
 *
 * It never reads a clock, a file, a socket or a random number.
 */
struct engine;

#define GPU_LIMIT 64

/* Copied by engine_new(). */
struct engine_config {
	int64_t cpu_units; /* what tasks may use of this host */
	int64_t memory_mib;
	const uint16_t *reserved_tcp; /* host ports that no task gets */
	size_t reserved_tcp_count;
	const uint16_t *reserved_udp;
	size_t reserved_udp_count;
	const char *const *gpus; /* ids of this host's; more than GPU_LIMIT are left out */
	size_t gpu_count;
	int64_t stop_timeout_ms;       /* grace of a container that names none; raised to 1000 */
	int64_t cleanup_wait_ms;       /* a stopped task is kept as long as this ... */
	int64_t cleanup_jitter_ms;     /* ... and up to this longer, spread by its id */
	bool pull_failure_stops_task;  /* pull behaviour "always" and "once" */
	bool pull_dependents_upfront;  /* pull before dependencies are satisfied */
	int64_t start_report_delay_ms; /* starts wait this long for company before they are reported
					  without their task */
	int64_t exit_report_delay_ms;  /* the same for ends; the end of a task never waits */
	double time_scale; /* >= 1: for tests; the attempt period of restart policies is divided by
			      it */
	size_t task_limit; /* tasks beyond it are refused; from half of it on, stopped ones are not
			      kept */
};

/* Sensible values for everything but the host's size. */
void engine_config_defaults(struct engine_config *config);

/* What may change while the engine lives: see engine_config. Waits that have begun go on as they
 * were. */
struct engine_habits {
	int64_t stop_timeout_ms;
	int64_t cleanup_wait_ms, cleanup_jitter_ms;
	bool pull_failure_stops_task, pull_dependents_upfront;
};

struct engine *engine_new(const struct engine_config *config);
void engine_free(struct engine *engine);
void engine_set_habits(struct engine *engine, const struct engine_habits *habits);

/* ---- events: what can happen. Everything in an event is borrowed for the call unless said
 * otherwise. ---- */

enum engine_event_type {
	EVENT_PAYLOAD,          /* tasks from the control plane, to run or to stop */
	EVENT_MANIFEST,         /* the tasks that the control plane believes to be here */
	EVENT_STOP_VERIFIED,    /* it answers which of ours shall stop */
	EVENT_IMAGE_RESOLVED,   /* a pull that goes on has found its digest; optional */
	EVENT_EFFECT_DONE,      /* an effect ended, well or not */
	EVENT_CONTAINER_EXITED, /* a container's first process ended; may overtake its START's end
				 */
	EVENT_PAUSE_EXITED,     /* a task's pause process ended, though nobody asked for it */
	EVENT_REPORT_ACCEPTED,  /* the control plane has it */
	EVENT_REPORT_REFUSED,   /* it will never take it (InvalidParameterException) */
	EVENT_TIME_PASSED,      /* what engine_step() asked to be told, or later */
	EVENT_TASK_RECOVERED, /* after a start of the agent: a saved task, and what the host says of
				 it */
	EVENT_RECOVERY_FINISHED, /* after the last of them, also when there were none; nothing is
				    decided before */
};

/* How a process ended. */
struct engine_exit {
	bool code_known;        /* false: it is gone, and nobody saw how */
	int exit_code;          /* 0..255; unused when signal > 0 */
	int signal;             /* 0, or the signal that ended it */
	bool oom;               /* the kernel killed in its cgroup for want of memory */
	int64_t started_at_ms;  /* 0: its program was never started, as far as the record says */
	int64_t finished_at_ms; /* 0: when the event says */
};

/* A task of a payload that could not be decoded. */
struct engine_refused_task {
	const char *arn;    /* "" or NULL: there is nothing to report on */
	const char *reason; /* "UnrecogniedTaskError: Error loading task - ..." */
};

struct engine_payload {
	const char *message_id;
	int64_t sequence_number;
	struct task_spec *const *tasks; /* the engine takes references of its own */
	size_t task_count;
	const struct engine_refused_task
		*refused; /* not empty: the payload will not be acknowledged */
	size_t refused_count;
	uint64_t random[2]; /* fresh random bits: the ids of the metadata endpoints are made of them
			     */
};

struct engine_manifest_task {
	const char *arn;
	bool running; /* desiredStatus is RUNNING */
};

struct engine_manifest {
	const char *message_id;
	const char *cluster_arn;
	int64_t timeline;
	const struct engine_manifest_task *tasks;
	size_t task_count;
};

struct engine_stop_verified {
	const char *message_id;
	const char *const *arns;
	size_t count;
};

enum engine_effect_type {
	/* Durable, in one transaction, before any other effect of the same or a later step is
	   started. */
	EFFECT_PERSIST_TASK,      /* write the task's own row from engine_task() */
	EFFECT_PERSIST_CONTAINER, /* write the container's row */
	EFFECT_PERSIST_SEQUENCE,  /* the latest sequence number */
	EFFECT_FORGET_TASK,       /* delete the task's rows, but keep its name among those of ended
				     tasks; then drop what the shell keeps of it (credentials) */

	/* Messages. */
	EFFECT_ACKNOWLEDGE,     /* payload or manifest `message_id` is safe */
	EFFECT_STOP_CANDIDATES, /* answer a manifest with the tasks that are not in it */
	EFFECT_REPORT, /* SubmitTaskStateChange until EVENT_REPORT_ACCEPTED or _REFUSED; one per
			  task at a time */

	/* The host. Each ends with exactly one EVENT_EFFECT_DONE; at most one of a (task,
	 * container, type) is under way. All may be repeated after a restart, for what is already
	 * there or already gone: they must then succeed. */
	EFFECT_CREATE_RESOURCE,   /* the task's control group, or one of its volumes */
	EFFECT_OPEN_NETNS,        /* the task's namespace -> result.network */
	EFFECT_ATTACH_NETWORK,    /* CNI ADD, pause process -> result.network */
	EFFECT_TEAR_DOWN_NETWORK, /* CNI DEL, pause process, namespace: also of what was half made
				   */
	/* Of a container of a bridge task: its namespace, its interface and its published ports ->
	   result.connection; and all of it away, also what was half made. */
	EFFECT_CONNECT_CONTAINER,
	EFFECT_DISCONNECT_CONTAINER,
	EFFECT_PULL_IMAGE, /* or find it, as the pull behaviour says -> result.image */
	EFFECT_CREATE_CONTAINER,
	EFFECT_START_CONTAINER,   /* -> result.started */
	EFFECT_RESTART_CONTAINER, /* the attempt before has ended: the same container, with what it
				     has written, runs again -> result.started */
	EFFECT_STOP_CONTAINER,   /* signal, grace, SIGKILL; ends when the process has -> result.exit
				    when known */
	EFFECT_PROBE_HEALTH,     /* -> result.probe */
	EFFECT_REMOVE_CONTAINER, /* process (killed if there is one), mounts, cgroup, files */
	EFFECT_CLEAN_UP_TASK,    /* what is left that belongs to the task as a whole: cgroup,
				    directory, holds on images */

	/* Nothing to do: for telemetry, logs and whoever watches. */
	EFFECT_STATUS_CHANGED, /* of the task (container NULL) or of a container: look at
				  engine_task() */
	EFFECT_HEALTH_CHANGED, /* of a container */
};

enum engine_resource_kind {
	RESOURCE_CGROUP, /* of the task as a whole, with its limits */
	RESOURCE_VOLUME, /* a host volume: its directory */
};

struct engine_resource {
	enum engine_resource_kind kind;
	size_t index;  /* which of the task's resources: comes back in engine_done */
	size_t volume; /* index in spec->volumes */
};

struct engine_image {
	const char *digest; /* NULL: it has none (built here) */
	const char *id;
	int stop_signal; /* 0: the image names none */
};

struct engine_network {
	int pause_pid;
	const char *netns_path;
	const char *interface;
	const char *address;
	const char *details; /* NULL: keep what there is */
};

struct engine_connection {
	const char *address;
	const char *ipv6_address; /* NULL: none */
	const struct port_binding *bindings;
	size_t binding_count;
};

struct engine_probe {
	int exit_code; /* 0: healthy */
	bool timed_out;
	const char *output; /* NULL: none */
};

/* The end of an effect. */
struct engine_done {
	enum engine_effect_type type;
	bool failed;
	/*
	 * When failed: what went wrong. PULL_IMAGE may succeed and still name an error, when the
	 * registry failed and a local image is used. `error_name` NULL: the name that fits the
	 * effect, CannotStartContainerError for example.
	 */
	const char *error_name;
	const char *error_text;

	size_t resource;                     /* CREATE_RESOURCE: its index */
	struct engine_image image;           /* PULL_IMAGE */
	struct engine_network network;       /* OPEN_NETNS, ATTACH_NETWORK */
	struct engine_connection connection; /* CONNECT_CONTAINER */
	int pid;                             /* START_ and RESTART_CONTAINER */
	int64_t at_ms; /* CREATE_ and START_CONTAINER: when, wall clock; 0: now */
	bool has_exit; /* STOP_CONTAINER: `exit` says how it ended, or that it never ran; else
			  EVENT_CONTAINER_EXITED has said or will say */
	struct engine_exit exit;
	struct engine_probe probe; /* PROBE_HEALTH */
};

enum engine_seen {
	SEEN_NOTHING, /* no trace on the host */
	SEEN_CREATED, /* made, never started */
	SEEN_RUNNING,
	SEEN_EXITED,   /* `exit` has what its monitor wrote */
	SEEN_VANISHED, /* it was there, its process is not, and nothing says how it ended */
};

/* What the executor finds of a container, or of a pause process, when the agent starts. */
struct engine_observation {
	enum engine_seen seen;
	int pid; /* SEEN_RUNNING */
	struct engine_exit exit;
	bool run_before; /* SEEN_NOTHING of one that shall run again: the run before is still there,
			    so that this one was never begun */
};

struct engine_recovered {
	struct task_state *task; /* ownership passes to the engine */
	struct engine_observation pause;
	const struct engine_observation
		*containers; /* task->container_count of them, in its order */
	bool rebooted;       /* the host has, since the agent ran last: of what was made then, even
				the traces may be lost */
};

/* The name of a task that has ended and was forgotten a while ago. */
struct engine_ended_task {
	const char *arn;
	uint64_t serial; /* grows with each that ends */
};

struct engine_recovery_end {
	int64_t sequence_number;               /* the saved one, -1: none */
	const struct engine_ended_task *ended; /* by serial */
	size_t ended_count;
};

struct engine_event {
	enum engine_event_type type;
	int64_t wall_ms; /* wall-clock time of the event */

	/* Whom it concerns: IMAGE_RESOLVED, EFFECT_DONE, CONTAINER_EXITED (container), PAUSE_EXITED
	 * (task only). */
	const char *task_id;
	const char *container; /* NULL: the task */
	uint32_t attempt;

	union {
		struct engine_payload payload;
		struct engine_manifest manifest;
		struct engine_stop_verified stop_verified;
		struct engine_image image; /* IMAGE_RESOLVED */
		struct engine_done done;   /* EFFECT_DONE */
		struct engine_exit exit;   /* CONTAINER_EXITED, PAUSE_EXITED */
		uint64_t report;           /* REPORT_ACCEPTED, REPORT_REFUSED: its serial */
		struct engine_recovered recovered;
		struct engine_recovery_end recovery_end;
	};
};

/* ---- effects: what shall be done ---- */

struct engine_report_container {
	const char *name;
	enum container_status
		status;           /* MANIFEST_PULLED (PENDING on the wire), RUNNING or STOPPED */
	const char *runtime_id;   /* NULL: none yet */
	const char *image_digest; /* NULL: none */
	const struct port_binding *bindings; /* its published ports */
	size_t binding_count;
	bool has_ipv6; /* they are reached by it, too */
	bool has_exit_code;
	int exit_code;
	const char *reason; /* NULL: none; at most 1024 bytes */
};

struct engine_report {
	uint64_t serial;
	const char *task_arn;
	enum task_status status; /* RUNNING, STOPPED; anything else is PENDING on the wire */
	const char *reason;      /* never NULL; at most 1024 bytes */
	int64_t pull_started_at_ms, pull_stopped_at_ms, execution_stopped_at_ms; /* 0: left out */
	const struct engine_report_container *containers;
	size_t container_count;
};

struct engine_effect {
	enum engine_effect_type type;
	const char *task_id;          /* NULL when it concerns no task */
	const char *container;        /* NULL when it concerns the whole task */
	uint32_t attempt;             /* of the container */
	const struct task_spec *spec; /* of the task; NULL when it concerns none */
	size_t container_index;       /* in spec->containers, when container is not NULL */
	union {
		const char *message_id; /* ACKNOWLEDGE */
		int64_t sequence_number;
		struct {
			const char *message_id;
			const char *cluster_arn;
			const char *const *arns;
			size_t count;
		} candidates;
		struct engine_report report;
		struct {
			int signal;
			int64_t grace_ms; /* then SIGKILL; 0: SIGKILL at once */
		} stop;
		struct {
			int64_t timeout_ms;
		} probe;
		struct {
			const char *reference; /* as in the task definition; "": none */
		} pull;
		struct engine_resource resource; /* CREATE_RESOURCE */
		struct {
			uint64_t serial;      /* of its name among the ended ones */
			uint64_t oldest_kept; /* names with smaller ones are dropped */
		} forget;
	};
};

/* Belongs to the engine; it and what its effects point to are valid until the next step. */
struct engine_effects {
	const struct engine_effect *items;
	size_t count;
};

/* A copy that stays valid (with a reference to its spec), and its end. */
struct engine_effect *engine_effect_copy(const struct engine_effect *effect);
void engine_effect_free(struct engine_effect *effect);
const char *engine_effect_name(enum engine_effect_type type); /* "START_CONTAINER" */

#define ENGINE_NEVER INT64_MAX

/*
 * Applies one event at `now_ms` (monotonic milliseconds, never going back). *ret_wake_ms (may be
 * NULL) is the time at which the engine wants EVENT_TIME_PASSED at the latest, ENGINE_NEVER: not by
 * itself.
 *
 * Cannot fail: a bad task becomes a task that stops with a reason; an event about what is not there
 * is ignored.
 */
const struct engine_effects *engine_step(struct engine *engine, int64_t now_ms,
					 const struct engine_event *event, int64_t *ret_wake_ms);

/* ---- views: borrowed, valid until the next step ---- */

const struct task_state *engine_task(const struct engine *engine, const char *task_id);
const struct task_state *engine_task_by_arn(const struct engine *engine, const char *arn);
/* It was here, has ended and was forgotten a while ago. */
bool engine_has_ended(const struct engine *engine, const char *arn);
/* All tasks in order of arrival: NULL gives the first, NULL comes after the last. */
const struct task_state *engine_next_task(const struct engine *engine,
					  const struct task_state *previous);
/* The container with that metadata endpoint id; *ret_task (may be NULL) is its task. */
const struct container_state *engine_find_endpoint(const struct engine *engine,
						   const char *endpoint_id,
						   const struct task_state **ret_task);
size_t engine_task_count(const struct engine *engine);
int64_t engine_sequence_number(const struct engine *engine);

struct engine_ledger {
	int64_t cpu_units, memory_mib;           /* of the host */
	int64_t cpu_units_used, memory_mib_used; /* held by admitted tasks that are not STOPPED */
	size_t gpus, gpus_used;
	size_t waiting; /* tasks that wait for admission */
};
void engine_ledger(const struct engine *engine, struct engine_ledger *ret);

/*
 * What the task (`container` NULL) and its containers wait for, one call for each thing: a sentence
 * that goes after "waits for". Nothing for a task that is not known.
 */
typedef void engine_wait(void *data, const char *container, const char *sentence);
void engine_waits(const struct engine *engine, const char *task_id, engine_wait *each, void *data);

/* All that says why the task is where it is, as a text for people; "" for one that is not known. */
void engine_explain(const struct engine *engine, const char *task_id, struct strbuf *text);

#endif
