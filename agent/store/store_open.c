/* SPDX-License-Identifier: Apache-2.0 */
/* Where the store is: a file that is locked, or memory. */
#include <stdlib.h>
#include <unistd.h>

#include "agent/store/internal.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"

static int open_file(const char *data_dir, int *ret_lock_fd, struct db **ret, struct error *err)
{
	_cleanup_free_ char *lock = xasprintf("%s/agent.lock", data_dir);
	_cleanup_free_ char *file = xasprintf("%s/agent.db", data_dir);
	_cleanup_close_ int lock_fd = -1;
	/* What is in it is each readable by its owner alone; containers pass through to their own.
	 */
	int r = file_mkdirs(data_dir, 0711, err);

	if (r < 0)
		return r;
	r = file_lock(lock, &lock_fd, err);
	if (r < 0) {
		error_prefix(err, "another agent works on the data directory %s, and only one can",
			     data_dir);
		return r;
	}
	r = db_open(file, ret, err);
	if (r == 0)
		*ret_lock_fd = TAKE_FD(lock_fd);
	return r;
}

int store_open(const char *data_dir, struct store **ret, struct error *err)
{
	_cleanup_close_ int lock_fd = -1;
	struct db *db = NULL;
	int r = data_dir ? open_file(data_dir, &lock_fd, &db, err) : db_open(":memory:", &db, err);

	if (r == 0)
		r = store_of_db(db, ret, err);
	if (r == 0)
		(*ret)->lock_fd = TAKE_FD(lock_fd);
	return r;
}
