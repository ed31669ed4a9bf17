/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/executor/cni_answer.h"
#include "agent/executor/cni_cache.h"
#include "agent/executor/cni_conflist.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/process.h"
#include "base/str.h"
#include "cni-plugins/delegate.h"
#include "cni-plugins/request.h"

#define ADD_TIMEOUT_MS 60000
#define DEL_TIMEOUT_MS 30000
#define BUSY_TRIES     5
#define BUSY_WAIT_MS   200
#define DEFAULT_PATH   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct cni_runtime {
	struct loop *loop;
	char *plugin_path;
	char *cache_directory;
	int64_t add_timeout_ms;
	int64_t del_timeout_ms;
	struct str_list environment;
	struct cni_operation *operations;
};

enum phase {
	PHASE_ADD,
	PHASE_UNDO, /* DEL after a failed ADD */
	PHASE_REDO, /* DEL of an ADD that was cut off, before ours */
	PHASE_DELETE,
};

struct cni_operation {
	struct cni_runtime *runtime;
	struct cni_operation *next;
	struct cni_record record; /* whose attachment, and with what */
	struct cni_record old;    /* PHASE_REDO: what is undone */
	struct cni_conflist list; /* of the record; of `old` while it is undone */
	bool is_add;
	bool keeps_record;
	enum phase phase;
	size_t done_count; /* plugins of the phase that have run */
	size_t started;    /* plugins whose ADD was begun: those that a DEL must succeed for */
	int busy_tries;
	int64_t deadline_ms;
	json_t *result; /* of the last plugin */
	struct loop_timer *timer;
	struct process *process;
	struct error failure; /* code 0: none yet */
	bool del_failed;
	cni_done callback;
	void *data;
};

static void step(void *data);

int cni_runtime_new(const struct cni_runtime_config *config, struct cni_runtime **ret,
		    struct error *err)
{
	struct cni_runtime *runtime;
	bool has_path = false;
	int r = file_mkdirs(config->cache_directory, 0700, err);

	if (r == 0)
		r = cni_record_sweep(config->cache_directory, err);
	if (r < 0)
		return r;
	runtime = xcalloc(1, sizeof(*runtime));
	runtime->loop = config->loop;
	runtime->plugin_path = xstrdup(config->plugin_path);
	runtime->cache_directory = xstrdup(config->cache_directory);
	runtime->add_timeout_ms =
		config->add_timeout_ms > 0 ? config->add_timeout_ms : ADD_TIMEOUT_MS;
	runtime->del_timeout_ms =
		config->del_timeout_ms > 0 ? config->del_timeout_ms : DEL_TIMEOUT_MS;
	for (size_t i = 0; config->environment && config->environment[i]; i++) {
		str_list_add(&runtime->environment, config->environment[i]);
		has_path |= str_starts_with(config->environment[i], "PATH=");
	}
	/* Plugins of others run iptables and the like by name. */
	if (!has_path)
		str_list_add(&runtime->environment, DEFAULT_PATH);
	*ret = runtime;
	return 0;
}

void cni_runtime_free(struct cni_runtime *runtime)
{
	if (!runtime)
		return;
	while (runtime->operations)
		cni_cancel(runtime->operations);
	free(runtime->plugin_path);
	free(runtime->cache_directory);
	str_list_free(&runtime->environment);
	free(runtime);
}

static void operation_free(struct cni_operation *operation)
{
	struct cni_operation **place = &operation->runtime->operations;

	while (*place && *place != operation)
		place = &(*place)->next;
	if (*place)
		*place = operation->next;
	loop_timer_free(operation->timer);
	cni_record_free(&operation->record);
	cni_record_free(&operation->old);
	cni_conflist_free(&operation->list);
	if (operation->result)
		json_decref(operation->result);
	free(operation);
}

void cni_cancel(struct cni_operation *operation)
{
	if (operation->process)
		process_cancel(operation->process);
	operation_free(operation);
}

