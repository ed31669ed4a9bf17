/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_CONTAINER_LISTS_H
#define BERTH_WIRE_CONTAINER_LISTS_H

#include "wire/container.h"

/* The members of a container that are lists of objects: ports, mounts, dependencies, secrets, ...
 */
int container_lists_read(const struct json_at *at, struct arena *arena,
			 struct container_spec *container, struct error *err);

#endif
