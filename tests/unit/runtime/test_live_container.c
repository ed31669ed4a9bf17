/* SPDX-License-Identifier: Apache-2.0 */
/* Real containers, with each OCI runtime of this host. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "live.h"
#include "runtime/container_record.h"

static struct live live;

#define ARGS(...)  ((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) ARGS("/bin/sh", "-c", script)

static void wait_for_monitors_end(const struct live_container *container)
{
	int64_t until = clock_monotonic_ms() + 60000;
	struct container_observation seen;

	do {
		assert_int_equal(container_observe(container->state, &seen, NULL), 0);
	} while (seen.monitor_lives && clock_monotonic_ms() < until);
	assert_false(seen.monitor_lives);
}

static void send_as_monitor(const char *message)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/monitors.sock", live.dir);
	assert_int_equal(sendto(fd, message, strlen(message), 0, (struct sockaddr *)&address,
				sizeof(address)),
			 strlen(message));
	close(fd);
}

static void started_second_way(void *data, int result, int64_t started_ms, const struct error *err)
{
	struct live_container *container = data;

	container->started = true;
	container->start_result = result;
}

static void deleted_quietly(void *data, int result, const struct error *err)
{
	assert_int_equal(result, 0);
	*(bool *)data = true;
}

/* eng: exit code of the first process; both streams in the log, a last line without its end too. */
static void output_and_exit_code_are_recorded(void **state)
{
	(void)state;
	struct live_container container;
	_cleanup_free_ char *out = NULL;
	_cleanup_free_ char *err = NULL;

	live_container_init(&live, &container,
			    SH("echo one; echo two >&2; printf partial; exit 7"));
	live_run(&container);
	assert_true(container.exit.known);
	assert_int_equal(container.exit.exit_code, 7);
	assert_int_equal(container.exit.signal, 0);
	assert_false(container.exit.oom_killed);
	assert_true(container.exit.started_ms > 0);
	assert_true(container.exit.finished_ms >= container.exit.started_ms);
	out = live_log(&container, "stdout");
	err = live_log(&container, "stderr");
	assert_string_equal(out, "one\npartial");
	assert_string_equal(err, "two\n");
	live_delete(&container);
}

/* Killed by signal n gives 128 + n. */
static void death_by_signal_gives_128_and_its_number(void **state)
{
	(void)state;
	struct live_container container;
	struct container_observation seen;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	live_create(&container, false);
	assert_int_equal(container_observe(container.state, &seen, NULL), 0);
	assert_int_equal(seen.state, CONTAINER_CREATED);
	assert_int_equal(seen.pid, container.pid);
	live_start(&container);
	assert_int_equal(container_observe(container.state, &seen, NULL), 0);
	assert_int_equal(seen.state, CONTAINER_RUNNING);
	assert_true(seen.monitor_lives);
	assert_true(seen.started_ms >= seen.created_ms);

	assert_int_equal(container_kill(live.runtime, container.id, container.state, SIGKILL, NULL),
			 0);
	live_wait_exit(&container);
	assert_int_equal(container.exit.exit_code, 137);
	assert_int_equal(container.exit.signal, SIGKILL);
	assert_int_equal(container_observe(container.state, &seen, NULL), 0);
	assert_int_equal(seen.state, CONTAINER_EXITED);
	assert_int_equal(seen.exit.exit_code, 137);
	/* Dead already is no error. */
	assert_int_equal(container_kill(live.runtime, container.id, container.state, SIGTERM, NULL),
			 0);
	live_delete(&container);
}

/* A handler's own exit code counts: trap exit 42 gives 42. */
static void a_handled_signal_gives_the_handlers_code(void **state)
{
	(void)state;
	struct live_container container;
	struct stat info;
	int64_t until = clock_monotonic_ms() + 60000;

	live_container_init(&live, &container,
			    SH("trap 'exit 42' TERM; echo ready; while :; do sleep 0.01; done"));
	live_create(&container, false);
	live_start(&container);
	while ((stat(container.log, &info) < 0 || !info.st_size) && clock_monotonic_ms() < until)
		usleep(1000);
	assert_int_equal(container_kill(live.runtime, container.id, container.state, SIGTERM, NULL),
			 0);
	live_wait_exit(&container);
	assert_int_equal(container.exit.exit_code, 42);
	live_delete(&container);
}

