/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_NETLINK_H
#define BERTH_NETNS_NETLINK_H

#include "base/error.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * rtnetlink: a socket that stays in the namespace where it was opened, and batches of changes, of
 * whatever size: they are sent in as large pieces as the socket has room for the answers.
 *
 *	_cleanup_(netlink_batch_free) struct netlink_batch *batch = netlink_batch_new();
 *	link_set_up(batch, index, "eth0");
 *	address_add(batch, index, "eth0", &prefix, 0);
 *	if (netlink_run(netlink, batch, err) < 0) ...	// "add address 10.0.0.5/24 to eth0: File
 *exists"
 *
 * Blocking, and not to be shared by threads.
 */
struct netlink;
struct netlink_batch;

/* In the calling thread's namespace. */
int netlink_open(struct netlink **ret, struct error *err);

/* In the namespace `netns_fd`, from wherever the caller is. */
int netlink_open_in(int netns_fd, struct netlink **ret, struct error *err);

void netlink_close(struct netlink *netlink);

struct netlink_batch *netlink_batch_new(void);
void netlink_batch_free(struct netlink_batch *batch);
size_t netlink_batch_count(const struct netlink_batch *batch);

/*
 * Begins a request in the batch: the caller puts its family header and attributes (at most 2 KiB)
 * with mnl_*. The pointer is good until the next request begins. The words, "add
 * address 10.0.0.5/24 to eth0", name the change in an error.
 */
__attribute__((format(printf, 4, 5))) struct nlmsghdr *
netlink_request(struct netlink_batch *batch, uint16_t type, uint16_t flags, const char *what, ...);

/* The request begun last, to be completed. */
struct nlmsghdr *netlink_last_request(struct netlink_batch *batch);

/* The request begun last may fail with this errno without failing the batch (EEXIST, ESRCH, ...).
 * At most 4. */
void netlink_tolerate(struct netlink_batch *batch, int error);

/*
 * Sends the batch and awaits the answer of each request. All are tried, in order; the first that
 * failed gives the error, in the kernel's own words where it has some. The batch is empty
 * afterwards.
 */
int netlink_run(struct netlink *netlink, struct netlink_batch *batch, struct error *err);

/* The same, and frees the batch. */
int netlink_finish(struct netlink *netlink, struct netlink_batch *batch, struct error *err);

/*
 * Sends one query (a batch of one request, with NLM_F_DUMP or not) and calls `row` for each answer;
 * a negative result of `row` ends it with that result. A dump that the kernel saw change meanwhile
 * is read again, up to 5 times: `restart` (may be NULL) is called before each reading.
 */
int netlink_query(struct netlink *netlink, struct netlink_batch *query,
		  int (*row)(const struct nlmsghdr *message, void *data),
		  void (*restart)(void *data), void *data, struct error *err);

/* Subscribes to, or leaves, a group of notifications (RTNLGRP_LINK). Requests go on working
 * meanwhile. */
int netlink_listen(struct netlink *netlink, unsigned int group, bool on, struct error *err);

/* After netlink_listen(). Waits until something is heard, or the time is over, and drops all that
 * it heard: look for yourself. */
void netlink_await(struct netlink *netlink, int64_t timeout_ms);

#endif
