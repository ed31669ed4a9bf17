/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_LOG_READER_H
#define BERTH_CLI_LOG_READER_H

#include <stddef.h>

#include "base/error.h"

/*
 * Reads a log and its rotated files (json.log.2, json.log.1, json.log: the oldest has the highest
 * number) as one sequence of lines, also while it is written and rotated.
 */
struct log_reader;

/* `directory` holds json.log. Starts with the oldest line. */
int log_reader_open(const char *directory, struct log_reader **ret, struct error *err);
void log_reader_free(struct log_reader *reader);

/*
 * 1: *ret_line has *ret_size bytes, without newline, valid until the next call. 0: this was all for
 * now; a line without its newline is not there yet. -errno; -EFBIG for a line over 1 MiB.
 */
int log_reader_next(struct log_reader *reader, const char **ret_line, size_t *ret_size,
		    struct error *err);

#endif
