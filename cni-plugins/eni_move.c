/* SPDX-License-Identifier: Apache-2.0 */
/* The device with the ENI's MAC is moved into the task's namespace, as on EC2, and back again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cni-plugins/eni.h"
#include "cni-plugins/own_link.h"
#include "cni-plugins/task_setup.h"
#include "netns/namespace.h"

#define OWN_NAMESPACE "/proc/thread-self/ns/net"

/*
 * What a device is called when it comes back: its old name may be another's by now, and the first
 * half of the MACs of one EC2 instance is the same.
 */
static void returned_name(const struct mac_address *mac, char name[16])
{
	snprintf(name, 16, "eni%02x%02x%02x%02x", mac->bytes[2], mac->bytes[3], mac->bytes[4],
		 mac->bytes[5]);
}

/* `alias`: what it had instead of ours. */
static int move_back(struct task_setup *task, const struct cni_request *request, const char *name,
		     const char *alias, struct error *err)
{
	_cleanup_close_ int own = -1;
	struct netlink_batch *batch;
	int r = netns_open(OWN_NAMESPACE, &own, err);

	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_set_down(batch, task->link.index, task->link.name);
	if (own_link_is_marked(request, &task->link))
		link_set_alias(batch, task->link.index, task->link.name, alias);
	link_move(batch, task->link.index, task->link.name, own, name);
	return netlink_finish(task->netlink, batch, err);
}

/* Into the namespace under its final name; a name that it had on the host may be taken there. */
static int move_in(struct netlink *netlink, const struct cni_request *request,
		   const struct eni_config *config, const struct link *link, struct error *err)
{
	struct netlink_batch *batch;
	int r = config->device_name ? own_link_mark(netlink, request, link, err) : 0;

	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_move(batch, link->index, link->name, request->netns_fd, request->ifname);
	r = netlink_finish(netlink, batch, err);
	if (r < 0 && config->device_name) {
		batch = netlink_batch_new();
		link_set_alias(batch, link->index, link->name, link->alias);
		(void)netlink_finish(netlink, batch, NULL);
	}
	return r;
}

/* *ret_was: as the device was on the host. */
static int fetch(struct netlink *netlink, struct task_setup *task,
		 const struct cni_request *request, const struct eni_config *config,
		 struct link *ret_was, struct error *err)
{
	int r = link_wait_mac(netlink, &config->mac, config->device_wait_ms, ret_was, err);

	if (r == 0)
		r = move_in(netlink, request, config, ret_was, err);
	if (r < 0)
		return r;
	r = link_by_name(task->netlink, request->ifname, &task->link, err);
	if (r < 0 && link_by_mac(task->netlink, &config->mac, &task->link, NULL) == 0)
		(void)move_back(task, request, ret_was->name, ret_was->alias, NULL);
	return r;
}

static int rename_in_task(struct task_setup *task, const char *ifname, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	int r;

	link_rename(batch, task->link.index, task->link.name, ifname);
	r = netlink_finish(task->netlink, batch, err);
	if (r == 0)
		snprintf(task->link.name, sizeof(task->link.name), "%s", ifname);
	return r;
}

static int set_mtu(struct task_setup *task, uint32_t mtu, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	int r;

	link_set_mtu(batch, task->link.index, task->link.name, mtu);
	r = netlink_finish(task->netlink, batch, err);
	if (r == 0)
		task->link.mtu = mtu;
	return r;
}

/* A device that is given by its name, on the host; or in the task, where an ADD has brought it. */
static int find_named(struct netlink *netlink, const struct task_setup *task,
		      const struct cni_request *request, struct eni_config *config,
		      struct error *err)
{
	struct link link;
	int r = link_by_name(netlink, config->device_name, &link, err);

	if (r == -ENODEV)
		r = link_by_name(task->netlink, request->ifname, &link, err);
	if (r == -ENODEV)
		r = link_wait_name(netlink, config->device_name, config->device_wait_ms, &link,
				   err);
	if (r == 0)
		config->mac = link.mac;
	return r;
}

/* The one that an ADD has brought: as it has answered, or by its alias. There is nothing else to
 * know it by, and CNI_IFNAME may be another's. -ENODEV. */
static int find_brought(const struct task_setup *task, const struct cni_request *request,
			struct eni_config *config, struct error *err)
{
	const struct cni_interface *answered =
		request->previous ? cni_result_task_end(request->previous, request->ifname) : NULL;
	struct link link;
	int r;

