/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_SERVICE_CONNECT_H
#define BERTH_WIRE_SERVICE_CONNECT_H

#include "wire/task.h"

/*
 * -EINVAL unless the attachment (type serviceconnectdetail) names one container of the task and its
 * ServiceConnectConfig is usable with the task's network mode.
 */
int service_connect_check(const struct task_attachment *attachment, const struct task_spec *task,
			  struct error *err);

#endif
