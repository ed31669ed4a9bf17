/* SPDX-License-Identifier: Apache-2.0 */
#include "firewall_place.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
#include "netns/neigh.h"
#include "netns/route.h"
#include "netns/sysctl.h"
#include "netns/vpc_rules.h"

static struct ip_address address_of(const char *text)
{
	struct ip_address address;

	assert_int_equal(ip_parse(text, &address, NULL), 0);
	return address;
}

static struct ip_prefix prefix_of(const char *text)
{
	struct ip_prefix prefix;

	assert_int_equal(ip_prefix_parse(text, &prefix, NULL), 0);
	return prefix;
}

/* An uplink, whose address the host speaks from. */
static void add_uplink(struct netlink *netlink)
{
	const struct ip_prefix v4 = prefix_of(PLACE_HOST "/24"),
			       v6 = prefix_of(PLACE_HOST_V6 "/64");
	struct netlink_batch *batch = netlink_batch_new();
	struct veth_spec pair = { .host_name = "up0",
				  .peer_name = "up1",
				  .host_mac = { { 2, 0, 0, 0, 0, 1 } },
				  .peer_mac = { { 2, 0, 0, 0, 0, 2 } } };
	struct link up, peer;

	assert_int_equal(netns_open("/proc/thread-self/ns/net", &pair.peer_netns_fd, NULL), 0);
	assert_int_equal(veth_create(netlink, &pair, &up, NULL), 0);
	assert_int_equal(link_by_name(netlink, "up1", &peer, NULL), 0);
	close(pair.peer_netns_fd);
	link_set_up(batch, 1, "lo");
	link_set_up(batch, up.index, "up0");
	link_set_up(batch, peer.index, "up1");
	address_add(batch, up.index, "up0", &v4);
	address_add(batch, up.index, "up0", &v6);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	assert_int_equal(link_wait_running(netlink, "up0", 30000, NULL), 0);
	assert_int_equal(address_wait_ready(netlink, &v6.address, up.index, 30000, NULL), 0);
	netlink_batch_free(batch);
}

void place_enter(void)
{
	struct netlink *netlink = NULL;

	live_enter();
	sysctl_set("net.ipv4.ip_forward", "1", NULL);
	sysctl_set("net.ipv6.conf.all.forwarding", "1", NULL);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	add_uplink(netlink);
	netlink_close(netlink);
}

static const struct mac_address host_mac = { { 0xee, 0xec, 0, 0, 0, 1 } };

static struct mac_address mac_of(int number)
{
	return (struct mac_address){ { 2, 0x1f, 0, 0, 0, (unsigned char)number } };
}

static void add_host_route(struct netlink_batch *batch, const struct link *host, const char *text,
			   uint32_t vni, const struct mac_address *mac)
{
	const struct ip_address address = address_of(text);
	const struct route route = { .destination = ip_host_prefix(&address),
				     .link_index = host->index };
	struct route in_network = route;

	route_add(batch, &route);
	if (vni != PLACE_VNI)
		netlink_tolerate(batch, EEXIST);
	in_network.table = vpc_table(vni);
	route_add(batch, &in_network);
	neighbour_set(batch, host->index, host->name, &address, mac);
}

