/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_IMAGE_DISK_H
#define BERTH_AGENT_EXECUTOR_IMAGE_DISK_H

#include "agent/executor/operation.h"
#include "base/error.h"
#include "runtime/image.h"

/* How full the file systems are on which containerd keeps content and layers. */
struct image_disk;

struct image_disk *image_disk_new(struct image_store *images, struct operations *operations);
/* Once nothing calls back any more: after operations_abandon(). NULL does nothing. */
void image_disk_free(struct image_disk *disk);

/*
 * One at a time. `percent` is that of the fuller one, as df says it; negative: it cannot be known,
 * and `err` says why. -ECONNREFUSED at once without containerd.
 */
int image_disk_measure(struct image_disk *disk,
		       void (*done)(void *data, double percent, const struct error *err),
		       void *data, struct error *err);

/* Of one file system: what is used, of what there is for who is not root. -errno. */
int image_disk_percent(const char *path, double *ret, struct error *err);

#endif
