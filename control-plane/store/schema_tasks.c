/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/schema.h"

const char store_schema_tasks_1[] = "CREATE TABLE tasks ("
				    "  arn TEXT NOT NULL UNIQUE,"
				    "  cluster TEXT NOT NULL,"
				    "  created_ms INTEGER NOT NULL,"
				    "  document TEXT NOT NULL"
				    ");"
				    "CREATE TABLE task_tokens ("
				    "  cluster TEXT NOT NULL,"
				    "  token TEXT NOT NULL,"
				    "  request TEXT NOT NULL,"
				    "  answer TEXT NOT NULL,"
				    "  created_ms INTEGER NOT NULL,"
				    "  PRIMARY KEY (cluster, token)"
				    ") WITHOUT ROWID;";