	if (answered && answered->mac && mac_parse(answered->mac, &config->mac, NULL) == 0)
		return 0;
	r = link_by_name(task->netlink, request->ifname, &link, err);
	if (r == 0 && !own_link_is_marked(request, &link))
		r = error_say(err, ENODEV, "interface %s is not the device %s", request->ifname,
			      config->device_name);
	if (r == 0)
		config->mac = link.mac;
	return r;
}

static int plug(struct netlink *netlink, struct task_setup *task, const struct cni_request *request,
		const struct eni_config *config, struct error *err)
{
	struct link taken, was = { 0 };
	int r = link_by_mac(task->netlink, &config->mac, &task->link, err);

	if (r == 0 && str_eq(task->link.name, request->ifname))
		return error_say(err, EEXIST, "interface %s exists already in the namespace %s",
				 request->ifname, request->netns);
	if (r < 0 && r != -ENODEV)
		return r;
	if (link_by_name(task->netlink, request->ifname, &taken, NULL) == 0)
		return error_say(err, EEXIST,
				 "interface %s exists already in the namespace %s, with another "
				 "MAC address",
				 request->ifname, request->netns);
	/* One that an ADD which was cut off has brought here already is taken on. */
	if (r == 0)
		r = rename_in_task(task, request->ifname, err);
	else
		r = fetch(netlink, task, request, config, &was, err);
	if (r < 0)
		return r;
	if (config->stay_down)
		return 0;
	r = task_setup_look(task, &config->task, err);
	if (r == 0 && config->task.mtu && config->task.mtu != task->link.mtu)
		r = set_mtu(task, config->task.mtu, err);
	if (r == 0) {
		r = task_setup_configure(task, &config->task, err);
		if (r < 0)
			task_setup_undo(task, &config->task);
	}
	if (r < 0) {
		if (!was.name[0])
			returned_name(&config->mac, was.name);
		(void)move_back(task, request, was.name, was.alias, NULL);
	}
	return r;
}

int eni_move_add(const struct cni_request *request, struct eni_config *config,
		 struct cni_result *ret, struct cni_error *err)
{
	struct netlink *netlink = NULL;
	struct task_setup task = { 0 };
	struct error why;
	char mac[MAC_TEXT_SIZE];
	int r = task_setup_open(&task, request, &netlink, &why);

	if (r == 0 && config->device_name)
		r = find_named(netlink, &task, request, config, &why);
	if (r == 0)
		r = plug(netlink, &task, request, config, &why);
	task_setup_close(&task, netlink);
	if (r < 0)
		return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);

	task_setup_result(&task, &config->task,
			  cni_result_add_interface(ret, request->ifname,
						   mac_format(&config->mac, mac), request->netns,
						   task.link.mtu),
			  ret);
	return 0;
}

/* The device goes back under a name that tells whose it was. Not there: it is back, or went with
 * the namespace. */
int eni_move_del(const struct cni_request *request, struct eni_config *config,
		 struct cni_error *err)
{
	struct task_setup task = { 0 };
	struct error why;
	char name[16];
	int r;

	if (request->netns_fd < 0)
		return 0;
	r = task_setup_open(&task, request, NULL, &why);
	if (r == 0 && config->device_name)
		r = find_brought(&task, request, config, &why);
	if (r == 0)
		r = link_by_mac(task.netlink, &config->mac, &task.link, &why);
	if (r == 0) {
		returned_name(&config->mac, name);
		r = move_back(&task, request, name, "", &why);
		/* Another DEL may have moved it since it was seen; while it does, the kernel denies
		 * the device, though a dump may still show it. */
		if (r == -ENODEV ||
		    (r < 0 && link_by_mac(task.netlink, &config->mac, &task.link, NULL) == -ENODEV))
			r = 0;
	} else if (r == -ENODEV) {
		r = 0;
	}
	if (r == 0 && task.netlink)
		task_setup_undo(&task, &config->task);
	task_setup_close(&task, NULL);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

int eni_move_check(const struct cni_request *request, struct eni_config *config,
		   struct cni_error *err)
{
	struct task_setup task = { 0 };
	struct error why;
	int r = task_setup_open(&task, request, NULL, &why);

	if (r == 0 && config->device_name)
		r = find_brought(&task, request, config, &why);
	if (r == 0)
		r = link_by_mac(task.netlink, &config->mac, &task.link, &why);
	if (r == 0 && !str_eq(task.link.name, request->ifname))
		r = error_say(&why, ENOENT, "the device is called %s, not %s", task.link.name,
			      request->ifname);
	if (r == 0 && !config->stay_down)
		r = task_setup_check(&task, &config->task, &why);
	task_setup_close(&task, NULL);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}
