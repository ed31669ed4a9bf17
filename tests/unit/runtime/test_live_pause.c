/* SPDX-License-Identifier: Apache-2.0 */
/* The pause container, a real one. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "live.h"
#include "runtime/pause.h"

#define PROGRAM BERTH_BINARY_DIR "/berth-pause"

static struct cgroup_host cgroups;
static struct loop *loop;
static char *top, *group;

static struct pause_spec spec_of(void)
{
	return (struct pause_spec){
		.program = PROGRAM,
		.hostname = "ip-10-0-0-7",
		.netns_fd = -1,
		.cgroup_host = &cgroups,
		.cgroup_path = group,
		.oom_score_adj = 100,
	};
}

static struct pause_process start(const struct pause_spec *spec)
{
	struct pause_process process;
	struct error err = ERROR_INIT;

	if (pause_start_now(spec, &process, &err) < 0)
		fail_msg("%s", err.text);
	return process;
}

static void stop(struct pause_process *process)
{
	struct error err = ERROR_INIT;

	if (pause_stop_now(process, &cgroups, group, &err) < 0)
		fail_msg("%s", err.text);
	close(process->pidfd);
}

static char *read_proc(pid_t pid, const char *name)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/%s", (int)pid, name);
	char *text = NULL;

	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, NULL, NULL), 0);
	return text;
}

/* "net:[4026531840]" */
static char *namespace_of(pid_t pid, const char *type)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/ns/%s", (int)pid, type);
	char link[64];
	ssize_t length = readlink(path, link, sizeof(link) - 1);

	assert_true(length > 0);
	link[length] = '\0';
	return xstrdup(link);
}

static void wait_dead(pid_t pid)
{
	int64_t until = clock_monotonic_ms() + 60000;

	while (kill(pid, 0) == 0) {
		if (clock_monotonic_ms() > until)
			fail_msg("process %d lives", (int)pid);
		usleep(500);
	}
}

static void it_is_a_container_in_every_respect(void **state)
{
	(void)state;
	static const char *const types[] = { "net", "ipc", "uts", "pid", "mnt" };
	static const char *const none[] = { "CapInh:\t0000000000000000",
					    "CapPrm:\t0000000000000000",
					    "CapEff:\t0000000000000000",
					    "CapBnd:\t0000000000000000",
					    "NoNewPrivs:\t1",
					    "Seccomp:\t2",
					    "Uid:\t65534" };
	const struct pause_spec spec = spec_of();
	struct pause_process process = start(&spec);
	_cleanup_free_ char *status = read_proc(process.pid, "status");
	int64_t until = clock_monotonic_ms() + 60000;
	_cleanup_free_ char *cgroup = read_proc(process.pid, "cgroup");
	_cleanup_free_ char *score = read_proc(process.pid, "oom_score_adj");
	_cleanup_free_ char *mounts = read_proc(process.pid, "mounts");
	_cleanup_free_ char *root = xasprintf("/proc/%d/root", (int)process.pid);
	_cleanup_free_ char *fds = xasprintf("/proc/%d/fd", (int)process.pid);
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	int open_fds = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		_cleanup_free_ char *its = namespace_of(process.pid, types[i]);
		_cleanup_free_ char *ours = namespace_of(getpid(), types[i]);

		assert_string_not_equal(its, ours);
	}
	/* The filter is its own first act, after the exec that we waited for. */
	while (!strstr(status, "Seccomp:\t2") && clock_monotonic_ms() < until) {
		free(status);
		status = read_proc(process.pid, "status");
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (!strstr(status, none[i]))
			fail_msg("no \"%s\" in its status", none[i]);
	}
	assert_non_null(strstr(cgroup, group));
	assert_string_equal(score, "100\n");
	/* One mount: an empty root that is read-only. */
	assert_int_equal(strspn(strchr(mounts, '\n') + 1, "\n"), 0);
	assert_string_equal(strchr(mounts, '\n'), "\n");
	assert_non_null(strstr(mounts, " / tmpfs ro,"));
	dir = opendir(root);
	while ((entry = readdir(dir)))
		assert_true(str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."));
	closedir(dir);
	/* Standard streams, on /dev/null. */
	dir = opendir(fds);
	while ((entry = readdir(dir)))
		open_fds += entry->d_name[0] != '.';
	assert_int_equal(open_fds, 3);
	stop(&process);
	wait_dead(process.pid);
}

