/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_CLOUD_INIT_H
#define BERTH_AGENT_ECS_CLOUD_INIT_H

#include <stdbool.h>

/* Where cloud-init says how its last run ended. */
#define CLOUD_INIT_RESULT "/var/lib/cloud/data/result.json"

/*
 * Whether cloud-init has run and found no source of user data. Where the instance has user data all
 * the same, it was never carried out, and this host is not what its owner wants it to be. A file
 * that is missing or says anything else is no reason for doubt.
 */
bool cloud_init_found_nothing(const char *result_file);

#endif
