/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/image.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/image_internal.h"
#include "runtime/image_reference.h"

#define PULL_TIMEOUT_MS       INT64_C(7200000)
#define BEGIN_TIMEOUT_MS      300000
#define INACTIVITY_TIMEOUT_MS 60000

/* ---- images */

struct image *image_ref(const struct image *image)
{
	struct image *same = (struct image *)image;

	same->references_++;
	return same;
}

void image_unref(struct image *image)
{
	if (!image || --image->references_)
		return;
	free(image->reference);
	free(image->digest);
	free(image->id);
	str_list_free(&image->env);
	str_list_free(&image->entrypoint);
	str_list_free(&image->command);
	free(image->user);
	free(image->working_dir);
	free(image->stop_signal);
	str_list_free(&image->labels);
	str_list_free(&image->volumes);
	str_list_free(&image->healthcheck.test);
	free(image->architecture);
	free(image->os);
	free(image->created);
	str_list_free(&image->layers);
	free(image);
}

struct image *image_cache_find(struct image_store *store, const char *reference)
{
	for (size_t i = 0; i < store->cache_count; i++) {
		if (str_eq(store->cache[i]->reference, reference))
			return store->cache[i];
	}
	return NULL;
}

static void cache_drop(struct image_store *store, size_t index)
{
	image_unref(store->cache[index]);
	store->cache_count--;
	for (; index < store->cache_count; index++)
		store->cache[index] = store->cache[index + 1];
}

void image_cache_put(struct image_store *store, struct image *image)
{
	for (size_t i = 0; i < store->cache_count; i++) {
		if (str_eq(store->cache[i]->reference, image->reference)) {
			cache_drop(store, i);
			break;
		}
	}
	/* What is dropped is asked for again when it is wanted. */
	if (store->cache_count == IMAGE_CACHE_MAX)
		cache_drop(store, 0);
	store->cache[store->cache_count++] = image_ref(image);
}

void image_cache_drop(struct image_store *store, const char *image_id, const char *reference)
{
	for (size_t i = store->cache_count; i > 0; i--) {
		const struct image *image = store->cache[i - 1];

		if ((image_id && str_eq(image->id, image_id)) ||
		    (reference && str_eq(image->reference, reference)))
			cache_drop(store, i - 1);
	}
}

/* ---- the store */

/* ctr itself talks to registries: it needs what says how. Nothing else of our environment concerns
 * it. */
static void choose_environment(struct str_list *environment)
{
	static const char *const names[] = { "HTTP_PROXY",    "HTTPS_PROXY", "NO_PROXY",
					     "http_proxy",    "https_proxy", "no_proxy",
					     "SSL_CERT_FILE", "SSL_CERT_DIR" };

	str_list_add(environment,
		     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value)
			str_list_add_owned(environment, xasprintf("%s=%s", names[i], value));
	}
}

static const char *or_default(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}

/* Credentials of pulls that a sudden end of ours cut off. */
static int sweep_run_dir(const char *run_dir, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(run_dir);
	struct dirent *entry;

	if (!dir)
		return error_set(err, errno, "list %s", run_dir);
	while ((entry = readdir(dir))) {
		int result;

		if (!str_starts_with(entry->d_name, IMAGE_HOSTS_PREFIX))
			continue;
		result = file_remove_tree(dirfd(dir), entry->d_name, err);
		if (result < 0)
			return result;
	}
	return 0;
}

int image_store_new(struct loop *loop, const struct image_store_config *config,
		    struct image_store **ret, struct error *err)
{
	struct image_store *store;
	int result;

	if (!config->run_dir || config->run_dir[0] != '/')
		return error_say(err, EINVAL, "image store: the run directory must be absolute");
	result = file_mkdirs(config->run_dir, 0700, err);
	if (result == 0)
		result = sweep_run_dir(config->run_dir, err);
	if (result < 0)
		return result;
	store = xcalloc(1, sizeof(*store));
	store->loop = loop;
	store->ctr_path = xstrdup(or_default(config->ctr_path, "ctr"));
	store->address = xstrdup(or_default(config->address, "/run/containerd/containerd.sock"));
	store->name_space = xstrdup(or_default(config->name_space, "berth"));
	store->snapshotter = xstrdup(or_default(config->snapshotter, "overlayfs"));
	store->run_dir = xstrdup(config->run_dir);
	store->pin_prefix = xstrdup(or_default(config->pin_prefix, "berth-hold-"));
	store->parallel_pulls = config->parallel_pulls ? config->parallel_pulls : 8;
	choose_environment(&store->environment);
	*ret = store;
	return 0;
}

