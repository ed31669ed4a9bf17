/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_PATH_H
#define BERTH_AGENT_ENDPOINTS_PATH_H

#include <stdbool.h>

/*
 * The path of a request as routes are matched against it: percent-decoded once (so that %2F is a
 * separator), then cleaned: repeated slashes are one, "." and ".." are gone, a slash at the end
 * stays.
 *
 * *ret is the caller's to free. *ret_moved: cleaning changed it, and the peer is told to ask again.
 * -EINVAL: an escape is none, or stands for NUL.
 */
int path_clean(const char *raw, char **ret, bool *ret_moved);

/* What a redirect to a clean path names: escaped again, with the query as it was. The caller frees.
 */
char *path_location(const char *clean, const char *query);

/*
 * The first value of a parameter of a raw query, decoded; NULL when there is none. Pairs with an
 * escape that is none, or with a semicolon, are as good as not there. The caller frees.
 */
char *path_query_value(const char *query, const char *name);

#endif