static void configure_host(const struct place_task *task, const struct link *host)
{
	const struct ip_prefix gateway = prefix_of("fe80::1/64");
	const struct mac_address mac = mac_of(task->number);
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();

	/* Proxy ARP waits up to 0.8 s by default. */
	sysctl_set_link("ipv4", "neigh", host->name, "proxy_delay", "0", NULL);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	link_set_routed_ipv4(batch, host->index, host->name);
	link_set_no_link_local(batch, host->index, host->name);
	link_set_up(batch, host->index, host->name);
	address_add(batch, host->index, host->name, &gateway);
	add_host_route(batch, host, task->v4, task->vni, &mac);
	add_host_route(batch, host, task->v6, task->vni, &mac);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	assert_int_equal(address_wait_ready(netlink, &gateway.address, host->index, 30000, NULL),
			 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

static void configure_task(const struct place_task *task)
{
	const struct ip_address v4 = address_of(task->v4), v6 = address_of(task->v6);
	const struct ip_prefix own4 = ip_host_prefix(&v4), own6 = ip_host_prefix(&v6);
	struct route out = { .destination = ip_default_route(AF_INET) };
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct link link;

	assert_int_equal(netlink_open_in(task->netns, &netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, "eth0", &link, NULL), 0);
	link_set_up(batch, link.index, link.name);
	address_add(batch, link.index, link.name, &own4);
	address_add(batch, link.index, link.name, &own6);
	out.link_index = link.index;
	route_add(batch, &out);
	out.destination = ip_default_route(AF_INET6);
	out.gateway = address_of("fe80::1");
	route_add(batch, &out);
	neighbour_set(batch, link.index, link.name, &out.gateway, &host_mac);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	assert_int_equal(address_wait_ready(netlink, &v6, link.index, 30000, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

const char *place_task_link(const struct place_task *task, char name[16])
{
	uint32_t other = task->vni == PLACE_VNI ? 0 : task->vni;

	snprintf(name, 16, "ve%08x", (other << 8) + (uint32_t)task->number);
	return name;
}

void place_task_plug(const struct place_task *task)
{
	char name[16];
	struct veth_spec pair = { .host_name = name,
				  .peer_name = "eth0",
				  .peer_netns_fd = task->netns,
				  .host_mac = host_mac,
				  .peer_mac = mac_of(task->number),
				  .group = LINK_GROUP_BERTH };
	struct netlink *netlink = NULL;
	struct link host;

	place_task_link(task, name);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(veth_create(netlink, &pair, &host, NULL), 0);
	configure_host(task, &host);
	configure_task(task);
	assert_int_equal(link_wait_running(netlink, name, 30000, NULL), 0);
	netlink_close(netlink);
}

void place_task_unplug(const struct place_task *task)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct link link;

	assert_int_equal(netlink_open_in(task->netns, &netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, "eth0", &link, NULL), 0);
	link_delete(batch, link.index, link.name);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

struct place_task place_task_new(int number)
{
	return place_task_in(number, PLACE_VNI);
}

struct place_task place_task_in(int number, uint32_t vni)
{
	struct place_task task = { .number = number, .vni = vni, .netns = -1 };
	char file[32];

	snprintf(file, sizeof(file), "task%d-%u", number, (unsigned)vni);
	snprintf(task.v4, sizeof(task.v4), "10.0.1.%d", number);
	snprintf(task.v6, sizeof(task.v6), "fd00:1::%d", number);
	task.path = live_path(file);
	assert_int_equal(netns_create(task.path, NULL, &task.netns, NULL), 0);
	place_task_plug(&task);
	return task;
}

void place_task_free(struct place_task *task)
{
	close(task->netns);
	assert_int_equal(netns_delete(task->path, NULL, NULL), 0);
}

/* --- sockets, opened in the namespace that they stay in */

struct opening {
	int (*open)(const struct opening *opening);
	const char *address, *source;
	int port;
	int result;
};

static int open_here(void *data, struct error *err)
{
	struct opening *opening = data;

	(void)err;
	opening->result = opening->open(opening);
	return 0;
}

static int open_in(int netns, struct opening opening)
{
	if (netns < 0)
		open_here(&opening, NULL);
	else
		assert_int_equal(netns_run(netns, open_here, &opening, NULL), 0);
	return opening.result;
}

static socklen_t fill(struct sockaddr_storage *at, const char *address, int port)
{
	const struct ip_address ip = address_of(address);
	struct sockaddr_in *v4 = (struct sockaddr_in *)at;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)at;

	memset(at, 0, sizeof(*at));
	at->ss_family = (sa_family_t)ip.family;
	v4->sin_port = htons((uint16_t)port);
	if (ip.family == AF_INET)
		memcpy(&v4->sin_addr, ip.bytes, 4);
	else
		memcpy(&v6->sin6_addr, ip.bytes, 16);
	if (ip.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
		v6->sin6_scope_id = if_nametoindex("eth0");
	return ip.family == AF_INET ? sizeof(*v4) : sizeof(*v6);
}

static int listen_at(const struct opening *opening)
{
	struct sockaddr_storage at;
	socklen_t size = fill(&at, opening->address, opening->port);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

int place_listen(int netns, const char *address, int port)
{
	return open_in(netns, (struct opening){ listen_at, .address = address, .port = port });
}

static int connect_to(const struct opening *opening)
{
	struct sockaddr_storage to;
	socklen_t size = fill(&to, opening->address, opening->port), length = sizeof(int);
	struct pollfd wait = { .events = POLLOUT };
	int code = 0;

	wait.fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(wait.fd, (struct sockaddr *)&to, size) < 0)
		code = errno;
	if (code == EINPROGRESS) {
		code = ETIMEDOUT;
		if (poll(&wait, 1, PLACE_TIMEOUT_MS) > 0)
			getsockopt(wait.fd, SOL_SOCKET, SO_ERROR, &code, &length);
	}
	if (code == 0)
		return wait.fd;
	close(wait.fd);
	return -code;
}

int place_connect(int netns, const char *address, int port)
{
	return open_in(netns, (struct opening){ connect_to, .address = address, .port = port });
}

bool place_reaches(int from, int to, const char *address, int port)
{
	int listener = place_listen(to, address, port);
	int client = place_connect(from, address, port);

	close(listener);
	if (client >= 0)
		close(client);
	else
		assert_int_equal(client, -ETIMEDOUT);
	return client >= 0;
}

static bool hears(int from, int to)
{
	struct pollfd wait = { .fd = to, .events = POLLIN };
	char c = 0;

	return send(from, "x", 1, MSG_NOSIGNAL) == 1 && poll(&wait, 1, 30000) == 1 &&
	       recv(to, &c, 1, 0) == 1 && c == 'x';
}

bool place_talks(int client, int server)
{
	return hears(client, server) && hears(server, client);
}

/* Of one's complement. */
static uint16_t sum(uint16_t a, uint16_t b)
{
	uint32_t value = (uint32_t)a + b;

	return (uint16_t)(value + (value >> 16));
}

static int ping(const struct opening *opening)
{
	/* Another each time, or it would be of a flow that is established. */
	const uint16_t id = (uint16_t)(clock_monotonic_ns() >> 10);
	const struct icmp6_hdr echo6 = { .icmp6_type = ICMP6_ECHO_REQUEST, .icmp6_id = id };
	struct icmphdr echo4 = { .type = ICMP_ECHO };
	struct sockaddr_storage to;
	socklen_t size = fill(&to, opening->address, 0);
	bool v6 = to.ss_family == AF_INET6;
	char answer[256];
	struct timeval wait = { .tv_usec = PLACE_TIMEOUT_MS * 1000L };
	int fd = socket(to.ss_family, SOCK_RAW | SOCK_CLOEXEC,
			v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	bool answered = false;
	ssize_t got;

	echo4.un.echo.id = id;
	echo4.checksum = (uint16_t)~sum(htons(ICMP_ECHO << 8), id);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_true(sendto(fd, v6 ? (const void *)&echo6 : (const void *)&echo4,
			   v6 ? sizeof(echo6) : sizeof(echo4), 0, (struct sockaddr *)&to,
			   size) > 0);
	while (!answered && (got = recv(fd, answer, sizeof(answer), 0)) > 0)
		answered = answer[v6 ? 0 : (answer[0] & 0xf) * 4] ==
			   (v6 ? (char)ICMP6_ECHO_REPLY : (char)ICMP_ECHOREPLY);
	close(fd);
	return answered;
}

bool place_pings(int netns, const char *address)
{
	return open_in(netns, (struct opening){ ping, .address = address });
}

static int send_datagram(const struct opening *opening)
{
	struct sockaddr_storage to;
	socklen_t size = fill(&to, opening->address, opening->port);
	struct timeval wait = { .tv_usec = PLACE_TIMEOUT_MS * 1000L };
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;
	char c;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, size), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	r = recv(fd, &c, 1, 0) < 0 ? -errno : 0;
	close(fd);
	return r == -EAGAIN ? -ETIMEDOUT : r;
}

int place_send(int netns, const char *address, int port)
{
	return open_in(netns, (struct opening){ send_datagram, .address = address, .port = port });
}

static int receive_at(const struct opening *opening)
{
	struct sockaddr_storage at;
	socklen_t size = fill(&at, opening->address, opening->port);
	struct timeval wait = { .tv_usec = PLACE_TIMEOUT_MS * 1000L };
	int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	return fd;
}

int place_receiver(int netns, const char *address, int port)
{
	return open_in(netns, (struct opening){ receive_at, .address = address, .port = port });
}

static int send_as(const struct opening *opening)
{
	struct sockaddr_storage from, to;
	socklen_t size = fill(&from, opening->source, 0);
	int fd = socket(from.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	fill(&to, opening->address, opening->port);
	if (from.ss_family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&from, size), 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, size), 1);
	close(fd);
	return 0;
}

bool place_spoofs(int from, const char *source, int to, const char *address)
{
	int fd = place_receiver(to, address, 4321);
	char c;
	bool arrived;

	open_in(from, (struct opening){ send_as, address, source, .port = 4321 });
	arrived = recv(fd, &c, 1, 0) == 1;
	close(fd);
	return arrived;
}
