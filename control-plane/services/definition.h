/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_DEFINITION_H
#define BERTH_CONTROL_PLANE_SERVICES_DEFINITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Reading a task definition's document together with the overrides of one task. The document was
 * validated when it was registered, the overrides when the task was run; what is missing reads as
 * absent.
 */

/* Containers of the definition. */
const json_t *definition_containers(const json_t *definition);
/* "bridge" when the definition says none. */
const char *definition_mode(const json_t *definition);

/* NULL when absent or not a string. */
const char *definition_text(const json_t *object, const char *name);
/* 0 when absent. */
int64_t definition_number(const json_t *object, const char *name);
bool definition_has(const json_t *object, const char *name);

/* The override of that container, NULL when there is none. */
const json_t *definition_override(const json_t *overrides, const char *container);
/* A number of the container, as overridden; false: neither has it. */
bool definition_container_number(const json_t *container, const json_t *override, const char *name,
				 int64_t *ret);

/* The task's own size, as overridden. False: it has none. */
bool definition_task_cpu(const json_t *definition, const json_t *overrides, int64_t *ret_units);
bool definition_task_memory(const json_t *definition, const json_t *overrides, int64_t *ret_mib);

#endif
