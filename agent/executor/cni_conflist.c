/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_conflist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/executor/cni.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define MAX_PLUGINS  32
#define MAX_VERSIONS 16
#define FILE_LIMIT   ((size_t)1024 * 1024)
#define CAPABILITY   "leaveToNetns"

/* The highest of cniVersion and cniVersions that we speak. */
static int choose_version(const struct json_at *at, enum cni_version *ret, struct error *err)
{
	_cleanup_str_list_ struct str_list versions = STR_LIST_INIT;
	const char *text = NULL;
	enum cni_version best = CNI_VERSION_UNKNOWN;
	int r = json_get_string(at, "cniVersion", JSON_NULLABLE, &text, err);

	if (r == 0)
		r = json_get_string_list(at, "cniVersions", JSON_NULLABLE, MAX_VERSIONS, &versions,
					 err);
	if (r < 0)
		return r;
	if (text)
		best = cni_version_parse(text);
	for (size_t i = 0; i < versions.count; i++) {
		enum cni_version version = cni_version_parse(versions.items[i]);

		if (version > best)
			best = version;
	}
	if (best == CNI_VERSION_UNKNOWN)
		return error_say(err, EINVAL, "cniVersion: \"%.32s\" must be one of %s",
				 text ? text : "", cni_supported_versions);
	*ret = best;
	return 0;
}

static int read_plugins(const struct json_at *at, struct cni_conflist *list, struct error *err)
{
	struct json_at plugins;
	int r = json_get_array(at, "plugins", JSON_REQUIRED | JSON_NOT_EMPTY, MAX_PLUGINS, &plugins,
			       err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_count(&plugins); i++) {
		struct json_at item = json_item(&plugins, i);

		r = json_expect_object(&item, err);
		if (r == 0)
			r = json_get_string(&item, "type", JSON_REQUIRED | JSON_NOT_EMPTY,
					    &list->types[i], err);
		if (r < 0)
			return r;
		if (strchr(list->types[i], '/')) {
			struct json_at type = json_member(&item, "type", 0);

			return json_fail(&type, err,
					 "\"%.64s\" is a path, and must be a plugin's name",
					 list->types[i]);
		}
		list->plugins[i] = item.value;
		list->count = i + 1;
	}
	return 0;
}

int cni_conflist_parse(const char *text, struct cni_conflist *ret, struct error *err)
{
	struct cni_conflist list = { 0 };
	struct json_at root;
	int r = json_parse(text, strlen(text), NULL, &list.json, err);

	if (r == 0) {
		root = json_root(list.json);
		r = json_expect_object(&root, err);
	}
	if (r == 0)
		r = json_get_string(&root, "name", JSON_REQUIRED | JSON_NOT_EMPTY, &list.name, err);
	if (r == 0)
		r = choose_version(&root, &list.version, err);
	if (r == 0)
		r = read_plugins(&root, &list, err);
	if (r < 0) {
		error_prefix(err, "read the CNI configuration list");
		cni_conflist_free(&list);
		return r;
	}
	*ret = list;
	return 0;
}

void cni_conflist_free(struct cni_conflist *list)
{
	if (list->json)
		json_decref(list->json);
	*list = (struct cni_conflist){ 0 };
}

char *cni_conflist_input(const struct cni_conflist *list, size_t index, json_t *previous,
			 bool leaving)
{
	_cleanup_json_ json_t *input = json_copy(list->plugins[index]);
	const json_t *capabilities = json_object_get(input, "capabilities");

	json_object_set_new(input, "name", json_string(list->name));
	json_object_set_new(input, "cniVersion", json_string(cni_version_text(list->version)));
	if (previous)
		json_object_set(input, "prevResult", previous);
	if (leaving && json_is_true(json_object_get(capabilities, CAPABILITY))) {
		/* Beside what it was given at its ADD. */
		json_t *given = json_copy(json_object_get(input, "runtimeConfig"));

		if (!given)
			given = json_object();
		json_object_set_new(given, CAPABILITY, json_true());
		json_object_set_new(input, "runtimeConfig", given);
	}
	/* By name, as Go's maps come: some plugins' tests look at it. */
	return json_dump_sorted(input);
}

/* A single plugin's configuration as a list of one. */
static char *wrap(json_t *plugin)
{
	_cleanup_json_ json_t *list = json_object();
	json_t *plugins = json_array();

	json_object_set(list, "name", json_object_get(plugin, "name"));
	json_object_set(list, "cniVersion", json_object_get(plugin, "cniVersion"));
	json_array_append(plugins, plugin);
	json_object_set_new(list, "plugins", plugins);
	return json_dump_compact(list);
}

static int load_file(const char *directory, const char *file, const char *name, bool single,
		     char **ret, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, file);
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *value = NULL;
	struct cni_conflist list;
	struct json_at root;
	const char *own = NULL;
	size_t size;
	int r = file_read(AT_FDCWD, path, FILE_LIMIT, &text, &size, err);

	if (r == 0)
		r = json_parse(text, size, NULL, &value, err);
	if (r == 0) {
		root = json_root(value);
		r = json_expect_object(&root, err);
	}
	if (r == 0)
		r = json_get_string(&root, "name", JSON_REQUIRED, &own, err);
	if (r < 0) {
		error_prefix(err, "load %s", path);
		return r;
	}
	if (name && !str_eq(name, own))
		return -ENOENT;
	if (single) {
		free(text);
		text = wrap(value);
	}
	r = cni_conflist_parse(text, &list, err);
	if (r < 0) {
		error_prefix(err, "load %s", path);
		return r;
	}
	cni_conflist_free(&list);
	*ret = TAKE(text);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_files(const char *directory, struct str_list *ret, struct error *err)
{
	_cleanup_closedir_ DIR *files = opendir(directory);
	const struct dirent *entry;

	if (!files)
		return error_set(err, errno, "list CNI configurations in %s", directory);
	while ((entry = readdir(files)))
		if (entry->d_name[0] != '.')
			str_list_add(ret, entry->d_name);
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_name);
	return 0;
}

int cni_conflist_load(const char *directory, const char *name, char **ret, struct error *err)
{
	_cleanup_str_list_ struct str_list files = STR_LIST_INIT;
	int r = list_files(directory, &files, err);

	/* Lists go before single configurations. One that is broken is told when nothing else is
	 * found. */
	if (r < 0)
		return r;
	r = -ENOENT;
	for (int single = 0; single < 2; single++) {
		for (size_t i = 0; i < files.count; i++) {
			const char *file = files.items[i];
			bool fits = single ? str_ends_with(file, ".conf") ||
						     str_ends_with(file, ".json")
					   : str_ends_with(file, ".conflist");
			struct error why = ERROR_INIT;
			int loaded;

			if (!fits)
				continue;
			loaded = load_file(directory, file, name, single != 0, ret, &why);
			if (loaded == 0)
				return 0;
			if (loaded != -ENOENT && r == -ENOENT)
				r = error_say(err, -loaded, "%s", why.text);
		}
	}
	if (r == -ENOENT)
		return error_say(err, ENOENT, "there is no CNI configuration%s%s in %s",
				 name ? " of network " : "", name ? name : "", directory);
	return r;
}