static void finish(struct cni_operation *operation, json_t *result_json)
{
	_cleanup_cni_result_ struct cni_result result = CNI_RESULT_INIT;
	struct error failure = operation->failure;
	enum cni_version version = operation->list.version;
	cni_done callback = operation->callback;
	void *data = operation->data;

	if (failure.code == 0 && result_json) {
		struct json_at root = json_root(result_json);

		if (cni_result_parse(&root, version ? version : CNI_VERSION_LATEST, &result,
				     &failure) < 0)
			error_prefix(&failure, "read the result of a network attachment");
	}
	operation_free(operation);
	callback(data, failure.code == 0 ? &result : NULL, failure.code ? &failure : NULL);
}

static void fail(struct cni_operation *operation)
{
	if (operation->failure.code == 0)
		error_say(&operation->failure, EIO, "the CNI operation failed");
	finish(operation, NULL);
}

static struct cni_operation *find_other(const struct cni_operation *operation)
{
	for (struct cni_operation *other = operation->runtime->operations; other;
	     other = other->next)
		if (other != operation &&
		    str_eq(other->record.container_id, operation->record.container_id) &&
		    str_eq(other->record.ifname, operation->record.ifname))
			return other;
	return NULL;
}

/* What is bound at the path now; zeros when nothing is. */
static struct netns_identity identify(const char *path)
{
	_cleanup_close_ int fd = -1;
	struct netns_identity identity = { 0 };

	if (!str_is_empty(path) && netns_open(path, &fd, NULL) == 0)
		(void)netns_identity(fd, &identity, NULL);
	return identity;
}

static bool is_same_netns(const struct cni_record *record, const struct netns_identity *now)
{
	return record->netns.ino != 0 && netns_identity_equal(&record->netns, now);
}

/* The namespace's path for a plugin: none when another namespace stands where the attachment's
 * stood. */
static const char *netns_for(const struct cni_record *record)
{
	const struct netns_identity now = identify(record->netns_path);

	return record->netns.ino == 0 || is_same_netns(record, &now) ? record->netns_path : "";
}

static void begin_phase(struct cni_operation *operation, enum phase phase)
{
	const struct cni_runtime *runtime = operation->runtime;

	operation->phase = phase;
	operation->done_count = 0;
	operation->busy_tries = 0;
	operation->deadline_ms =
		clock_monotonic_ms() +
		(phase == PHASE_ADD ? runtime->add_timeout_ms : runtime->del_timeout_ms);
}

/* Every plugin of the list must be there before the first one changes anything. */
static int find_all(const struct cni_operation *operation, struct error *err)
{
	for (size_t i = 0; i < operation->list.count; i++) {
		_cleanup_free_ char *path = NULL;
		int r = cni_find_plugin(operation->list.types[i], operation->runtime->plugin_path,
					&path, err);

		if (r < 0) {
			error_prefix(err, "CNI");
			return r;
		}
	}
	return 0;
}

static void begin_add(struct cni_operation *operation)
{
	struct cni_record *record = &operation->record;

	operation->failure = (struct error){ 0 };
	cni_conflist_free(&operation->list);
	if (cni_conflist_parse(record->conflist, &operation->list, &operation->failure) < 0 ||
	    find_all(operation, &operation->failure) < 0 ||
	    cni_record_save(operation->runtime->cache_directory, record, &operation->failure) < 0) {
		fail(operation);
		return;
	}
	begin_phase(operation, PHASE_ADD);
	step(operation);
}

