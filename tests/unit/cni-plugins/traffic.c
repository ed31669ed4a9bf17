/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "live.h"
#include "netns/addr.h"
#include "netns/ip.h"
#include "netns/link.h"
#include "netns/namespace.h"
#include "netns/sysctl.h"

#define PATIENCE_MS 500

struct endpoint {
	struct sockaddr_storage address;
	socklen_t size;
};

static struct endpoint endpoint_of(const char *text, uint16_t port)
{
	struct endpoint endpoint = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&endpoint.address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&endpoint.address;
	struct ip_address ip;

	assert_int_equal(ip_parse(text, &ip, NULL), 0);
	endpoint.address.ss_family = (sa_family_t)ip.family;
	v4->sin_port = htons(port);
	if (ip.family == AF_INET)
		memcpy(&v4->sin_addr, ip.bytes, 4);
	else
		memcpy(&v6->sin6_addr, ip.bytes, 16);
	endpoint.size = ip.family == AF_INET ? sizeof(*v4) : sizeof(*v6);
	return endpoint;
}

static void describe(const struct sockaddr_storage *address, char out[64])
{
	const void *bytes = address->ss_family == AF_INET
				    ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
				    : &((const struct sockaddr_in6 *)address)->sin6_addr;

	inet_ntop(address->ss_family, bytes, out, 64);
}

struct opening {
	int family, type;
	const char *address; /* NULL: not bound */
	uint16_t port;
	int fd;
};

