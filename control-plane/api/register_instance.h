/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_REGISTER_INSTANCE_H
#define BERTH_CONTROL_API_REGISTER_INSTANCE_H

#include "control-plane/api/api.h"

extern const struct api_member register_instance_members[];
int register_container_instance(struct api_call *call, json_t **ret_output);

#endif