static void a_missing_command_is_named(void **state)
{
	(void)state;
	static const char *const commands[] = { "no-such-command", "/no/such/file" };

	for (size_t i = 0; i < 2; i++) {
		struct live_container container;

		live_container_init(&live, &container, ARGS(commands[i]));
		live_create(&container, true);
		assert_int_equal(container.create_result, -ENOENT);
		assert_non_null(strstr(container.err.text, commands[i]));
		assert_non_null(strstr(container.err.text, "does not exist in the image"));
		live_delete(&container);
	}
}

static void a_command_that_is_no_program_is_named(void **state)
{
	(void)state;
	struct live_container container;

	live_container_init(&live, &container, ARGS("/etc/not-a-program"));
	live_create(&container, true);
	assert_int_equal(container.create_result, -EACCES);
	assert_non_null(strstr(container.err.text, "cannot be executed"));
	live_delete(&container);
}

/* OutOfMemoryError needs the flag, also when it is a child that was killed. */
static void oom_kills_are_recognised(void **state)
{
	(void)state;
	struct live_container container;

	live_container_init(&live, &container,
			    SH("sh -c 'x=a; while :; do x=$x$x$x$x; done'; exit 5"));
	container.config.memory_limit = 16 << 20;
	container.config.memory_swap = 16 << 20;
	live_run(&container);
	assert_true(container.exit.oom_killed);
	live_delete(&container);
}

/* The agent is gone while the container lives, and while it ends: its monitor keeps pid, log and
 * exit code. */
static void containers_outlive_the_agent(void **state)
{
	(void)state;
	struct live_container running, ending;
	struct container_observation seen;
	int64_t until = clock_monotonic_ms() + 60000;
	pid_t pid;

	live_container_init(&live, &running, ARGS("/bin/sleep", "1000"));
	live_create(&running, false);
	live_start(&running);
	live_container_init(&live, &ending, SH("sleep 0.3; exit 9"));
	live_create(&ending, false);
	live_start(&ending);
	pid = running.pid;

	container_runtime_free(live.runtime);
	live.runtime = NULL;
	do {
		assert_int_equal(container_observe(ending.state, &seen, NULL), 0);
		usleep(1000);
	} while (seen.state != CONTAINER_EXITED && clock_monotonic_ms() < until);
	assert_int_equal(seen.exit.exit_code, 9);
	assert_false(ending.exited);

	live_restart(&live);
	assert_int_equal(container_observe(running.state, &seen, NULL), 0);
	assert_int_equal(seen.state, CONTAINER_RUNNING);
	assert_int_equal(seen.pid, pid);
	assert_int_equal(container_watch(live.runtime, running.id, running.state, NULL), 0);
	assert_int_equal(container_watch(live.runtime, ending.id, ending.state, NULL), 0);
	live_wait_exit(&ending);
	assert_int_equal(ending.exit.exit_code, 9);
	assert_int_equal(ending.exits, 1);
	/* Starting what runs is no second start. */
	running.started = false;
	live_start(&running);
	assert_int_equal(container_kill(live.runtime, running.id, running.state, SIGKILL, NULL), 0);
	live_wait_exit(&running);
	assert_int_equal(running.exit.exit_code, 137);
	live_delete(&running);
	live_delete(&ending);
}

/* What the monitor says may come late, or not at all: then the end tells that there was a start. */
static void a_start_that_is_known_by_its_end_was_one(void **state)
{
	(void)state;
	_cleanup_free_ char *path = xasprintf("%s/run/monitors.sock", live.dir);
	_cleanup_free_ char *away = xasprintf("%s.away", path);
	struct live_container container;

	live_container_init(&live, &container, ARGS("/bin/sh", "-c", "exit 27"));
	live_create(&container, false);
	assert_int_equal(rename(path, away), 0);
	live_start(&container);
	live_wait_exit(&container);
	assert_int_equal(rename(away, path), 0);
	assert_int_equal(container.exit.exit_code, 27);
	live_delete(&container);
}

static void created_again(void *data, pid_t pid, const struct error *err)
{
	struct live_container *container = data;

	(void)err;
	container->pid = pid;
	container->created = true;
}

static int create_again(struct live_container *again, const struct container_create_spec *spec)
{
	int result = container_create(live.runtime, spec, created_again, again, NULL);

	if (result == 0)
		live_wait(live.loop, &again->created);
	return result;
}

