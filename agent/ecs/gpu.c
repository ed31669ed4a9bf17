/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/gpu.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#define FILE_LIMIT 65536
#define GPUS_MAX   1024

int gpu_ids_read(const char *file, struct str_list *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	size_t size;
	int r = file_read(AT_FDCWD, file, FILE_LIMIT, &text, &size, err);

	if (r == -ENOENT) {
		log_error("GPU support is on, and nobody has written down which GPUs there are: "
			  "none is offered",
			  "file", file);
		return 0;
	}
	if (r == 0)
		r = json_parse(text, size, NULL, &value, err);
	if (r == 0) {
		root = json_root(value);
		r = json_expect_object(&root, err);
	}
	if (r == 0)
		r = json_get_string_list(&root, "GPUIDs", JSON_NULLABLE, GPUS_MAX, ret, err);
	if (r < 0)
		error_prefix(err, "read the GPUs of this host from %s", file);
	return r;
}
