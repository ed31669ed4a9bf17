/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "live.h"
#include "netns/sysctl.h"

/* A datagram to 127.0.0.1 finds its way only where lo is up. */
static int loopback_is_up(void *data, struct error *err)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(9),
					     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool *ret = data;

	(void)err;
	*ret = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return 0;
}

static void a_namespace_is_made_and_leaves_no_trace(void **state)
{
	const char *path = live_path("made");
	size_t files = live_open_files(), mounts = live_namespace_mounts();
	struct netns_identity identity, again;
	bool up = false;
	int fd = -1, second = -1;

	assert_int_equal(netns_create(path, NULL, &fd, NULL), 0);
	assert_int_equal(live_namespace_mounts(), mounts + 1);
	assert_int_equal(netns_is_current(fd, NULL), 0);
	assert_int_equal(netns_run(fd, loopback_is_up, &up, NULL), 0);
	assert_true(up);

	assert_int_equal(netns_open(path, &second, NULL), 0);
	assert_int_equal(netns_identity(fd, &identity, NULL), 0);
	assert_int_equal(netns_identity(second, &again, NULL), 0);
	assert_true(netns_identity_equal(&identity, &again));
	close(fd);
	close(second);

	assert_int_equal(netns_delete(path, &identity, NULL), 0);
	assert_int_equal(netns_delete(path, &identity, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(live_namespace_mounts(), mounts);
	assert_int_equal(live_open_files(), files);
}

/* net-T32 */
static void a_stale_file_is_replaced_and_a_living_namespace_is_refused(void **state)
{
	const char *path = live_path("stale");
	struct error err = ERROR_INIT;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(write(fd, "left by a crash", 15) == 15);
	close(fd);
	assert_int_equal(netns_open(path, &fd, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no namespace is bound to it"));
	assert_int_equal(netns_create(path, NULL, NULL, NULL), 0);
	assert_int_equal(netns_open(path, &fd, NULL), 0);
	close(fd);

	assert_int_equal(netns_create(path, NULL, NULL, &err), -EEXIST);
	assert_non_null(strstr(err.text, "a namespace is bound there already"));
	assert_int_equal(netns_open(path, &fd, NULL), 0);
	close(fd);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
}

static void what_is_no_plain_file_is_not_touched(void **state)
{
	const char *directory = live_path("directory"), *link = live_path("link");
	struct error err = ERROR_INIT;

	assert_int_equal(mkdir(directory, 0700), 0);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_true(netns_create(directory, NULL, NULL, &err) < 0);
	assert_true(netns_create(link, NULL, NULL, &err) < 0);
	assert_int_equal(access(directory, F_OK), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(unlink(link), 0);
}

/* net-T31: a path that leads to another namespace now is not the task's any more. */
static void another_namespace_at_the_path_is_left_alone(void **state)
{
	const char *path = live_path("taken");
	struct netns_identity first;
	struct error err = ERROR_INIT;
	int keep = -1, fd = -1;

	assert_int_equal(netns_create(path, NULL, &keep, NULL), 0);
	assert_int_equal(netns_identity(keep, &first, NULL), 0);
	assert_int_equal(netns_delete(path, &first, NULL), 0);
	assert_int_equal(netns_create(path, NULL, NULL, NULL), 0);

	assert_int_equal(netns_delete(path, &first, &err), -ESTALE);
	assert_non_null(strstr(err.text, "it is left alone"));
	assert_int_equal(netns_open(path, &fd, NULL), 0);
	close(fd);
	close(keep);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
}

static int is_it_current(void *data, struct error *err)
{
	return netns_is_current(*(int *)data, err);
}

static int refuse(void *data, struct error *err)
{
	return error_say(err, EPROTO, "the work said %s", (const char *)data);
}

static void work_is_done_inside_and_the_caller_stays_outside(void **state)
{
	const char *path = live_path("inside");
	struct error err = ERROR_INIT;
	char word[] = "no";
	int fd = -1;

	assert_int_equal(netns_create(path, NULL, &fd, NULL), 0);
	assert_int_equal(netns_run(fd, is_it_current, &fd, NULL), 1);
	assert_int_equal(netns_is_current(fd, NULL), 0);
	assert_int_equal(netns_run(fd, refuse, word, &err), -EPROTO);
	assert_string_equal(err.text, "the work said no");
	assert_int_equal(netns_run(-1, refuse, word, &err), -EBADF);
	close(fd);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
}

static int read_port_start(void *data, struct error *err)
{
	return sysctl_get("net.ipv4.ip_unprivileged_port_start", data, err);
}

static int read_ipv6_off(void *data, struct error *err)
{
	return sysctl_get("net/ipv6/conf/all/disable_ipv6", data, err);
}

/* net-T26: a setting of the task is there before anybody else is. */
static void settings_are_made_inside_only(void **state)
{
	/* The last one counts: IPv6 is off when the one that turns it on comes. */
	const struct netns_sysctl settings[] = {
		{ "net.ipv4.ip_unprivileged_port_start", "77" },
		{ "net.ipv6.conf.all.disable_ipv6", "1" },
		{ "net/ipv6/conf/all/disable_ipv6", "0" },
	};
	const struct netns_options off = { settings, 2 }, on = { settings, 3 };
	const char *path = live_path("settings");
	char *outside = NULL, *inside = NULL;
	int fd = -1;

	assert_int_equal(netns_create(path, &off, &fd, NULL), 0);
	assert_int_equal(netns_run(fd, read_ipv6_off, &inside, NULL), 0);
	assert_string_equal(inside, "1");
	free(inside);
	close(fd);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
	assert_int_equal(netns_create(path, &on, &fd, NULL), 0);
	assert_int_equal(netns_run(fd, read_ipv6_off, &inside, NULL), 0);
	assert_string_equal(inside, "0");
	free(inside);
	assert_int_equal(netns_run(fd, read_port_start, &inside, NULL), 0);
	assert_string_equal(inside, "77");
	assert_int_equal(read_port_start(&outside, NULL), 0);
	assert_string_equal(outside, "1024");
	free(inside);
	free(outside);
	close(fd);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
}

static void a_setting_that_fails_leaves_nothing(void **state)
{
	static const char *const bad[] = {
		"kernel.hostname", "net.no.such",          "net/../kernel/hostname",
		"net/ipv4/..",     "/net/ipv4/ip_forward", "net//ipv4",
	};
	size_t files = live_open_files(), mounts = live_namespace_mounts();
	const char *path = live_path("bad-setting");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct netns_sysctl setting = { bad[i], "1" };
		const struct netns_options options = { &setting, 1 };
		struct error err = ERROR_INIT;
		int fd = -7;

		assert_true(netns_create(path, &options, &fd, &err) < 0);
		assert_int_equal(fd, -7);
		assert_non_null(strstr(err.text, path));
		assert_int_equal(access(path, F_OK), -1);
	}
	assert_int_equal(live_namespace_mounts(), mounts);
	assert_int_equal(live_open_files(), files);
}

static int connect_to_port_80(void *data, struct error *err)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(80),
					     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	(void)data;
	(void)err;
	r = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void a_socket_of_the_namespace_is_served_from_outside(void **state)
{
	const char *path = live_path("served");
	struct ip_address address;
	struct error err = ERROR_INIT;
	int netns = -1, fd = -1, other = -1, peer;

	assert_int_equal(netns_create(path, NULL, &netns, NULL), 0);
	ip_parse("127.0.0.1", &address, NULL);
	assert_int_equal(netns_listen_tcp(netns, &address, 80, &fd, NULL), 0);
	assert_int_equal(netns_run(netns, connect_to_port_80, NULL, NULL), 0);
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	assert_int_equal(connect_to_port_80(NULL, NULL), -ENETUNREACH);

	assert_int_equal(netns_listen_tcp(netns, &address, 80, &other, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "listen on 127.0.0.1 port 80"));
	close(peer);
	close(fd);
	close(netns);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
}

/* Counts the namespace mounts that a mount namespace made before `act` sees after it. */
static size_t mounts_seen_elsewhere(const char *path)
{
	int go[2], told[2];
	size_t seen = 0;
	pid_t child;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		char c = unshare(CLONE_NEWNS) == 0 ? 'y' : 'n';

		if (write(told[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		seen = live_namespace_mounts();
		_exit(write(told[1], &seen, sizeof(seen)) == sizeof(seen) ? 0 : 1);
	}
	char c;

	assert_int_equal(read(told[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_int_equal(netns_create(path, NULL, NULL, NULL), 0);
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(told[0], &seen, sizeof(seen)), sizeof(seen));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
	close(go[0]);
	close(go[1]);
	close(told[0]);
	close(told[1]);
	return seen;
}

static void mounts_do_not_spread_from_a_prepared_directory(void **state)
{
	const char *directory = live_path("run/netns");

	/* The control: where mounts spread, they do arrive. */
	assert_int_equal(mounts_seen_elsewhere(live_path("spreads")), 1);

	assert_int_equal(netns_directory_prepare(directory, NULL), 0);
	assert_int_equal(netns_directory_prepare(directory, NULL), 0);
	assert_int_equal(mounts_seen_elsewhere(live_path("run/netns/stays")), 0);

	assert_int_equal(netns_create(live_path("run/netns/left"), NULL, NULL, NULL), 0);
	assert_true(netns_directory_release(directory, NULL) < 0);
	assert_int_equal(netns_delete(live_path("run/netns/left"), NULL, NULL), 0);
	assert_int_equal(netns_directory_release(directory, NULL), 0);
	assert_int_equal(netns_directory_release(directory, NULL), 0);
	assert_int_equal(access(directory, F_OK), -1);
}

static void *create_in_a_race(void *data)
{
	return (void *)(intptr_t)netns_create(data, NULL, NULL, NULL);
}

static void of_several_creators_of_one_name_one_wins(void **state)
{
	for (int round = 0; round < 20; round++) {
		char *path = strdup(live_path("race"));
		pthread_t threads[4];
		int won = 0;

		for (size_t i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, create_in_a_race, path),
					 0);
		for (size_t i = 0; i < 4; i++) {
			void *result;

			pthread_join(threads[i], &result);
			won += (intptr_t)result == 0;
		}
		assert_int_equal(won, 1);
		assert_int_equal(live_namespace_mounts(), 1);
		assert_int_equal(netns_delete(path, NULL, NULL), 0);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_namespace_is_made_and_leaves_no_trace),
		cmocka_unit_test(a_stale_file_is_replaced_and_a_living_namespace_is_refused),
		cmocka_unit_test(what_is_no_plain_file_is_not_touched),
		cmocka_unit_test(another_namespace_at_the_path_is_left_alone),
		cmocka_unit_test(work_is_done_inside_and_the_caller_stays_outside),
		cmocka_unit_test(settings_are_made_inside_only),
		cmocka_unit_test(a_setting_that_fails_leaves_nothing),
		cmocka_unit_test(a_socket_of_the_namespace_is_served_from_outside),
		cmocka_unit_test(mounts_do_not_spread_from_a_prepared_directory),
		cmocka_unit_test(of_several_creators_of_one_name_one_wins),
	};
	int failed;

	live_enter();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
