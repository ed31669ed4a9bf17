/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/executor/cni_conflist.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define KIND       "cniCacheV1"
#define FILE_LIMIT ((size_t)4 * 1024 * 1024)

/* Neither a container id nor an interface name holds a colon, so no two attachments share a file.
 */
static char *record_path(const char *directory, const char *container_id, const char *ifname)
{
	return xasprintf("%s/%s:%s.json", directory, container_id, ifname);
}

int cni_record_save(const char *directory, const struct cni_record *record, struct error *err)
{
	_cleanup_free_ char *path = record_path(directory, record->container_id, record->ifname);
	_cleanup_free_ char *config = base64_encode(record->conflist, strlen(record->conflist));
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *object = json_object();
	struct cni_conflist list;

	json_object_set_new(object, "kind", json_string(KIND));
	json_object_set_new(object, "containerId", json_string(record->container_id));
	json_object_set_new(object, "config", json_string(config));
	json_object_set_new(object, "ifName", json_string(record->ifname));
	if (cni_conflist_parse(record->conflist, &list, NULL) == 0) {
		json_object_set_new(object, "networkName", json_string(list.name));
		cni_conflist_free(&list);
	}
	json_object_set_new(object, "netns", json_string(record->netns_path));
	json_object_set_new(object, "netnsDevice", json_integer((json_int_t)record->netns.dev));
	json_object_set_new(object, "netnsInode", json_integer((json_int_t)record->netns.ino));
	if (record->args)
		json_object_set_new(object, "args", json_string(record->args));
	if (record->result)
		json_object_set(object, "result", record->result);
	text = json_dump_compact(object);
	return file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false, err);
}

static int read_record(const struct json_at *root, struct cni_record *record, struct error *err)
{
	const char *kind, *container_id, *ifname, *config, *netns, *args = NULL;
	_cleanup_free_ unsigned char *conflist = NULL;
	int64_t device = 0, inode = 0;
	struct json_at result;
	size_t size;

	if (json_get_string(root, "kind", JSON_REQUIRED, &kind, err) < 0 ||
	    json_get_string(root, "containerId", JSON_REQUIRED, &container_id, err) < 0 ||
	    json_get_string(root, "ifName", JSON_REQUIRED, &ifname, err) < 0 ||
	    json_get_string(root, "config", JSON_REQUIRED, &config, err) < 0 ||
	    json_get_string(root, "netns", JSON_REQUIRED, &netns, err) < 0 ||
	    json_get_string(root, "args", JSON_NULLABLE, &args, err) < 0 ||
	    json_get_i64(root, "netnsDevice", 0, 0, INT64_MAX, &device, err) < 0 ||
	    json_get_i64(root, "netnsInode", 0, 0, INT64_MAX, &inode, err) < 0 ||
	    json_get_object(root, "result", 0, &result, err) < 0)
		return -EBADMSG;
	if (!str_eq(kind, KIND) || base64_decode(config, &conflist, &size) < 0 ||
	    strlen((const char *)conflist) != size)
		return error_say(err, EBADMSG, "it is no record of an attachment");
	*record = (struct cni_record){
		.container_id = xstrdup(container_id),
		.ifname = xstrdup(ifname),
		.netns_path = xstrdup(netns),
		.netns = { .dev = (dev_t)device, .ino = (ino_t)inode },
		.conflist = (char *)TAKE(conflist),
		.args = xstrdup_null(args),
		.result = json_present(&result) ? json_incref(result.value) : NULL,
	};
	return 0;
}

static int load(const char *path, struct cni_record *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	size_t size;
	int r = file_read(AT_FDCWD, path, FILE_LIMIT, &text, &size, err);

	if (r < 0)
		return r;
	r = json_parse(text, size, &(struct json_limits){ .size = FILE_LIMIT }, &value, err);
	if (r == 0) {
		root = json_root(value);
		r = json_expect_object(&root, err);
	}
	if (r == 0)
		r = read_record(&root, ret, err);
	if (r < 0) {
		error_prefix(err, "read %s", path);
		return -EBADMSG;
	}
	return 0;
}

int cni_record_load(const char *directory, const char *container_id, const char *ifname,
		    struct cni_record *ret, struct error *err)
{
	_cleanup_free_ char *path = record_path(directory, container_id, ifname);

	return load(path, ret, err);
}

int cni_record_load_file(const char *directory, const char *file, struct cni_record *ret,
			 struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, file);

	return load(path, ret, err);
}

int cni_record_remove(const char *directory, const char *container_id, const char *ifname,
		      struct error *err)
{
	_cleanup_free_ char *path = record_path(directory, container_id, ifname);

	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(err, errno, "remove %s", path);
	return 0;
}

int cni_record_sweep(const char *directory, struct error *err)
{
	_cleanup_closedir_ DIR *files = opendir(directory);
	const struct dirent *entry;

	if (!files)
		return error_set(err, errno, "list the CNI cache %s", directory);
	while ((entry = readdir(files)))
		if (str_ends_with(entry->d_name, ".tmp") &&
		    unlinkat(dirfd(files), entry->d_name, 0) < 0 && errno != ENOENT)
			return error_set(err, errno, "remove %s/%s", directory, entry->d_name);
	return 0;
}

void cni_record_free(struct cni_record *record)
{
	free(record->container_id);
	free(record->ifname);
	free(record->netns_path);
	free(record->conflist);
	free(record->args);
	if (record->result)
		json_decref(record->result);
	*record = (struct cni_record){ 0 };
}
