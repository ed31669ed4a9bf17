/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/image_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sigv4.h"

#define LAYERS_MAX 512
#define LIST_MAX   4096

bool image_digest_is_valid(const char *digest)
{
	return str_starts_with(digest, "sha256:") && strlen(digest) == 71 &&
	       strspn(digest + 7, "0123456789abcdef") == 64;
}

/* "REF TYPE DIGEST SIZE UNIT PLATFORMS LABELS" */
static bool parse_row(const char *line, struct image_row *ret)
{
	_cleanup_str_list_ struct str_list fields = STR_LIST_INIT;
	_cleanup_free_ char *size = NULL;
	const char *at;
	int64_t bytes;

	str_list_split(&fields, line, ' ', false);
	if (fields.count < 3 || !image_digest_is_valid(fields.items[2]))
		return false;
	size = xasprintf("%s %s", fields.count > 4 ? fields.items[3] : "",
			 fields.count > 4 ? fields.items[4] : "");
	at = size;
	bytes = image_bytes_parse(&at);
	*ret = (struct image_row){
		.reference = xstrdup(fields.items[0]),
		.digest = xstrdup(fields.items[2]),
		.size = bytes > 0 ? bytes : 0,
	};
	return true;
}

void image_rows_parse(const char *table, struct image_rows *ret)
{
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;

	str_list_split(&lines, table, '\n', false);
	*ret = (struct image_rows){ .items = xcalloc(lines.count + 1, sizeof(*ret->items)) };
	for (size_t i = 0; i < lines.count; i++)
		ret->count += parse_row(lines.items[i], &ret->items[ret->count]);
}

void image_rows_free(struct image_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->items[i].reference);
		free(rows->items[i].digest);
	}
	free(rows->items);
	*rows = (struct image_rows){ 0 };
}

char *image_list_find(const char *table, const char *reference)
{
	struct image_rows rows;
	char *digest = NULL;

	image_rows_parse(table, &rows);
	for (size_t i = 0; i < rows.count && !digest; i++) {
		if (str_eq(rows.items[i].reference, reference))
			digest = TAKE(rows.items[i].digest);
	}
	image_rows_free(&rows);
	return digest;
}

/* "root    /var/lib/containerd/io.containerd.content.v1.content", indented */
int image_directories_parse(const char *text, struct str_list *ret, struct error *err)
{
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;

	str_list_split(&lines, text, '\n', false);
	for (size_t i = 0; i < lines.count; i++) {
		const char *at = lines.items[i] + strspn(lines.items[i], " \t");

		if (!str_starts_with(at, "root "))
			continue;
		at += strlen("root ");
		at += strspn(at, " \t");
		if (*at == '/')
			str_list_add(ret, at);
	}
	if (!ret->count)
		return error_say(err, EINVAL, "containerd does not say where it keeps its content");
	return 0;
}

const char *image_host_architecture(const char **ret_variant)
{
	static const struct {
		const char *machine, *architecture, *variant;
	} known[] = {
		{ "x86_64", "amd64", "" },    { "aarch64", "arm64", "v8" },
		{ "armv7l", "arm", "v7" },    { "armv6l", "arm", "v6" },
		{ "i686", "386", "" },        { "ppc64le", "ppc64le", "" },
		{ "riscv64", "riscv64", "" }, { "s390x", "s390x", "" },
	};
	struct utsname name;

	*ret_variant = "";
	if (uname(&name) == 0) {
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (str_eq(name.machine, known[i].machine)) {
				*ret_variant = known[i].variant;
				return known[i].architecture;
			}
		}
	}
	return "unknown";
}

/* ---- manifests */

static int get_digest(const struct json_at *object, const char **ret, struct error *err)
{
	int result = json_get_string(object, "digest", JSON_REQUIRED, ret, err);

	if (result == 0 && !image_digest_is_valid(*ret))
		result = json_fail(object, err,
				   "digest \"%.80s\" is not sha256: and 64 hexadecimal digits",
				   *ret);
	return result;
}

