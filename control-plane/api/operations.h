/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_OPERATIONS_H
#define BERTH_CONTROL_API_OPERATIONS_H

#include "control-plane/api/api.h"

/* One table per file, each ended by { 0 }. A new file adds its table here and to the list in
 * operations.c. */
extern const struct api_operation api_cluster_operations[];
extern const struct api_operation api_task_definition_operations[];
extern const struct api_operation api_delete_definition_operations[];
extern const struct api_operation api_container_instance_operations[];
extern const struct api_operation api_attribute_operations[];
extern const struct api_operation api_tag_operations[];
extern const struct api_operation api_poll_endpoint_operations[];
extern const struct api_operation api_task_run_operations[];
extern const struct api_operation api_task_query_operations[];
extern const struct api_operation api_task_submit_operations[];

#endif
