/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD, or part of a test: of the netlink messages that a program sends, the one with the
 * number REFUSE_NETLINK (from 0 on) gets a type that no kernel knows. So the kernel itself refuses
 * it, in the middle of its batch, and does with the others what it does. Its beginning is written
 * to the file REFUSE_NETLINK_LOG; nothing is, when there were fewer. With another number the count
 * begins anew.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static long seen;

static void note(const struct nlmsghdr *message)
{
	const char *path = getenv("REFUSE_NETLINK_LOG");
	char text[64];
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	int size = snprintf(text, sizeof(text), "type 0x%x flags 0x%x", message->nlmsg_type,
			    message->nlmsg_flags);

	if (fd >= 0) {
		if (write(fd, text, (size_t)size) < 0)
			abort();
		close(fd);
	}
}

static int protocol_of(int fd)
{
	int domain = -1, protocol = -1;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_NETLINK)
		return -1;
	size = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0 ? -1 : protocol;
}

/* Without them there is no batch to be refused in. (The numbers are RTM_NEWLINK's and
 * RTM_DELLINK's, too.) */
static bool frames_batch(int protocol, const struct nlmsghdr *message)
{
	return protocol == NETLINK_NETFILTER && (message->nlmsg_type == NFNL_MSG_BATCH_BEGIN ||
						 message->nlmsg_type == NFNL_MSG_BATCH_END);
}

/* What is to be sent instead: a copy that the caller frees; NULL: as it is. */
static void *refused(int fd, const void *data, size_t size)
{
	const char *wanted = getenv("REFUSE_NETLINK");
	static long counting = -1;
	int protocol = wanted ? protocol_of(fd) : -1;
	char *copy = NULL;

	if (protocol != NETLINK_ROUTE && protocol != NETLINK_NETFILTER)
		return NULL;
	if (strtol(wanted, NULL, 10) != counting) {
		counting = strtol(wanted, NULL, 10);
		seen = 0;
	}
	for (size_t at = 0; at + sizeof(struct nlmsghdr) <= size;) {
		const struct nlmsghdr *message = (const void *)((const char *)data + at);

		if (!frames_batch(protocol, message) && seen++ == counting) {
			copy = malloc(size);
			memcpy(copy, data, size);
			((struct nlmsghdr *)(void *)(copy + at))->nlmsg_type =
				protocol == NETLINK_ROUTE ? 0x3fff
							  : NFNL_SUBSYS_NFTABLES << 8 | 0xff;
			note(message);
		}
		if (message->nlmsg_len < sizeof(*message))
			break;
		at += NLMSG_ALIGN(message->nlmsg_len);
	}
	return copy;
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
	       socklen_t to_size)
{
	ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
		(ssize_t(*)(int, const void *, size_t, int, const struct sockaddr *,
			    socklen_t))dlsym(RTLD_NEXT, "sendto");
	void *instead = refused(fd, data, size);
	ssize_t sent = real(fd, instead ? instead : data, size, flags, to, to_size);

	free(instead);
	return sent;
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
	return sendto(fd, data, size, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t (*real)(int, const struct msghdr *, int) =
		(ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
	struct iovec parts[64];
	struct msghdr changed = *message;
	void *instead[64] = { NULL };
	ssize_t sent;

	if (message->msg_iovlen > 64)
		abort();
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		parts[i] = message->msg_iov[i];
		instead[i] = refused(fd, parts[i].iov_base, parts[i].iov_len);
		if (instead[i])
			parts[i].iov_base = instead[i];
	}
	changed.msg_iov = parts;
	sent = real(fd, &changed, flags);
	for (size_t i = 0; i < message->msg_iovlen; i++)
		free(instead[i]);
	return sent;
}
