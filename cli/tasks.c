/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"

#define TASKS_MAX      10000
#define CONTAINERS_MAX 1000
#define ADDRESSES_MAX  64
#define PORTS_MAX      65536

static int text_of(const struct json_at *at, const char *name, unsigned flags, char **ret,
		   struct error *err)
{
	const char *value = "";
	int r = json_get_string(at, name, flags | JSON_NULLABLE, &value, err);

	if (r == 0)
		*ret = xstrdup(value);
	return r;
}

static int time_of(const struct json_at *at, const char *name, int64_t *ret, struct error *err)
{
	const char *value = "";
	int r = json_get_string(at, name, JSON_NULLABLE, &value, err);

	if (r < 0 || str_is_empty(value))
		return r;
	if (parse_iso8601(value, ret, NULL) < 0)
		return json_fail(at, err, "%s must be a time, not \"%s\"", name, value);
	return 0;
}

static int address_of(const struct json_at *at, char **ret, struct error *err)
{
	_cleanup_str_list_ struct str_list addresses = STR_LIST_INIT;
	struct json_at networks = { 0 };
	int r = json_get_array(at, "Networks", JSON_NULLABLE, ADDRESSES_MAX, &networks, err);

	for (size_t i = 0; r == 0 && i < json_count(&networks); i++) {
		struct json_at network = json_item(&networks, i);

		r = json_expect_object(&network, err);
		if (r == 0)
			r = json_get_string_list(&network, "IPv4Addresses", JSON_NULLABLE,
						 ADDRESSES_MAX, &addresses, err);
	}
	if (r == 0)
		*ret = xstrdup(addresses.count > 0 ? addresses.items[0] : "");
	return r;
}

static int append_port(const struct json_at *at, struct strbuf *text, struct error *err)
{
	const char *protocol = "tcp";
	int64_t inside = 0, outside = 0;
	int r = json_expect_object(at, err);

	if (r == 0)
		r = json_get_i64(at, "ContainerPort", JSON_OPTIONAL, 0, UINT16_MAX, &inside, err);
	if (r == 0)
		r = json_get_i64(at, "HostPort", JSON_OPTIONAL, 0, UINT16_MAX, &outside, err);
	if (r == 0)
		r = json_get_string(at, "Protocol", JSON_OPTIONAL, &protocol, err);
	if (r < 0)
		return r;
	if (text->length > 0)
		strbuf_append(text, ", ");
	if (outside != inside)
		strbuf_appendf(text, "%lld->", (long long)outside);
	strbuf_appendf(text, "%lld/%s", (long long)inside, protocol);
	return 0;
}

static int ports_of(const struct json_at *at, char **ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json_at ports = { 0 };
	int r = json_get_array(at, "Ports", JSON_NULLABLE, PORTS_MAX, &ports, err);

	for (size_t i = 0; r == 0 && i < json_count(&ports); i++) {
		struct json_at port = json_item(&ports, i);

		r = append_port(&port, &text, err);
	}
	if (r == 0)
		*ret = strbuf_take(&text);
	return r;
}

static int decode_container(const struct json_at *at, struct cli_container *container,
			    struct error *err)
{
	int r = json_expect_object(at, err);

	if (r == 0)
		r = text_of(at, "DockerId", JSON_OPTIONAL, &container->runtime_id, err);
	if (r == 0)
		r = text_of(at, "Name", JSON_REQUIRED, &container->name, err);
	if (r == 0)
		r = text_of(at, "Image", JSON_OPTIONAL, &container->image, err);
	if (r == 0)
		r = time_of(at, "StartedAt", &container->started_ms, err);
	if (r == 0)
		r = address_of(at, &container->address, err);
	if (r == 0)
		r = ports_of(at, &container->ports, err);
	return r;
}

