/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SCHEDULER_FIT_H
#define BERTH_CONTROL_PLANE_SCHEDULER_FIT_H

#include "control-plane/scheduler/query.h"
#include "control-plane/scheduler/scheduler.h"

/* What this request has already taken of one instance. */
struct fit_taken {
	size_t tasks;
};

/* The memberOf expressions of a request, parsed; one entry for each constraint, NULL for
 * distinctInstance. */
struct fit_constraints {
	struct query *queries[SCHEDULER_CONSTRAINTS_MAX];
	size_t count;
};

int fit_constraints_parse(const struct scheduler_request *request,
			  struct fit_constraints *ret_constraints, struct error *err);
void fit_constraints_free(struct fit_constraints *constraints);

/* How many tasks of `group` the instance holds. */
size_t fit_group_count(const struct scheduler_instance *instance, const char *group);

/* NULL when the attribute is missing; "" when it has no value. */
const char *fit_attribute(const struct scheduler_instance *instance, const char *name);

/*
 * Why one more task of the request does not fit on the instance, NULL when it does. When it fails
 * several tests, the reason is the first of: AGENT, LOCATION, ATTRIBUTE, constraints, PORTS, CPU,
 * MEMORY, ENI, GPU. Without constraints (NULL) those of the request are not looked at.
 */
const char *fit_refusal(const struct scheduler_instance *instance, const struct fit_taken *taken,
			const struct scheduler_request *request,
			const struct fit_constraints *constraints);

#endif
