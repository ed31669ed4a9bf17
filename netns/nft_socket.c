/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define ANSWER_SIZE  65536
#define ROOM_DEFAULT 131072

int nft_socket_open(struct nft_socket *ret, const char *what, struct error *err)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int on = 1;

	if (!socket)
		return error_set(err, errno, "%s: open a netfilter socket", what);
	/* An error without the request that it is about: thousands of them find room. */
	(void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on));
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int code = errno;

		mnl_socket_close(socket);
		return error_set(err, code, "%s: bind a netfilter socket", what);
	}
	*ret = (struct nft_socket){ .socket = socket, .what = what };
	return 0;
}

void nft_socket_close(struct nft_socket *socket)
{
	mnl_socket_close(socket->socket);
}

/* A batch goes out in one piece, and what it is answered waits in another. */
static void make_room(const struct nft_socket *socket, size_t size)
{
	int fd = mnl_socket_get_fd(socket->socket), room = (int)(2 * size);

	if (size < ROOM_DEFAULT / 2)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	room *= 4;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
}

static bool is_end(const struct nlmsghdr *message, uint32_t last)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == NLMSG_DONE)
		return true;
	return message->nlmsg_type == NLMSG_ERROR &&
	       (message->nlmsg_seq == last || (message->nlmsg_seq == 0 && answer->error != 0));
}

int nft_socket_exchange(struct nft_socket *socket, const void *bytes, size_t size, uint32_t last,
			int (*each)(const struct nlmsghdr *message, void *data), void *data,
			struct error *err)
{
	_cleanup_free_ char *buffer = xmalloc(ANSWER_SIZE);
	bool done = false;
	int result = 0;

	make_room(socket, size);
	if (mnl_socket_sendto(socket->socket, bytes, size) < 0)
		return error_set(err, errno, "%s: send to the kernel", socket->what);
	while (!done) {
		ssize_t got = mnl_socket_recvfrom(socket->socket, buffer, ANSWER_SIZE);
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_set(err, got < 0 ? errno : EIO, "%s: read the kernel's answer",
					 socket->what);
		for (const struct nlmsghdr *message = (const void *)buffer;
		     mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			int r = each(message, data);

			if (r < 0 && result == 0)
				result = r;
			done |= is_end(message, last);
		}
	}
	return result;
}
