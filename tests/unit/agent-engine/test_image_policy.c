/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/engine/image_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/strbuf.h"

#define NOW    1000000
#define MANY   16
#define MINUTE 60000

struct image {
	const char *id;
	const char *names;     /* with commas between them */
	int64_t pulled_ago_ms; /* before NOW */
	int64_t used_ago_ms;
};

/* A whole pass: what is removed, in this order. */
struct pass {
	const char *rule;
	struct image images[MANY];
	int64_t limit, minimum_age_ms, full_percent;
	const char *needed, *excluded; /* with commas between them */
	const char *cannot;            /* ids whose removal fails */
	double disk[MANY];             /* before the first removal, after it, ... */
	const char *removed;
};

static struct map *set_of(const char *text)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;
	struct map *set = map_new();

	str_list_split(&list, text ? text : "", ',', false);
	for (size_t i = 0; i < list.count; i++)
		map_set(set, list.items[i], set);
	return set;
}

static void run(const struct pass *pass)
{
	struct map *needed = set_of(pass->needed), *excluded = set_of(pass->excluded);
	struct map *cannot = set_of(pass->cannot), *skipped = map_new();
	const struct image_policy policy = {
		.limit = pass->limit,
		.minimum_age_ms = pass->minimum_age_ms,
		.disk_percent = pass->full_percent,
		.excluded = excluded,
	};
	struct image_situation situation = {
		.now_ms = NOW,
		.needed = needed,
		.skipped = skipped,
		.disk_percent = pass->disk[0],
	};
	struct str_list names[MANY] = { 0 };
	struct image_facts images[MANY];
	const struct image_facts *next;
	_cleanup_strbuf_ struct strbuf order = STRBUF_INIT;
	size_t count = 0, steps = 0;

	for (; count < MANY && pass->images[count].id; count++) {
		const struct image *image = &pass->images[count];

		str_list_split(&names[count], image->names ? image->names : "", ',', false);
		images[count] = (struct image_facts){
			.id = image->id,
			.names = &names[count],
			.pulled_at_ms = NOW - image->pulled_ago_ms,
			.last_used_at_ms = NOW - image->used_ago_ms,
		};
	}
	size_t left = count;

	while ((next = image_policy_next(&policy, &situation, images, left))) {
		assert_true(++steps <= 2 * MANY);
		if (map_get(cannot, next->id)) {
			map_set(skipped, next->id, skipped);
			continue;
		}
		strbuf_appendf(&order, "%s%s", order.length ? "," : "", next->id);
		images[next - images] = images[--left];
		situation.removed++;
		situation.disk_percent = pass->disk[situation.removed];
	}
	if (!str_eq(strbuf_text(&order), pass->removed))
		fail_msg("%s: removed %s, not %s", pass->rule, strbuf_text(&order), pass->removed);
	for (size_t i = 0; i < count; i++)
		str_list_free(&names[i]);
	map_free(needed);
	map_free(excluded);
	map_free(cannot);
	map_free(skipped);
}