/* First turn of an ADD: what does the cache say? */
static void prepare_add(struct cni_operation *operation)
{
	struct cni_record *record = &operation->record;
	int r = cni_record_load(operation->runtime->cache_directory, record->container_id,
				record->ifname, &operation->old, NULL);

	record->netns = identify(record->netns_path);
	if (record->netns.ino == 0) {
		error_say(&operation->failure, EINVAL,
			  "CNI: there is no network namespace at %s to attach to",
			  record->netns_path);
		fail(operation);
		return;
	}
	if (r == 0 && operation->old.result && is_same_netns(&operation->old, &record->netns) &&
	    str_eq(operation->old.conflist, record->conflist)) {
		finish(operation, operation->old.result);
		return;
	}
	/* A record that cannot be read says no more than that there is nothing to be undone. */
	if (r == 0 && cni_conflist_parse(operation->old.conflist, &operation->list, NULL) == 0) {
		begin_phase(operation, PHASE_REDO);
		step(operation);
		return;
	}
	begin_add(operation);
}

static void prepare_delete(struct cni_operation *operation, const char *conflist)
{
	struct cni_record *record = &operation->record;
	struct cni_record cached = { 0 };
	int r = cni_record_load(operation->runtime->cache_directory, record->container_id,
				record->ifname, &cached, NULL);

	if (r == 0) {
		/* The caller's namespace, if it names one, must be the one that was attached. */
		record->netns = cached.netns;
		if (str_is_empty(record->netns_path))
			str_replace(&record->netns_path, cached.netns_path);
		if (!record->conflist)
			record->conflist = TAKE(cached.conflist);
		if (!record->args)
			record->args = TAKE(cached.args);
		operation->result = TAKE(cached.result);
		cni_record_free(&cached);
	} else if (!conflist) {
		finish(operation, NULL);
		return;
	}
	if (cni_conflist_parse(record->conflist, &operation->list, &operation->failure) < 0) {
		fail(operation);
		return;
	}
	begin_phase(operation, PHASE_DELETE);
	step(operation);
}

static int remove_record(const struct cni_operation *operation, struct error *err)
{
	return cni_record_remove(operation->runtime->cache_directory,
				 operation->record.container_id, operation->record.ifname, err);
}

static void complete_add(struct cni_operation *operation)
{
	operation->record.result = json_incref(operation->result);
	if (cni_record_save(operation->runtime->cache_directory, &operation->record,
			    &operation->failure) < 0) {
		begin_phase(operation, PHASE_UNDO);
		step(operation);
		return;
	}
	finish(operation, operation->result);
}

/* All plugins of the phase have run. */
static void complete_phase(struct cni_operation *operation)
{
	switch (operation->phase) {
	case PHASE_ADD:
		complete_add(operation);
		return;
	case PHASE_REDO:
		if (operation->del_failed)
			break;
		begin_add(operation);
		return;
	case PHASE_UNDO:
		/* What could not be undone stays on record for a DEL to come. */
		if (!operation->del_failed)
			(void)remove_record(operation, NULL);
		break;
	case PHASE_DELETE:
		if (operation->failure.code == 0 &&
		    (operation->keeps_record ||
		     remove_record(operation, &operation->failure) == 0)) {
			finish(operation, operation->result);
			return;
		}
		break;
	}
	fail(operation);
}

/* The next plugin of the phase: ADD goes forward, DEL backward. */
static size_t current_index(const struct cni_operation *operation)
{
	return operation->phase == PHASE_ADD ? operation->done_count
					     : operation->list.count - 1 - operation->done_count;
}

static void note_failure(struct cni_operation *operation, const struct error *err)
{
	bool must = operation->phase != PHASE_UNDO || current_index(operation) < operation->started;

	if (operation->phase == PHASE_UNDO) {
		/* The reason of the failure is why the ADD failed; that its undoing failed too is
		 * for the log. */
		if (must)
			log_warn("a CNI plugin could not undo a failed attachment", "task",
				 operation->record.container_id, "interface",
				 operation->record.ifname, "error", err->text);
	} else if (operation->failure.code == 0) {
		operation->failure = *err;
	}
	operation->del_failed |= must;
}

static void plugin_failed(struct cni_operation *operation, const struct error *err)
{
	if (operation->phase == PHASE_ADD) {
		operation->failure = *err;
		begin_phase(operation, PHASE_UNDO);
	} else {
		note_failure(operation, err);
		operation->done_count++;
	}
	step(operation);
}

