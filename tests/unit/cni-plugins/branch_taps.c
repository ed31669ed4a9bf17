/* SPDX-License-Identifier: Apache-2.0 */
/* Taps on branches: who may open them, and what passes. */
#include "branch_scenes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"
#include "netns/namespace.h"

#define OWNER       12345
#define GROUP       12346
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

static int packet_socket_at(int place, const char *link)
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

	while (poll(&wait, 1, 50) > 0) {
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
		if (write(from, frame, size) == (ssize_t)size &&
		    arrives(to, header, frame[size - 1]))
			return true;
	}
	return false;
}

/* Frames pass both ways between a tap and what is on the trunk's side. */
static void exchange(int tap, int far, const char *mac)
{
	unsigned char out[VNET_HEADER + FRAME_SIZE] = { 0 };
	unsigned char in[FRAME_SIZE];

	make_frame(in, mac, "02:1f:00:a0:b1:01", 7);
	assert_true(passes(far, in, sizeof(in), tap, VNET_HEADER));
	make_frame(out + VNET_HEADER, "02:1f:00:a0:b1:01", mac, 8);
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

void branch_scene_tap(const struct branch_scene *scene, int place, const char *far)
{
	struct task task = task_new("tap");
	struct census inside = census_of(task.netns), after;
	char *config =
		branch_config_of(",\"interfaceType\":\"tap\",\"uid\":\"12345\",\"gid\":\"12346\"");
	json_t *answer = branch_good(scene, "ADD", &task, config, NULL);
	struct tap_opening owner = { .uid = OWNER, .gid = GROUP },
			   other = { .uid = OWNER + 1, .gid = GROUP },
			   others = { .uid = OWNER, .gid = GROUP + 1 };
	struct netlink *netlink = NULL;
	struct link tap, branch, bridge;
	int far_fd;

	assert_string_equal(text_at(answer, "interfaces.0.name"), "eth0");
	assert_string_equal(text_at(answer, "interfaces.0.mac"), "02:1f:00:a0:b1:c2");
	assert_null(text_at(answer, "ips.0.address"));
	assert_int_equal(netlink_open_in(task.netns, &netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, "eth0", &tap, NULL), 0);
	assert_int_equal(link_by_name(netlink, "branch101", &branch, NULL), 0);
	assert_int_equal(link_by_name(netlink, "tapbr101", &bridge, NULL), 0);
	netlink_close(netlink);
	assert_string_equal(tap.kind, "tun");
	assert_int_equal(tap.mtu, 9001);
	assert_int_equal(bridge.mtu, 9001);
	assert_int_equal(tap.master_index, bridge.index);
	assert_int_equal(branch.master_index, bridge.index);
	assert_true(mac_equal(&branch.mac, &bridge.mac));
	/* TUNSETOWNER and TUNSETGROUP: both must be right. */
	assert_int_equal(netns_run(task.netns, open_tap, &other, NULL), -EPERM);
	assert_int_equal(netns_run(task.netns, open_tap, &others, NULL), -EPERM);
	assert_int_equal(netns_run(task.netns, open_tap, &owner, NULL), 0);
	far_fd = packet_socket_at(place, far);
	exchange(owner.fd, far_fd, "02:1f:00:a0:b1:c2");
	close(far_fd);
	close(owner.fd);
	close(other.fd);
	close(others.fd);
	branch_refused(scene, "ADD", &task, config, NULL, 100, "eth0 exists already");
	branch_good(scene, "DEL", &task, config, NULL);
	branch_good(scene, "DEL", &task, config, NULL);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	json_decref(answer);
	task_free(&task);
	free(config);
}

/* ---- macvtap ---- */

/* Its character device, by the number that sysfs has; there is no udev. */
static int open_macvtap(void *data, struct error *err)
{
	char path[128], text[32] = "", *colon;
	unsigned int index = if_nametoindex("eth0");
	uint64_t major_number, minor_number;
	int *fd = data;
	FILE *file;

	(void)err;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/sys/class/net/eth0/tap%u/dev", index);
	file = fopen(path, "re");
	if (!file || !fgets(text, sizeof(text), file))
		return -EIO;
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	colon = strchr(text, ':');
	if (!colon)
		return -EIO;
	*colon = '\0';
	if (number_parse_u64(text, 0, UINT32_MAX, &major_number, NULL) < 0 ||
	    number_parse_u64(colon + 1, 0, UINT32_MAX, &minor_number, NULL) < 0)
		return -EIO;
	snprintf(path, sizeof(path), "%s/macvtap", live_directory());
	if (mknod(path, S_IFCHR | 0600,
		  makedev((unsigned int)major_number, (unsigned int)minor_number)) < 0)
		return -errno;
	*fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	unlink(path);
	return *fd < 0 ? -errno : 0;
}

void branch_scene_macvtap(const struct branch_scene *scene, int place, const char *far)
{
	struct task task = task_new("macvtap");
	struct census inside = census_of(task.netns), after;
	char *config = branch_config_of(",\"interfaceType\":\"macvtap\"");
	json_t *answer = branch_good(scene, "ADD", &task, config, NULL);
	int tap = -1, far_fd;

	assert_string_equal(text_at(answer, "interfaces.0.mac"), "02:1f:00:a0:b1:c2");
	assert_null(text_at(answer, "ips.0.address"));
	assert_int_equal(netns_run(task.netns, open_macvtap, &tap, NULL), 0);
	far_fd = packet_socket_at(place, far);
	exchange(tap, far_fd, "02:1f:00:a0:b1:c2");
	close(far_fd);
	close(tap);
	branch_good(scene, "DEL", &task, config, NULL);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	json_decref(answer);
	task_free(&task);
	free(config);
}
