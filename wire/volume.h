/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_VOLUME_H
#define BERTH_WIRE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/text.h"

struct arena;
struct json_at;

/* What a task carries beside its volumes, as given: {attachmentArn, attachmentType,
 * attachmentProperties}. */
struct task_attachment {
	const char *arn;
	const char *type; /* "" when absent */
	struct text_map properties;
};

enum volume_type {
	VOLUME_HOST,
	VOLUME_DOCKER,
	VOLUME_EFS,
	VOLUME_FSX_WINDOWS,
	VOLUME_EBS,      /* an amazonebs attachment of the task with this volume's name */
	VOLUME_S3_FILES, /* likewise s3files */
};

enum docker_volume_scope {
	DOCKER_VOLUME_SCOPE_TASK,
	DOCKER_VOLUME_SCOPE_SHARED,
};

/* Read only; belongs to its task_spec. Absent strings are NULL. */
struct volume_spec {
	const char *name;
	enum volume_type type;
	const char *source_path; /* VOLUME_HOST: "" = an anonymous volume of the task's own */
	struct {
		enum docker_volume_scope scope;
		bool autoprovision;
		const char *driver;
		struct text_map driver_options;
		struct text_map labels;
	} docker;
	struct {
		const char *file_system_id;
		const char *root_directory;
		bool transit_encryption;
		int64_t transit_encryption_port; /* 0: not given */
		const char *access_point_id;
		bool iam;
	} efs;
	const struct task_attachment
		*attachment; /* VOLUME_EBS, VOLUME_S3_FILES: where its properties are */
};

/*
 * Decodes and validates the object at `at`. `attachments` are the task's, to name the volumes
 * without a type of their own. -EINVAL: "invalid Volume; must include a name", "invalid volume:
 * empty volume configuration", "unrecognized volume type: \"ebs\"", ...
 */
int volume_spec_decode(const struct json_at *at, const struct task_attachment *attachments,
		       size_t attachment_count, struct arena *arena, struct volume_spec *ret,
		       struct error *err);

#endif
