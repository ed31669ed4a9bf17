/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk under the agent's store: an operating system layer for SQLite that lives in memory. A
 * process that is killed loses nothing that it had written; a host that loses power keeps what was
 * synced, and of the rest any part, down to torn sectors.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store/internal.h"
#include "base/alloc.h"
#include "base/str.h"
#include "simulation.h"

#define SECTOR 512
#define NAME   "simulated"

/* One write, or (data NULL) a truncation to `offset`, that was not synced yet. */
struct disk_write {
	struct disk_write *next;
	size_t offset, size;
	unsigned char *data;
};

struct content {
	unsigned char *bytes;
	size_t size, capacity;
};

struct disk_file {
	struct disk_file *next;
	char *name;
	bool exists;
	struct content now, safe;
	struct disk_write *unsynced, **unsynced_end;
};

struct handle {
	sqlite3_file base;
	struct disk_file *file;
	unsigned char **shared; /* the index of the WAL: pages that die with the process */
	int shared_count;
};

static void resize(struct content *content, size_t size)
{
	if (size > content->capacity) {
		content->capacity = size * 2;
		content->bytes = xrealloc(content->bytes, content->capacity);
	}
	if (size > content->size)
		memset(content->bytes + content->size, 0, size - content->size);
	content->size = size;
}

static void put(struct content *content, size_t offset, const unsigned char *data, size_t size)
{
	if (!data) {
		resize(content, offset);
		return;
	}
	if (offset + size > content->size)
		resize(content, offset + size);
	if (size > 0)
		memcpy(content->bytes + offset, data, size);
}

static struct disk_file *find(const char *name, bool make)
{
	struct sim *sim = sim_world;
	struct disk_file *file = sim->files;

	while (file && !str_eq(file->name, name))
		file = file->next;
	if (file || !make)
		return file;
	file = xcalloc(1, sizeof(*file));
	file->name = xstrdup(name);
	file->unsynced_end = &file->unsynced;
	file->next = sim->files;
	sim->files = file;
	return file;
}

static struct disk_write *take_write(struct disk_file *file)
{
	struct disk_write *write = file->unsynced;

	file->unsynced = write->next;
	if (!file->unsynced)
		file->unsynced_end = &file->unsynced;
	return write;
}

static void write_free(struct disk_write *write)
{
	free(write->data);
	free(write);
}

static void clear(struct disk_file *file)
{
	while (file->unsynced)
		write_free(take_write(file));
	file->now.size = file->safe.size = 0;
}

void disk_free(struct sim *sim)
{
	while (sim->files) {
		struct disk_file *file = sim->files;

		sim->files = file->next;
		clear(file);
		free(file->now.bytes);
		free(file->safe.bytes);
		free(file->name);
		free(file);
	}
}

/* Of the writes that were not synced each may have reached the disk, whole or as far as some
 * sector. */
void disk_power_lost(struct sim *sim)
{
	for (struct disk_file *file = sim->files; file; file = file->next) {
		while (file->unsynced) {
			struct disk_write *write = take_write(file);
			size_t size = write->size;

			if (sim_chance(sim, 30) && size > 0)
				size = (size_t)sim_between(sim, 0, (int64_t)(size / SECTOR)) *
				       SECTOR;
			if (sim_chance(sim, 50))
				put(&file->safe, write->offset, write->data, size);
			write_free(write);
		}
		file->now.size = 0;
		put(&file->now, 0, file->safe.bytes ? file->safe.bytes : (const unsigned char *)"",
		    file->safe.size);
	}
}

/* ---- a file ---- */

static int file_close(sqlite3_file *base)
{
	struct handle *handle = (struct handle *)base;

	for (int i = 0; i < handle->shared_count; i++)
		free(handle->shared[i]);
	free(handle->shared);
	handle->shared = NULL;
	handle->shared_count = 0;
	return SQLITE_OK;
}

static int file_read_at(sqlite3_file *base, void *out, int count, sqlite3_int64 offset)
{
	const struct content *now = &((struct handle *)base)->file->now;
	size_t from = (size_t)offset, wanted = (size_t)count;
	size_t there = from < now->size ? now->size - from : 0;

	if (there > wanted)
		there = wanted;
	if (there > 0)
		memcpy(out, now->bytes + from, there);
	if (there == wanted)
		return SQLITE_OK;
	memset((char *)out + there, 0, wanted - there);
	return SQLITE_IOERR_SHORT_READ;
}

static void change(struct disk_file *file, size_t offset, const void *data, size_t size)
{
	struct disk_write *write = xcalloc(1, sizeof(*write));

	write->offset = offset;
	write->size = size;
	if (data) {
		write->data = xmalloc(size ? size : 1);
		memcpy(write->data, data, size);
	}
	*file->unsynced_end = write;
	file->unsynced_end = &write->next;
	put(&file->now, offset, data, size);
}

