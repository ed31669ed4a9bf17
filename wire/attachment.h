/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ATTACHMENT_H
#define BERTH_WIRE_ATTACHMENT_H

#include "wire/volume.h"

#define ATTACHMENT_EBS             "amazonebs"
#define ATTACHMENT_S3_FILES        "s3files"
#define ATTACHMENT_SERVICE_CONNECT "serviceconnectdetail"

/* {attachmentArn, attachmentType, attachmentProperties[{name, value}]}, not judged. -EBADMSG: wrong
 * type. */
int task_attachment_decode(const struct json_at *at, struct arena *arena,
			   struct task_attachment *ret, struct error *err);

/* -EINVAL unless it is what its type demands of a task's attachment; other types are not looked at.
 */
int task_attachment_check(const struct json_at *at, const struct task_attachment *attachment,
			  struct error *err);

/* -EINVAL unless it is what ConfirmAttachmentMessage demands. */
int task_attachment_check_confirm(const struct json_at *at,
				  const struct task_attachment *attachment, struct error *err);

/* "arn:" and six parts. */
bool looks_like_arn(const char *text);

#endif
