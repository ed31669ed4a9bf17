/* SPDX-License-Identifier: Apache-2.0 */
/* Images from real registries through a containerd of our own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "live.h"
#include "live_registry.h"
#include "runtime/bundle_mount.h"
#include "runtime/image.h"

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define USER      "puller"
#define PASSWORD  "geheim-42"

static struct {
	struct loop *loop;
	struct image_store *store;
	struct live_containerd containerd;
	struct live_registry plain, secure;
	char *dir, *run_dir;
} host;

static void pull(struct live_fetch *wait, const char *reference,
		 const struct registry_options *registry)
{
	live_pull_begin(wait, host.store, reference, registry, 0);
	live_wait(host.loop, &wait->done);
}

static void inspect(struct live_fetch *wait, const char *reference)
{
	*wait = (struct live_fetch){ 0 };
	assert_int_equal(image_inspect(host.store, reference, live_fetch_done, wait, NULL, NULL),
			 0);
	assert_false(wait->done);
	live_wait(host.loop, &wait->done);
}

static char *plain_name(const char *name)
{
	return xasprintf("127.0.0.1:%d/%s", host.plain.port, name);
}

static void new_store(const char *address)
{
	const struct image_store_config config = {
		.address = address ? address : host.containerd.address,
		.name_space = "test",
		.run_dir = host.run_dir,
	};

	assert_int_equal(image_store_new(host.loop, &config, &host.store, NULL), 0);
}

static void nothing_in_run_dir(void);

/* The agent was killed within a pull: its next life removes what that left. */
static void credentials_do_not_outlive_a_sudden_end(void **state)
{
	(void)state;
	_cleanup_free_ char *dir =
		xasprintf("%s/registry-0123456789abcdef/host:5000", host.run_dir);
	_cleanup_free_ char *path = xasprintf("%s/hosts.toml", dir);

	assert_int_equal(file_mkdirs(dir, 0700, NULL), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, "x", 1, 0600, false, NULL), 0);
	image_store_free(host.store);
	new_store(NULL);
	nothing_in_run_dir();
}

static void nothing_in_run_dir(void)
{
	_cleanup_closedir_ DIR *dir = opendir(host.run_dir);
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			fail_msg("%s/%s is left", host.run_dir, entry->d_name);
	}
}

/* ---- */

static void a_pull_tells_all_that_a_container_needs(void **state)
{
	(void)state;
	_cleanup_free_ char *name = plain_name("a/native:1");
	_cleanup_free_ char *above = NULL;
	_cleanup_free_ char *below = NULL;
	struct live_fetch wait;

	pull(&wait, name, NULL);
	if (wait.failure)
		fail_msg("%s", wait.err.text);
	assert_true(wait.progress > 0);
	assert_string_equal(wait.image->reference, name);
	assert_true(str_starts_with(wait.image->digest, "sha256:"));
	assert_true(str_starts_with(wait.image->id, "sha256:"));
	assert_string_not_equal(wait.image->id, wait.image->digest);
	assert_true(wait.image->size > 1000000);
	assert_int_equal(wait.image->env.count, 2);
	assert_string_equal(wait.image->env.items[1], "FROM=image");
	assert_string_equal(wait.image->entrypoint.items[0], "/bin/sh");
	assert_string_equal(wait.image->command.items[1], "exit 4");
	assert_string_equal(wait.image->user, "web");
	assert_string_equal(wait.image->working_dir, "/tmp");
	assert_string_equal(wait.image->stop_signal, "SIGQUIT");
	assert_string_equal(wait.image->labels.items[0], "a=b");
	assert_string_equal(wait.image->volumes.items[0], "/data");
	assert_string_equal(wait.image->healthcheck.test.items[1], "true");
	assert_int_equal(wait.image->healthcheck.interval_ns, 1000000000);
	assert_int_equal(wait.image->healthcheck.retries, 2);
	/* Topmost first. */
	assert_int_equal(wait.image->layers.count, 2);
	above = xasprintf("%s/etc/above", wait.image->layers.items[0]);
	below = xasprintf("%s/bin/busybox", wait.image->layers.items[1]);
	assert_int_equal(access(above, R_OK), 0);
	assert_int_equal(access(below, X_OK), 0);
	image_unref(wait.image);
}

