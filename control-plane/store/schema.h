/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_SCHEMA_H
#define BERTH_CONTROL_STORE_SCHEMA_H

#include <stddef.h>

/*
 * The tables, as steps that each data file goes through once, in order (PRAGMA user_version counts
 * them). A step that has been released is never changed: append another. The text of an area stands
 * in a file of its own (schema_<area>.c), declared here and put in its place in schema.c.
 */
extern const char *const store_schema_steps[];
extern const size_t store_schema_step_count;

extern const char store_schema_core_1[];  /* meta, clusters, task definitions, container instances,
					     attributes, tags */
extern const char store_schema_tasks_1[]; /* tasks, client tokens */
extern const char store_schema_network_1[];  /* VPCs, subnets, security groups */
extern const char store_schema_network_2[];  /* IPv6 blocks of both */
extern const char store_schema_core_2[];     /* the health of container instances */
extern const char store_schema_identity_1[]; /* tokens, identities, whose an instance is */

#endif
