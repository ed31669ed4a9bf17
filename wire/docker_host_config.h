/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_DOCKER_HOST_CONFIG_H
#define BERTH_WIRE_DOCKER_HOST_CONFIG_H

#include "wire/docker_config.h"

/* Docker's HostConfig at `at` into *config; negative with the reason when it cannot be decoded. */
int docker_host_config_read(const struct json_at *at, struct arena *arena,
			    struct docker_config *config, struct error *err);

#endif
