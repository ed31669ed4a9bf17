/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/alloc.h"

char *make_test_directory(void)
{
	const char *parent = getenv("TMPDIR");
	char *path = xasprintf("%s/berth-unit-XXXXXX", parent ? parent : "/tmp");

	assert_non_null(mkdtemp(path));
	return path;
}
