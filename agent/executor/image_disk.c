/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/image_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/alloc.h"

struct image_disk {
	struct image_store *images;
	struct operations *operations;
	struct str_list directories; /* empty: not asked yet */

	/* The measurement under way. */
	void (*done)(void *data, double percent, const struct error *err);
	void *data;
	double percent;
	struct error err;
};

struct image_disk *image_disk_new(struct image_store *images, struct operations *operations)
{
	struct image_disk *disk = xcalloc(1, sizeof(*disk));

	disk->images = images;
	disk->operations = operations;
	return disk;
}

void image_disk_free(struct image_disk *disk)
{
	if (!disk)
		return;
	str_list_free(&disk->directories);
	free(disk);
}

int image_disk_percent(const char *path, double *ret, struct error *err)
{
	struct statvfs info;
	double used;

	if (statvfs(path, &info) < 0)
		return error_set(err, errno, "look how full %s is", path);
	used = (double)(info.f_blocks - info.f_bfree);
	if (used + (double)info.f_bavail <= 0)
		return error_say(err, EINVAL, "the file system of %s has no size", path);
	*ret = 100 * used / (used + (double)info.f_bavail);
	return 0;
}

/* On the pool: the file system may be one that does not answer. */
static void measure(void *data)
{
	struct image_disk *disk = data;

	disk->percent = -1;
	for (size_t i = 0; i < disk->directories.count; i++) {
		double percent = -1;

		if (image_disk_percent(disk->directories.items[i], &percent, &disk->err) < 0) {
			disk->percent = -1;
			return;
		}
		if (percent > disk->percent)
			disk->percent = percent;
	}
}

static void measured(void *data)
{
	struct image_disk *disk = data;

	/* containerd may have moved: it is asked again. */
	if (disk->percent < 0)
		str_list_free(&disk->directories);
	disk->done(disk->data, disk->percent, disk->percent < 0 ? &disk->err : NULL);
}

static void found(void *data, const struct str_list *directories, const struct error *err)
{
	struct image_disk *disk = data;

	if (err) {
		disk->done(disk->data, -1, err);
		return;
	}
	for (size_t i = 0; i < directories->count; i++)
		str_list_add(&disk->directories, directories->items[i]);
	operations_work(disk->operations, measure, measured, disk);
}

int image_disk_measure(struct image_disk *disk,
		       void (*done)(void *data, double percent, const struct error *err),
		       void *data, struct error *err)
{
	disk->done = done;
	disk->data = data;
	error_clear(&disk->err);
	if (disk->directories.count == 0)
		return image_store_directories(disk->images, found, disk, err);
	operations_work(disk->operations, measure, measured, disk);
	return 0;
}
