/* SPDX-License-Identifier: Apache-2.0 */
#include "taps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "netns/ip.h"
#include "netns/namespace.h"

#define VNET_HEADER 10
#define FRAME_SIZE  60
#define ETHER_TYPE  0x88b5 /* for experiments */

/* A frame from one MAC to another, whose last byte is `mark`. */
static void make_frame(unsigned char frame[FRAME_SIZE], const char *to, const char *from,
		       unsigned char mark)
{
	struct mac_address mac;

	memset(frame, 0, FRAME_SIZE);
	assert_int_equal(mac_parse(to, &mac, NULL), 0);
	memcpy(frame, mac.bytes, MAC_SIZE);
	assert_int_equal(mac_parse(from, &mac, NULL), 0);
	memcpy(frame + MAC_SIZE, mac.bytes, MAC_SIZE);
	frame[12] = ETHER_TYPE >> 8;
	frame[13] = ETHER_TYPE & 0xff;
	frame[FRAME_SIZE - 1] = mark;
}

/* ---- the other side: a packet socket ---- */

struct packet_socket {
	const char *link;
	int fd;
};

static int open_packet_socket(void *data, struct error *err)
{
	struct packet_socket *socket_of = data;
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHER_TYPE) };

	(void)err;
	address.sll_ifindex = (int)if_nametoindex(socket_of->link);
	socket_of->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHER_TYPE));
	return bind(socket_of->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int packet_socket_at(int place, const char *link)
{
	struct packet_socket found = { .link = link, .fd = -1 };

	assert_int_equal(place < 0 ? open_packet_socket(&found, NULL)
				   : netns_run(place, open_packet_socket, &found, NULL),
			 0);
	return found.fd;
}

/* Whether a frame with this mark comes soon, behind `header` bytes that are not looked at. */
static bool arrives(int fd, size_t header, unsigned char mark)
{
	unsigned char buffer[2048];
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	const int64_t end_ms = clock_monotonic_ms() + 1000;

	while (clock_monotonic_ms() < end_ms && poll(&wait, 1, 50) > 0) {
		ssize_t size = read(fd, buffer, sizeof(buffer));

		if (size == (ssize_t)(header + FRAME_SIZE) &&
		    buffer[header + 12] == ETHER_TYPE >> 8 &&
		    buffer[header + FRAME_SIZE - 1] == mark)
			return true;
	}
	return false;
}

/* A tap that has just been opened does not run yet: what is lost is sent again. */
static bool passes(int from, const unsigned char *frame, size_t size, int to, size_t header)
{
	for (int try = 0; try < 100; try++) {
		if (write(from, frame, size) != (ssize_t)size)
			usleep(20000);
		else if (arrives(to, header, frame[size - 1]))
			return true;
	}
	return false;
}

void tap_exchange(int tap, int far, const char *mac)
{
	unsigned char out[VNET_HEADER + FRAME_SIZE] = { 0 };
	unsigned char in[FRAME_SIZE];

	make_frame(in, mac, TAP_FAR_MAC, 7);
	assert_true(passes(far, in, sizeof(in), tap, VNET_HEADER));
	make_frame(out + VNET_HEADER, TAP_FAR_MAC, mac, 8);
	assert_true(passes(tap, out, sizeof(out), far, 0));
}

/* ---- tap ---- */

struct tap_opening {
	uid_t uid;
	gid_t gid;
	int fd;
};

/* As a process of that user would, with no rights beside: one of its own, as ids are the process's.
 */
static int open_tap(void *data, struct error *err)
{
	struct tap_opening *opening = data;
	struct ifreq request = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR) };
	int status = -1;
	pid_t child;

	(void)err;
	strcpy(request.ifr_name, "eth0");
	opening->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_true(opening->fd >= 0);
	child = fork();
	if (child == 0) {
		if (setgroups(0, NULL) < 0 ||
		    setresgid(opening->gid, opening->gid, opening->gid) < 0 ||
		    setresuid(opening->uid, opening->uid, opening->uid) < 0)
			_exit(255);
		/* The descriptor is shared: what it is bound to stays. */
		_exit(ioctl(opening->fd, TUNSETIFF, &request) < 0 ? errno : 0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

int tap_open(int netns, uid_t uid, gid_t gid, int *ret_fd)
{
	struct tap_opening opening = { .uid = uid, .gid = gid, .fd = -1 };
	int r = netns_run(netns, open_tap, &opening, NULL);

	if (r < 0)
		close(opening.fd);
	*ret_fd = r < 0 ? -1 : opening.fd;
	return r;
}
