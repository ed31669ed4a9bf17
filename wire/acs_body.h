/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ACS_BODY_H
#define BERTH_WIRE_ACS_BODY_H

#include "wire/acs.h"

/* Fills the part of *message that its type names from the object at `at`. -EBADMSG, -EINVAL as
 * acs_decode(). */
int acs_body_decode(const struct json_at *at, struct acs_message *message, struct error *err);

/* Not a failure of the payload: the entry that cannot be used is marked. In acs_payload.c. */
int acs_payload_decode(const struct json_at *at, struct arena *arena, struct acs_payload *payload,
		       struct error *err);

/* In acs_network.c. */
int acs_network_decode(const struct json_at *at, struct arena *arena, struct acs_network *network,
		       struct error *err);

/* messageId, clusterArn, containerInstanceArn; -EBADMSG of a wrong type; presence is not asked. */
int acs_read_head(const struct json_at *at, struct arena *arena, const char **message_id,
		  const char **cluster_arn, const char **container_instance_arn, struct error *err);
/* -EINVAL when `text` is NULL. */
int acs_require(const char *text, const char *name, struct error *err);

#endif
