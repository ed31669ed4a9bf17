/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RUNTIME_BUNDLE_MOUNTS_H
#define BERTH_RUNTIME_BUNDLE_MOUNTS_H

#include "base/error.h"
#include "base/strbuf.h"
#include "runtime/bundle.h"

/* Appends "mounts":[...]: Docker's defaults, then tmpfs and binds. -EINVAL, -ENOENT. */
int bundle_mounts_append(struct strbuf *sb, const struct container_config *config,
			 struct error *err);

#endif
