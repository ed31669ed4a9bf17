/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_SIZE_H
#define BERTH_CONTROL_PLANE_SERVICES_SIZE_H

#include <stdint.h>

/* Task sizes as users write them. 0, or -EINVAL when it is none. */

/* "256", "1 vCPU", "0.5vcpu" to CPU units. */
int size_parse_cpu(const char *text, int64_t *ret_units);
/* "512", "1 GB", "0.5GB" to MiB. */
int size_parse_memory(const char *text, int64_t *ret_mib);

#endif
