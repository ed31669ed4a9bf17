/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_CLUSTER_SETTINGS_H
#define BERTH_CONTROL_API_CLUSTER_SETTINGS_H

#include "control-plane/api/api.h"

/* What CreateCluster takes besides a name: settings, configuration, capacity providers. */
extern const struct api_member create_cluster_members[];

int cluster_settings_check(struct api_call *call);

/* What the cluster keeps of the input, with AWS's defaults: settings, capacityProviders, ... */
json_t *cluster_settings_document(const json_t *input);

/* The arguments in one canonical form, to know the same request again. Allocated. */
char *cluster_settings_request(json_t *input);

#endif
