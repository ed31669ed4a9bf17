/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "netns/addr.h"
#include "netns/namespace.h"
#include "netns/route.h"

#define RUN_LIMIT_MS 120000 /* of a program that waits for a minute at most */

static char directory[64];

static void skip_without(const char *what)
{
	printf("skipped: not on this kernel: %s: %s\n", what, strerror(errno));
	exit(77);
}

/* lo, and an uplink with an address that tasks reach and that the host speaks from. */
static void make_host(void)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct veth_spec spec = { .host_name = "up0", .peer_name = "up1" };
	struct ip_prefix address;
	struct link up, peer;

	mac_parse("02:00:00:00:00:01", &spec.host_mac, NULL);
	mac_parse("02:00:00:00:00:02", &spec.peer_mac, NULL);
	ip_prefix_parse(LIVE_HOST_ADDRESS "/24", &address, NULL);
	if (netlink_open(&netlink, NULL) < 0 ||
	    netns_open("/proc/thread-self/ns/net", &spec.peer_netns_fd, NULL) < 0 ||
	    veth_create(netlink, &spec, &up, NULL) < 0 ||
	    link_by_name(netlink, "up1", &peer, NULL) < 0)
		skip_without("make a veth pair");
	close(spec.peer_netns_fd);
	link_set_up(batch, 1, "lo");
	/* Addresses that come by themselves some time later would disturb the census. */
	link_set_no_link_local(batch, up.index, "up0");
	link_set_no_link_local(batch, peer.index, "up1");
	link_set_up(batch, up.index, "up0");
	link_set_up(batch, peer.index, "up1");
	address_add(batch, up.index, "up0", &address);
	if (netlink_run(netlink, batch, NULL) < 0)
		skip_without("configure a veth pair");
	if (link_wait_running(netlink, "up0", 30000, NULL) < 0)
		skip_without("have a veth pair running");
	netlink_batch_free(batch);
	netlink_close(netlink);
}

void live_enter(const char *program)
{
	char *path = xasprintf("%s/%s", BERTH_BINARY_DIR, program);

	if (geteuid() != 0) {
		printf("skipped: it needs root\n");
		exit(77);
	}
	if (access(path, X_OK) < 0) {
		printf("skipped: %s is not built\n", path);
		exit(77);
	}
	free(path);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		skip_without("make a network and a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip_without("make mounts private");
	strcpy(directory, "/tmp/berth-cni-test.XXXXXX");
	if (!mkdtemp(directory))
		skip_without("make a directory");
	/* In this mount namespace only: whatever is left in it goes with the program. */
	if (mount("berth-cni-test", directory, "tmpfs", 0, NULL) < 0)
		skip_without("mount a tmpfs");
	make_host();
}

void live_leave(void)
{
	umount2(directory, MNT_DETACH);
	rmdir(directory);
}

const char *live_directory(void)
{
	return directory;
}

struct task task_new(const char *id)
{
	struct task task = { .netns = -1 };

	snprintf(task.id, sizeof(task.id), "%s", id);
	snprintf(task.path, sizeof(task.path), "%s/netns-%s", directory, id);
	assert_int_equal(netns_create(task.path, NULL, &task.netns, NULL), 0);
	return task;
}

void task_free(struct task *task)
{
	if (task->netns >= 0)
		close(task->netns);
	task->netns = -1;
	assert_int_equal(netns_delete(task->path, NULL, NULL), 0);
}

struct run run_of(const char *command, const struct task *task, const char *config)
{
	return (struct run){
		.program = "ecs-eni",
		.command = command,
		.container_id = task->id,
		.netns = task->path,
		.ifname = "eth0",
		.config = config,
		.kill_after_us = -1,
	};
}

static void start(struct run *run, pid_t *pid, int in, int out)
{
	const char *path = run->path ? run->path : BERTH_BINARY_DIR;
	char *program = xasprintf("%s/%s", BERTH_BINARY_DIR, run->program);
	char *env[] = {
		xasprintf("CNI_COMMAND=%s", run->command),
		xasprintf("CNI_CONTAINERID=%s", run->container_id),
		xasprintf("CNI_NETNS=%s", run->netns),
		xasprintf("CNI_IFNAME=%s", run->ifname),
		xasprintf("CNI_PATH=%s", path),
		xasprintf("CNI_ARGS=%s", run->args ? run->args : ""),
		xasprintf("IPAM_DB_PATH=%s/ipam", directory),
		xasprintf("LIVE_LOG=%s/log", directory),
		xstrdup("PATH=/nowhere"), /* they run no tool, and have no shell do it */
		NULL,
	};
	char *argv[] = { program, NULL };
	posix_spawn_file_actions_t actions;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	assert_int_equal(posix_spawn(pid, program, &actions, NULL, argv, env), 0);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
	free(program);
}

static int64_t time_ns(const struct timeval *time)
{
	return (int64_t)time->tv_sec * 1000000000 + (int64_t)time->tv_usec * 1000;
}

/* All that the program says. One that does not come to its end is ended. */
static char *hear(pid_t pid, int out)
{
	const int64_t end_ms = clock_monotonic_ms() + RUN_LIMIT_MS;
	struct pollfd wait = { .fd = out, .events = POLLIN };
	struct strbuf output = STRBUF_INIT;
	char buffer[4096];
	ssize_t got = 1;

	while (got > 0) {
		int64_t left_ms = end_ms - clock_monotonic_ms();

		if (poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0) <= 0) {
			print_message("process %d does not end\n", pid);
			kill(pid, SIGKILL);
			break;
		}
		got = read(out, buffer, sizeof(buffer));
		if (got > 0)
			strbuf_append_n(&output, buffer, (size_t)got);
	}
	return strbuf_take(&output);
}

