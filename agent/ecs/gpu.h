/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_GPU_H
#define BERTH_AGENT_ECS_GPU_H

#include "base/error.h"
#include "base/str.h"

/* Where the init helper of a GPU host writes what it has found. */
#define GPU_INFO_FILE "/var/lib/ecs/gpu/nvidia-gpu-info.json"

/*
 * Appends the ids of this host's GPUs, from {"DriverVersion": "...", "GPUIDs": ["GPU-..."]}. A file
 * that does not exist is a host without GPUs. -EINVAL or another errno: it cannot be read.
 */
int gpu_ids_read(const char *file, struct str_list *ret, struct error *err);

#endif
