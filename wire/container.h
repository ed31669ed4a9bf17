/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_CONTAINER_H
#define BERTH_WIRE_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/docker_config.h"
#include "wire/status.h"
#include "wire/text.h"

struct arena;
struct json_at;

enum transport_protocol {
	TRANSPORT_TCP,
	TRANSPORT_UDP,
};

/* "tcp", "udp". */
const char *transport_protocol_name(enum transport_protocol protocol);

/* Either one container port, or a range (range_end > 0) on which the host's side is always dynamic.
 */
struct port_mapping {
	uint16_t container_port; /* of a range: its first port */
	uint16_t range_end;      /* 0: no range */
	uint16_t host_port;      /* 0: dynamic */
	enum transport_protocol protocol;
};

struct mount_point {
	const char *source_volume;
	const char *container_path;
	bool read_only;
};

struct volume_from {
	const char *source_container;
	bool read_only;
};

struct container_dependency {
	const char *container;
	enum container_condition condition;
};

struct environment_file {
	const char *value; /* S3 ARN */
	const char *type;
};

struct container_secret {
	const char *name;
	const char *value_from;
	const char *region;
	const char *provider; /* "ssm", "asm" */
	const char *type;     /* "ENVIRONMENT_VARIABLE", "MOUNT_POINT", "BOOTSTRAP" */
	const char *target;   /* "CONTAINER", "LOG_DRIVER" */
	const char *container_path;
};

struct managed_agent {
	const char *name;
	struct text_map properties;
};

enum registry_auth_type {
	REGISTRY_AUTH_NONE,
	REGISTRY_AUTH_ECR,
	REGISTRY_AUTH_ASM,
};

/* Absent strings are NULL. */
struct registry_auth {
	enum registry_auth_type type;
	const char *registry_id; /* ecr */
	const char *endpoint_override;
	bool use_execution_role;
	const char *credentials_parameter; /* asm */
	const char *region;                /* both */
};

struct restart_policy {
	bool enabled;
	const int64_t *ignored_exit_codes;
	size_t ignored_exit_code_count;
	int64_t restart_attempt_period_s;
};

/*
 * A container of a task definition, decoded and validated. Read only; belongs to its task_spec.
 * Absent strings are NULL, lists empty, numbers 0.
 */
struct container_spec {
	const char *name; /* not empty; unique in the task */
	const char *arn;
	const char *image; /* as given; the one to run: container_spec_image() */

	bool has_command; /* given and not empty: in place of the image's */
	struct text_list command;
	bool has_entry_point; /* given, perhaps as the empty list that clears the image's */
	struct text_list entry_point;
	struct text_map environment; /* sensitive: not for logs */
	const struct environment_file *environment_files;
	size_t environment_file_count;
	const struct container_secret *secrets;
	size_t secret_count;

	int64_t cpu;        /* as given, for the host's ledger; the kernel's value:
			       container_spec_cpu_shares() */
	int64_t memory_mib; /* hard limit, 0 = none; in bytes: container_spec_memory_bytes() */
	bool essential;

	const struct port_mapping *port_mappings;
	size_t port_mapping_count;
	const struct mount_point *mount_points;
	size_t mount_point_count;
	const struct volume_from *volumes_from;
	size_t volume_from_count;
	struct text_list links; /* "name" or "name:alias", as given */
	const struct container_dependency *depends_on;
	size_t depends_on_count;

	int64_t start_timeout_s; /* 0: none */
	int64_t stop_timeout_s;  /* 0: the agent's default */

	/* healthCheckType is exactly "docker": the check in docker.health_check is run and
	 * reported. */
	bool health_check_docker;
	struct registry_auth registry_auth;
	bool logs_use_execution_role;
	const char *firelens_type;
	struct text_map firelens_options;
	struct text_list credential_specs;
	const struct managed_agent *managed_agents;
	size_t managed_agent_count;
	struct restart_policy restart_policy;

	struct docker_config docker;
	/*
	 * Why this container cannot be created although the payload is valid ("<error name>:
	 * <text>"): dockerConfig could not be decoded, or asks for a health check that it does not
	 * hold. NULL: nothing is wrong.
	 */
	const char *docker_config_error;
};

/* The image to run: config's Image wins when given. "": none is named. */
const char *container_spec_image(const struct container_spec *container);

/* CPU shares for the kernel: at least 2, at most 262144; hostConfig's CpuShares wins when given. */
int64_t container_spec_cpu_shares(const struct container_spec *container);

/* Hard limit in bytes, 0 = none: at least 4 MiB; hostConfig's Memory wins when given. */
int64_t container_spec_memory_bytes(const struct container_spec *container);

/*
 * Decodes the object at `at`, alone: what concerns other containers is checked by
 * task_spec_decode(). -EBADMSG: wrong JSON type; -EINVAL: refused. The error names the member.
 */
int container_spec_decode(const struct json_at *at, struct arena *arena, struct container_spec *ret,
			  struct error *err);

#endif