static void plugin_ended(void *data, const struct process_result *end)
{
	struct cni_operation *operation = data;
	bool add = operation->phase == PHASE_ADD;
	const char *plugin = operation->list.types[current_index(operation)];
	struct error err = ERROR_INIT;
	json_t *result = NULL;

	operation->process = NULL;
	if (cni_answer_read(plugin, add ? "ADD" : "DEL", end, operation->list.version,
			    add ? &result : NULL, &err) < 0) {
		plugin_failed(operation, &err);
		return;
	}
	if (add) {
		if (operation->result)
			json_decref(operation->result);
		operation->result = result;
	}
	operation->done_count++;
	step(operation);
}

static void add_variable(struct str_list *list, const char *name, const char *value)
{
	str_list_add_owned(list, xasprintf("%s=%s", name, value));
}

static int start_plugin(struct cni_operation *operation, struct error *err)
{
	const struct cni_runtime *runtime = operation->runtime;
	const struct cni_record *record =
		operation->phase == PHASE_REDO ? &operation->old : &operation->record;
	bool add = operation->phase == PHASE_ADD;
	size_t index = current_index(operation);
	_cleanup_str_list_ struct str_list environment = STR_LIST_INIT;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *input = NULL;
	json_t *previous =
		add ? operation->result
		: operation->list.version >= CNI_VERSION_0_4_0
			? (operation->phase == PHASE_REDO ? record->result : operation->result)
			: NULL;
	int64_t left_ms = operation->deadline_ms - clock_monotonic_ms();
	int r = cni_find_plugin(operation->list.types[index], runtime->plugin_path, &path, err);

	if (r < 0) {
		error_prefix(err, "CNI");
		return r;
	}
	for (size_t i = 0; i < runtime->environment.count; i++)
		str_list_add(&environment, runtime->environment.items[i]);
	add_variable(&environment, "CNI_COMMAND", add ? "ADD" : "DEL");
	add_variable(&environment, "CNI_CONTAINERID", record->container_id);
	add_variable(&environment, "CNI_NETNS", netns_for(record));
	add_variable(&environment, "CNI_IFNAME", record->ifname);
	add_variable(&environment, "CNI_PATH", runtime->plugin_path);
	if (record->args)
		add_variable(&environment, "CNI_ARGS", record->args);
	input = cni_conflist_input(&operation->list, index, previous,
				   operation->phase == PHASE_DELETE);

	const char *const argv[] = { path, NULL };
	const struct process_spec spec = {
		.argv = argv,
		.env = (const char *const *)environment.items,
		.stdin_data = input,
		.stdin_size = strlen(input),
		.output_limit = CNI_ANSWER_LIMIT,
		.timeout_ms = left_ms > 1 ? left_ms : 1,
	};

	r = process_run(runtime->loop, &spec, plugin_ended, operation, &operation->process, err);
	if (r < 0)
		error_prefix(err, "CNI plugin %s", operation->list.types[index]);
	else if (add)
		operation->started = index + 1;
	return r;
}

static void step(void *data)
{
	struct cni_operation *operation = data;
	struct error err = ERROR_INIT;
	int r;

	if (operation->done_count == operation->list.count) {
		complete_phase(operation);
		return;
	}
	r = start_plugin(operation, &err);
	if (r == -ETXTBSY && operation->busy_tries++ < BUSY_TRIES) {
		/* Somebody is just writing the program. */
		loop_timer_start(operation->timer, BUSY_WAIT_MS);
		return;
	}
	if (r < 0)
		plugin_failed(operation, &err);
}

static int check_attachment(const struct cni_attachment *attachment, struct error *err)
{
	if (!cni_name_is_valid(attachment->container_id))
		return error_say(err, EINVAL, "CNI: \"%.128s\" cannot be a container id",
				 attachment->container_id);
	if (!ifname_is_valid(attachment->ifname))
		return error_say(err, EINVAL, "CNI: \"%.128s\" cannot be an interface's name",
				 attachment->ifname);
	return 0;
}

