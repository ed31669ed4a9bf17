/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* The kernel's own messages are 2 KiB at most, with a head of a path's length. */
#define MESSAGE_SIZE 8192

#define KERNEL_GROUP 1 /* 2 is that of udev's */

/* A hundred devices at once make a hundred messages, each with its packet's weight. */
#define RECEIVE_BUFFER (1024 * 1024)

/* The value of a line; NULL when it is another name's. */
static const char *value_of(const char *line, const char *name)
{
	size_t length = strlen(name);

	return strncmp(line, name, length) == 0 && line[length] == '=' ? line + length + 1 : NULL;
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static enum uevent_kind kind_of(const char *path)
{
	static const char devices[] = "devices/";
	const char *rest = strstr(path, devices);

	if (!rest)
		return UEVENT_ELSEWHERE;
	rest += strlen(devices);
	if (begins(rest, "virtual"))
		return UEVENT_VIRTUAL;
	return begins(rest, "pci") || begins(rest, "vif") ? UEVENT_HARDWARE : UEVENT_ELSEWHERE;
}

void uevent_read(const char *message, size_t size, struct uevent *ret)
{
	const char *action = NULL, *path = NULL, *subsystem = NULL, *interface = NULL;
	const char *end = message + size;
	const char *line = message;

	*ret = (struct uevent){ .kind = UEVENT_NONE };
	if (size == 0 || end[-1] != '\0' || !strchr(message, '@'))
		return;
	while ((line += strlen(line) + 1) < end) {
		const char *value;

		if ((value = value_of(line, "ACTION")))
			action = value;
		else if ((value = value_of(line, "DEVPATH")))
			path = value;
		else if ((value = value_of(line, "SUBSYSTEM")))
			subsystem = value;
		else if ((value = value_of(line, "INTERFACE")))
			interface = value;
	}
	if (!str_eq(action, "add") || !str_eq(subsystem, "net") || !path || !interface)
		return;
	if (strrchr(interface, '/'))
		interface = strrchr(interface, '/') + 1;
	if (!*interface || strlen(interface) >= sizeof(ret->interface))
		return;
	snprintf(ret->interface, sizeof(ret->interface), "%s", interface);
	ret->kind = kind_of(path);
}

int uevent_open(int *ret_fd, struct error *err)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	const int on = 1, room = RECEIVE_BUFFER;
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return error_set(err, errno, "open a socket for the kernel's device messages");
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return error_set(err, errno, "ask who sends device messages");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, errno, "subscribe to the kernel's device messages");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Any program with a socket of this family could say so, too. */
static bool is_from_kernel(struct msghdr *message)
{
	const struct sockaddr_nl *sender = message->msg_name;
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	struct ucred credentials;

	if (message->msg_namelen != sizeof(*sender) || sender->nl_family != AF_NETLINK ||
	    sender->nl_pid != 0)
		return false;
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS ||
	    header->cmsg_len != CMSG_LEN(sizeof(credentials)))
		return false;
	memcpy(&credentials, CMSG_DATA(header), sizeof(credentials));
	return credentials.uid == 0;
}

int uevent_receive(int fd, struct uevent *ret)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char text[MESSAGE_SIZE];
	struct sockaddr_nl sender;
	struct iovec part = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr message = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t size;

	do
		size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	*ret = (struct uevent){ .kind = UEVENT_NONE };
	if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && is_from_kernel(&message))
		uevent_read(text, (size_t)size, ret);
	return 0;
}
