/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_TASK_DEFINITION_H
#define BERTH_CONTROL_API_TASK_DEFINITION_H

#include "control-plane/api/api.h"

/*
 * What RegisterTaskDefinition checks and completes. A definition is an object
 * in the shape of task_definition_members; every check records ClientException with AWS's text and
 * returns -EINVAL.
 */
extern const struct api_member task_definition_members[];

#define TASK_DEFINITION_CONTAINERS_MAX 10
#define TASK_DEFINITION_SIZE_MAX       65536 /* bytes of JSON */

/*
 * Everything, in this order: family and sizes, network mode, roles, volumes, containers one by one,
 * containers together, launch types that the definition asks for. Brings cpu and memory into their
 * plain form ("1 vCPU" -> "1024") in place.
 */
int task_definition_check(struct api_call *call, json_t *definition);

/* What AWS fills in, with requiresAttributes and compatibilities. After a successful check.
 */
void task_definition_fill(json_t *definition);

/*
 * Takes away what DeleteTaskDefinitions has marked, once its time is over and no task that lives
 * refers to it. Called before task definitions are read.
 */
int task_definitions_purge(struct api_call *call);

/* --- the parts, each in a file of its own --- */

/* Absent is bridge. */
bool definition_is_awsvpc(const json_t *definition);
const char *definition_network_mode(const json_t *definition); /* "bridge" when absent */
json_t *definition_container(const json_t *definition, const char *name);
bool definition_requires(const json_t *definition, const char *compatibility);
bool container_is_essential(const json_t *container);
bool image_is_ecr(const char *image);

/* 0 when the definition has no task-level size. After sizes_check(). */
int64_t definition_cpu(const json_t *definition);
int64_t definition_memory(const json_t *definition);

int sizes_check(struct api_call *call, json_t *definition); /* task_sizes.c */
int container_sizes_check(struct api_call *call, const json_t *definition);
int roles_check(struct api_call *call, const json_t *definition);
int volumes_check(struct api_call *call, const json_t *definition); /* volume_check.c */
int container_check(struct api_call *call, const json_t *definition, const json_t *container);
int container_environment_check(struct api_call *call, const json_t *container);
int container_secrets_check(struct api_call *call, const json_t *definition,
			    const json_t *container);
int container_resources_check(struct api_call *call, const json_t *definition,
			      const json_t *container);
int container_network_check(struct api_call *call, const json_t *definition,
			    const json_t *container);
int container_linux_check(struct api_call *call, const json_t *definition, const json_t *container);
int container_logs_check(struct api_call *call, const json_t *definition, const json_t *container);
int ports_check(struct api_call *call, const json_t *definition); /* all containers together */
int dependencies_check(struct api_call *call, const json_t *definition);

/* Why Fargate would not take it; NULL: it would. Allocated. */
char *fargate_refusal(const json_t *definition);
/* The same for external instances. */
char *external_refusal(const json_t *definition);
/* ["EXTERNAL","EC2"], ["EC2","FARGATE"], ["EC2"], ... */
json_t *compatibilities_of(const json_t *definition);
/* [{name}, ...] */
json_t *required_attributes_of(const json_t *definition);

#endif
