/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/device_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "netns/device_look.h"
#include "netns/uevent.h"

/* A driver may say that a device is there before it has its address. */
#define READ_TIMEOUT_MS 2000
static const struct backoff_policy read_policy = {
	.min_ms = 2, .max_ms = 200, .multiplier = 1.5, .jitter = 0.2
};

/* More devices at once than these are found by a look. */
#define ARRIVALS_MAX 256

/* One turn of the loop reads so many messages: others want to live, too. */
#define MESSAGES_MAX 256

/* A device of which the kernel spoke, until its address is known. */
struct arrival {
	struct device_watch *watch; /* NULL: nobody asks any more */
	struct arrival *next;
	struct loop_timer *retry;
	struct backoff backoff;
	int64_t deadline_ms; /* monotonic */
	bool at_work;
	struct device_name_look look;
};

struct looking {
	struct device_watch *watch; /* NULL: nobody asks any more */
	struct device_look look;
};

struct device_watch {
	struct device_watch_config config;
	int uevents, links; /* sockets; -1: none */
	struct loop_fd *on_uevent, *on_link;
	struct loop_timer *interval;
	struct looking *looking; /* NULL: nobody looks */
	bool again;              /* once more when it is done */
	struct device_primary primary;
	bool knows_primary; /* a look has been done */
	bool told_elsewhere;
	struct arrival *arrivals;
	size_t arrival_count;
};

static void tell(struct device_watch *watch, const struct mac_address *mac)
{
	if (!device_is_primary(&watch->primary, mac))
		watch->config.appeared(watch->config.data, mac);
}

/* ---- all links ---- */

static void look_work(void *data)
{
	struct looking *looking = data;

	device_look(&looking->look);
}

static void look_done(void *data)
{
	struct looking *looking = data;
	struct device_watch *watch = looking->watch;

	if (watch) {
		watch->looking = NULL;
		loop_timer_start(watch->interval, watch->config.interval_ms);
		if (looking->look.result < 0) {
			log_warn("The host's network devices cannot be listed", "error",
				 looking->look.err.text);
		} else {
			device_primary_free(&watch->primary);
			watch->primary = device_primary_copy(&looking->look.primary);
			watch->knows_primary = true;
		}
		for (size_t i = 0; i < looking->look.count; i++)
			tell(watch, &looking->look.macs[i]);
		if (watch->again)
			device_watch_look(watch);
	}
	device_look_free(&looking->look);
	free(looking);
}

void device_watch_look(struct device_watch *watch)
{
	struct looking *looking;

	/* What came after the list was begun may not be on it. */
	watch->again = watch->looking != NULL;
	if (watch->looking)
		return;
	looking = xcalloc(1, sizeof(*looking));
	looking->watch = watch;
	looking->look.primary = device_primary_copy(&watch->primary);
	for (size_t i = 0; i < watch->config.kinds->count; i++)
		str_list_add(&looking->look.kinds, watch->config.kinds->items[i]);
	watch->looking = looking;
	loop_work(watch->config.loop, look_work, look_done, looking);
}

static void interval_over(void *data)
{
	device_watch_look(data);
}

/* ---- one device, by its name ---- */

static void arrival_free(struct arrival *arrival)
{
	loop_timer_free(arrival->retry);
	free(arrival);
}

static void arrival_end(struct arrival *arrival)
{
	struct device_watch *watch = arrival->watch;
	struct arrival **link = &watch->arrivals;

	while (*link != arrival)
		link = &(*link)->next;
	*link = arrival->next;
	watch->arrival_count--;
	arrival_free(arrival);
}

static void arrival_work(void *data)
{
	struct arrival *arrival = data;

	device_look_at(&arrival->look);
}

static void arrival_done(void *data)
{
	struct arrival *arrival = data;
	struct device_watch *watch = arrival->watch;

	if (!watch) {
		free(arrival);
		return;
	}
	arrival->at_work = false;
	if (arrival->look.result == 0 && watch->knows_primary) {
		tell(watch, &arrival->look.mac);
	} else if (arrival->look.result == -ENODEV) {
		/* It has got another name since, or is gone. */
		device_watch_look(watch);
	} else if (clock_monotonic_ms() < arrival->deadline_ms) {
		/* It may also be the host's own, which the first look will say. */
		loop_timer_start(arrival->retry, backoff_next_ms(&arrival->backoff, random_unit()));
		return;
	} else {
		log_warn("A new network device cannot be told: its address, or the host's own "
			 "device, is not known",
			 "interface", arrival->look.name, "error", arrival->look.err.text);
	}
	arrival_end(arrival);
}

