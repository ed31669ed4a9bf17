/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_TASK_H
#define BERTH_CONTROL_PLANE_SERVICES_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/status.h"

/*
 * A task as DescribeTasks shows it, and what must be remembered to run it. The task service owns
 * every task; others read. Times are wall-clock milliseconds, 0 where the thing has not happened.
 */

enum task_state {
	TASK_PROVISIONING,
	TASK_PENDING,
	TASK_ACTIVATING,
	TASK_RUNNING,
	TASK_DEACTIVATING,
	TASK_STOPPING,
	TASK_DEPROVISIONING,
	TASK_STOPPED,
};

enum task_stop_code {
	TASK_STOP_NONE,
	TASK_STOP_FAILED_TO_START,
	TASK_STOP_ESSENTIAL_EXITED,
	TASK_STOP_USER_INITIATED,
	TASK_STOP_SERVICE_SCHEDULER,
	TASK_STOP_TERMINATION_NOTICE,
};

enum container_state { CONTAINER_PENDING, CONTAINER_RUNNING, CONTAINER_STOPPED };

enum attachment_state {
	ATTACHMENT_PRECREATED,
	ATTACHMENT_CREATED,
	ATTACHMENT_ATTACHING,
	ATTACHMENT_ATTACHED,
	ATTACHMENT_DETACHING,
	ATTACHMENT_DETACHED,
	ATTACHMENT_DELETED,
	ATTACHMENT_FAILED,
};

struct task_binding {
	char *bind_ip;
	char *protocol;
	int container_port; /* 0: a range */
	int host_port;
	char *container_port_range; /* NULL: a single port */
	char *host_port_range;
};

#define TASK_BINDINGS_MAX 200 /* of one container, as reported by an agent */

struct task_container {
	char *name;
	char *arn;
	char *image;
	char *cpu;                /* as DescribeTasks has it: a string */
	char *memory;             /* NULL: not defined */
	char *memory_reservation; /* NULL: not defined */
	bool essential;
	bool has_health_check;

	enum container_state state;
	char *runtime_id; /* NULL until reported, as the rest */
	char *image_digest;
	char *reason;
	bool has_exit_code;
	int exit_code;
	enum health_status health;
	int64_t health_since_ms;
	struct task_binding *bindings;
	size_t binding_count;
};

/* The elastic network interface of an awsvpc task. */
struct task_eni {
	char *id; /* UUID */
	char *arn;
	enum attachment_state state;
	char *subnet_id;
	char *eni_id; /* NULL before CREATED, as the rest; kept after DELETED so that people can see
			 what it was */
	char *mac;
	char *private_ip; /* of IPv4; NULL: IPv6 only */
	char *ipv6;       /* NULL: IPv4 only */
	char *private_dns_name;
	char *gateway;      /* "10.0.0.1/24": for the agent; NULL as private_ip, */
	char *ipv6_gateway; /* "fd00::1/64": as ipv6 */
	char *dns_server;
	char **security_groups;
	size_t security_group_count;
};

struct task_role {
	char *role_arn;       /* NULL: the task has none */
	char *credentials_id; /* UUID, constant through the life of the task */
	int64_t expires_ms;   /* of what was last handed out */
	bool acknowledged;
};

struct task_port_set {
	uint16_t *tcp;
	size_t tcp_count;
	uint16_t *udp;
	size_t udp_count;
};

struct task {
	char *id; /* 32 hex digits */
	char *arn;
	char *cluster_arn;
	char *cluster_name;
	char *instance_arn;
	char *definition_arn;
	char *family;
	int64_t revision;
	char *network_mode; /* "awsvpc", "bridge", "host", "none" */
	char *group;
	char *started_by; /* NULL: none */
	char *launch_type;
	char *zone;             /* NULL: unknown */
	char *cpu_architecture; /* "x86_64" */
	char *overrides;        /* JSON text as the caller gave it, NULL: none */
	char *cpu;              /* strings as DescribeTasks has them */
	char *memory;
	bool enable_execute_command;

	int64_t cpu_units; /* what it holds of its instance until it is STOPPED */
	int64_t memory_mib;
	struct task_port_set ports;

	enum task_state state;
	enum task_state desired; /* TASK_RUNNING or TASK_STOPPED */
	enum health_status health;
	int64_t version;
	bool connected;
	int64_t connectivity_ms;

	int64_t created_ms;
	int64_t pull_started_ms;
	int64_t pull_stopped_ms;
	int64_t started_ms;
	int64_t stopping_ms;
	int64_t execution_stopped_ms;
	int64_t stopped_ms;
	enum task_stop_code stop_code;
	char *stopped_reason; /* NULL: none */

	struct task_container *containers;
	size_t container_count;
	struct task_eni *eni; /* NULL: not awsvpc */
	struct task_role role;
	struct task_role execution_role;

	/* What the agent has confirmed: see control-plane/sessions. */
	bool sent; /* the payload left at least once */
	bool run_acknowledged;
	bool stop_acknowledged;
	bool attach_acknowledged;
	int64_t attach_sent_ms; /* first time, for the wait of the attachment */

	/* Of the service, not durable. */
	bool queued; /* in its queue, for one of: */
	bool dirty;  /* to be written */
	bool notify; /* its agent is to be told */
};

const char *task_state_name(enum task_state state);
const char *task_health_name(enum health_status health);
const char *task_stop_code_name(enum task_stop_code code); /* NULL for TASK_STOP_NONE */
const char *container_state_name(enum container_state state);
const char *attachment_state_name(enum attachment_state state);

void task_bindings_free(struct task_binding *bindings, size_t count);
struct task_container *task_find_container(struct task *task, const char *name);
/* Overwrites nothing: a task holds no secrets. NULL is allowed. */
void task_free(struct task *task);
DEFINE_CLEANUP(struct task, task_free);

/* The durable form: one JSON document for each task. */
char *task_to_document(const struct task *task);
int task_from_document(const char *text, size_t size, struct task **ret_task, struct error *err);

#endif
