/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_INIT_HOST_H
#define BERTH_INIT_HOST_H

#include "base/error.h"
#include "init/settings.h"

/* Directories, sysctls, the route to the metadata endpoint, rules. May be repeated. */
int host_prepare(const struct init_settings *settings, struct error *err);

/* Takes back what host_prepare() changed; all of it is tried, the first error is returned.
 * Directories stay: state is in them. */
int host_restore(const struct init_settings *settings, struct error *err);

#endif