/* On the loop, after the call that ordered it has returned. */
static void begin(void *data)
{
	struct cni_operation *operation = data;

	if (operation->list.count > 0 || operation->done_count > 0) {
		step(operation);
		return;
	}
	if (operation->failure.code != 0)
		fail(operation);
	else if (operation->is_add)
		prepare_add(operation);
	else
		prepare_delete(operation, operation->record.conflist);
}

static void order(struct cni_runtime *runtime, const struct cni_attachment *attachment, bool is_add,
		  cni_done done, void *data, struct cni_operation **ret)
{
	struct cni_operation *operation = xcalloc(1, sizeof(*operation));
	const struct cni_operation *other;

	operation->runtime = runtime;
	operation->is_add = is_add;
	operation->keeps_record = attachment->keeps_record;
	operation->callback = done;
	operation->data = data;
	operation->record = (struct cni_record){
		.container_id = xstrdup(attachment->container_id),
		.ifname = xstrdup(attachment->ifname),
		.netns_path = xstrdup(attachment->netns_path ? attachment->netns_path : ""),
		.conflist = xstrdup_null(attachment->conflist),
		.args = xstrdup_null(attachment->args),
	};
	if (check_attachment(attachment, &operation->failure) == 0) {
		other = find_other(operation);
		if (other)
			error_say(&operation->failure, EBUSY,
				  "CNI: interface %s of %s: another %s is under way",
				  attachment->ifname, attachment->container_id,
				  other->is_add ? "ADD" : "DEL");
		else if (is_add && !attachment->conflist)
			error_say(&operation->failure, EINVAL, "CNI: an ADD needs a configuration");
	}
	operation->next = runtime->operations;
	runtime->operations = operation;
	operation->timer = loop_timer_new(runtime->loop, begin, operation);
	loop_timer_start(operation->timer, 0);
	if (ret)
		*ret = operation;
}

void cni_add(struct cni_runtime *runtime, const struct cni_attachment *attachment, cni_done done,
	     void *data, struct cni_operation **ret)
{
	order(runtime, attachment, true, done, data, ret);
}

void cni_del(struct cni_runtime *runtime, const struct cni_attachment *attachment, cni_done done,
	     void *data, struct cni_operation **ret)
{
	order(runtime, attachment, false, done, data, ret);
}

int cni_cached_result(struct cni_runtime *runtime, const char *container_id, const char *ifname,
		      struct cni_result *ret, struct error *err)
{
	struct cni_record record = { 0 };
	struct json_at root;
	int r = cni_record_load(runtime->cache_directory, container_id, ifname, &record, err);

	if (r == 0 && !record.result)
		r = error_say(err, EINPROGRESS, "the attachment of %s to %s was not completed",
			      ifname, container_id);
	if (r == 0) {
		root = json_root(record.result);
		r = cni_result_parse(&root, CNI_VERSION_LATEST, ret, err);
	}
	cni_record_free(&record);
	return r;
}

int cni_each_cached(struct cni_runtime *runtime,
		    void (*each)(void *data, const char *container_id, const char *ifname,
				 const char *netns_path),
		    void *data, struct error *err)
{
	_cleanup_closedir_ DIR *files = opendir(runtime->cache_directory);
	const struct dirent *entry;

	if (!files)
		return error_set(err, errno, "list the CNI cache %s", runtime->cache_directory);
	while ((entry = readdir(files))) {
		struct cni_record record = { 0 };

		if (!str_ends_with(entry->d_name, ".json") ||
		    cni_record_load_file(runtime->cache_directory, entry->d_name, &record, NULL) <
			    0)
			continue;
		each(data, record.container_id, record.ifname, record.netns_path);
		cni_record_free(&record);
	}
	return 0;
}
