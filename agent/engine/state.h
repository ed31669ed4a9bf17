/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENGINE_STATE_H
#define BERTH_AGENT_ENGINE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/status.h"
#include "wire/task.h"

/*
 * What is known of tasks and containers, as plain facts. The engine owns and changes them; the
 * store writes them down; the metadata endpoints, statistics and the operator read them. All times
 * are wall-clock milliseconds since 1970 (0: not yet), strings are NULL when unknown unless said
 * otherwise.
 */

#define ENDPOINT_ID_SIZE 37   /* a UUID as text */
#define REASON_SIZE      1025 /* longest reason that the protocol takes, and its NUL */

enum container_health {
	CONTAINER_HEALTH_NONE,     /* no health check */
	CONTAINER_HEALTH_STARTING, /* UNKNOWN on the wire */
	CONTAINER_HEALTH_HEALTHY,
	CONTAINER_HEALTH_UNHEALTHY,
};

enum network_status {
	NETWORK_NONE,      /* the task has none of its own, or it was not begun */
	NETWORK_OPENING,   /* the namespace is being made */
	NETWORK_OPEN,      /* they are there */
	NETWORK_ATTACHING, /* interfaces are being put in, the pause process is being started */
	NETWORK_READY,
	NETWORK_CLOSING, /* interfaces, pause process and namespace are being removed */
	NETWORK_GONE,    /* nothing of it is left */
};

/* Ports of a container on ports of the host, one or a range of them. */
struct port_binding {
	enum transport_protocol protocol;
	uint16_t container_port, host_port; /* the first ones */
	uint16_t count;                     /* 1: no range */
	bool is_range;                      /* it is told as one, also with one port */
};

/*
 * The network of one container of a bridge task: a namespace of its own with an interface on the
 * host's bridge, and its published ports. NONE, ATTACHING (namespace and all), READY, CLOSING,
 * GONE.
 */
struct connection_state {
	enum network_status status;
	char *address;      /* inside the namespace: "172.17.0.5" */
	char *ipv6_address; /* NULL: none */
	struct port_binding *bindings;
	size_t binding_count;
};

struct container_state {
	const struct container_spec *spec; /* in the task's spec */

	/* Saved. The row itself, written before anything is done for the task, says that all this
	 * may exist. */
	uint32_t attempt; /* 1, 2, ...: grows with each start by its restart policy */
	char *runtime_id; /* never NULL; unique on the host, the same for all attempts: "<task
			     id>-<name>-1" */
	char endpoint_id[ENDPOINT_ID_SIZE]; /* of the container's metadata endpoints; random, never
					       changes */
	enum container_status known, desired, sent;
	int64_t known_since_ms; /* 0: since the task was received */
	bool start_intended;    /* START_CONTAINER was decided: it may have run */
	bool removed;           /* nothing of it is left on the host */
	bool digest_resolved;   /* image_digest was found by us, not given in the reference: it is
				   reported */
	char *image_digest;     /* "sha256:..." */
	char *image_id;         /* "sha256:..." */
	int stop_signal;        /* of the image; 0: it names none */
	int64_t created_at_ms, started_at_ms, finished_at_ms;
	bool has_exit_code;
	int exit_code; /* 128 + n for an end by signal n */
	bool oom_killed;
	char *reason; /* "<Name>: <text>" of the first error that it met */
	/* Likewise of a pull that failed, when a local image is used in its place: told as long as
	 * the container has not ended, for it is no reason of its end. */
	char *pull_error;
	/*
	 * Of its restart policy. While `restarting` it is still RUNNING to the world, and its exit
	 * code, finish and oom_killed are those of the run that has ended.
	 */
	bool restarting;
	int64_t last_restart_at_ms;
	/* Monotonic, of this boot of the host: its grace goes on while the agent does not; 0: its
	 * stop has not begun. */
	int64_t stop_begun_ms;
	struct connection_state connection;

	/* Not saved. */
	int pid; /* of its first process while it runs, else 0 */
	enum container_health health;
	int64_t health_since_ms;
	char *health_output;  /* of the probe that made the health what it is; at most 1024 bytes */
	int health_exit_code; /* likewise, when UNHEALTHY */
};

/* The network namespace of an awsvpc task and the pause container that holds it. */
struct network_state {
	/* Saved. */
	enum network_status status;
	int64_t created_at_ms, started_at_ms, finished_at_ms; /* of the pause container */
	char *netns_path;
	char *interface; /* inside the namespace: "eth0" */
	char *address;   /* inside the namespace: "10.0.0.7" */
	char *details;   /* whatever the executor wants to have again after a restart; JSON */
	bool has_exit_code;
	int exit_code; /* of the pause process */

	/* Not saved. */
	int pause_pid; /* 0 when it does not run */
};

struct task_state {
	/* Saved. */
	struct task_spec *spec; /* a reference of its own; spec->id and spec->arn name the task */
	enum task_status known, desired, sent;
	int64_t known_since_ms; /* 0: since it was received */
	bool admitted;          /* it holds its share of the host's resources */
	bool begun;             /* it was admitted once: something of it may be on the host */
	bool report_refused;    /* the control plane will not take the report of STOPPED */
	char *reason;           /* of the task itself; NULL: none */
	uint64_t arrival;       /* 1, 2, ...: order of arrival on this host */
	int64_t received_at_ms, pull_started_at_ms, pull_stopped_at_ms, running_at_ms,
		execution_stopped_at_ms, stopped_at_ms;
	struct network_state network;

	size_t container_count;
	struct container_state *containers; /* in the order of spec->containers */
};

/* A task as it is before anything happened, with a reference to `spec` of its own. Freed by
 * task_state_free(). */
struct task_state *task_state_new(struct task_spec *spec);
void task_state_free(struct task_state *task);
static inline void task_state_free_cleanup(struct task_state **task)
{
	task_state_free(*task);
}

/* Borrowed; NULL when the task has no container of that name. */
struct container_state *task_state_container(const struct task_state *task, const char *name);

/* True when the task has a network namespace of its own. */
bool task_has_own_network(const struct task_spec *spec);
/* True when each of its containers has one. */
bool task_connects_containers(const struct task_spec *spec);
/* True when either is so: traffic of its interfaces can be counted. */
bool task_has_interfaces(const struct task_spec *spec);
/* Copies them in place of what was there. */
void connection_set_bindings(struct connection_state *connection,
			     const struct port_binding *bindings, size_t count);

#endif