/* ---- asking */

void image_store_free(struct image_store *store)
{
	if (!store)
		return;
	/* Nothing that waits may begin now. */
	store->parallel_pulls = 0;
	while (store->fetches) {
		struct image_fetch *fetch = store->fetches;

		while (fetch->operations) {
			struct image_operation *operation = fetch->operations;

			fetch->operations = operation->next;
			free(operation);
		}
		image_fetch_free(fetch);
	}
	while (store->leaving) {
		struct image_operation *operation = store->leaving;

		store->leaving = operation->next;
		loop_timer_free(operation->timer);
		image_unref((struct image *)operation->image);
		free(operation);
	}
	image_removals_free(store);
	image_queries_free(store);
	while (store->cache_count)
		cache_drop(store, store->cache_count - 1);
	str_list_free(&store->environment);
	free(store->ctr_path);
	free(store->address);
	free(store->name_space);
	free(store->snapshotter);
	free(store->run_dir);
	free(store->pin_prefix);
	free(store);
}

static void unlink_operation(struct image_operation **list, struct image_operation *operation)
{
	while (*list != operation)
		list = &(*list)->next;
	*list = operation->next;
}

static void leave(void *data)
{
	struct image_operation *operation = data;
	struct error err = ERROR_INIT;
	struct image_result result = { .failure = operation->failure,
				       .image = operation->image,
				       .err = &err };

	if (operation->failure != IMAGE_OK)
		error_say(&err, image_failure_errno(operation->failure), "%s",
			  image_failure_name(operation->failure));
	unlink_operation(&operation->store->leaving, operation);
	loop_timer_free(operation->timer);
	operation->on_done(operation->data, &result);
	image_unref((struct image *)operation->image);
	free(operation);
}

/* It has no fetch (any more): on_done comes on the next turn. */
static void leave_soon(struct image_operation *operation)
{
	struct image_store *store = operation->store;

	operation->fetch = NULL;
	operation->next = store->leaving;
	store->leaving = operation;
	operation->timer = loop_timer_new(store->loop, leave, operation);
	loop_timer_start(operation->timer, 0);
}

static void join(struct image_operation *operation, struct image_fetch *fetch)
{
	struct image_operation **at = &fetch->operations;

	while (*at)
		at = &(*at)->next;
	*at = operation;
	operation->next = NULL;
	operation->fetch = fetch;
}

static bool same_registry(const struct registry_options *a, const struct registry_options *b)
{
	return a->scheme == b->scheme && str_eq(a->ca_file, b->ca_file) &&
	       str_eq(a->user, b->user) && str_eq(a->password, b->password);
}

static struct image_fetch *find_fetch(struct image_store *store, enum image_fetch_kind kind,
				      const char *reference,
				      const struct registry_options *registry)
{
	for (struct image_fetch *fetch = store->fetches; fetch; fetch = fetch->next) {
		if (fetch->kind == kind && str_eq(fetch->reference, reference) &&
		    (!registry || same_registry(&fetch->registry, registry)))
			return fetch;
	}
	return NULL;
}

static void set_server(struct image_fetch *fetch, const struct image_reference *reference)
{
	fetch->plain_http = fetch->registry.scheme == REGISTRY_SCHEME_HTTP ||
			    (fetch->registry.scheme == REGISTRY_SCHEME_DEFAULT &&
			     image_reference_is_loopback(reference) && !fetch->registry.ca_file);
	fetch->server = xasprintf("%s://%s", fetch->plain_http ? "http" : "https",
				  str_eq(reference->host, "docker.io") ? "registry-1.docker.io"
								       : reference->host);
}

static struct image_operation *
operation_new(struct image_store *store,
	      void (*on_done)(void *data, const struct image_result *result), void *data)
{
	struct image_operation *operation = xcalloc(1, sizeof(*operation));

	operation->store = store;
	operation->on_done = on_done;
	operation->data = data;
	return operation;
}

static int64_t positive_or(int64_t number, int64_t otherwise)
{
	return number > 0 ? number : otherwise;
}

