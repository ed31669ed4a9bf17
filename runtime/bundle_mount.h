/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RUNTIME_BUNDLE_MOUNT_H
#define BERTH_RUNTIME_BUNDLE_MOUNT_H

#include "base/error.h"
#include "base/str.h"

/*
 * Mounts an overlay of `layers` (topmost first, at least one) with `upper` and `work` at `target`.
 * All paths absolute. Uses the mount API with "lowerdir+" (Linux 6.7), else mount(2), where more
 * layers fit than with plain paths.
 */
int bundle_mount_overlay(const struct str_list *layers, const char *upper, const char *work,
			 const char *target, struct error *err);
/* The second way alone. */
int bundle_mount_overlay_classic(const struct str_list *layers, const char *upper, const char *work,
				 const char *target, struct error *err);

/* Everything that is mounted at `target`; 0 also when nothing is, or when it does not exist. */
int bundle_unmount(const char *target, struct error *err);

#endif
