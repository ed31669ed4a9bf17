/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_TABLE_H
#define BERTH_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define TABLE_COLUMNS_MAX 16

/* Text in columns that are as wide as their widest cell. */
struct table {
	const char *const *headers;
	size_t columns; /* at most TABLE_COLUMNS_MAX */
	struct str_list cells;
};

/* `cells`: one for each column. Control characters are shown as "?". */
void table_add(struct table *table, const char *const *cells);
/* Lines cut at `width` columns (0: never), with the headers bold or not; the caller frees. */
char *table_text(const struct table *table, size_t width, bool bold);
void table_free(struct table *table);

/* "9s", "5m", "3h05m", "2d04h"; less than a second, or less than nothing, is "0s". The caller
 * frees. */
char *age_text(int64_t ms);

#endif
