/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RUNTIME_BUNDLE_DEVICES_H
#define BERTH_RUNTIME_BUNDLE_DEVICES_H

#include "base/error.h"
#include "base/strbuf.h"
#include "runtime/bundle.h"

/*
 * linux.devices and linux.resources.devices for the devices asked for: each node found on the host
 * (a directory gives all nodes in it); `privileged` gives all of the host's. Appends the members'
 * items to two builders. -ENOENT, -EINVAL.
 */
int bundle_devices_append(struct strbuf *nodes, struct strbuf *rules,
			  const struct container_config *config, struct error *err);

#endif
