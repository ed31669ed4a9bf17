/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the log, and its rotation. Also for other files that rotate by the same rules (the
 * audit log). */
#ifndef BERTH_BASE_LOG_FILE_H
#define BERTH_BASE_LOG_FILE_H

#include <stddef.h>

#include "base/error.h"
#include "base/log.h"

struct log_file;

/* Uses file, rotation, max_file_size and max_roll_count of the config. */
int log_file_open(const struct log_config *config, struct log_file **ret, struct error *err);
/* One record with its line end. A failure is not told: the next record tries again. */
void log_file_write(struct log_file *file, const char *record, size_t size);
/* NULL does nothing. */
void log_file_close(struct log_file *file);

#endif