/* The agent was killed within a create: the same call again takes over what the monitor made. */
static void a_second_create_finds_the_first_ones_container(void **state)
{
	(void)state;
	struct live_container container;
	pid_t pid;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	live_create(&container, false);
	pid = container.pid;
	live_restart(&live);
	container.created = false;
	{
		const struct container_create_spec spec = {
			.id = container.id,
			.bundle_dir = container.bundle,
			.state_dir = container.state,
		};
		assert_int_equal(create_again(&container, &spec), 0);
	}
	assert_int_equal(container.pid, pid);
	live_start(&container);
	live_delete(&container);
}

/* Between the runtime's create and the record the monitor was killed: what is half there is
 * removed, and made anew. */
static void a_leftover_of_the_runtime_is_replaced(void **state)
{
	(void)state;
	struct live_container container;
	int64_t until = clock_monotonic_ms() + 60000;
	pid_t first;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	live_create(&container, false);
	first = container.pid;
	container_unwatch(live.runtime, container.id);
	kill(live_state(&container).monitor, SIGKILL);
	wait_for_monitors_end(&container);
	assert_int_equal(file_remove_tree(AT_FDCWD, container.state, NULL), 0);
	container.created = false;
	live_create(&container, false);
	assert_int_not_equal(container.pid, first);
	/* Whoever inherited it has to reap it first. */
	while (kill(first, 0) == 0 && clock_monotonic_ms() < until)
		usleep(500);
	assert_int_equal(kill(first, 0), -1);
	live_start(&container);
	live_delete(&container);
}

/* The monitor cannot open the gate: the runtime's own start command is used, and the time is
 * recorded all the same. */
static void the_runtimes_own_start_is_the_second_way(void **state)
{
	(void)state;
	struct live_container container;
	struct container_observation seen;
	int64_t until = clock_monotonic_ms() + 60000;
	_cleanup_free_ char *message = NULL;
	pid_t monitor;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	live_create(&container, false);
	monitor = live_state(&container).monitor;
	assert_int_equal(kill(monitor, SIGSTOP), 0);
	assert_int_equal(container_start(live.runtime, container.id, container.state,
					 started_second_way, &container, NULL),
			 0);
	message = xasprintf("{\"id\":\"%s\",\"event\":\"start_failed\",\"error\":\"for a test\"}",
			    container.id);
	send_as_monitor(message);
	live_wait(live.loop, &container.started);
	assert_int_equal(container.start_result, 0);
	kill(monitor, SIGCONT);
	do {
		loop_run_once(live.loop, false);
		assert_int_equal(container_observe(container.state, &seen, NULL), 0);
		usleep(500);
	} while (!seen.started_ms && clock_monotonic_ms() < until);
	assert_int_equal(seen.state, CONTAINER_RUNNING);
	live_delete(&container);
}

/* What comes to the socket and is none of a monitor's messages is ignored. */
static void nonsense_at_the_socket_is_ignored(void **state)
{
	(void)state;
	static const char *const messages[] = { "",
						"x",
						"{}",
						"[]",
						"{\"id\":1}",
						"{\"id\":\"unknown\",\"event\":\"started\"}",
						"{\"id\":\"unknown\",\"event\":\"exited\"}" };

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		send_as_monitor(messages[i]);
	for (int i = 0; i < 10; i++)
		loop_run_once(live.loop, false);
}

/* When the exit is told, all output is in the log. */
static void the_log_is_complete_when_the_exit_is_told(void **state)
{
	(void)state;
	struct live_container container;
	_cleanup_free_ char *out = NULL;

	live_container_init(&live, &container, ARGS("/bin/seq", "1", "50000"));
	live_run(&container);
	out = live_log(&container, "stdout");
	assert_true(str_starts_with(out, "1\n2\n3\n"));
	assert_true(str_ends_with(out, "\n49999\n50000\n"));
	assert_int_equal(strlen(out), 288894);
	live_delete(&container);
}

/* A start of what has died meanwhile is an error, and its exit is told. */
static void a_death_before_the_start_is_told(void **state)
{
	(void)state;
	struct live_container container;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	live_create(&container, false);
	assert_int_equal(container_kill(live.runtime, container.id, container.state, SIGKILL, NULL),
			 0);
	live_wait_exit(&container);
	assert_int_equal(container.exit.exit_code, 137);
	assert_int_equal(container.exit.started_ms, 0);
	assert_int_equal(container_start(live.runtime, container.id, container.state,
					 started_second_way, &container, &container.err),
			 -ESRCH);
	live_delete(&container);
}