static void arrival_read(void *data)
{
	struct arrival *arrival = data;

	arrival->at_work = true;
	loop_work(arrival->watch->config.loop, arrival_work, arrival_done, arrival);
}

static void arrived(struct device_watch *watch, const char *interface)
{
	struct arrival *arrival;

	if (watch->arrival_count >= ARRIVALS_MAX) {
		device_watch_look(watch);
		return;
	}
	arrival = xcalloc(1, sizeof(*arrival));
	arrival->watch = watch;
	snprintf(arrival->look.name, sizeof(arrival->look.name), "%s", interface);
	arrival->retry = loop_timer_new(watch->config.loop, arrival_read, arrival);
	arrival->deadline_ms = clock_monotonic_ms() + READ_TIMEOUT_MS;
	backoff_reset(&arrival->backoff, &read_policy);
	arrival->next = watch->arrivals;
	watch->arrivals = arrival;
	watch->arrival_count++;
	arrival_read(arrival);
}

/* ---- the kernel's messages ---- */

static void take(struct device_watch *watch, const struct uevent *event)
{
	if (event->kind == UEVENT_HARDWARE) {
		log_debug("A network device is there", "interface", event->interface);
		arrived(watch, event->interface);
	} else if (event->kind == UEVENT_ELSEWHERE && !watch->told_elsewhere) {
		watch->told_elsewhere = true;
		log_warn("A network device is neither on the bus PCI nor of Xen; such are found by "
			 "looking only, and this is not said again",
			 "interface", event->interface);
	}
}

/* Lost messages are an error of the socket, which the loop then watches no more. */
static void watch_on(struct loop_fd *fd, int events)
{
	if (events & LOOP_ERROR)
		loop_fd_set(fd, LOOP_READ);
}

static void on_uevent(void *data, int events)
{
	struct device_watch *watch = data;
	struct uevent event;

	watch_on(watch->on_uevent, events);
	for (int i = 0; i < MESSAGES_MAX; i++) {
		int r = uevent_receive(watch->uevents, &event);

		if (r == -ENOBUFS) {
			log_info("Messages of the kernel about devices were lost; all devices are "
				 "looked at");
			device_watch_look(watch);
		} else if (r < 0) {
			return;
		} else {
			take(watch, &event);
		}
	}
}

/* A hint only, whatever it says, and also when some were lost: who hears it looks for himself. */
static void on_link(void *data, int events)
{
	struct device_watch *watch = data;
	char buffer[8192];

	watch_on(watch->on_link, events);
	for (int i = 0; i < MESSAGES_MAX; i++)
		if (recv(watch->links, buffer, sizeof(buffer), MSG_DONTWAIT) < 0 &&
		    errno != ENOBUFS)
			break;
	device_watch_look(watch);
}

/* Links of software are told by no message of a device. */
static int open_links(int *ret_fd, struct error *err)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return error_set(err, errno, "open a netlink socket");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, errno, "subscribe to changes of links");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* ---- life ---- */

int device_watch_new(const struct device_watch_config *config, struct device_watch **ret,
		     struct error *err)
{
	struct device_watch *watch = xcalloc(1, sizeof(*watch));
	int r;

	watch->config = *config;
	watch->links = -1;
	watch->uevents = -1;
	watch->interval = loop_timer_new(config->loop, interval_over, watch);
	r = uevent_open(&watch->uevents, err);
	if (r == 0)
		r = loop_fd_new(config->loop, watch->uevents, LOOP_READ, on_uevent, watch,
				&watch->on_uevent, err);
	if (r == 0 && config->kinds->count > 0) {
		r = open_links(&watch->links, err);
		if (r == 0)
			r = loop_fd_new(config->loop, watch->links, LOOP_READ, on_link, watch,
					&watch->on_link, err);
	}
	if (r < 0) {
		device_watch_free(watch);
		return r;
	}
	device_watch_look(watch);
	*ret = watch;
	return 0;
}

void device_watch_free(struct device_watch *watch)
{
	struct arrival *next;

	if (!watch)
		return;
	if (watch->looking)
		watch->looking->watch = NULL;
	for (struct arrival *arrival = watch->arrivals; arrival; arrival = next) {
		next = arrival->next;
		arrival->watch = NULL;
		loop_timer_free(arrival->retry);
		if (!arrival->at_work)
			free(arrival);
	}
	if (watch->on_uevent)
		loop_fd_free(watch->on_uevent);
	if (watch->on_link)
		loop_fd_free(watch->on_link);
	if (watch->uevents >= 0)
		close(watch->uevents);
	if (watch->links >= 0)
		close(watch->links);
	loop_timer_free(watch->interval);
	device_primary_free(&watch->primary);
	free(watch);
}
