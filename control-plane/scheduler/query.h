/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SCHEDULER_QUERY_H
#define BERTH_CONTROL_PLANE_SCHEDULER_QUERY_H

#include <stdbool.h>

#include "base/error.h"
#include "control-plane/scheduler/scheduler.h"

/*
 * The cluster query language (memberOf, the filter of ListContainerInstances):
 *
 *   attribute:ecs.instance-type =~ t2.* and not(task:group == database) or runningTasksCount < 3
 */
struct query;

#define QUERY_TEXT_MAX 2000 /* characters of an expression */

/* Parses `text`. -EINVAL with a sentence that says where and what was expected. */
int query_parse(const char *text, struct query **ret_query, struct error *err);
bool query_matches(const struct query *query, const struct scheduler_instance *instance);
void query_free(struct query *query);

void query_free_cleanup(struct query **query);

#endif
