/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_LOG_LINE_H
#define BERTH_CLI_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/error.h"

/* One record of a json-file log: {"log":"text\n","stream":"stdout","time":"..."}. */
struct log_line {
	json_t *value;    /* owns what follows */
	const char *text; /* may hold any byte, also NUL; its own newline is part of it */
	size_t size;
	bool is_stderr;
	const char *time; /* "" when it is missing */
};

/* -EINVAL: it is no such record. */
int log_line_parse(const char *data, size_t size, struct log_line *ret, struct error *err);
void log_line_free(struct log_line *line);

#endif
