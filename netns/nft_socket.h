/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_NFT_SOCKET_H
#define BERTH_NETNS_NFT_SOCKET_H

#include "base/error.h"

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

/* One exchange with netfilter: messages out, answers in. */
struct nft_socket {
	struct mnl_socket *socket;
	const char *what; /* borrowed: what is being done, for errors */
};

int nft_socket_open(struct nft_socket *ret, const char *what, struct error *err);
void nft_socket_close(struct nft_socket *socket);

/*
 * Sends, and calls each(message, data) for every answer until the one to message `last` ends it:
 * its acknowledgement, its error, or the end of its dump. An error that is told of message 0, the
 * frame of a batch, ends it too. A negative result of `each` is returned, at the end.
 */
int nft_socket_exchange(struct nft_socket *socket, const void *bytes, size_t size, uint32_t last,
			int (*each)(const struct nlmsghdr *message, void *data), void *data,
			struct error *err);

#endif