/* The writable layer stays when the same bundle is made again: a restart of the container. */
static void a_restart_keeps_the_writable_layer(void **state)
{
	(void)state;
	struct live_container first, second;
	_cleanup_free_ char *out = NULL;
	bool deleted = false;

	live_container_init(&live, &first, SH("echo kept > /tmp/file"));
	live_run(&first);
	live_container_init(&live, &second, SH("cat /tmp/file"));
	free(second.bundle);
	second.bundle = xstrdup(first.bundle);
	assert_int_equal(container_delete(live.runtime, first.id, first.state, deleted_quietly,
					  &deleted, NULL),
			 0);
	live_wait(live.loop, &deleted);
	live_run(&second);
	out = live_log(&second, "stdout");
	assert_string_equal(out, "kept\n");
	live_delete(&second);
	live_delete(&first);
}

/* Nobody knows the code then, and it must not be made up. */
static void a_killed_monitor_means_an_unknown_code(void **state)
{
	(void)state;
	struct live_container container;
	struct container_observation seen;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	live_create(&container, false);
	live_start(&container);
	assert_int_equal(kill(live_state(&container).monitor, SIGKILL), 0);
	wait_for_monitors_end(&container);
	assert_int_equal(container_observe(container.state, &seen, NULL), 0);
	assert_int_equal(seen.state, CONTAINER_RUNNING);
	assert_int_equal(container_kill(live.runtime, container.id, container.state, SIGKILL, NULL),
			 0);
	live_wait_exit(&container);
	assert_false(container.exit.known);
	assert_int_equal(container.exit.exit_code, -1);
	assert_int_equal(container_observe(container.state, &seen, NULL), 0);
	assert_int_equal(seen.state, CONTAINER_LOST);
	live_delete(&container);
}

/* ---- exec */

struct probe {
	bool done;
	int exit_code;
	bool timed_out;
	bool failed;
	char output[8192];
	size_t size;
};

static void probed(void *data, const struct container_exec_result *result)
{
	struct probe *probe = data;

	probe->done = true;
	probe->exit_code = result->exit_code;
	probe->timed_out = result->timed_out;
	probe->failed = result->err;
	probe->size = result->output_size;
	snprintf(probe->output, sizeof(probe->output), "%s",
		 result->err ? result->err->text : result->output);
}

static struct probe run_probe(struct live_container *container, const char *const *args,
			      int64_t timeout_ms)
{
	struct probe probe = { 0 };
	const struct container_exec_spec spec = {
		.id = container->id,
		.bundle_dir = container->bundle,
		.state_dir = container->state,
		.args = args,
		.timeout_ms = timeout_ms,
	};
	struct error err = ERROR_INIT;

	if (container_exec(live.runtime, &spec, probed, &probe, NULL, &err) < 0)
		fail_msg("%s", err.text);
	live_wait(live.loop, &probe.done);
	return probe;
}

/* A probe runs with the container's user, environment and directory; its code comes back; the
 * output is bounded. */
static void probes_run_inside(void **state)
{
	(void)state;
	struct live_container container;
	struct probe probe;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	container.config.env = ARGS("COLOUR=blue", "PATH=/bin");
	container.config.user = "web";
	container.config.cwd = "/tmp";
	/* Its number is larger than signed 64 bits. */
	container.config.rlimits =
		(struct container_rlimit[]){ { .name = "core", .soft = 0, .hard = UINT64_MAX } };
	container.config.rlimit_count = 1;
	live_create(&container, false);
	live_start(&container);

	probe = run_probe(&container, SH("echo $COLOUR $(id -u) $(pwd); echo bad >&2; exit 3"),
			  5000);
	assert_false(probe.failed);
	assert_int_equal(probe.exit_code, 3);
	assert_string_equal(probe.output, "blue 1000 /tmp\nbad\n");

	probe = run_probe(&container, ARGS("seq", "1", "5000"), 5000);
	assert_int_equal(probe.exit_code, 0);
	assert_int_equal(probe.size, 4096);

	probe = run_probe(&container, ARGS("/no/probe"), 5000);
	assert_true(probe.failed);
	assert_non_null(strstr(probe.output, "/no/probe"));
	live_delete(&container);
}

