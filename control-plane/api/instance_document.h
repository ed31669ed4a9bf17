/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_INSTANCE_DOCUMENT_H
#define BERTH_CONTROL_API_INSTANCE_DOCUMENT_H

#include "control-plane/api/api.h"

/* What a host tells of itself when it registers. */

/* totalResources as the API shows them: every number present, STRINGSETs complete. */
int instance_resources(struct api_call *call, json_t **ret_list);

/* At most 10 custom ones, sane names and sizes. */
int instance_attributes_check(struct api_call *call);

/*
 * Writes the attributes of the request, and those that AWS adds where the host did not say:
 * availability zone, instance type, AMI, operating system, architecture.
 */
int instance_attributes_write(struct api_call *call, const char *cluster, const char *id);

/* A member of the instance identity document, e.g. "instanceId"; NULL when there is none.
 * Allocated. */
char *instance_identity(struct api_call *call, const char *member);

/* Not "ecs." and not "com.amazonaws.": of the user. */
bool attribute_is_custom(const char *name);

#endif
