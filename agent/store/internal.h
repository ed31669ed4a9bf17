/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_STORE_INTERNAL_H
#define BERTH_AGENT_STORE_INTERNAL_H

#include "agent/store/store.h"
#include "base/db.h"

struct store {
	struct db *db;
	int lock_fd; /* -1: in memory */
};

#endif
