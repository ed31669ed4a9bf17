/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/cloud_init.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define FILE_LIMIT 65536

bool cloud_init_found_nothing(const char *result_file)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *value = NULL;
	const char *source = NULL;
	struct json_at root, v1;
	size_t size;

	if (file_read(AT_FDCWD, result_file, FILE_LIMIT, &text, &size, NULL) < 0 ||
	    json_parse(text, size, NULL, &value, NULL) < 0)
		return false;
	root = json_root(value);
	return json_expect_object(&root, NULL) == 0 &&
	       json_get_object(&root, "v1", JSON_REQUIRED, &v1, NULL) == 0 &&
	       json_get_string(&v1, "datasource", JSON_REQUIRED, &source, NULL) == 0 &&
	       str_eq(source, "DataSourceNone");
}