static int file_write_at(sqlite3_file *base, const void *data, int count, sqlite3_int64 offset)
{
	struct disk_file *file = ((struct handle *)base)->file;
	struct sim *sim = sim_world;

	if (!agent_reaches_out(sim))
		return SQLITE_IOERR_WRITE;
	if (sim->disk_full && (size_t)offset + (size_t)count > file->now.size)
		return SQLITE_FULL;
	if (sim->disk_fails && sim_fault(sim, 5))
		return SQLITE_IOERR_WRITE;
	change(file, (size_t)offset, data, (size_t)count);
	return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	if (!agent_reaches_out(sim_world))
		return SQLITE_IOERR_TRUNCATE;
	change(((struct handle *)base)->file, (size_t)size, NULL, 0);
	return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct disk_file *file = ((struct handle *)base)->file;
	struct sim *sim = sim_world;

	(void)flags;
	if (!agent_reaches_out(sim))
		return SQLITE_IOERR_FSYNC;
	if (sim->disk_fails && sim_fault(sim, 5))
		return SQLITE_IOERR_FSYNC;
	while (file->unsynced) {
		struct disk_write *write = take_write(file);

		put(&file->safe, write->offset, write->data, write->size);
		write_free(write);
	}
	return SQLITE_OK;
}

static int file_size_of(sqlite3_file *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct handle *)base)->file->now.size;
	return SQLITE_OK;
}

static int file_lock_level(sqlite3_file *base, int level)
{
	(void)base, (void)level;
	return SQLITE_OK;
}

static int file_reserved(sqlite3_file *base, int *ret)
{
	(void)base;
	*ret = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
	(void)base, (void)operation, (void)argument;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
	(void)base;
	return SECTOR;
}

static int file_characteristics(sqlite3_file *base)
{
	(void)base;
	return 0;
}

static int shared_map(sqlite3_file *base, int page, int size, int extend, void volatile **ret)
{
	struct handle *handle = (struct handle *)base;

	*ret = NULL;
	if (page >= handle->shared_count) {
		if (!extend)
			return SQLITE_OK;
		handle->shared =
			xreallocarray(handle->shared, (size_t)page + 1, sizeof(*handle->shared));
		while (handle->shared_count <= page)
			handle->shared[handle->shared_count++] = xcalloc(1, (size_t)size);
	}
	*ret = handle->shared[page];
	return SQLITE_OK;
}

static int shared_lock(sqlite3_file *base, int offset, int count, int flags)
{
	(void)base, (void)offset, (void)count, (void)flags;
	return SQLITE_OK;
}

static void shared_barrier(sqlite3_file *base)
{
	(void)base;
}

static int shared_unmap(sqlite3_file *base, int delete)
{
	(void)delete;
	return file_close(base);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read_at,
	.xWrite = file_write_at,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size_of,
	.xLock = file_lock_level,
	.xUnlock = file_lock_level,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = shared_map,
	.xShmLock = shared_lock,
	.xShmBarrier = shared_barrier,
	.xShmUnmap = shared_unmap,
};

/* ---- the file system ---- */

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
		     int *ret_flags)
{
	struct handle *handle = (struct handle *)base;

	(void)vfs;
	*handle = (struct handle){ .file = find(name ? name : "temporary", true) };
	handle->file->exists = true;
	handle->base.pMethods = &methods;
	if (ret_flags)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	struct disk_file *file = find(name, false);

	(void)vfs, (void)sync_directory;
	if (!agent_reaches_out(sim_world))
		return SQLITE_IOERR_DELETE;
	if (!file || !file->exists)
		return SQLITE_IOERR_DELETE_NOENT;
	file->exists = false;
	clear(file);
	return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	const struct disk_file *file = find(name, false);

	(void)vfs, (void)flags;
	*ret = file && file->exists;
	return SQLITE_OK;
}

static int disk_full_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	sqlite3_snprintf(size, out, "%s", name);
	return SQLITE_OK;
}

static int disk_randomness(sqlite3_vfs *vfs, int count, char *out)
{
	(void)vfs;
	for (int i = 0; i < count; i++)
		out[i] = (char)mix_random(&sim_world->disk_random);
	return count;
}

static int disk_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds;
}

static int disk_time(sqlite3_vfs *vfs, sqlite3_int64 *ret)
{
	(void)vfs;
	*ret = INT64_C(210866760000000) + sim_world->now_ms + sim_world->wall_offset_ms;
	return SQLITE_OK;
}

static int disk_last_error(sqlite3_vfs *vfs, int size, char *out)
{
	(void)vfs, (void)size, (void)out;
	return 0;
}

void disk_install(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 2,
		.szOsFile = sizeof(struct handle),
		.mxPathname = 256,
		.zName = NAME,
		.xOpen = disk_open,
		.xDelete = disk_delete,
		.xAccess = disk_access,
		.xFullPathname = disk_full_name,
		.xRandomness = disk_randomness,
		.xSleep = disk_sleep,
		.xGetLastError = disk_last_error,
		.xCurrentTimeInt64 = disk_time,
	};

	/* The default too: SQLite draws its random numbers from the default. */
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}

/* In the place of agent/store/store_open.c. */
int store_open(const char *data_dir, struct store **ret, struct error *err)
{
	struct db *db = NULL;
	int r;

	(void)data_dir;
	sqlite3_randomness(0, NULL); /* begin anew: what happens shall follow from the seed */
	r = db_open_vfs("agent.db", NAME, &db, err);
	return r < 0 ? r : store_of_db(db, ret, err);
}