static int parse_index(const struct json_at *manifests, const char *os, const char *architecture,
		       const char *variant, struct image_manifest *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf seen = STRBUF_INIT;
	_cleanup_free_ char *found = NULL;

	for (size_t i = 0; i < json_count(manifests); i++) {
		struct json_at item = json_item(manifests, i), platform = { 0 };
		const char *digest, *its_os = "", *its_architecture = "", *its_variant = "";
		int result = json_expect_object(&item, err);

		if (result == 0)
			result = get_digest(&item, &digest, err);
		if (result == 0)
			result = json_get_object(&item, "platform", JSON_NULLABLE, &platform, err);
		if (result < 0)
			return result;
		if (!json_present(&platform))
			continue;
		if (json_get_string(&platform, "os", JSON_OPTIONAL, &its_os, err) < 0 ||
		    json_get_string(&platform, "architecture", JSON_OPTIONAL, &its_architecture,
				    err) < 0 ||
		    json_get_string(&platform, "variant", JSON_OPTIONAL, &its_variant, err) < 0)
			return -EINVAL;
		if (seen.length < 256)
			strbuf_appendf(&seen, "%s%.20s/%.20s%s%.20s", seen.length ? ", " : "",
				       its_os, its_architecture, *its_variant ? "/" : "",
				       its_variant);
		if (!str_eq(its_os, os) || !str_eq(its_architecture, architecture))
			continue;
		/* The first that fits, but one of our very variant goes before. */
		if (!found || str_eq(its_variant, variant)) {
			free(found);
			found = xstrdup(digest);
			if (str_eq(its_variant, variant))
				break;
		}
	}
	if (!found)
		return error_say(err, ENOENT,
				 "no matching manifest for %s/%s: the image is made for %s; use an "
				 "image for this "
				 "host's architecture",
				 os, architecture, seen.length ? seen.data : "no platform at all");
	*ret = (struct image_manifest){ .child = TAKE(found) };
	return 0;
}

int image_manifest_parse(const char *text, size_t size, const char *os, const char *architecture,
			 const char *variant, struct image_manifest *ret, struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	struct json_at root = { 0 }, manifests = { 0 }, config = { 0 }, layers = { 0 };
	int64_t total = 0, part = 0;
	const char *digest = "";
	int result = json_parse(text, size, &(struct json_limits){ .size = 4 << 20 }, &value, err);

	if (result == 0) {
		root = json_root(value);
		result = json_expect_object(&root, err);
	}
	if (result == 0)
		result = json_get_array(&root, "manifests", JSON_NULLABLE, LIST_MAX, &manifests,
					err);
	if (result == 0 && json_present(&manifests))
		return parse_index(&manifests, os, architecture, variant, ret, err);
	if (result == 0)
		result = json_get_object(&root, "config", JSON_REQUIRED, &config, err);
	if (result == 0)
		result = get_digest(&config, &digest, err);
	if (result == 0)
		result =
			json_get_i64(&config, "size", JSON_OPTIONAL, 0, INT64_MAX / 4, &total, err);
	if (result == 0)
		result = json_get_array(&root, "layers", JSON_NULLABLE, LAYERS_MAX, &layers, err);
	for (size_t i = 0; result == 0 && i < json_count(&layers); i++) {
		struct json_at layer = json_item(&layers, i);

		part = 0;
		result = json_get_i64(&layer, "size", JSON_OPTIONAL, 0, INT64_MAX / 4, &part, err);
		total = total > INT64_MAX / 2 ? total : total + part;
	}
	if (result < 0) {
		error_prefix(err, "manifest");
		return result;
	}
	*ret = (struct image_manifest){ .config = xstrdup(digest), .size = total };
	return 0;
}

/* ---- configuration */

static int get_text(const struct json_at *object, const char *name, char **ret, struct error *err)
{
	const char *text = "";
	int result = json_get_string(object, name, JSON_NULLABLE, &text, err);

	if (result == 0)
		str_replace(ret, text);
	return result;
}

static int add_pair(void *data, const char *key, const char *value)
{
	str_list_add_owned(data, xasprintf("%s=%s", key, value));
	return 0;
}

static int parse_healthcheck(const struct json_at *config, struct image_healthcheck *ret,
			     struct error *err)
{
	struct json_at check = { 0 };
	int result = json_get_object(config, "Healthcheck", JSON_NULLABLE, &check, err);

	if (result < 0 || !json_present(&check))
		return result;
	result = json_get_string_list(&check, "Test", JSON_NULLABLE, LIST_MAX, &ret->test, err);
	if (result == 0)
		result = json_get_i64(&check, "Interval", JSON_NULLABLE, 0, INT64_MAX,
				      &ret->interval_ns, err);
	if (result == 0)
		result = json_get_i64(&check, "Timeout", JSON_NULLABLE, 0, INT64_MAX,
				      &ret->timeout_ns, err);
	if (result == 0)
		result = json_get_i64(&check, "StartPeriod", JSON_NULLABLE, 0, INT64_MAX,
				      &ret->start_period_ns, err);
	if (result == 0)
		result = json_get_i64(&check, "Retries", JSON_NULLABLE, 0, INT32_MAX, &ret->retries,
				      err);
	return result;
}

