/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "live.h"
#include "netns/addr.h"
#include "netns/link.h"
#include "netns/namespace.h"
#include "netns/nft.h"
#include "netns/route.h"

#define PATIENCE_MS 500

/* The name of linux/netfilter_ipv6/ip6_tables.h. */
#define ORIGINAL_DESTINATION_V6 80

static void run_in(int netns, int (*work)(void *data, struct error *err), void *data)
{
	if (netns < 0)
		assert_int_equal(work(data, NULL), 0);
	else
		assert_int_equal(netns_run(netns, work, data, NULL), 0);
}

static socklen_t address_of(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct ip_address ip;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(ip_parse(text, &ip, NULL), 0);
	ret->ss_family = (sa_family_t)ip.family;
	v4->sin_port = htons(port);
	if (ip.family == AF_INET)
		memcpy(&v4->sin_addr, ip.bytes, 4);
	else
		memcpy(&v6->sin6_addr, ip.bytes, 16);
	return ip.family == AF_INET ? sizeof(*v4) : sizeof(*v6);
}

static void describe(const struct sockaddr_storage *address, char out[80])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	char text[64];

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		snprintf(out, 80, "%s:%u", text, ntohs(v4->sin_port));
	} else {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		snprintf(out, 80, "[%s]:%u", text, ntohs(v6->sin6_port));
	}
}

struct sockets {
	struct passage *passage;
	int server, client;
};

static int serve_here(void *data, struct error *err)
{
	struct sockets *sockets = data;
	const struct passage *passage = sockets->passage;
	bool v6 = strchr(passage->to, ':') != NULL;
	struct sockaddr_storage at;
	socklen_t size = address_of(v6 ? "::" : "0.0.0.0", passage->server_port, &at);
	int on = 1;

	(void)err;
	sockets->server = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(sockets->server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (passage->transparent && !v6)
		assert_int_equal(
			setsockopt(sockets->server, SOL_IP, IP_TRANSPARENT, &on, sizeof(on)), 0);
	if (passage->transparent && v6)
		assert_int_equal(
			setsockopt(sockets->server, SOL_IPV6, IPV6_TRANSPARENT, &on, sizeof(on)),
			0);
	if (bind(sockets->server, (struct sockaddr *)&at, size) < 0 ||
	    listen(sockets->server, 8) < 0)
		return -errno;
	return 0;
}

/* The thread's own: a socket belongs to who opens it. */
static int connect_here(void *data, struct error *err)
{
	struct sockets *sockets = data;
	const struct passage *passage = sockets->passage;
	struct sockaddr_storage to;
	socklen_t size = address_of(passage->to, passage->port, &to);

	(void)err;
	setfsgid(passage->gid);
	setfsuid(passage->uid);
	sockets->client = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setfsuid(0);
	setfsgid(0);
	(void)connect(sockets->client, (struct sockaddr *)&to, size);
	return 0;
}

static bool wait_for(int fd, short events)
{
	struct pollfd wait = { .fd = fd, .events = events };

	return poll(&wait, 1, PATIENCE_MS) > 0;
}

static void note_ends(struct passage *passage, int client, int connection)
{
	bool v6 = strchr(passage->to, ':') != NULL;
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);

	getsockname(client, (struct sockaddr *)&address, &size);
	describe(&address, passage->client);
	size = sizeof(address);
	getpeername(connection, (struct sockaddr *)&address, &size);
	describe(&address, passage->peer);
	size = sizeof(address);
	getsockname(connection, (struct sockaddr *)&address, &size);
	describe(&address, passage->local);
	size = sizeof(address);
	if (getsockopt(connection, v6 ? SOL_IPV6 : SOL_IP,
		       v6 ? ORIGINAL_DESTINATION_V6 : SO_ORIGINAL_DST, &address, &size) == 0)
		describe(&address, passage->original);
}

static bool exchange(struct passage *passage, const struct sockets *sockets)
{
	int connection;
	char c = 0;
	bool good;

	if (!wait_for(sockets->server, POLLIN))
		return false;
	connection = accept4(sockets->server, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0)
		return false;
	note_ends(passage, sockets->client, connection);
	good = wait_for(sockets->client, POLLOUT) &&
	       send(sockets->client, "?", 1, MSG_NOSIGNAL) == 1 && wait_for(connection, POLLIN) &&
	       recv(connection, &c, 1, 0) == 1 && send(connection, "!", 1, MSG_NOSIGNAL) == 1 &&
	       wait_for(sockets->client, POLLIN) && recv(sockets->client, &c, 1, 0) == 1 &&
	       c == '!';
	close(connection);
	return good;
}

bool pass(struct passage *passage)
{
	struct sockets sockets = { .passage = passage, .server = -1, .client = -1 };
	bool good;

	passage->client[0] = passage->peer[0] = passage->local[0] = passage->original[0] = '\0';
	run_in(passage->server, serve_here, &sockets);
	run_in(passage->from, connect_here, &sockets);
	good = exchange(passage, &sockets);
	close(sockets.client);
	close(sockets.server);
	return good;
}

struct command {
	const char *text;
	char *output;
};

static int nft_here(void *data, struct error *err)
{
	const struct command *command = data;

	return nft_run(command->text, err);
}

void nft_in(int netns, const char *command)
{
	run_in(netns, nft_here, &(struct command){ .text = command });
}

static int list_here(void *data, struct error *err)
{
	struct command *command = data;

	return nft_query("list ruleset", &command->output, err);
}

char *ruleset_of(int netns)
{
	struct command command = { 0 };

	run_in(netns, list_here, &command);
	return command.output;
}

struct spawning {
	char *const *argv;
	int status;
};

static int spawn_here(void *data, struct error *err)
{
	struct spawning *spawning = data;
	char *env[] = { (char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" }, NULL };
	pid_t pid;

	(void)err;
	if (posix_spawnp(&pid, spawning->argv[0], NULL, NULL, spawning->argv, env) == 0)
		waitpid(pid, &spawning->status, 0);
	return 0;
}

void run_program_in(int netns, char *const *argv)
{
	struct spawning spawning = { .argv = argv, .status = -1 };

	run_in(netns, spawn_here, &spawning);
	if (spawning.status != 0)
		print_message("%s %s %s ...: status %d\n", argv[0], argv[1], argv[2],
			      spawning.status);
	assert_int_equal(spawning.status, 0);
}

static void give(int netns, int link, const char *prefix, const char *gateway)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct netlink *netlink = open_at(netns);
	struct ip_prefix to;
	struct route route = { 0 };

	assert_int_equal(ip_prefix_parse(prefix, &to, NULL), 0);
	if (gateway) {
		route.destination = to;
		assert_int_equal(ip_parse(gateway, &route.gateway, NULL), 0);
		route_add(batch, &route);
	} else {
		address_add(batch, link, "lo", &to);
	}
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

void give_loopback(int netns, const char *prefix)
{
	give(netns, 1, prefix, NULL);
}

void give_route(int netns, const char *destination, const char *gateway)
{
	give(netns, 0, destination, gateway);
}
