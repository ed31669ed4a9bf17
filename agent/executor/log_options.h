/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_LOG_OPTIONS_H
#define BERTH_AGENT_EXECUTOR_LOG_OPTIONS_H

#include <stdint.h>

#include "base/error.h"
#include "wire/text.h"

/*
 * max-size ("10m", "512k", "1g", bytes) and max-file of the json-file log driver. Not given: no
 * limit, one file. Others are not looked at: see plan_docker_unsupported(). Pure.
 * -EINVAL names the option.
 */
int log_options_read(const struct text_map *options, int64_t *ret_max_bytes,
		     unsigned *ret_max_files, struct error *err);

#endif
