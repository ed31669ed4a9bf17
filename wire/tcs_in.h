/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_TCS_IN_H
#define BERTH_WIRE_TCS_IN_H

#include "base/arena.h"
#include "base/json.h"
#include "wire/tcs.h"

/* Epoch seconds to ms; *ret_given may be NULL. */
int tcs_read_timestamp(const struct json_at *at, const char *name, int64_t *ret_ms, bool *ret_given,
		       struct error *err);

/* An element of taskMetrics. */
int tcs_read_task_metric(const struct json_at *at, struct arena *arena,
			 struct tcs_task_metric *task, struct error *err);

#endif