static const struct pass passes[] = {
	{ .rule = "nothing is there", .limit = 5, .removed = "" },
	{ .rule = "the least recently used goes first, whatever was pulled first",
	  .images = { { "a", "r/a:1", 9, 5 }, { "b", "r/b:1", 8, 7 }, { "c", "r/c:1", 7, 6 } },
	  .limit = 5,
	  .removed = "b,c,a" },
	{ .rule = "of those used at the same time, what was pulled first",
	  .images = { { "a", "r/a:1", 5, 5 }, { "b", "r/b:1", 9, 5 }, { "c", "r/c:1", 7, 5 } },
	  .limit = 5,
	  .removed = "b,c,a" },
	{ .rule = "and then by id",
	  .images = { { "b", "r/b:1", 5, 5 }, { "c", "r/c:1", 5, 5 }, { "a", "r/a:1", 5, 5 } },
	  .limit = 5,
	  .removed = "a,b,c" },
	{ .rule = "eng-88: five of six unused images, least recently used first; the used one "
		  "stays",
	  .images = { { "a", "r/a:1", 90, 30 },
		      { "used", "r/used:1", 99, 99 },
		      { "b", "r/b:1", 80, 80 },
		      { "c", "r/c:1", 70, 20 },
		      { "d", "r/d:1", 60, 60 },
		      { "e", "r/e:1", 50, 10 },
		      { "f", "r/f:1", 40, 40 } },
	  .limit = 5,
	  .needed = "used",
	  .removed = "b,d,f,a,c" },
	{ .rule = "an image that a task names is used before it is known which it is",
	  .images = { { "a", "r/a:1,r/b:1", 9, 9 }, { "b", "r/c:1", 8, 8 } },
	  .limit = 5,
	  .needed = "r/b:1",
	  .removed = "b" },
	{ .rule = "an excluded image stays, by any of its names, exactly",
	  .images = { { "a", "r/a:1,r/b:1", 9, 9 }, { "b", "r/b:10", 8, 8 }, { "c", "r/b", 7, 7 } },
	  .limit = 5,
	  .excluded = "r/b:1",
	  .removed = "b,c" },
	{ .rule = "an image without a name goes as well",
	  .images = { { "a", NULL, 9, 9 } },
	  .limit = 5,
	  .excluded = "r/b:1",
	  .removed = "a" },
	{ .rule = "what is younger than the minimum age stays, and what is just as old",
	  .images = { { "a", "r/a:1", MINUTE - 1, 9 },
		      { "b", "r/b:1", MINUTE, 9 },
		      { "c", "r/c:1", MINUTE + 1, 1 } },
	  .limit = 5,
	  .minimum_age_ms = MINUTE,
	  .removed = "c" },
	{ .rule = "what seems to come from the future, the clock having stepped, is young",
	  .images = { { "a", "r/a:1", -5, -5 } },
	  .limit = 5,
	  .removed = "" },
	{ .rule = "what cannot be removed is passed over, and does not count",
	  .images = { { "a", "r/a:1", 9, 9 },
		      { "b", "r/b:1", 8, 8 },
		      { "c", "r/c:1", 7, 7 },
		      { "d", "r/d:1", 6, 6 } },
	  .limit = 2,
	  .cannot = "a,c",
	  .removed = "b,d" },
	{ .rule = "on a full disk neither age nor number counts, until it is not full any more",
	  .images = { { "a", "r/a:1", 9, 9 },
		      { "b", "r/b:1", 8, 8 },
		      { "c", "r/c:1", 7, 7 },
		      { "d", "r/d:1", 6, 6 } },
	  .limit = 1,
	  .minimum_age_ms = MINUTE,
	  .full_percent = 85,
	  .disk = { 95, 90, 85.1, 85, 84 },
	  .removed = "a,b,c" },
	{ .rule = "a full disk spares what is used or excluded",
	  .images = { { "a", "r/a:1", 9, 9 }, { "b", "r/b:1", 8, 8 }, { "c", "r/c:1", 7, 7 } },
	  .limit = 1,
	  .full_percent = 85,
	  .needed = "a",
	  .excluded = "r/c:1",
	  .disk = { 99, 99, 99, 99 },
	  .removed = "b" },
	{ .rule = "what cannot be removed is passed over on a full disk, too",
	  .images = { { "a", "r/a:1", 9, 9 }, { "b", "r/b:1", 8, 8 } },
	  .limit = 1,
	  .full_percent = 85,
	  .cannot = "a",
	  .disk = { 99, 99 },
	  .removed = "b" },
	{ .rule = "what a full disk has cost counts when it is not full any more",
	  .images = { { "a", "r/a:1", 9, 9 }, { "b", "r/b:1", 8, 8 }, { "c", "r/c:1", 7, 7 } },
	  .limit = 2,
	  .full_percent = 85,
	  .disk = { 99, 50, 50, 50 },
	  .removed = "a,b" },
	{ .rule = "while it is not known how full the disk is, it is not",
	  .images = { { "a", "r/a:1", 9, 9 }, { "b", "r/b:1", 8, 8 } },
	  .limit = 1,
	  .full_percent = 85,
	  .disk = { -1, -1 },
	  .removed = "a" },
	{ .rule = "0 percent: the disk does not matter",
	  .images = { { "a", "r/a:1", 9, 9 }, { "b", "r/b:1", 8, 8 } },
	  .limit = 1,
	  .disk = { 100, 100 },
	  .removed = "a" },
};

static void a_pass_removes_what_nobody_needs(void **state)
{
	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++)
		run(&passes[i]);
}

/* ---- images that nothing is known of */

static void untracked_images_go_by_size_within_the_limit(void **state)
{
	static const struct image_name_facts names[] = {
		{ "r/huge:1", 9000 },  { "r/big:1", 900 },    { "r/small:1", 100 },
		{ "r/middle:2", 500 }, { "r/middle:1", 500 }, { "r/kept:1", 1 },
		{ "r/task:1", 2 },
	};
	struct map *needed = set_of("r/task:1"), *excluded = set_of("r/kept:1");
	struct map *skipped = map_new();
	const struct image_policy policy = { .limit = 4, .excluded = excluded, .disk_percent = 85 };
	struct image_situation situation = {
		.removed = 1, .needed = needed, .skipped = skipped, .disk_percent = 99
	};
	_cleanup_strbuf_ struct strbuf order = STRBUF_INIT;
	const struct image_name_facts *next;

	while ((next = image_policy_next_untracked(&policy, &situation, names,
						   sizeof(names) / sizeof(names[0])))) {
		strbuf_appendf(&order, "%s ", next->name);
		/* Gone or not, it is not asked for again; one of them could not be removed. */
		map_set(skipped, next->name, skipped);
		situation.removed += !str_eq(next->name, "r/middle:1");
	}
	/* The disk is full, and makes no difference. */
	assert_string_equal(strbuf_text(&order), "r/small:1 r/middle:1 r/middle:2 r/big:1 ");
	map_free(needed);
	map_free(excluded);
	map_free(skipped);
}

static void untracked_images_have_an_age_of_their_own(void **state)
{
	struct map *needed = set_of("sha256:tracked,r/needed:1");
	const struct image_policy policy = { .minimum_age_ms = 0,
					     .untracked_minimum_age_ms = MINUTE };
	const struct image_situation situation = { .now_ms = NOW, .needed = needed };
	static const struct {
		const char *name, *id;
		int64_t created_at_ms;
		bool goes;
	} cases[] = {
		{ "r/a:1", "sha256:a", NOW - MINUTE, false },
		{ "r/a:1", "sha256:a", NOW - MINUTE - 1, true },
		{ "r/a:1", "sha256:a", NOW + 5, false },
		{ "r/a:1", "sha256:a", 0, true }, /* not said */
		/* Another name of an image that is tracked. */
		{ "r/a:1", "sha256:tracked", 0, false },
		/* A task has come since it was looked at. */
		{ "r/needed:1", "sha256:a", 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(image_policy_takes_untracked(&policy, &situation, cases[i].name,
							      cases[i].id, cases[i].created_at_ms),
				 cases[i].goes);
	map_free(needed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pass_removes_what_nobody_needs),
		cmocka_unit_test(untracked_images_go_by_size_within_the_limit),
		cmocka_unit_test(untracked_images_have_an_age_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
