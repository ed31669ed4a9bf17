/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_REPORT_H
#define BERTH_CONTROL_PLANE_SERVICES_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/services/services.h"
#include "wire/tcs.h"

/*
 * What agents report. Every report may come twice and late: a task never goes backwards, what is
 * not new changes nothing, and a STOPPED task stays as it is.
 */

/* NULL and 0: not part of the report. */
struct report_container {
	const char *name;
	const char *status; /* "PENDING", "RUNNING", "STOPPED" */
	const char *runtime_id;
	const char *image_digest;
	const char *reason;
	bool has_exit_code;
	int exit_code;
	bool has_bindings;
	const struct task_binding *bindings; /* copied */
	size_t binding_count;
};

struct report_attachment {
	const char *arn;
	const char *status; /* "ATTACHED", ... */
};

struct report {
	const char *status; /* of the task; NULL: not told */
	const char *reason;
	const struct report_container *containers;
	size_t container_count;
	const struct report_attachment *attachments;
	size_t attachment_count;
	int64_t pull_started_ms;
	int64_t pull_stopped_ms;
	int64_t execution_stopped_ms;
};

/* The task whose interface has this ARN, or NULL. */
struct task *services_find_attachment(const struct services *services, const char *arn);

/* Applies it and writes the task, inside the caller's transaction. -EINVAL: a status that nobody
 * knows. */
int services_report(struct services *services, struct task *task, const struct report *report,
		    struct error *err);

/* SubmitAttachmentStateChanges: finds the task by the attachment. -ENOENT: no such attachment. */
int services_report_attachment(struct services *services,
			       const struct report_attachment *attachment, struct error *err);

/* TCS. Tasks that are unknown or on another instance are passed over. Written at the end of the
 * turn. */
void services_report_health(struct services *services, const char *instance_arn,
			    const struct tcs_health *health);
void services_report_metrics(struct services *services, const char *instance_arn,
			     const struct tcs_metrics *metrics);
/* The checks of the instance itself, for healthStatus. Written at once. */
void services_report_instance_status(struct services *services, const char *instance_arn,
				     const struct tcs_instance_status *status);

#endif