void run_execute(struct run *run)
{
	struct rusage usage;
	int in[2], out[2], status;
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	/* Small enough for the pipe: nothing blocks. */
	assert_int_equal(write(in[1], run->config, strlen(run->config)), strlen(run->config));
	close(in[1]);
	start(run, &pid, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (run->kill_after_us >= 0) {
		usleep((useconds_t)run->kill_after_us);
		kill(pid, SIGKILL);
	}
	run->out = hear(pid, out[0]);
	close(out[0]);
	assert_int_equal(wait4(pid, &status, 0, &usage), pid);
	run->own_ns = time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime);
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	run->answer = json_loads(run->out, 0, NULL);
}

void run_free(struct run *run)
{
	free(run->out);
	json_decref(run->answer);
}

json_t *run_good(struct run run)
{
	run_execute(&run);
	if (run.status != 0)
		print_message("%s %s: status %d: %s\n", run.program, run.command, run.status,
			      run.out);
	assert_int_equal(run.status, 0);
	free(run.out);
	return run.answer;
}

void run_refused(struct run run, int code, const char *text)
{
	run_execute(&run);
	if (run.status != 1 || !run.answer || !strstr(text_at(run.answer, "msg"), text))
		print_message("%s %s: status %d: %s\n", run.program, run.command, run.status,
			      run.out);
	assert_int_equal(run.status, 1);
	assert_int_equal(json_integer_value(json_object_get(run.answer, "code")), code);
	assert_non_null(strstr(text_at(run.answer, "msg"), text));
	run_free(&run);
}

char *with_previous(const char *config, const json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);
	char *whole = xasprintf("%.*s,\"prevResult\":%s}", (int)strlen(config) - 1, config, text);

	free(text);
	return whole;
}

struct netlink *open_at(int netns)
{
	struct netlink *netlink = NULL;

	if (netns < 0)
		assert_int_equal(netlink_open(&netlink, NULL), 0);
	else
		assert_int_equal(netlink_open_in(netns, &netlink, NULL), 0);
	return netlink;
}

struct link link_at(int netns, const char *name)
{
	struct netlink *netlink = open_at(netns);
	struct link link;

	assert_int_equal(link_by_name(netlink, name, &link, NULL), 0);
	netlink_close(netlink);
	return link;
}

bool has_link(int netns, const char *name)
{
	struct netlink *netlink = open_at(netns);
	struct link link;
	bool has = link_by_name(netlink, name, &link, NULL) == 0;

	netlink_close(netlink);
	return has;
}

static bool has_such_route(int netns, struct route route, const char *destination,
			   const char *gateway)
{
	struct netlink *netlink = open_at(netns);
	struct route_list routes = { 0 };
	bool found;

	assert_int_equal(ip_prefix_parse(destination, &route.destination, NULL), 0);
	if (gateway)
		assert_int_equal(ip_parse(gateway, &route.gateway, NULL), 0);
	assert_int_equal(route_list(netlink, 0, &routes, NULL), 0);
	found = route_list_contains(&routes, &route);
	route_list_free(&routes);
	netlink_close(netlink);
	return found;
}

