/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/table.h"
#include "cli/why.h"

#define TASKS_MAX      10000
#define CONTAINERS_MAX 1000
#define WAITS_MAX      1000

/* A task, or one of its containers. */
struct subject {
	const char *known, *desired, *reason, *since;
	bool has_exit_code;
	int64_t exit_code;
	struct str_list waits;
};

static int read_subject(const struct json_at *at, struct subject *subject, struct error *err)
{
	int r = json_expect_object(at, err);

	if (r == 0)
		r = json_get_string(at, "Known", JSON_REQUIRED, &subject->known, err);
	if (r == 0)
		r = json_get_string(at, "Desired", JSON_REQUIRED, &subject->desired, err);
	if (r == 0)
		r = json_get_string(at, "Reason", JSON_NULLABLE, &subject->reason, err);
	if (r == 0)
		r = json_get_string(at, "Since", JSON_NULLABLE, &subject->since, err);
	if (r == 0 && json_member(at, "ExitCode", 0).value) {
		subject->has_exit_code = true;
		r = json_get_i64(at, "ExitCode", 0, INT32_MIN, INT32_MAX, &subject->exit_code, err);
	}
	if (r == 0)
		r = json_get_string_list(at, "WaitsFor", JSON_NULLABLE, WAITS_MAX, &subject->waits,
					 err);
	return r;
}

/* What comes from elsewhere does not steer a terminal. */
static void append_plain(struct strbuf *out, const char *text)
{
	for (; *text; text++)
		strbuf_append_char(out, (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void append_subject(const struct subject *subject, const char *indent, int64_t now_ms,
			   struct strbuf *out)
{
	_cleanup_free_ char *age = NULL;
	int64_t since_ms;

	append_plain(out, subject->known);
	if (subject->since && parse_iso8601(subject->since, &since_ms, NULL) == 0) {
		age = age_text(now_ms - since_ms);
		strbuf_appendf(out, " for %s", age);
	}
	if (!str_eq(subject->known, subject->desired)) {
		strbuf_append(out, ", wanted ");
		append_plain(out, subject->desired);
	}
	if (subject->has_exit_code)
		strbuf_appendf(out, ", exit code %lld", (long long)subject->exit_code);
	strbuf_append_char(out, '\n');
	if (subject->reason) {
		strbuf_appendf(out, "%s  reason: ", indent);
		append_plain(out, subject->reason);
		strbuf_append_char(out, '\n');
	}
	for (size_t i = 0; i < subject->waits.count; i++) {
		strbuf_appendf(out, "%s  waits for ", indent);
		append_plain(out, subject->waits.items[i]);
		strbuf_append_char(out, '\n');
	}
}

static int append_one(const struct json_at *at, const char *indent, const char *title,
		      int64_t now_ms, struct strbuf *out, struct error *err)
{
	struct subject subject = { 0 };
	int r = read_subject(at, &subject, err);

	if (r == 0) {
		strbuf_append(out, indent);
		append_plain(out, title);
		strbuf_append(out, ": ");
		append_subject(&subject, indent, now_ms, out);
	}
	str_list_free(&subject.waits);
	return r;
}

static int append_task(const struct json_at *at, const char *id, int64_t now_ms, struct strbuf *out,
		       struct error *err)
{
	_cleanup_free_ char *title = xasprintf("task %s", id);
	struct json_at containers = { .value = NULL };
	int r = append_one(at, "", title, now_ms, out, err);

	if (r == 0)
		r = json_get_array(at, "Containers", JSON_NULLABLE, CONTAINERS_MAX, &containers,
				   err);
	for (size_t i = 0; r == 0 && i < json_count(&containers); i++) {
		struct json_at item = json_item(&containers, i);
		_cleanup_free_ char *container = NULL;
		const char *name = NULL;

		r = json_expect_object(&item, err);
		if (r == 0)
			r = json_get_string(&item, "Name", JSON_REQUIRED, &name, err);
		if (r < 0)
			return r;
		container = xasprintf("container %s", name);
		r = append_one(&item, "  ", container, now_ms, out, err);
	}
	return r;
}

/* It runs as it should, or it has ended and only waits to be cleaned up. */
static bool is_settled(const struct json_at *at)
{
	const char *known, *desired, *reported;

	return json_get_string(at, "Known", JSON_REQUIRED, &known, NULL) == 0 &&
	       json_get_string(at, "Desired", JSON_REQUIRED, &desired, NULL) == 0 &&
	       json_get_string(at, "Reported", JSON_REQUIRED, &reported, NULL) == 0 &&
	       str_eq(known, desired) && str_eq(known, reported);
}

static bool is_named(const char *arn, const char *id, const char *name)
{
	return str_eq(arn, name) || str_starts_with(id, name);
}

int why_text(const char *body, size_t size, const char *name, int64_t now_ms, struct strbuf *out,
	     struct error *err)
{
	const struct json_limits limits = { .size = (size_t)16 << 20 };
	_cleanup_json_ json_t *value = NULL;
	struct json_at root, list = { .value = NULL };
	size_t found = 0;
	int r = json_parse(body, size, &limits, &value, err);

	if (r == 0) {
		root = json_root(value);
		r = json_expect_object(&root, err);
	}
	if (r == 0)
		r = json_get_array(&root, "Tasks", JSON_REQUIRED, TASKS_MAX, &list, err);
	for (size_t i = 0; r == 0 && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);
		const char *arn = "", *slash, *id;

		r = json_expect_object(&item, err);
		if (r == 0)
			r = json_get_string(&item, "Arn", JSON_REQUIRED, &arn, err);
		if (r < 0)
			return r;
		slash = strrchr(arn, '/');
		id = slash ? slash + 1 : arn;
		if (name ? !is_named(arn, id, name) : is_settled(&item))
			continue;
		if (name && found++ > 0)
			return error_say(err, EEXIST,
					 "more than one task begins with %s: give more of its id",
					 name);
		r = append_task(&item, id, now_ms, out, err);
	}
	if (r == 0 && name && found == 0)
		return error_say(err, ENOENT, "this agent knows no task %s", name);
	return r;
}