int image_pull(struct image_store *store, const struct image_pull_request *request,
	       struct image_operation **ret, struct error *err)
{
	_cleanup_image_reference_ struct image_reference reference = { 0 };
	_cleanup_free_ char *complete = NULL;
	_cleanup_free_ char *probe = NULL;
	struct image_operation *operation;
	struct image_fetch *fetch;
	int result = image_reference_parse(request->reference, &reference, err);

	/* What cannot be written into hosts.toml is refused now. */
	if (result == 0)
		result = image_hosts_toml("https://host", &request->registry, &probe, err);
	if (result < 0)
		return result;
	if (probe)
		explicit_bzero(probe, strlen(probe));
	complete = image_reference_complete(&reference);
	operation = operation_new(store, request->on_done, request->data);
	operation->on_progress = request->on_progress;
	fetch = find_fetch(store, IMAGE_FETCH_PULL, complete, &request->registry);
	if (!fetch) {
		fetch = image_fetch_new(store, IMAGE_FETCH_PULL, complete);
		fetch->registry = request->registry;
		fetch->registry.ca_file = xstrdup_null(request->registry.ca_file);
		fetch->registry.user = xstrdup_null(request->registry.user);
		fetch->registry.password = xstrdup_null(request->registry.password);
		fetch->timeout_ms = positive_or(request->timeout_ms, PULL_TIMEOUT_MS);
		fetch->begin_timeout_ms = positive_or(request->begin_timeout_ms, BEGIN_TIMEOUT_MS);
		fetch->inactivity_timeout_ms =
			positive_or(request->inactivity_timeout_ms, INACTIVITY_TIMEOUT_MS);
		set_server(fetch, &reference);
		image_fetch_schedule(fetch);
	}
	join(operation, fetch);
	if (ret)
		*ret = operation;
	return 0;
}

static int look_at(struct image_store *store, enum image_fetch_kind kind, const char *reference,
		   void (*on_done)(void *data, const struct image_result *result), void *data,
		   struct image_operation **ret, struct error *err)
{
	_cleanup_image_reference_ struct image_reference parsed = { 0 };
	_cleanup_free_ char *complete = NULL;
	struct image_operation *operation;
	struct image_fetch *fetch;
	struct image *cached;
	int result = image_reference_parse(reference, &parsed, err);

	if (result < 0)
		return result;
	complete = image_reference_complete(&parsed);
	operation = operation_new(store, on_done, data);
	cached = image_cache_find(store, complete);
	if (cached) {
		operation->image = image_ref(cached);
		leave_soon(operation);
	} else {
		fetch = find_fetch(store, kind, complete, NULL);
		if (!fetch) {
			fetch = image_fetch_new(store, kind, complete);
			image_fetch_schedule(fetch);
		}
		join(operation, fetch);
	}
	if (ret)
		*ret = operation;
	return 0;
}

int image_inspect(struct image_store *store, const char *reference,
		  void (*on_done)(void *data, const struct image_result *result), void *data,
		  struct image_operation **ret, struct error *err)
{
	return look_at(store, IMAGE_FETCH_INSPECT, reference, on_done, data, ret, err);
}

int image_describe(struct image_store *store, const char *reference,
		   void (*on_done)(void *data, const struct image_result *result), void *data,
		   struct image_operation **ret, struct error *err)
{
	return look_at(store, IMAGE_FETCH_DESCRIBE, reference, on_done, data, ret, err);
}

int image_store_ping(struct image_store *store,
		     void (*on_done)(void *data, const struct image_result *result), void *data,
		     struct image_operation **ret, struct error *err)
{
	struct image_operation *operation = operation_new(store, on_done, data);
	struct image_fetch *fetch = image_fetch_new(store, IMAGE_FETCH_PING, "");

	(void)err;
	image_fetch_schedule(fetch);
	join(operation, fetch);
	if (ret)
		*ret = operation;
	return 0;
}

const struct image *image_cached(struct image_store *store, const char *reference)
{
	_cleanup_free_ char *complete = image_name_complete(reference);

	return image_cache_find(store, complete);
}

void image_cancel(struct image_operation *operation)
{
	struct image_fetch *fetch = operation->fetch;

	operation->failure = IMAGE_CANCELLED;
	if (!fetch) {
		image_unref((struct image *)operation->image);
		operation->image = NULL;
		return;
	}
	unlink_operation(&fetch->operations, operation);
	leave_soon(operation);
	if (!fetch->operations)
		image_fetch_free(fetch);
}
