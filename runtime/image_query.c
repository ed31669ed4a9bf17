/* SPDX-License-Identifier: Apache-2.0 */
/* What containerd has, and where: one call of ctr each. */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/image_internal.h"

#define TIMEOUT_MS   60000
#define OUTPUT_LIMIT (8 << 20)

struct image_query {
	struct image_query *next;
	struct image_store *store;
	struct process *process;
	/* One of the two. */
	void (*on_rows)(void *data, const struct image_rows *rows, const struct error *err);
	void (*on_directories)(void *data, const struct str_list *directories,
			       const struct error *err);
	void *data;
};

void image_queries_free(struct image_store *store)
{
	while (store->queries) {
		struct image_query *query = store->queries;

		store->queries = query->next;
		process_cancel(query->process);
		free(query);
	}
}

static int check(const struct process_result *result, struct error *err)
{
	int r = image_command_check(result, err);

	if (r == 0 && result->out_cut)
		return error_say(err, EMSGSIZE, "containerd's answer is too large");
	return r;
}

static void answered(void *data, const struct process_result *result)
{
	struct image_query *query = data;
	struct image_query **at = &query->store->queries;
	struct error err = ERROR_INIT;
	const struct error *failed = check(result, &err) < 0 ? &err : NULL;

	while (*at != query)
		at = &(*at)->next;
	*at = query->next;
	if (query->on_rows) {
		struct image_rows rows = { 0 };

		if (!failed)
			image_rows_parse(result->out, &rows);
		query->on_rows(query->data, &rows, failed);
		image_rows_free(&rows);
	} else {
		_cleanup_str_list_ struct str_list directories = STR_LIST_INIT;

		if (!failed && image_directories_parse(result->out, &directories, &err) < 0)
			failed = &err;
		query->on_directories(query->data, &directories, failed);
	}
	free(query);
}

/* Takes `query` over. */
static int ask(struct image_query *query, const struct str_list *argv, struct error *err)
{
	struct image_store *store = query->store;
	const struct process_spec spec = {
		.argv = (const char *const *)argv->items,
		.env = (const char *const *)store->environment.items,
		.output_limit = OUTPUT_LIMIT,
		.timeout_ms = TIMEOUT_MS,
	};
	int result = image_containerd_check(store, err);

	if (result == 0)
		result = process_run(store->loop, &spec, answered, query, &query->process, err);
	if (result < 0) {
		free(query);
		return result;
	}
	query->next = store->queries;
	store->queries = query;
	return 0;
}

int image_store_list(struct image_store *store,
		     void (*on_done)(void *data, const struct image_rows *rows,
				     const struct error *err),
		     void *data, struct error *err)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;
	struct image_query *query = xcalloc(1, sizeof(*query));

	*query = (struct image_query){ .store = store, .on_rows = on_done, .data = data };
	image_command(store, &argv);
	str_list_add(&argv, "images");
	str_list_add(&argv, "ls");
	return ask(query, &argv, err);
}

int image_store_directories(struct image_store *store,
			    void (*on_done)(void *data, const struct str_list *directories,
					    const struct error *err),
			    void *data, struct error *err)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;
	struct image_query *query = xcalloc(1, sizeof(*query));

	*query = (struct image_query){ .store = store, .on_directories = on_done, .data = data };
	image_command(store, &argv);
	str_list_add(&argv, "plugins");
	str_list_add(&argv, "ls");
	str_list_add(&argv, "-d");
	str_list_add(&argv, "id==content");
	str_list_add_owned(&argv, xasprintf("id==%s", store->snapshotter));
	return ask(query, &argv, err);
}