/* One pull for all who want the same. */
static void pulls_of_the_same_are_one(void **state)
{
	(void)state;
	_cleanup_free_ char *name = plain_name("a/native:2");
	struct live_fetch waits[8];

	for (size_t i = 0; i < 8; i++)
		live_pull_begin(&waits[i], host.store, name, NULL, 0);
	for (size_t i = 0; i < 8; i++)
		live_wait(host.loop, &waits[i].done);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(waits[i].failure, IMAGE_OK);
		assert_ptr_equal(waits[i].image, waits[0].image);
		image_unref(waits[i].image);
	}
}

static void an_inspection_asks_no_registry(void **state)
{
	(void)state;
	_cleanup_free_ char *name = plain_name("a/native:1");
	_cleanup_free_ char *absent = plain_name("a/never-pulled:1");
	struct live_fetch first, again, none;

	pull(&first, name, NULL);
	assert_int_equal(first.failure, IMAGE_OK);
	assert_ptr_equal(image_cached(host.store, name), first.image);
	inspect(&again, name);
	assert_ptr_equal(again.image, first.image);
	image_unref(again.image);

	/* After a restart of ours nothing is in memory, and the pin is there already. */
	image_store_free(host.store);
	new_store(NULL);
	assert_null(image_cached(host.store, name));
	inspect(&again, name);
	assert_int_equal(again.failure, IMAGE_OK);
	assert_string_equal(again.image->digest, first.image->digest);
	assert_string_equal(again.image->layers.items[0], first.image->layers.items[0]);
	image_unref(again.image);
	image_unref(first.image);

	inspect(&none, absent);
	assert_int_equal(none.failure, IMAGE_NOT_FOUND);
}

/* CannotPullContainerError: the registry's own words. */
static void failures_are_told_apart(void **state)
{
	(void)state;
	_cleanup_free_ char *missing = plain_name("a/missing:1");
	_cleanup_free_ char *foreign = plain_name("a/s390x:1");
	_cleanup_free_ char *only_foreign = plain_name("a/only-foreign:1");
	struct live_fetch wait;

	pull(&wait, missing, NULL);
	assert_int_equal(wait.failure, IMAGE_NOT_FOUND);
	assert_non_null(strstr(wait.err.text, "missing:1"));
	pull(&wait, "127.0.0.1:1/a/b:1", NULL);
	assert_int_equal(wait.failure, IMAGE_UNREACHABLE);
	assert_non_null(strstr(wait.err.text, "connection refused"));
	/* An image for another architecture is recognised before it is run, and the text says
	 * which. */
	pull(&wait, foreign, NULL);
	assert_int_equal(wait.failure, IMAGE_WRONG_PLATFORM);
	assert_non_null(strstr(wait.err.text, "s390x"));
	pull(&wait, only_foreign, NULL);
	assert_int_equal(wait.failure, IMAGE_WRONG_PLATFORM);
	assert_int_equal(image_pull(host.store,
				    &(struct image_pull_request){ .reference = "UPPER case",
								  .on_done = live_fetch_done },
				    NULL, &wait.err),
			 -EINVAL);
	assert_non_null(strstr(wait.err.text, "invalid reference format"));
}

/* Whether a file or a process shows the password while ctr runs. */
static bool is_shown_in_argv(const char *text)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *entry;

	while ((entry = readdir(proc))) {
		_cleanup_free_ char *path = xasprintf("/proc/%s/cmdline", entry->d_name);
		_cleanup_free_ char *line = NULL;
		size_t size;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
		    file_read(AT_FDCWD, path, 1 << 20, &line, &size, NULL) < 0)
			continue;
		if (memmem(line, size, text, strlen(text)))
			return true;
	}
	return false;
}

