/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/schema.h"

const char *const store_schema_steps[] = {
	store_schema_core_1,    store_schema_tasks_1,   store_schema_core_2,
	store_schema_network_1, store_schema_network_2, store_schema_identity_1,
};

const size_t store_schema_step_count = sizeof(store_schema_steps) / sizeof(store_schema_steps[0]);