static int open_here(void *data, struct error *err)
{
	struct opening *opening = data;
	int on = 1;

	(void)err;
	opening->fd = socket(opening->family, opening->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(opening->fd >= 0);
	if (!opening->address)
		return 0;
	setsockopt(opening->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	{
		struct endpoint at = endpoint_of(opening->address, opening->port);

		if (bind(opening->fd, (struct sockaddr *)&at.address, at.size) < 0)
			print_message("bind %s port %u: %s\n", opening->address, opening->port,
				      strerror(errno));
		else if (opening->type == SOCK_STREAM)
			assert_int_equal(listen(opening->fd, 8), 0);
	}
	return 0;
}

static int open_in(int netns, int family, int type, const char *address, uint16_t port)
{
	struct opening opening = {
		.family = family, .type = type, .address = address, .port = port
	};

	if (netns < 0)
		assert_int_equal(open_here(&opening, NULL), 0);
	else
		assert_int_equal(netns_run(netns, open_here, &opening, NULL), 0);
	return opening.fd;
}

static bool wait_for(int fd, short events)
{
	struct pollfd wait = { .fd = fd, .events = events };

	return poll(&wait, 1, PATIENCE_MS) > 0;
}

static bool ask_by_tcp(struct talk *talk, int server, int client)
{
	const struct endpoint to = endpoint_of(talk->to, talk->port);
	struct sockaddr_storage peer = { 0 };
	socklen_t size = sizeof(peer);
	int connection;
	char c = 0;
	bool good;

	if (connect(client, (const struct sockaddr *)&to.address, to.size) < 0 &&
	    errno != EINPROGRESS)
		return false;
	if (!wait_for(server, POLLIN))
		return false;
	connection = accept4(server, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
	if (connection < 0)
		return false;
	describe(&peer, talk->peer);
	good = wait_for(client, POLLOUT) && send(client, "?", 1, MSG_NOSIGNAL) == 1 &&
	       wait_for(connection, POLLIN) && recv(connection, &c, 1, 0) == 1 &&
	       send(connection, "!", 1, MSG_NOSIGNAL) == 1 && wait_for(client, POLLIN) &&
	       recv(client, &c, 1, 0) == 1 && c == '!';
	close(connection);
	return good;
}

static bool ask_by_udp(struct talk *talk, int server, int client)
{
	const struct endpoint to = endpoint_of(talk->to, talk->port);
	struct sockaddr_storage peer = { 0 };
	socklen_t size = sizeof(peer);
	char c = 0;

	if (connect(client, (const struct sockaddr *)&to.address, to.size) < 0 ||
	    send(client, "?", 1, 0) != 1 || !wait_for(server, POLLIN) ||
	    recvfrom(server, &c, 1, 0, (struct sockaddr *)&peer, &size) != 1)
		return false;
	describe(&peer, talk->peer);
	return sendto(server, "!", 1, 0, (struct sockaddr *)&peer, size) == 1 &&
	       wait_for(client, POLLIN) && recv(client, &c, 1, 0) == 1 && c == '!';
}

bool talk(struct talk *talk)
{
	int type = talk->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int family = strchr(talk->to, ':') ? AF_INET6 : AF_INET;
	int server = open_in(talk->server, family, type,
			     family == AF_INET ? "0.0.0.0" : "::", talk->server_port);
	int client = open_in(talk->from, family, type, NULL, 0);
	bool good;

	talk->peer[0] = '\0';
	good = type == SOCK_STREAM ? ask_by_tcp(talk, server, client)
				   : ask_by_udp(talk, server, client);
	close(client);
	close(server);
	return good;
}

bool talks(int from, int server, const char *to, uint16_t port)
{
	struct talk question = { .protocol = IPPROTO_TCP,
				 .from = from,
				 .to = to,
				 .port = port,
				 .server = server,
				 .server_port = port };

	return talk(&question);
}

int udp_socket(int netns, const char *address, uint16_t port)
{
	return open_in(netns, strchr(address, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM, address, port);
}

bool udp_arrives(int sender, const char *address, uint16_t port, int receiver)
{
	const struct endpoint to = endpoint_of(address, port);
	char c;

	assert_int_equal(sendto(sender, "x", 1, 0, (const struct sockaddr *)&to.address, to.size),
			 1);
	return wait_for(receiver, POLLIN) && recv(receiver, &c, 1, 0) == 1;
}

static void give_addresses(struct netlink *netlink, const char *name, const char *v4,
			   const char *v6)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct ip_prefix address;
	struct link link;

	assert_int_equal(link_by_name(netlink, name, &link, NULL), 0);
	link_set_no_link_local(batch, link.index, name);
	link_set_up(batch, link.index, name);
	ip_prefix_parse(v4, &address, NULL);
	address_add(batch, link.index, name, &address);
	ip_prefix_parse(v6, &address, NULL);
	address_add(batch, link.index, name, &address);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
}

static void wait_until_ready(struct netlink *netlink, const struct pair_end *end)
{
	struct ip_address address;
	struct ip_prefix prefix;
	struct link link;

	assert_int_equal(ip_prefix_parse(end->v6, &prefix, NULL), 0);
	address = prefix.address;
	assert_int_equal(link_by_name(netlink, end->name, &link, NULL), 0);
	assert_int_equal(link_wait_running(netlink, end->name, 30000, NULL), 0);
	assert_int_equal(address_wait_ready(netlink, &address, link.index, 30000, NULL), 0);
}

void pair_new(const struct pair_end *a, const struct pair_end *b)
{
	struct netlink *at_a = open_at(a->netns), *at_b = open_at(b->netns);
	struct veth_spec spec = { .host_name = a->name, .peer_name = b->name };
	struct link link;

	mac_parse("02:00:00:00:88:01", &spec.host_mac, NULL);
	mac_parse("02:00:00:00:88:02", &spec.peer_mac, NULL);
	spec.peer_netns_fd = b->netns;
	assert_int_equal(veth_create(at_a, &spec, &link, NULL), 0);
	give_addresses(at_b, b->name, b->v4, b->v6);
	give_addresses(at_a, a->name, a->v4, a->v6);
	wait_until_ready(at_a, a);
	wait_until_ready(at_b, b);
	netlink_close(at_a);
	netlink_close(at_b);
}

void host_link_new(const char *name, int elsewhere)
{
	struct veth_spec pair = { .host_name = name,
				  .peer_name = "other",
				  .peer_netns_fd = elsewhere };
	struct netlink *netlink = NULL;
	struct link link;

	mac_parse("02:00:00:00:66:01", &pair.host_mac, NULL);
	mac_parse("02:00:00:00:66:02", &pair.peer_mac, NULL);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(veth_create(netlink, &pair, &link, NULL), 0);
	netlink_close(netlink);
}

void host_link_delete(const char *name)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct netlink *netlink = NULL;
	struct link link;

	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, name, &link, NULL), 0);
	link_delete(batch, link.index, name);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

int world_new(const char *path)
{
	const struct pair_end host = { -1, "toworld", "192.168.88.1/24", "fd00:88::1/64" };
	struct pair_end world = { -1, "tohost", "192.168.88.2/24", "fd00:88::2/64" };

	assert_int_equal(netns_create(path, NULL, &world.netns, NULL), 0);
	pair_new(&host, &world);
	return world.netns;
}

void world_free(int world, const char *path)
{
	close(world);
	assert_int_equal(netns_delete(path, NULL, NULL), 0);
}

struct setting {
	const char *name, *value;
};

static int set_here(void *data, struct error *err)
{
	const struct setting *setting = data;

	return sysctl_set(setting->name, setting->value, err);
}

void set_sysctl(int netns, const char *name, const char *value)
{
	struct setting setting = { name, value };

	if (netns < 0)
		assert_int_equal(set_here(&setting, NULL), 0);
	else
		assert_int_equal(netns_run(netns, set_here, &setting, NULL), 0);
}

static int advertise_here(void *data, struct error *err)
{
	/* Type 134; hop limit 64; lifetime 1800 s. The kernel fills the sum. */
	static const unsigned char message[16] = { 134, 0, 0, 0, 64, 0, 1800 >> 8, 1800 & 0xff };
	struct endpoint all = endpoint_of("ff02::1", 0);
	unsigned int index = if_nametoindex(data);
	int hops = 255, fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), r = 0;

	(void)err;
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)) < 0 ||
	    sendto(fd, message, sizeof(message), 0, (struct sockaddr *)&all.address, all.size) < 0)
		r = -errno;
	close(fd);
	return r;
}

void advertise_router(int netns, const char *link)
{
	char name[16];

	snprintf(name, sizeof(name), "%s", link);
	assert_int_equal(netns_run(netns, advertise_here, name, NULL), 0);
}