static void credentials_and_a_private_ca_work_and_do_not_show(void **state)
{
	(void)state;
	_cleanup_free_ char *name = xasprintf("localhost:%d/a/native:1", host.secure.port);
	struct registry_options registry = { .ca_file = host.secure.ca_file,
					     .user = USER,
					     .password = PASSWORD };
	struct live_fetch wait;
	bool shown = false;
	int64_t until = clock_monotonic_ms() + 60000;

	live_pull_begin(&wait, host.store, name, &registry, 0);
	while (!wait.done && clock_monotonic_ms() < until) {
		loop_run_once(host.loop, false);
		shown |= is_shown_in_argv(PASSWORD);
	}
	if (wait.failure)
		fail_msg("%s", wait.err.text);
	assert_false(shown);
	image_unref(wait.image);
	nothing_in_run_dir();

	registry.password = "wrong";
	pull(&wait, name, &registry);
	assert_int_equal(wait.failure, IMAGE_UNAUTHORIZED);
	assert_non_null(strstr(wait.err.text, "401"));
	registry.user = NULL;
	pull(&wait, name, &registry);
	assert_int_equal(wait.failure, IMAGE_UNAUTHORIZED);
	/* An unknown CA. */
	registry.ca_file = NULL;
	registry.scheme = REGISTRY_SCHEME_HTTPS;
	pull(&wait, name, &registry);
	assert_int_equal(wait.failure, IMAGE_UNREACHABLE);
	assert_non_null(strstr(wait.err.text, "x509"));
	nothing_in_run_dir();
}

/* A registry that takes the connection and says nothing more. */
static void a_silent_registry_is_given_up(void **state)
{
	(void)state;
	_cleanup_free_ char *name = plain_name("a/native:1");
	struct live_fetch wait;

	assert_int_equal(kill(host.plain.pid, SIGSTOP), 0);
	live_pull_begin(&wait, host.store, name, NULL, 700);
	live_wait(host.loop, &wait.done);
	kill(host.plain.pid, SIGCONT);
	assert_int_equal(wait.failure, IMAGE_STALLED);
	assert_string_equal(wait.err.text, "inactivity time exceeded timeout while pulling image");
}

static void a_cancelled_pull_says_so_and_spares_the_others(void **state)
{
	(void)state;
	_cleanup_free_ char *name = plain_name("a/native:3");
	struct live_fetch cancelled = { 0 }, other;
	struct image_operation *operation;
	const struct image_pull_request request = { .reference = name,
						    .on_done = live_fetch_done,
						    .data = &cancelled };

	assert_int_equal(image_pull(host.store, &request, &operation, NULL), 0);
	live_pull_begin(&other, host.store, name, NULL, 0);
	image_cancel(operation);
	assert_false(cancelled.done);
	live_wait(host.loop, &cancelled.done);
	live_wait(host.loop, &other.done);
	assert_int_equal(cancelled.failure, IMAGE_CANCELLED);
	assert_int_equal(other.failure, IMAGE_OK);
	image_unref(other.image);

	cancelled = (struct live_fetch){ 0 };
	assert_int_equal(image_pull(host.store, &request, &operation, NULL), 0);
	loop_run_once(host.loop, false);
	image_cancel(operation);
	live_wait(host.loop, &cancelled.done);
	assert_int_equal(cancelled.failure, IMAGE_CANCELLED);
}

/* ctr itself would wait for the next one. */
static void a_pull_ends_with_its_containerd(void **state)
{
	(void)state;
	_cleanup_free_ char *name = plain_name("a/native:2");
	struct live_fetch wait;

	assert_int_equal(kill(host.plain.pid, SIGSTOP), 0);
	live_pull_begin(&wait, host.store, name, NULL, 120000);
	live_wait_count(host.loop, &wait.progress, 1); /* it asks the registry */
	live_containerd_stop(&host.containerd);
	live_wait(host.loop, &wait.done);
	kill(host.plain.pid, SIGCONT);
	assert_int_equal(wait.failure, IMAGE_NO_CONTAINERD);
	assert_non_null(strstr(wait.err.text, "start it"));
	live_containerd_start(&host.containerd, host.dir);
	nothing_in_run_dir();
}

