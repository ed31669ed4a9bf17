/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_STORE_INTERNAL_H
#define BERTH_AGENT_STORE_INTERNAL_H

#include "agent/store/store.h"
#include "base/db.h"

struct store {
	struct db *db;
	int lock_fd; /* -1: there is no file to hold */
};

/* A store on this database, which it takes over, also on failure; brings the schema up. */
int store_of_db(struct db *db, struct store **ret, struct error *err);

#endif