bool has_route(int netns, const char *destination, const char *gateway)
{
	return has_such_route(netns, (struct route){ .type = ROUTE_UNICAST }, destination, gateway);
}

bool has_blackhole(int netns, const char *destination)
{
	return has_such_route(netns, (struct route){ .type = ROUTE_BLACKHOLE }, destination, NULL);
}

const char *text_at(const json_t *value, const char *path)
{
	char part[64];

	while (*path && value) {
		size_t length = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)length, path);
		value = json_is_array(value) ? json_array_get(value, (size_t)atoi(part))
					     : json_object_get(value, part);
		path += length + (path[length] == '.');
	}
	return json_string_value(value);
}

struct connecting {
	const char *address;
	int fd;
	int64_t took_us;
};

static int connect_here(void *data, struct error *err)
{
	struct connecting *connecting = data;
	struct sockaddr_storage to = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;
	struct pollfd wait = { .events = POLLOUT };
	int64_t start_ns = clock_monotonic_ns();
	struct ip_address ip;
	socklen_t size = sizeof(int);
	int code = 0;

	(void)err;
	assert_int_equal(ip_parse(connecting->address, &ip, NULL), 0);
	to.ss_family = (sa_family_t)ip.family;
	v4->sin_port = htons(80);
	if (ip.family == AF_INET)
		memcpy(&v4->sin_addr, ip.bytes, 4);
	else
		memcpy(&v6->sin6_addr, ip.bytes, 16);
	wait.fd = socket(ip.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(wait.fd, (struct sockaddr *)&to,
		    ip.family == AF_INET ? sizeof(*v4) : sizeof(*v6)) < 0)
		code = errno;
	if (code == EINPROGRESS) {
		code = ETIMEDOUT;
		if (poll(&wait, 1, 500) > 0)
			getsockopt(wait.fd, SOL_SOCKET, SO_ERROR, &code, &size);
	}
	close(wait.fd);
	connecting->took_us = (clock_monotonic_ns() - start_ns) / 1000;
	return -code;
}

int connect_from(int netns, const char *address, int64_t *ret_took_us)
{
	struct connecting connecting = { .address = address };
	int r = netns < 0 ? connect_here(&connecting, NULL)
			  : netns_run(netns, connect_here, &connecting, NULL);

	if (ret_took_us)
		*ret_took_us = connecting.took_us;
	return r;
}

bool reaches(int from_netns, int to_netns, const char *address)
{
	int own = -1, listener = -1, r;
	struct ip_address ip;

	assert_int_equal(netns_open("/proc/thread-self/ns/net", &own, NULL), 0);
	assert_int_equal(ip_parse(address, &ip, NULL), 0);
	assert_int_equal(netns_listen_tcp(to_netns < 0 ? own : to_netns, &ip, 80, &listener, NULL),
			 0);
	r = connect_from(from_netns, address, NULL);
	close(listener);
	close(own);
	return r == 0;
}

struct census census_of(int netns)
{
	struct census census = { 0 };
	struct netlink *netlink = open_at(netns);
	struct link_list links = { 0 };
	struct route_list routes = { 0 };
	struct address_list addresses = { 0 };
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[1024];

	assert_int_equal(link_list(netlink, 0, &links, NULL), 0);
	assert_int_equal(route_list_all(netlink, &routes, NULL), 0);
	assert_int_equal(address_list(netlink, 1, &addresses, NULL), 0);
	census.links = links.count;
	census.routes = routes.count;
	census.addresses_of_loopback = addresses.count;
	while (fgets(line, sizeof(line), mounts))
		census.namespace_mounts += strstr(line, " - nsfs ") && strstr(line, directory);
	fclose(mounts);
	link_list_free(&links);
	route_list_free(&routes);
	address_list_free(&addresses);
	netlink_close(netlink);
	return census;
}

void census_assert_equal(const struct census *a, const struct census *b)
{
	assert_int_equal(a->links, b->links);
	assert_int_equal(a->routes, b->routes);
	assert_int_equal(a->addresses_of_loopback, b->addresses_of_loopback);
	assert_int_equal(a->namespace_mounts, b->namespace_mounts);
}
