/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SCHEDULER_QUERY_PATTERN_H
#define BERTH_CONTROL_PLANE_SCHEDULER_QUERY_PATTERN_H

#include <stdbool.h>

#include "base/error.h"

/*
 * The patterns of `=~`: regular expressions in Java's syntax that match a value as a whole. They
 * come from whoever may call the API, so compiling and matching are bounded in time and memory. The
 * syntax is PCRE2's, which is Java's but for classes within classes ([a-z&&[^b]]).
 */
struct query_pattern;

#define QUERY_PATTERN_MAX 256 /* bytes */

/* -EINVAL with a sentence. */
int query_pattern_compile(const char *text, struct query_pattern **ret, struct error *err);
/* False also when that cannot be found out within the bounds. */
bool query_pattern_matches(const struct query_pattern *pattern, const char *value);
void query_pattern_free(struct query_pattern *pattern);

#endif
