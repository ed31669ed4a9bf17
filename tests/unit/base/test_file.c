/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"

struct place {
	char *path;
	int fd;
};

static int set_up(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));

	place->path = make_test_directory();
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return place->fd < 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	assert_ok(file_remove_tree(AT_FDCWD, place->path, why));
	assert_int_not_equal(access(place->path, F_OK), 0);
	close(place->fd);
	free(place->path);
	free(place);
	return 0;
}

static void write_text(struct place *place, const char *name, const char *text)
{
	assert_ok(file_write_atomic(place->fd, name, text, strlen(text), 0644, false, why));
}

static int entries(struct place *place)
{
	_cleanup_closedir_ DIR *dir = opendir(place->path);
	int count = -2;

	while (readdir(dir))
		count++;
	return count;
}

static void what_is_written_is_read(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *text = NULL;
	struct stat info;
	size_t size;

	assert_ok(file_write_atomic(place->fd, "f", "one\0two", 7, 0640, true, why));
	assert_ok(file_read(place->fd, "f", 7, &text, &size, why));
	assert_int_equal(size, 7);
	assert_memory_equal(text, "one\0two", 8);
	assert_int_equal(fstatat(place->fd, "f", &info, 0), 0);
	assert_int_equal(info.st_mode & 07777, 0640);
	assert_int_equal(entries(place), 1);
}

static void replacing_is_one_step(void **state)
{
	struct place *place = *state;
	_cleanup_close_ int old = -1;
	_cleanup_free_ char *text = NULL;
	char kept[8] = "";

	write_text(place, "f", "old");
	old = openat(place->fd, "f", O_RDONLY | O_CLOEXEC);
	write_text(place, "f", "newer");
	assert_int_equal(read(old, kept, sizeof(kept)), 3);
	assert_string_equal(kept, "old");
	assert_ok(file_read(place->fd, "f", 100, &text, NULL, why));
	assert_string_equal(text, "newer");
}

static void a_failed_replacement_leaves_nothing(void **state)
{
	struct place *place = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(mkdirat(place->fd, "d", 0755), 0);
	assert_int_equal(file_write_atomic(place->fd, "d", "x", 1, 0644, true, &err), -EISDIR);
	assert_contains(err.text, "rename d.");
	assert_int_equal(entries(place), 1);
	assert_int_equal(file_write_atomic(place->fd, "no/f", "x", 1, 0644, true, &err), -ENOENT);
}

