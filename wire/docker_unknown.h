/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_DOCKER_UNKNOWN_H
#define BERTH_WIRE_DOCKER_UNKNOWN_H

#include "base/json.h"

/*
 * The first member of a hostConfig that Docker would act upon, that says something, and that is not
 * decoded here: "DeviceCgroupRules". NULL: there is none. Static.
 */
const char *docker_unknown_host_member(const struct json_at *host_config);

#endif
