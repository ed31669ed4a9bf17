/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

static void zero_bytes_are_still_memory(void **state)
{
	_cleanup_free_ void *a = xmalloc(0);
	_cleanup_free_ void *b = xcalloc(0, 8);

	assert_non_null(a);
	assert_non_null(b);
}

static void copies_are_cut_and_terminated(void **state)
{
	_cleanup_free_ char *cut = xstrndup("abcdef", 3);
	_cleanup_free_ char *whole = xstrndup("ab", 30);
	_cleanup_free_ char *printed = xasprintf("%d-%s", 7, "x");

	assert_string_equal(cut, "abc");
	assert_string_equal(whole, "ab");
	assert_string_equal(printed, "7-x");
	assert_null(xstrdup_null(NULL));
}

/* As many bytes as are asked for, whatever was there before: the sanitizers look, too. */
static void lists_grow_one_by_one(void **state)
{
	_cleanup_free_ size_t *items = NULL;
	size_t *before = NULL;
	int moves = 0;

	for (size_t i = 0; i < 1000; i++) {
		items = xgrow(items, i, sizeof(*items));
		moves += items != before;
		before = items;
		items[i] = i;
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(items[i], i);
	assert_true(moves <= 12);
}

/* A product that overflows must never become a small allocation. */
static void overflow_ends_the_process(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		free(xreallocarray(NULL, SIZE_MAX / 2, 3));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void take_hands_over_and_leaves_nothing(void **state)
{
	char *text = xstrdup("mine");
	_cleanup_free_ char *taken = TAKE(text);
	int fd = 7;

	assert_null(text);
	assert_string_equal(taken, "mine");
	assert_int_equal(TAKE_FD(fd), 7);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_bytes_are_still_memory),
		cmocka_unit_test(copies_are_cut_and_terminated),
		cmocka_unit_test(lists_grow_one_by_one),
		cmocka_unit_test(overflow_ends_the_process),
		cmocka_unit_test(take_hands_over_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
