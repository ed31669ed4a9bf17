/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_TASK_H
#define BERTH_WIRE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/container.h"
#include "wire/credentials.h"
#include "wire/eni.h"
#include "wire/status.h"
#include "wire/text.h"
#include "wire/volume.h"

struct json_at;
struct service_connect_spec;

/* The text of a task's JSON: more is refused before it is parsed. */
#define TASK_TEXT_LIMIT ((size_t)1024 * 1024)

/* Containers, volumes and interfaces of one task: more are refused. */
#define TASK_CONTAINER_LIMIT 128
#define TASK_VOLUME_LIMIT    256
#define TASK_ENI_LIMIT       16

enum network_mode {
	NETWORK_MODE_BRIDGE, /* also when absent or empty */
	NETWORK_MODE_AWSVPC,
	NETWORK_MODE_HOST,
	NETWORK_MODE_NONE,
	NETWORK_MODE_OTHER, /* its name is in network_mode_name */
};

enum pid_mode {
	PID_MODE_PRIVATE,
	PID_MODE_HOST,
	PID_MODE_TASK,
};

enum ipc_mode {
	IPC_MODE_DEFAULT,
	IPC_MODE_HOST,
	IPC_MODE_TASK,
	IPC_MODE_NONE,
};

struct task_association {
	const char *name;
	const char *type;     /* "gpu", "elastic-inference" */
	const char *encoding; /* "identity", "base64" */
	const char *value;
	struct text_list containers;
};

/*
 * A task as the control plane wants it: decoded once, validated, read only, shared by count. It
 * never holds role credentials, only their ids. Absent strings are NULL, lists empty, numbers 0.
 */
struct task_spec {
	const char *arn; /* not empty */
	const char
		*id; /* what follows the last "/" of the ARN, or all of it; fit to be a file name */
	const char *family;
	const char *version;
	const char *service_name;
	const char *group;
	const char *cluster; /* taskClusterArn; often absent */
	enum task_status desired_status;
	double cpu; /* vCPUs */
	int64_t memory_mib;
	enum network_mode network_mode;
	const char *network_mode_name; /* as given; "bridge" when absent */
	enum pid_mode pid_mode;
	enum ipc_mode ipc_mode;
	const char *launch_type;
	bool skips_host_resources; /* launch type FARGATE, in any case */
	bool enable_fault_injection;
	const char *role_credentials_id;
	const char *execution_role_credentials_id;

	const struct container_spec *containers;
	size_t container_count;
	const struct volume_spec *volumes;
	size_t volume_count;
	const struct eni_spec *enis;
	size_t eni_count;
	const struct task_association *associations;
	size_t association_count;
	const struct task_attachment *attachments;
	size_t attachment_count;
	const char *proxy_container; /* proxyConfiguration of type APPMESH: NULL = none */
	struct text_map proxy_properties;
	const struct service_connect_spec *service_connect; /* NULL: none */

	struct task_spec_private *private; /* for task.c: the arena, the count, the text */
};

/* What came with a task and must stay in memory: either may be NULL. */
struct task_credentials {
	struct role_credentials *role;
	struct role_credentials *execution;
};

/* Frees (and overwrites) both and leaves NULLs. */
void task_credentials_clear(struct task_credentials *credentials);

/*
 * Decodes the task at `at` into *ret_spec, with one reference that the caller drops with
 * task_spec_unref(), and its credentials into *ret_credentials (NULL: not wanted).
 *
 * -EINVAL or -EBADMSG: the task is refused; the error is a detail for task_refusal_reason().
 */
int task_spec_decode(const struct json_at *at, struct task_spec **ret_spec,
		     struct task_credentials *ret_credentials, struct error *err);

/* The same from text, for the store and for tests. Nothing of the credentials but the ids is kept.
 */
int task_spec_decode_text(const char *text, size_t size, struct task_spec **ret, struct error *err);

/*
 * The task's JSON as it was received, without the secrets of its role credentials (their ids stay):
 * for the store. task_spec_decode_text() gives the same task again. Belongs to the spec.
 */
const char *task_spec_encode(const struct task_spec *spec);

struct task_spec *task_spec_ref(struct task_spec *spec);
void task_spec_unref(struct task_spec *spec); /* NULL is allowed */
DEFINE_CLEANUP(struct task_spec, task_spec_unref);

/* The container named `name`, or NULL. */
const struct container_spec *task_spec_container(const struct task_spec *spec, const char *name);
const struct volume_spec *task_spec_volume(const struct task_spec *spec, const char *name);

/* The part of an ARN after its last "/" (all of it when there is none). Points into `arn`. */
const char *task_id_of_arn(const char *arn);

/* The reason to report a refused task with: "UnrecogniedTaskError: Error loading task - <detail>".
 */
char *task_refusal_reason(const char *detail);

#endif
