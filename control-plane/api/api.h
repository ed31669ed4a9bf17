/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_API_H
#define BERTH_CONTROL_API_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "control-plane/api/shape.h"
#include "control-plane/store/store.h"

struct services; /* control-plane/services */

/*
 * The public face: ECS's JSON 1.1 over HTTP. One call comes in, is decoded, brought into shape,
 * given to the handler of its operation, and answered; nothing here waits.
 */
#define API_TARGET_PREFIX "AmazonEC2ContainerServiceV20141113."
#define API_CONTENT_TYPE  "application/x-amz-json-1.1"
#define API_BODY_LIMIT    ((size_t)1024 * 1024)

/* error types, `__type` on the wire */
#define API_ACCESS_DENIED     "AccessDeniedException"
#define API_CLIENT            "ClientException"
#define API_INVALID           "InvalidParameterException"
#define API_SERVER            "ServerException"
#define API_CLUSTER_NOT_FOUND "ClusterNotFoundException"
#define API_CONFLICT          "ConflictException"
#define API_SERIALIZATION     "SerializationException"
#define API_UNKNOWN_OPERATION "UnknownOperationException"

struct api_config {
	/* What DiscoverPollEndpoint says; NULL: http://<Host header of the request>/, https with
	 * TLS */
	const char *endpoint;
	bool tls;
	/* Agents without an identity of their own are refused. */
	bool require_identity;
	/* With secret_key: every call must be signed by this pair; NULL: signatures are not read.
	 */
	const char *access_key;
	const char *secret_key;
	/* Availability zone of instances that do not say; NULL: <region>a */
	const char *default_zone;
	/* How long a deleted task definition shows DELETE_IN_PROGRESS at least; 0: one minute. */
	int64_t delete_delay_ms;
};

struct api {
	struct store *store; /* borrowed */
	/* Borrowed; NULL where only clusters and definitions are wanted. */
	struct services *services;
	struct api_config config; /* strings borrowed */
};

struct api_call;

/*
 * Carries an operation out. Returns 0 with *ret_output (an object; NULL: {}), or a negative number
 * after api_error() or api_server_error(): `return api_error(...)`.
 */
typedef int api_handler(struct api_call *call, json_t **ret_output);

struct api_operation {
	const char *name; /* NULL ends a table */
	const struct api_member *input;
	api_handler *handler;
	/* The whole handler is one store transaction, rolled back when it fails. */
	bool transaction;
};

/* The tables of all files, gathered in operations.c. NULL when the operation is not there. */
const struct api_operation *api_operation_find(const char *name);

struct api_call {
	struct api *api;
	struct store *store;
	const struct api_operation *operation;
	json_t *input;        /* an object in shape, borrowed */
	const char *host;     /* Host header, may be NULL */
	const char *identity; /* of the agent that calls, as TLS has verified it; NULL: none */
	int64_t now_ms;       /* wall clock */
	char request_id[37];  /* x-amzn-RequestId */
	/* the error, when the call failed */
	const char *error_type;
	char *error_message;
	json_t *error_members; /* further members of the error body, or NULL */
};

/* ---- errors ---- */

/* Records the error that the client sees (400; ServerException 500). Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int api_error(struct api_call *call, const char *type,
						    const char *format, ...);

/* Adds a member to the error body (ConflictException.resourceIds); takes the reference. */
void api_error_member(struct api_call *call, const char *name, json_t *value);

/* The store or something else inside failed: logs `err` with the request id and answers
 * ServerException. Returns -EIO. */
int api_server_error(struct api_call *call, const struct error *err);

/* ---- who calls: control-plane/identity/guard.h ---- */

/* AccessDeniedException unless the caller may speak for the container instance, or join the
 * cluster. An ARN that is NULL: unless it may call as an agent at all. */
struct container_instance_row;
int api_guard_cluster(struct api_call *call, const char *cluster);
int api_guard_instance(struct api_call *call, const struct container_instance_row *row);
int api_guard_instance_arn(struct api_call *call, const char *arn);

/* ---- input ---- */

/* NULL (and fallback, false) when absent. */
const char *api_input_string(const struct api_call *call, const char *name);
int64_t api_input_integer(const struct api_call *call, const char *name, int64_t fallback);
bool api_input_bool(const struct api_call *call, const char *name, bool fallback);
json_t *api_input_member(const struct api_call *call, const char *name);

/* Absent or blank: `type` with "<label> can not be blank." ("Task Definition can not be blank.").
 */
int api_input_required(struct api_call *call, const char *name, const char *type, const char *label,
		       const char **ret_value);

/* Absent or empty list: `type` with "<label> cannot be empty."; more than max: "<label> can have at
 * most N items." */
int api_input_list(struct api_call *call, const char *name, const char *type, const char *label,
		   size_t max, json_t **ret_list);

/* `text` in the list of words (NULL-terminated), else `type` with "<label> should be one of [A,B]".
 */
