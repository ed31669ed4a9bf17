/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_INIT_SETTINGS_H
#define BERTH_INIT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* What berth-init reads of its environment (berth.service reads /etc/ecs/ecs.config into it). */
struct init_settings {
	const char *data_dir;             /* ECS_DATADIR */
	const char *run_dir;              /* BERTH_RUN_DIR */
	const char *agent;                /* BERTH_AGENT; "" = berth-agent beside berth-init */
	uint16_t metadata_port;           /* BERTH_METADATA_PORT */
	uint16_t introspection_port;      /* BERTH_INTROSPECTION_PORT */
	bool skip_localhost_filter;       /* ECS_SKIP_LOCALHOST_TRAFFIC_FILTER */
	bool allow_offhost_introspection; /* ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS */
};

/*
 * `get` is getenv() or a test's. A flag that is neither true nor false is logged and counts as
 * false: a rule too many is safer than one too few. -EINVAL for a port that is none.
 */
int init_settings_read(const char *(*get)(const char *name), struct init_settings *ret,
		       struct error *err);

#endif
