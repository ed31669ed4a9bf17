/* SPDX-License-Identifier: Apache-2.0 */
/* What ctr prints of images, and the JSON that a registry serves. The first byte says what it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/image_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_manifest(const char *text, size_t size)
{
	struct image_manifest manifest = { .config = NULL };

	if (image_manifest_parse(text, size, "linux", "arm64", "v8", &manifest, NULL) < 0)
		return;
	if (!manifest.config == !manifest.child || manifest.size < 0 ||
	    !image_digest_is_valid(manifest.config ? manifest.config : manifest.child))
		abort();
	free(manifest.config);
	free(manifest.child);
}

static void feed_config(const char *text, size_t size)
{
	struct image *image = xcalloc(1, sizeof(*image));
	char *chain = NULL;

	image->references_ = 1;
	if (image_config_parse(text, size, image, &chain, NULL) == 0) {
		if (!image->user || !image->working_dir || !image->architecture ||
		    (chain && !image_digest_is_valid(chain)))
			abort();
	}
	free(chain);
	image_unref(image);
}

static void feed_mounts(const char *text)
{
	struct str_list layers = STR_LIST_INIT;

	if (image_mounts_parse(text, &layers, NULL) == 0 && layers.count == 0)
		abort();
	for (size_t i = 0; i < layers.count; i++)
		if (layers.items[i][0] != '/')
			abort();
	str_list_free(&layers);
}

static void feed_table(const char *text)
{
	struct image_rows rows = { .items = NULL };
	struct str_list directories = STR_LIST_INIT;
	char *digest = image_list_find(text, "docker.io/library/web:1");

	if (digest && !image_digest_is_valid(digest))
		abort();
	free(digest);
	image_rows_parse(text, &rows);
	for (size_t i = 0; i < rows.count; i++)
		if (!image_digest_is_valid(rows.items[i].digest) || rows.items[i].size < 0)
			abort();
	image_rows_free(&rows);
	if (image_directories_parse(text, &directories, NULL) == 0 && directories.count == 0)
		abort();
	str_list_free(&directories);
}

static void feed_progress(const char *text)
{
	struct image_progress_parser parser = { .frame_hash = 0 };
	struct str_list lines = STR_LIST_INIT;

	str_list_split(&lines, text, '\n', true);
	for (size_t i = 0; i < lines.count; i++) {
		image_progress_line(&parser, lines.items[i]);
		if (parser.progress.bytes_done < 0 || parser.progress.bytes_total < 0)
			abort();
	}
	str_list_free(&lines);
}

static void feed_errors(const char *text)
{
	char *said = NULL;
	enum image_failure failure = image_failure_from_ctr(text, &said);

	if (!said || image_failure_errno(failure) <= 0)
		abort();
	free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text =
		xstrndup(size > 0 ? (const char *)data + 1 : "", size > 0 ? size - 1 : 0);

	switch (size > 0 ? data[0] : 0) {
	case 'm':
		feed_manifest((const char *)data + 1, size - 1);
		break;
	case 'c':
		feed_config((const char *)data + 1, size - 1);
		break;
	case 'o':
		feed_mounts(text);
		break;
	case 't':
		feed_table(text);
		break;
	case 'p':
		feed_progress(text);
		break;
	case 'e':
		feed_errors(text);
		break;
	default:
		break;
	}
	return 0;
}
