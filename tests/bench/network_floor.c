/* SPDX-License-Identifier: Apache-2.0 */
#include "network.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LO   1
#define PEER 2 /* the index of the task's end: the second link there is */

void bench_fail(const char *what)
{
	perror(what);
	exit(1);
}

struct batch {
	char data[4096];
	size_t size;
	unsigned count;
};

static struct nlmsghdr *request(struct batch *batch, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(batch->data + batch->size);

	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	message->nlmsg_seq = ++batch->count;
	return message;
}

static void request_end(struct batch *batch, const struct nlmsghdr *message)
{
	batch->size += NLMSG_ALIGN(message->nlmsg_len);
}

static void run(struct mnl_socket *netlink, const struct batch *batch)
{
	char answer[8192];
	unsigned answered = 0;

	if (mnl_socket_sendto(netlink, batch->data, batch->size) < 0)
		bench_fail("netlink");
	while (answered < batch->count) {
		ssize_t got = mnl_socket_recvfrom(netlink, answer, sizeof(answer));
		int left = (int)got;

		if (got < 0)
			bench_fail("netlink");
		for (struct nlmsghdr *message = (struct nlmsghdr *)answer;
		     mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

			errno = -error->error;
			if (errno != 0)
				bench_fail("netlink");
			answered++;
		}
	}
}

static struct mnl_socket *netlink_here(void)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		bench_fail("netlink");
	return netlink;
}

static struct ifinfomsg *link_header(struct nlmsghdr *message, int index, unsigned flags)
{
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	link->ifi_index = index;
	link->ifi_flags = link->ifi_change = flags;
	return link;
}

static void put_up(struct batch *batch, int index)
{
	struct nlmsghdr *message = request(batch, RTM_NEWLINK, 0);

	link_header(message, index, IFF_UP);
	request_end(batch, message);
}

static void put_address(struct batch *batch, int index, const uint8_t address[4])
{
	struct nlmsghdr *message = request(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ifa_family = AF_INET;
	header->ifa_prefixlen = 24;
	header->ifa_index = (unsigned)index;
	mnl_attr_put(message, IFA_LOCAL, 4, address);
	mnl_attr_put(message, IFA_ADDRESS, 4, address);
	request_end(batch, message);
}

/* To one address, or (`to` NULL) to all by a gateway. */
static void put_route(struct batch *batch, int index, const uint8_t *to, const uint8_t *gateway)
{
	struct nlmsghdr *message = request(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->rtm_family = AF_INET;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_protocol = RTPROT_BOOT;
	header->rtm_type = RTN_UNICAST;
	header->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	header->rtm_dst_len = to ? 32 : 0;
	if (to)
		mnl_attr_put(message, RTA_DST, 4, to);
	if (gateway)
		mnl_attr_put(message, RTA_GATEWAY, 4, gateway);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
	request_end(batch, message);
}

static void put_veth(struct batch *batch, int index, const char *name, unsigned flags, int netns)
{
	struct nlmsghdr *message = request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *peer;

	link_header(message, index, flags);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	link_header(message, PEER, 0);
	mnl_attr_put_strz(message, IFLA_IFNAME, "eth0");
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)netns);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	request_end(batch, message);
}

struct entering {
	struct floor_space *space;
	struct mnl_socket *netlink;
};

/* A thread that ends with it: no way back has to be found. */
static void *enter_new(void *data)
{
	struct entering *entering = data;
	const char *path = entering->space->path;
	int file = open(path, O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (file < 0 || unshare(CLONE_NEWNET) < 0 ||
	    mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0)
		bench_fail(path);
	close(file);
	entering->space->netns = open(path, O_RDONLY | O_CLOEXEC);
	if (entering->space->netns < 0)
		bench_fail(path);
	entering->netlink = netlink_here();
	return NULL;
}

static struct mnl_socket *space_new(struct floor_space *space)
{
	static unsigned count;
	struct entering entering = { .space = space };
	pthread_t thread;

	snprintf(space->path, sizeof(space->path), "floor-%u", count++);
	if (pthread_create(&thread, NULL, enter_new, &entering) != 0)
		bench_fail("thread");
	pthread_join(thread, NULL);
	return entering.netlink;
}

void floor_make(struct floor_space *space, int index, const uint8_t address[4])
{
	const uint8_t gateway[4] = { address[0], address[1], address[2], 1 };
	struct mnl_socket *host = netlink_here(), *task = space_new(space);
	struct batch pair = { .size = 0 }, inside = { .size = 0 }, outside = { .size = 0 };
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "floor%d", index);
	put_veth(&pair, index, name, IFF_UP, space->netns);
	run(host, &pair);
	put_up(&inside, LO);
	put_up(&inside, PEER);
	put_address(&inside, PEER, address);
	put_route(&inside, PEER, NULL, gateway);
	run(task, &inside);
	put_route(&outside, index, address, NULL);
	run(host, &outside);
	mnl_socket_close(task);
	mnl_socket_close(host);
}

void floor_drop(struct floor_space *space)
{
	close(space->netns);
	if (umount2(space->path, MNT_DETACH) < 0 || unlink(space->path) < 0)
		bench_fail(space->path);
}

static void set_up(struct mnl_socket *netlink, const uint8_t address[4])
{
	struct batch batch = { .size = 0 };

	put_up(&batch, PEER);
	put_address(&batch, PEER, address);
	run(netlink, &batch);
	mnl_socket_close(netlink);
}

void floor_pair(struct floor_space spaces[2])
{
	struct batch pair = { .size = 0 };
	struct mnl_socket *one = space_new(&spaces[0]), *other = space_new(&spaces[1]);

	put_veth(&pair, PEER, "eth0", 0, spaces[1].netns);
	run(one, &pair);
	set_up(one, (const uint8_t[]){ 10, 98, 0, 1 });
	set_up(other, (const uint8_t[]){ 10, 98, 0, 2 });
}
