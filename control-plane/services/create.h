/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_CREATE_H
#define BERTH_CONTROL_PLANE_SERVICES_CREATE_H

#include "control-plane/services/private.h"
#include "control-plane/services/run.h"

/* A new task on that instance, as the reply of RunTask shows it. `subnet`: of an awsvpc task, else
 * NULL. `default_group`: its security group when the request names none. */
struct task *create_task(struct services *services, const struct run_request *request,
			 const struct run_needs *needs, const struct scheduler_instance *instance,
			 struct subnet *subnet, const char *default_group);

/*
 * Makes the interface: takes an address, gives it a MAC. False: no address is left.
 */
bool create_eni(struct services *services, struct task *task, struct subnet *subnet);

#endif