static int parse_volumes(const struct json_at *config, struct image *image, struct error *err)
{
	struct json_at volumes = { 0 };
	int result = json_get_object(config, "Volumes", JSON_NULLABLE, &volumes, err);
	const char *path;
	json_t *ignored;

	if (result < 0 || !json_present(&volumes))
		return result;
	json_object_foreach (volumes.value, path, ignored) {
		if (image->volumes.count < LIST_MAX)
			str_list_add(&image->volumes, path);
	}
	return 0;
}

static int parse_run_config(const struct json_at *config, struct image *image, struct error *err)
{
	int result = json_get_string_list(config, "Env", JSON_NULLABLE, LIST_MAX, &image->env, err);

	if (result == 0)
		result = json_get_string_list(config, "Entrypoint", JSON_NULLABLE, LIST_MAX,
					      &image->entrypoint, err);
	if (result == 0)
		result = json_get_string_list(config, "Cmd", JSON_NULLABLE, LIST_MAX,
					      &image->command, err);
	if (result == 0)
		result = get_text(config, "User", &image->user, err);
	if (result == 0)
		result = get_text(config, "WorkingDir", &image->working_dir, err);
	if (result == 0)
		result = get_text(config, "StopSignal", &image->stop_signal, err);
	if (result == 0)
		result = json_get_string_map(config, "Labels", JSON_NULLABLE, LIST_MAX, add_pair,
					     &image->labels, err);
	if (result == 0)
		result = parse_healthcheck(config, &image->healthcheck, err);
	if (result == 0)
		result = parse_volumes(config, image, err);
	return result;
}

/* ChainID(1) = diff 1; ChainID(n) = sha256(ChainID(n-1) + " " + diff n): image-spec, config.md. */
static int chain_id(const struct json_at *diffs, char **ret, struct error *err)
{
	char *chain = NULL;

	for (size_t i = 0; i < json_count(diffs); i++) {
		struct json_at item = json_item(diffs, i);
		const char *diff;
		int result = json_as_string(&item, &diff, err);

		if (result == 0 && !image_digest_is_valid(diff))
			result = json_fail(&item, err, "must be sha256: and 64 hexadecimal digits");
		if (result < 0) {
			free(chain);
			return result;
		}
		if (!chain) {
			chain = xstrdup(diff);
		} else {
			_cleanup_free_ char *both = xasprintf("%s %s", chain, diff);
			char hex[65];

			sha256_hex(both, strlen(both), hex);
			free(chain);
			chain = xasprintf("sha256:%s", hex);
		}
	}
	*ret = chain;
	return 0;
}

int image_config_parse(const char *text, size_t size, struct image *image, char **ret_chain,
		       struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	_cleanup_json_ json_t *nothing = json_object();
	struct json_at root = { 0 }, config = { 0 }, rootfs = { 0 }, diffs = { 0 };
	int result = json_parse(text, size, &(struct json_limits){ .size = 8 << 20 }, &value, err);

	if (result == 0) {
		root = json_root(value);
		result = json_expect_object(&root, err);
	}
	if (result == 0)
		result = get_text(&root, "architecture", &image->architecture, err);
	if (result == 0)
		result = get_text(&root, "os", &image->os, err);
	if (result == 0)
		result = get_text(&root, "created", &image->created, err);
	if (result == 0)
		result = json_get_object(&root, "config", JSON_NULLABLE, &config, err);
	/* An image without one says nothing of all that; it is not NULL for it. */
	if (result == 0 && !json_present(&config))
		config = json_root(nothing);
	if (result == 0)
		result = parse_run_config(&config, image, err);
	if (result == 0)
		result = json_get_object(&root, "rootfs", JSON_REQUIRED, &rootfs, err);
	if (result == 0)
		result =
			json_get_array(&rootfs, "diff_ids", JSON_NULLABLE, LAYERS_MAX, &diffs, err);
	if (result == 0)
		result = chain_id(&diffs, ret_chain, err);
	if (result < 0)
		error_prefix(err, "image configuration");
	return result;
}

/* ---- layers */

int image_mounts_parse(const char *text, struct str_list *ret_layers, struct error *err)
{
	const char *at = strstr(text, "lowerdir="), *end;
	_cleanup_free_ char *list = NULL;

	if (at) {
		at += strlen("lowerdir=");
		end = at + strcspn(at, "\",\n ");
		list = xstrndup(at, (size_t)(end - at));
		str_list_split(ret_layers, list, ':', false);
	}
	for (size_t i = 0; i < ret_layers->count; i++) {
		if (ret_layers->items[i][0] != '/') {
			str_list_free(ret_layers);
			break;
		}
	}
	if (!ret_layers->count)
		return error_say(err, EINVAL,
				 "containerd gave no layer directories; is its snapshotter "
				 "overlayfs? It said: %.200s",
				 text);
	return 0;
}