int api_check_enum(struct api_call *call, const char *type, const char *label, const char *text,
		   const char *const *words);

/* `include` names `word`. */
bool api_includes(const struct api_call *call, const char *word);
/* InvalidParameterException when `include` has a value outside of `words`. */
int api_check_include(struct api_call *call, const char *const *words);

/* 1..max characters out of [A-Za-z0-9_-]. */
bool api_is_name(const char *text, size_t max);

/* ---- output ---- */

/* Epoch seconds with up to three decimals. */
json_t *api_time(int64_t wall_ms);
/* Sets a time, nothing when it is 0; a string, nothing when it is NULL. */
void api_set_time(json_t *object, const char *name, int64_t wall_ms);
void api_set_string(json_t *object, const char *name, const char *text);
/* Parses JSON that the store holds and sets it; nothing when it is NULL. */
void api_set_document(json_t *object, const char *name, const char *document);

/* failures[]: `arn`, `reason`; `detail` may be NULL. */
void api_failure(json_t *failures, const char *arn, const char *reason, const char *detail);

/* ---- pages ---- */

struct api_page {
	int64_t limit;
	char *after; /* key of the last item of the page before, or NULL; api_page_clear() frees it
		      */
	uint64_t bound_to;
};

/*
 * Reads maxResults and nextToken. `filter` is text that stands for the operation's filters: a token
 * given for another operation or filter is "Invalid token.". Ask the store for limit + 1 items to
 * know whether there is another page.
 */
int api_page_read(struct api_call *call, int64_t default_size, int64_t max_size, const char *filter,
		  struct api_page *ret_page);
void api_page_clear(struct api_page *page);

/* Sets nextToken: the page ended with the item of this key (no NUL inside; any text). */
void api_page_next(const struct api_page *page, json_t *output, const char *last_key);

/* ---- names and ARNs ---- */

#include "control-plane/store/clusters.h"
#include "control-plane/store/container_instances.h"
#include "control-plane/store/task_definitions.h"

/* input.cluster (name or ARN, default "default"): ClusterNotFoundException unless it is ACTIVE. */
int api_cluster(struct api_call *call, struct cluster_row *ret_cluster);

/* A name or ARN of this region and account to a name; -ENOENT (no error recorded) when it cannot be
 * one of ours. */
int api_cluster_name(struct api_call *call, const char *reference, char **ret_name);

/*
 * A task or container instance reference, id or ARN, to the id inside `cluster`. `label` is
 * "taskId" or "containerInstanceId": records InvalidParameterException "<label> length should be
 * one of [32,36]" or "Unexpected number of separators". -ENOENT, nothing recorded, for the ARN of
 * another cluster, region or account.
 */
int api_object_id(struct api_call *call, enum arn_type type, const char *cluster,
		  const char *reference, const char *label, char **ret_id);

/* The ARN that a failure shows for what was asked: the reference itself when it is an ARN already.
 * Allocated. */
char *api_asked_arn(struct api_call *call, enum arn_type type, const char *cluster,
		    const char *reference);

/* An instance by id or ARN, whatever its status; -ENOENT (nothing recorded) when there is none. */
int api_container_instance(struct api_call *call, const char *cluster, const char *reference,
			   struct container_instance_row *ret_instance);

/*
 * family, family:revision or ARN; without revision the newest ACTIVE one. -ENOENT, nothing
 * recorded, when there is none. InvalidParameterException "Invalid revision number. Number: x" for
 * a bad revision.
 */
int api_task_definition(struct api_call *call, const char *reference,
			struct task_definition_row *ret_definition);

/* Only taken apart: *ret_revision is -1 when none is given. Same errors; -ENOENT for another region
 * or account. */
int api_task_definition_reference(struct api_call *call, const char *reference, char **ret_family,
				  int64_t *ret_revision);

/* ---- tags ---- */

/* {key, value} */
extern const struct api_member api_tag_members[];

/* Checks a list of tags (at most 50, characters, aws: prefix, duplicates); list may be NULL. */
int api_tags_check(struct api_call *call, const json_t *list);
/* Writes checked tags; at most 50 in all afterwards. */
int api_tags_write(struct api_call *call, const char *arn, const json_t *list);
/* The resource's tags as a JSON list ([] when none). */
int api_tags_read(struct api_call *call, const char *arn, json_t **ret_list);

/* ---- objects as the API shows them ---- */

/* The taskDefinition object. */
json_t *task_definition_json(struct api_call *call, const struct task_definition_row *row);

/* The containerInstance object; with its tags when `with_tags`, else `tags: []`. */
int api_container_instance_json(struct api_call *call, const struct container_instance_row *row,
				bool with_tags, json_t **ret_object);
/* Adds its healthStatus, which only CONTAINER_INSTANCE_HEALTH asks for. */
void api_container_instance_set_health(json_t *object, const struct container_instance_row *row);

#endif