/* The hostname is that of the uts namespace, seen by who joins it. */
static void its_uts_namespace_has_the_host_name(void **state)
{
	(void)state;
	const struct pause_spec spec = spec_of();
	struct pause_process process = start(&spec);
	_cleanup_free_ char *path = xasprintf("/proc/%d/ns/uts", (int)process.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC), status;
	pid_t child = fork();

	if (child == 0) {
		char name[65] = "";

		if (setns(fd, CLONE_NEWUTS) < 0 || gethostname(name, sizeof(name)) < 0)
			_exit(2);
		_exit(strcmp(name, "ip-10-0-0-7") == 0 ? 0 : 1);
	}
	close(fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	stop(&process);
}

/* A network namespace that was made before is joined, by its path. */
static void it_joins_a_named_network_namespace(void **state)
{
	(void)state;
	struct pause_spec spec = spec_of();
	char path[] = "/tmp/berth-netns-XXXXXX";
	int fd = mkstemp(path), pipe_fds[2], status;
	struct pause_process process;
	struct stat by_path, by_process;
	_cleanup_free_ char *proc_path = NULL;
	pid_t child;

	close(fd);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNET) < 0 ||
		    mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	spec.netns_path = path;
	process = start(&spec);
	proc_path = xasprintf("/proc/%d/ns/net", (int)process.pid);
	assert_int_equal(stat(path, &by_path), 0);
	assert_int_equal(stat(proc_path, &by_process), 0);
	assert_int_equal(by_path.st_ino, by_process.st_ino);
	stop(&process);

	/* By descriptor too. */
	spec.netns_path = NULL;
	spec.netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	process = start(&spec);
	free(proc_path);
	proc_path = xasprintf("/proc/%d/ns/net", (int)process.pid);
	assert_int_equal(stat(proc_path, &by_process), 0);
	assert_int_equal(by_path.st_ino, by_process.st_ino);
	stop(&process);
	close(spec.netns_fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	umount2(path, MNT_DETACH);
	unlink(path);
}

static void it_ends_on_sigterm(void **state)
{
	(void)state;
	const struct pause_spec spec = spec_of();
	struct pause_process process = start(&spec);
	siginfo_t info;

	assert_int_equal(kill(process.pid, SIGTERM), 0);
	assert_int_equal(waitid(P_PIDFD, (id_t)process.pidfd, &info, WEXITED | __WALL), 0);
	assert_int_equal(info.si_code, CLD_EXITED);
	assert_int_equal(info.si_status, 0);
	/* Stopping what is dead is no error. */
	stop(&process);
}

/* What is left to it as first process of the pid namespace does not stay a zombie. */
static void it_reaps_what_is_left_to_it(void **state)
{
	(void)state;
	const struct pause_spec spec = spec_of();
	struct pause_process process = start(&spec);
	_cleanup_free_ char *path = xasprintf("/proc/%d/ns/pid", (int)process.pid);
	_cleanup_free_ char *children_path =
		xasprintf("/proc/%d/task/%d/children", (int)process.pid, (int)process.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC), status, pipe_fds[2];
	int64_t until = clock_monotonic_ms() + 60000;
	pid_t middle = 0, orphan = 0;
	siginfo_t info;

	/* A process in the namespace, whose child outlives it. */
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	middle = fork();
	if (middle == 0) {
		if (setns(fd, CLONE_NEWPID) < 0)
			_exit(1);
		orphan = fork();
		if (orphan == 0) {
			if (fork() == 0) {
				/* Waits until its parent is gone, then ends. */
				char byte;

				close(pipe_fds[1]);
				_exit(read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
			}
			_exit(0);
		}
		waitpid(orphan, NULL, 0);
		_exit(0);
	}
	close(fd);
	assert_int_equal(waitpid(middle, &status, 0), middle);
	assert_int_equal(status, 0);
	close(pipe_fds[1]);
	close(pipe_fds[0]);
	for (;;) {
		_cleanup_free_ char *children = NULL;

		assert_int_equal(file_read(AT_FDCWD, children_path, 4096, &children, NULL, NULL),
				 0);
		if (!*children)
			break;
		if (clock_monotonic_ms() > until)
			fail_msg("children of the pause: %s", children);
		usleep(500);
	}
	assert_int_equal(waitid(P_PIDFD, (id_t)process.pidfd, &info, WEXITED | WNOHANG | __WALL),
			 0);
	stop(&process);
}

static void on_death(void *data, pid_t pid)
{
	*(pid_t *)data = pid;
}

static void its_death_is_seen_and_it_is_found_again(void **state)
{
	(void)state;
	const struct pause_spec spec = spec_of();
	struct pause_process process = start(&spec), found;
	struct pause_watch *watch;
	struct error err = ERROR_INIT;
	pid_t dead = 0;
	int64_t until = clock_monotonic_ms() + 60000;

	/* As after a restart: by its cgroup alone. */
	assert_int_equal(pause_observe(&cgroups, group, &found, &err), 0);
	assert_int_equal(found.pid, process.pid);
	assert_int_equal(found.start_time, process.start_time);
	assert_int_equal(pause_watch(loop, &found, on_death, &dead, &watch, NULL), 0);
	loop_run_once(loop, false);
	assert_int_equal(dead, 0);
	kill(process.pid, SIGKILL);
	while (!dead && clock_monotonic_ms() < until)
		loop_run_once(loop, false);
	assert_int_equal(dead, process.pid);
	pause_unwatch(watch);
	wait_dead(process.pid);
	close(found.pidfd);
	found.pidfd = -1;
	assert_int_equal(pause_observe(&cgroups, group, &found, &err), -ENOENT);
	stop(&process);
}

struct done {
	bool done;
	int result;
	struct pause_process process;
	struct error err;
};

static void on_started(void *data, int result, const struct pause_process *process,
		       const struct error *err)
{
	struct done *done = data;

	done->done = true;
	done->result = result;
	if (process)
		done->process = *process;
	done->err = *err;
}

static void on_stopped(void *data, int result, const struct error *err)
{
	struct done *done = data;

	done->done = true;
	done->result = result;
	done->err = *err;
}

static void it_starts_and_stops_on_the_pool(void **state)
{
	(void)state;
	struct pause_spec spec = spec_of();
	struct done done = { 0 };

	assert_int_equal(pause_start(loop, &spec, on_started, &done, NULL), 0);
	live_wait(loop, &done.done);
	assert_int_equal(done.result, 0);
	done.done = false;
	assert_int_equal(pause_stop(loop, &done.process, &cgroups, group, on_stopped, &done, NULL),
			 0);
	live_wait(loop, &done.done);
	assert_int_equal(done.result, 0);
	close(done.process.pidfd);
}

/* A failure in the child is told with its step, and leaves nothing. */
static void failures_are_told_and_leave_nothing(void **state)
{
	(void)state;
	struct pause_spec spec = spec_of();
	struct pause_process process;
	struct error err = ERROR_INIT;
	_cleanup_str_list_ struct str_list left = STR_LIST_INIT;

	_cleanup_free_ char *text = xasprintf("/tmp/berth-%s", top + 1);

	assert_int_equal(file_write_atomic(AT_FDCWD, text, "text", 4, 0755, false, NULL), 0);
	spec.program = text;
	assert_int_equal(pause_start_now(&spec, &process, &err), -ENOEXEC);
	unlink(text);
	assert_non_null(strstr(err.text, "execute the pause program"));
	spec = spec_of();
	spec.netns_path = "/nonexistent/netns";
	assert_int_equal(pause_start_now(&spec, &process, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/netns"));
	spec.netns_path = "/etc/hostname";
	assert_int_equal(pause_start_now(&spec, &process, &err), -EINVAL);
	assert_non_null(strstr(err.text, "join the network namespace"));
	assert_int_equal(cgroup_children(&cgroups, top, &left, NULL), 0);
	assert_int_equal(left.count, 0);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static void it_costs_little(void **state)
{
	(void)state;
	enum { N = 20 };
	double start_ms[N], stop_ms[N], pss = 0;

	for (size_t i = 0; i < N; i++) {
		const struct pause_spec spec = spec_of();
		int64_t begin = clock_monotonic_ns();
		struct pause_process process = start(&spec);

		start_ms[i] = (double)(clock_monotonic_ns() - begin) / 1e6;
		if (i == N - 1) {
			_cleanup_free_ char *text = read_proc(process.pid, "smaps_rollup");

			pss = strtod(strstr(text, "\nPss:") + 5, NULL);
		}
		begin = clock_monotonic_ns();
		stop(&process);
		stop_ms[i] = (double)(clock_monotonic_ns() - begin) / 1e6;
	}
	qsort(start_ms, N, sizeof(double), compare);
	qsort(stop_ms, N, sizeof(double), compare);
	printf("pause: start %.2f ms, stop with cgroup %.2f ms (medians of %d), PSS %.0f kB\n",
	       start_ms[N / 2], stop_ms[N / 2], N, pss);
	assert_true(pss > 0 && pss < 100);
}

static int set_up(void **state)
{
	(void)state;
	char unique[9];

	random_hex(unique, 4);
	top = xasprintf("/berth-test-%s", unique);
	group = xasprintf("%s/pause", top);
	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(cgroup_host_detect(&cgroups, NULL), 0);
	return cgroup_create(&cgroups, top, NULL, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	_cleanup_str_list_ struct str_list left = STR_LIST_INIT;
	int result = cgroup_children(&cgroups, top, &left, NULL);

	assert_int_equal(left.count, 0);
	if (result == 0)
		result = cgroup_remove(&cgroups, top, 1000, NULL);
	cgroup_host_free(&cgroups);
	loop_free(loop);
	free(top);
	free(group);
	return result;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_container_in_every_respect),
		cmocka_unit_test(its_uts_namespace_has_the_host_name),
		cmocka_unit_test(it_joins_a_named_network_namespace),
		cmocka_unit_test(it_ends_on_sigterm),
		cmocka_unit_test(it_reaps_what_is_left_to_it),
		cmocka_unit_test(its_death_is_seen_and_it_is_found_again),
		cmocka_unit_test(it_starts_and_stops_on_the_pool),
		cmocka_unit_test(failures_are_told_and_leave_nothing),
		cmocka_unit_test(it_costs_little),
	};

	live_need((const char *const[]){ PROGRAM, NULL });
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
