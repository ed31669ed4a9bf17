/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_API_H
#define BERTH_WIRE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/status.h"
#include "wire/text.h"

/*
 * The calls of the ECS API that an agent makes: bodies of requests, and what it reads of the
 * answers. Encoders return the body, which the caller frees; NULL strings are left out unless said
 * otherwise.
 */

#define API_CONTENT_TYPE   "application/x-amz-json-1.1"
#define API_TARGET_PREFIX  "AmazonEC2ContainerServiceV20141113."
#define API_RESPONSE_LIMIT ((size_t)4 * 1024 * 1024)
#define API_REASON_LIMIT   1024 /* bytes */
#define API_RUNTIME_LIMIT  255
#define API_DIGEST_LIMIT   255

struct api_attribute {
	const char *name;
	const char *value; /* NULL: without one */
};

struct api_platform_device {
	const char *id;
	const char *type; /* "GPU" */
};

struct api_register {
	const char *cluster;
	const char *container_instance_arn; /* NULL: a new registration */
	const struct api_attribute *attributes;
	size_t attribute_count;
	const struct text_pair *tags; /* left out when there are none */
	size_t tag_count;
	const struct api_platform_device *platform_devices; /* left out when NULL */
	size_t platform_device_count;
	const char *identity_document;           /* NULL is sent as "" */
	const char *identity_document_signature; /* NULL is sent as "" */
	int64_t cpu;                             /* CPU units; 0 is left out */
	int64_t memory_mib;
	struct text_list ports; /* reserved, decimal */
	struct text_list ports_udp;
	const char *client_token;
};

char *api_encode_register(const struct api_register *request);

/* Belongs to its arena. */
struct api_registered {
	const char *container_instance_arn;
	const char *availability_zone; /* "" when the answer has none */
	struct text_map attributes;    /* values absent in the answer are "" */
	struct arena *arena;
};

/* -EBADMSG: not such an answer, or it has no container instance ARN. */
int api_decode_registered(const char *body, size_t size, struct api_registered **ret,
			  struct error *err);
void api_registered_free(struct api_registered *registered);
DEFINE_CLEANUP(struct api_registered, api_registered_free);

/*
 * Whether the answer echoes every requested attribute that has a value, with the same value.
 * -EINVAL names the first one that differs.
 */
int api_registered_check(const struct api_registered *registered,
			 const struct api_attribute *attributes, size_t attribute_count,
			 struct error *err);

char *api_encode_create_cluster(const char *cluster_name);
/* *ret_name: the cluster's name, the caller frees it. */
int api_decode_create_cluster(const char *body, size_t size, char **ret_name, struct error *err);

/* `zone_id` NULL is sent as "". */
char *api_encode_discover_poll_endpoint(const char *cluster, const char *container_instance,
					const char *zone_id);

/* NULL: the answer has no such endpoint. Free with api_endpoints_clear(). */
struct api_endpoints {
	char *endpoint;
	char *telemetry_endpoint;
	char *service_connect_endpoint;
	char *system_logs_endpoint;
};
int api_decode_endpoints(const char *body, size_t size, struct api_endpoints *ret,
			 struct error *err);
void api_endpoints_clear(struct api_endpoints *endpoints);

char *api_encode_update_instances_state(const char *cluster, const char *container_instance_arn,
					const char *status);

struct api_network_binding {
	const char *bind_ip;
	uint16_t container_port;
	uint16_t host_port;
	const char *container_port_range; /* not NULL: a range; the two ports above are not sent */
	const char *host_port_range;
	const char *protocol; /* "tcp", "udp" */
};

struct api_container_change {
	const char *name;
	enum container_status status;
	const char *runtime_id;   /* cut at 255 bytes */
	const char *image_digest; /* cut at 255 bytes */
	bool has_exit_code;
	int exit_code;
	const char *reason; /* cut at 1024 bytes; NULL or empty is left out */
	const struct api_network_binding *bindings;
	size_t binding_count;
};

struct api_managed_agent_change {
	const char *container_name;
	const char *name;
	enum managed_agent_status status;
	const char *reason; /* NULL is sent as "" */
};

/* Times are wall ms; 0: not known, left out. */
struct api_task_change {
	const char *cluster;
	const char *task_arn;
	enum task_status status;
	const char *reason; /* always sent; NULL as ""; cut at 1024 bytes */
	const struct api_container_change *containers;
	size_t container_count;
	const struct api_managed_agent_change *managed_agents;
	size_t managed_agent_count;
	int64_t pull_started_at_ms;
	int64_t pull_stopped_at_ms;
	int64_t execution_stopped_at_ms;
};

/* SubmitTaskStateChange, status form. */
char *api_encode_task_change(const struct api_task_change *change);
/* SubmitTaskStateChange, attachment form: ATTACHED. */
char *api_encode_task_attachment(const char *cluster, const char *task_arn,
				 const char *attachment_arn);
/* SubmitAttachmentStateChanges: ATTACHED. */
char *api_encode_attachment(const char *cluster, const char *attachment_arn);

/* What a call that failed answered. */
struct api_failure {
	int http_status;
	char name[128]; /* "InvalidParameterException", without prefix; "" when the body says none
			 */
	char message[1024]; /* "" when there is none */
};

/*
 * Reads an answer that is not 2xx: {"__type":"prefix#Name","message":...} (also "code", "Message").
 * Never fails: a body that is none of this gives an empty name, with the beginning of it as
 * message.
 */
void api_decode_failure(int http_status, const char *body, size_t size, struct api_failure *ret);

#endif