static int decode_task(const struct json_at *at, struct cli_task *task, struct error *err)
{
	struct json_at containers = { 0 };
	const char *slash;
	int r = json_expect_object(at, err);

	if (r == 0)
		r = text_of(at, "Arn", JSON_REQUIRED, &task->arn, err);
	if (r == 0)
		r = text_of(at, "Family", JSON_OPTIONAL, &task->family, err);
	if (r == 0)
		r = text_of(at, "Version", JSON_OPTIONAL, &task->version, err);
	if (r == 0)
		r = text_of(at, "KnownStatus", JSON_REQUIRED, &task->known, err);
	if (r == 0)
		r = text_of(at, "DesiredStatus", JSON_OPTIONAL, &task->desired, err);
	if (r == 0)
		r = json_get_array(at, "Containers", JSON_NULLABLE, CONTAINERS_MAX, &containers,
				   err);
	if (r < 0)
		return r;
	slash = strrchr(task->arn, '/');
	task->id = xstrdup(slash ? slash + 1 : task->arn);
	task->containers = xcalloc(json_count(&containers), sizeof(*task->containers));
	for (size_t i = 0; r == 0 && i < json_count(&containers); i++) {
		struct json_at item = json_item(&containers, i);

		/* Counted before it is decoded, so that half of one is freed too. */
		task->container_count++;
		r = decode_container(&item, &task->containers[i], err);
	}
	return r;
}

int tasks_decode(const char *text, size_t size, struct cli_tasks *ret, struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	_cleanup_tasks_ struct cli_tasks tasks = { 0 };
	const struct json_limits limits = { .size = (size_t)16 << 20 };
	struct json_at root, list = { 0 };
	int r = json_parse(text, size, &limits, &value, err);

	if (r < 0)
		return r;
	root = json_root(value);
	r = json_expect_object(&root, err);
	if (r == 0)
		r = json_get_array(&root, "Tasks", JSON_REQUIRED, TASKS_MAX, &list, err);
	if (r < 0)
		return r;
	tasks.items = xcalloc(json_count(&list), sizeof(*tasks.items));
	for (size_t i = 0; r == 0 && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		tasks.count++;
		r = decode_task(&item, &tasks.items[i], err);
	}
	if (r < 0)
		return r;
	*ret = tasks;
	memset(&tasks, 0, sizeof(tasks));
	return 0;
}

void tasks_free(struct cli_tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++) {
		struct cli_task *task = &tasks->items[i];

		for (size_t j = 0; j < task->container_count; j++) {
			free(task->containers[j].runtime_id);
			free(task->containers[j].name);
			free(task->containers[j].image);
			free(task->containers[j].address);
			free(task->containers[j].ports);
		}
		free(task->containers);
		free(task->arn);
		free(task->id);
		free(task->family);
		free(task->version);
		free(task->known);
		free(task->desired);
	}
	free(tasks->items);
	*tasks = (struct cli_tasks){ 0 };
}

int tasks_find(const struct cli_tasks *tasks, const char *name, const struct cli_task **ret,
	       struct error *err)
{
	const struct cli_task *found = NULL;
	size_t matches = 0;

	for (size_t i = 0; i < tasks->count; i++) {
		const struct cli_task *task = &tasks->items[i];

		if (str_eq(task->arn, name) || str_eq(task->id, name)) {
			*ret = task;
			return 0;
		}
		if (*name && str_starts_with(task->id, name)) {
			found = task;
			matches++;
		}
	}
	if (matches > 1)
		return error_say(err, EEXIST,
				 "%zu tasks begin with \"%s\": give more of the id (berth ps "
				 "lists them)",
				 matches, name);
	if (!found)
		return error_say(err, ENOENT,
				 "the agent knows no task \"%s\": berth ps lists those that it "
				 "knows",
				 name);
	*ret = found;
	return 0;
}

int task_find_container(const struct cli_task *task, const char *name,
			const struct cli_container **ret, struct error *err)
{
	_cleanup_str_list_ struct str_list names = STR_LIST_INIT;
	_cleanup_free_ char *all = NULL;

	for (size_t i = 0; i < task->container_count; i++) {
		if (str_eq(task->containers[i].name, name) ||
		    (!name && task->container_count == 1)) {
			*ret = &task->containers[i];
			return 0;
		}
		str_list_add(&names, task->containers[i].name);
	}
	all = str_list_join(&names, ", ");
	if (!name)
		return error_say(err, EEXIST, "task %s has %zu containers, name one of them: %s",
				 task->id, task->container_count, all);
	return error_say(err, ENOENT, "task %s has no container \"%s\", but: %s", task->id, name,
			 all);
}
