/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RUNTIME_CONTAINER_RECORD_H
#define BERTH_RUNTIME_CONTAINER_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/json.h"
#include "runtime/container.h"

/* state.json */
struct container_state_record {
	char boot_id[40];
	pid_t monitor;
	uint64_t monitor_start;
	pid_t pid;
	uint64_t pid_start;
	int64_t created_ms;
	int64_t started_ms;
};

/* Pure. -EINVAL. */
int container_state_parse(const char *text, size_t size, struct container_state_record *ret,
			  struct error *err);
/* The members of an exit record, of a file or of a message. */
int container_exit_from_json(const struct json_at *at, struct container_exit *ret,
			     struct error *err);

/* container_observe() of an open directory; `ret_record` may be NULL. */
int container_observe_at(int dir_fd, struct container_observation *ret,
			 struct container_state_record *ret_record, struct error *err);

#endif