static void no_containerd_is_said_at_once(void **state)
{
	(void)state;
	_cleanup_free_ char *name = plain_name("a/native:1");
	struct live_fetch wait;
	int64_t begin = clock_monotonic_ms();

	image_store_free(host.store);
	new_store("/nonexistent/containerd.sock");
	pull(&wait, name, NULL);
	assert_int_equal(wait.failure, IMAGE_NO_CONTAINERD);
	assert_non_null(strstr(wait.err.text, "/nonexistent/containerd.sock"));
	inspect(&wait, name);
	assert_int_equal(wait.failure, IMAGE_NO_CONTAINERD);
	/* ctr by itself tries for ten seconds each time. */
	assert_true(clock_monotonic_ms() - begin < 9000);
	image_store_free(host.store);
	new_store(NULL);
	wait = (struct live_fetch){ 0 };
	assert_int_equal(image_store_ping(host.store, live_fetch_done, &wait, NULL, NULL), 0);
	live_wait(host.loop, &wait.done);
	assert_int_equal(wait.failure, IMAGE_OK);
}

static void print_costs(void **state)
{
	(void)state;
	_cleanup_free_ char *name = plain_name("a/native:1");
	struct live_fetch wait;
	int64_t begin = clock_monotonic_ns(), cold, known;

	image_store_free(host.store);
	new_store(NULL);
	inspect(&wait, name);
	assert_int_equal(wait.failure, IMAGE_OK);
	image_unref(wait.image);
	cold = clock_monotonic_ns() - begin;
	begin = clock_monotonic_ns();
	inspect(&wait, name);
	image_unref(wait.image);
	known = clock_monotonic_ns() - begin;
	begin = clock_monotonic_ns();
	pull(&wait, name, NULL);
	image_unref(wait.image);
	printf("inspection %.1f ms (with a fresh store), %.2f ms (known); pull of a present image "
	       "%.1f ms\n",
	       (double)cold / 1e6, (double)known / 1e6,
	       (double)(clock_monotonic_ns() - begin) / 1e6);
}

static int set_up(void **state)
{
	(void)state;
	_cleanup_free_ char *layout = NULL;
	_cleanup_free_ char *plain_dir = NULL;
	_cleanup_free_ char *secure_dir = NULL;

	host.dir = live_directory();
	host.run_dir = xasprintf("%s/run", host.dir);
	layout = xasprintf("%s/layout", host.dir);
	plain_dir = xasprintf("%s/plain", host.dir);
	secure_dir = xasprintf("%s/secure", host.dir);
	live_make_images(layout);
	live_containerd_start(&host.containerd, host.dir);
	live_registry_start(&host.plain, plain_dir, 0, NULL, NULL);
	live_registry_start(&host.secure, secure_dir, 1, USER, PASSWORD);
	live_push(layout, "native", &host.plain, "a/native:1", NULL);
	live_push(layout, "native", &host.plain, "a/native:2", NULL);
	live_push(layout, "native", &host.plain, "a/native:3", NULL);
	live_push(layout, "s390x", &host.plain, "a/s390x:1", NULL);
	live_push(layout, "only-foreign", &host.plain, "a/only-foreign:1", NULL);
	live_push(layout, "native", &host.secure, "a/native:1", USER ":" PASSWORD);
	assert_int_equal(loop_new(&host.loop, NULL), 0);
	new_store(NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	image_store_free(host.store);
	loop_free(host.loop);
	live_registry_stop(&host.plain);
	live_registry_stop(&host.secure);
	live_containerd_stop(&host.containerd);
	live_remove_directory(host.dir);
	free(host.dir);
	free(host.run_dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pull_tells_all_that_a_container_needs),
		cmocka_unit_test(pulls_of_the_same_are_one),
		cmocka_unit_test(an_inspection_asks_no_registry),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(credentials_and_a_private_ca_work_and_do_not_show),
		cmocka_unit_test(credentials_do_not_outlive_a_sudden_end),
		cmocka_unit_test(a_silent_registry_is_given_up),
		cmocka_unit_test(a_cancelled_pull_says_so_and_spares_the_others),
		cmocka_unit_test(a_pull_ends_with_its_containerd),
		cmocka_unit_test(no_containerd_is_said_at_once),
		cmocka_unit_test(print_costs),
	};

	live_need(ARGS("/usr/bin/ctr", "/usr/bin/containerd", "/usr/bin/docker-registry",
		       "/usr/bin/skopeo", "/usr/bin/openssl", "/usr/bin/htpasswd",
		       "/usr/bin/busybox"));
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