/* The time-out kills the probe, and gives -1. */
/* Also when its time is over before the runtime has started it. */
static void a_probe_that_hangs_is_killed(void **state)
{
	(void)state;
	static const int64_t timeouts_ms[] = { 300, 1 };
	struct live_container container;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	live_create(&container, false);
	live_start(&container);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ pid_t *pids = NULL;
		int64_t begin = clock_monotonic_ms();
		struct probe probe =
			run_probe(&container, ARGS("/bin/sleep", "500"), timeouts_ms[i]);
		size_t count = 0;

		assert_true(probe.timed_out);
		assert_int_equal(probe.exit_code, -1);
		/* it would sleep for 500 s */
		assert_in_range(clock_monotonic_ms() - begin, timeouts_ms[i], 60000);
		assert_int_equal(
			cgroup_processes(&live.cgroups, container.cgroup, &pids, &count, NULL), 0);
		assert_int_equal(count, 1);
		assert_int_equal(pids[0], container.pid);
	}
	live_delete(&container);
}

/* ---- a full disk */

static void no_exit_code_is_lost_to_a_full_disk(void **state)
{
	(void)state;
	struct live_container container;
	struct container_observation seen;
	_cleanup_free_ char *filler = NULL;
	_cleanup_free_ char *dir = NULL;
	int64_t until = clock_monotonic_ms() + 60000;
	char block[4096] = "x";
	int fd;

	live_container_init(&live, &container, SH("read x < /tmp/gate; exit 6"));
	assert_int_equal(file_mkdirs(container.state, 0700, NULL), 0);
	assert_int_equal(mount("tmpfs", container.state, "tmpfs", 0, "size=256k"), 0);
	/* The container waits at a fifo that we make in its root. */
	assert_int_equal(bundle_create(container.bundle, &container.config, NULL), 0);
	dir = xasprintf("%s/rootfs/tmp/gate", container.bundle);
	assert_int_equal(mkfifo(dir, 0600), 0);
	assert_int_equal(bundle_remove("/nonexistent/berth", NULL), 0);
	live_create(&container, false);
	live_start(&container);
	filler = xasprintf("%s/filler", container.state);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
	{
		_cleanup_free_ char *gate = xasprintf("/proc/%d/root/tmp/gate", (int)container.pid);

		fd = open(gate, O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		close(fd);
	}
	/* Told at once, though nothing could be written ... */
	live_wait_exit(&container);
	assert_int_equal(container.exit.exit_code, 6);
	assert_int_equal(container_observe(container.state, &seen, NULL), 0);
	assert_int_not_equal(seen.state, CONTAINER_EXITED);
	assert_true(seen.monitor_lives);
	/* ... and on the disk as soon as there is room. */
	unlink(filler);
	do {
		loop_run_once(live.loop, false);
		assert_int_equal(container_observe(container.state, &seen, NULL), 0);
		usleep(1000);
	} while ((seen.state != CONTAINER_EXITED || seen.monitor_lives) &&
		 clock_monotonic_ms() < until);
	assert_int_equal(seen.state, CONTAINER_EXITED);
	assert_int_equal(seen.exit.exit_code, 6);
	assert_int_equal(container.exits, 1);
	umount2(container.state, MNT_DETACH);
	live_delete(&container);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_exit_code_are_recorded),
		cmocka_unit_test(death_by_signal_gives_128_and_its_number),
		cmocka_unit_test(a_handled_signal_gives_the_handlers_code),
		cmocka_unit_test(a_missing_command_is_named),
		cmocka_unit_test(a_command_that_is_no_program_is_named),
		cmocka_unit_test(oom_kills_are_recognised),
		cmocka_unit_test(containers_outlive_the_agent),
		cmocka_unit_test(a_start_that_is_known_by_its_end_was_one),
		cmocka_unit_test(a_second_create_finds_the_first_ones_container),
		cmocka_unit_test(a_leftover_of_the_runtime_is_replaced),
		cmocka_unit_test(the_runtimes_own_start_is_the_second_way),
		cmocka_unit_test(nonsense_at_the_socket_is_ignored),
		cmocka_unit_test(the_log_is_complete_when_the_exit_is_told),
		cmocka_unit_test(a_death_before_the_start_is_told),
		cmocka_unit_test(a_restart_keeps_the_writable_layer),
		cmocka_unit_test(a_killed_monitor_means_an_unknown_code),
		cmocka_unit_test(probes_run_inside),
		cmocka_unit_test(a_probe_that_hangs_is_killed),
		cmocka_unit_test(no_exit_code_is_lost_to_a_full_disk),
	};

	return live_with_each_runtime(&live, tests, sizeof(tests) / sizeof(tests[0]));
}
