/* SPDX-License-Identifier: Apache-2.0 */
/* Taps on branches. */
#include "branch_scenes.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/number.h"
#include "netns/bridge.h"
#include "netns/namespace.h"
#include "taps.h"

#define OWNER 12345
#define GROUP 12346

static int make_bridge(void *data, struct error *err)
{
	struct netlink *netlink = NULL;
	int r = netlink_open(&netlink, err);

	if (r == 0)
		r = bridge_ensure(netlink, "tapbr101", 1500, data, err);
	netlink_close(netlink);
	return r;
}

/* One with the name that ours would have: it is not taken, and stays. */
static void refuse_a_strangers_bridge(const struct branch_scene *scene, const char *config)
{
	struct task task = task_new("stranger");
	struct census host = census_of(-1), before, after;
	struct link bridge;

	assert_int_equal(netns_run(task.netns, make_bridge, &bridge, NULL), 0);
	before = census_of(task.netns);
	branch_refused(scene, "ADD", &task, config, NULL, 100, "tapbr101 exists already");
	after = census_of(task.netns);
	census_assert_equal(&before, &after);
	after = census_of(-1);
	census_assert_equal(&host, &after);
	task_free(&task);
}

void branch_scene_tap(const struct branch_scene *scene, int place, const char *far)
{
	struct task task = task_new("tap");
	struct census inside = census_of(task.netns), after;
	char *config =
		branch_config_of(",\"interfaceType\":\"tap\",\"uid\":\"12345\",\"gid\":\"12346\"");
	json_t *answer = branch_good(scene, "ADD", &task, config, NULL);
	struct netlink *netlink = NULL;
	struct link tap, branch, bridge;
	int far_fd, tap_fd;

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
	assert_int_equal(tap_open(task.netns, OWNER + 1, GROUP, &tap_fd), -EPERM);
	assert_int_equal(tap_open(task.netns, OWNER, GROUP + 1, &tap_fd), -EPERM);
	assert_int_equal(tap_open(task.netns, OWNER, GROUP, &tap_fd), 0);
	far_fd = packet_socket_at(place, far);
	tap_exchange(tap_fd, far_fd, "02:1f:00:a0:b1:c2");
	close(far_fd);
	close(tap_fd);
	branch_refused(scene, "ADD", &task, config, NULL, 100, "eth0 exists already");
	branch_good(scene, "DEL", &task, config, NULL);
	branch_good(scene, "DEL", &task, config, NULL);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	refuse_a_strangers_bridge(scene, config);
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
	tap_exchange(tap, far_fd, "02:1f:00:a0:b1:c2");
	close(far_fd);
	close(tap);
	branch_good(scene, "DEL", &task, config, NULL);
	after = census_of(task.netns);
	census_assert_equal(&inside, &after);
	json_decref(answer);
	task_free(&task);
	free(config);
}