static void reading_is_bounded_and_takes_only_files(void **state)
{
	struct place *place = *state;
	char *untouched = NULL;
	struct error err = ERROR_INIT;

	write_text(place, "f", "12345");
	assert_int_equal(file_read(place->fd, "f", 4, &untouched, NULL, &err), -EFBIG);
	assert_string_equal(err.text, "read f: 5 bytes, at most 4 are taken");
	assert_int_equal(file_read(place->fd, ".", 4, &untouched, NULL, &err), -EINVAL);
	assert_int_equal(mkfifoat(place->fd, "fifo", 0600), 0);
	assert_int_equal(file_read(place->fd, "fifo", 4, &untouched, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "read fifo: it is not a regular file");
	assert_int_equal(file_read(place->fd, "none", 4, &untouched, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "open none: No such file or directory");
	assert_null(untouched);
}

static void files_that_do_not_know_their_size_are_read(void **state)
{
	_cleanup_free_ char *text = NULL;
	char *untouched = NULL;

	assert_ok(file_read(AT_FDCWD, "/proc/self/status", 1 << 20, &text, NULL, why));
	assert_contains(text, "Pid:");
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", 10, &untouched, NULL, NULL),
			 -EFBIG);
}

static void parents_are_made(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *deep = xasprintf("%s/a/b//c/", place->path);
	_cleanup_free_ char *through_file = xasprintf("%s/f/x", place->path);
	struct error err = ERROR_INIT;
	struct stat info;

	assert_ok(file_mkdirs(deep, 0755, why));
	assert_ok(file_mkdirs(deep, 0755, why));
	assert_int_equal(stat(deep, &info), 0);
	write_text(place, "f", "x");
	assert_int_equal(file_mkdirs(through_file, 0755, &err), -ENOTDIR);
	through_file[strlen(through_file) - 2] = '\0';
	assert_int_equal(file_mkdirs(through_file, 0755, &err), -ENOTDIR);
}

static void removing_follows_no_link(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *tree = xasprintf("%s/tree/deep", place->path);

	assert_ok(file_mkdirs(tree, 0755, why));
	write_text(place, "kept", "x");
	assert_int_equal(symlinkat("../..", place->fd, "tree/deep/up"), 0);
	assert_int_equal(symlinkat(place->path, place->fd, "tree/absolute"), 0);
	assert_int_equal(symlinkat("kept", place->fd, "link"), 0);
	assert_ok(file_remove_tree(place->fd, "tree", why));
	assert_ok(file_remove_tree(place->fd, "link", why));
	assert_ok(file_remove_tree(place->fd, "link", why));
	assert_int_equal(entries(place), 1);
	assert_int_equal(faccessat(place->fd, "kept", F_OK, 0), 0);
}

static void a_path_from_outside_stays_inside(void **state)
{
	struct place *place = *state;
	struct error err = ERROR_INIT;
	int fd = -1;

	assert_int_equal(mkdirat(place->fd, "etc", 0755), 0);
	write_text(place, "etc/passwd", "inside");
	assert_int_equal(symlinkat("/etc/passwd", place->fd, "absolute"), 0);
	assert_int_equal(symlinkat("../../../../../../../etc/passwd", place->fd, "up"), 0);
	assert_int_equal(symlinkat("/proc/self/root/etc/passwd", place->fd, "magic"), 0);
	for (const char *const *path = (const char *const[]){ "absolute", "up", "/etc/passwd",
							      "../../etc/passwd", NULL };
	     *path; path++) {
		char text[7] = "";

		assert_ok(file_open_in_root(place->fd, *path, O_RDONLY, 0, &fd, why));
		assert_int_equal(read(fd, text, 6), 6);
		assert_string_equal(text, "inside");
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
	assert_int_equal(file_open_in_root(place->fd, "magic", O_RDONLY, 0, &fd, &err), -ENOENT);
	assert_ok(file_open_in_root(place->fd, "etc/new", O_WRONLY | O_CREAT, 0600, &fd, why));
	close(fd);
}

/* Its owner has ended; a child that it was starting has the lock for some milliseconds more. */
static void a_lock_that_a_dead_owner_left_is_waited_for(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *path = xasprintf("%s/orphan", place->path);
	int fd = -1, status;
	pid_t owner = fork();

	if (owner == 0) {
		if (file_lock(path, &fd, NULL) < 0)
			_exit(1);
		if (fork() == 0)
			usleep(50000);
		_exit(0);
	}
	assert_int_equal(waitpid(owner, &status, 0), owner);
	assert_int_equal(status, 0);
	assert_ok(file_lock(path, &fd, why));
	close(fd);
}

static void a_lock_has_one_holder_and_says_who(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *path = xasprintf("%s/lock", place->path);
	_cleanup_free_ char *pid = xasprintf("the process with pid %d holds it", (int)getpid());
	struct error err = ERROR_INIT;
	int fd = -1, other = -1;

	assert_ok(file_lock(path, &fd, why));
	assert_int_equal(file_lock(path, &other, &err), -EWOULDBLOCK);
	assert_contains(err.text, pid);
	assert_int_equal(other, -1);
	close(fd);
	assert_ok(file_lock(path, &fd, why));
	close(fd);
}

static void knobs_are_never_made(void **state)
{
	struct place *place = *state;

	write_text(place, "knob", "0");
	assert_ok(file_write_knob(place->fd, "knob", "1", why));
	assert_int_equal(file_write_knob(place->fd, "none", "1", NULL), -ENOENT);
	assert_int_equal(entries(place), 1);
}

int main(void)
{
#define in_a_directory(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		in_a_directory(what_is_written_is_read),
		in_a_directory(replacing_is_one_step),
		in_a_directory(a_failed_replacement_leaves_nothing),
		in_a_directory(reading_is_bounded_and_takes_only_files),
		cmocka_unit_test(files_that_do_not_know_their_size_are_read),
		in_a_directory(parents_are_made),
		in_a_directory(removing_follows_no_link),
		in_a_directory(a_path_from_outside_stays_inside),
		in_a_directory(a_lock_has_one_holder_and_says_who),
		in_a_directory(a_lock_that_a_dead_owner_left_is_waited_for),
		in_a_directory(knobs_are_never_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
