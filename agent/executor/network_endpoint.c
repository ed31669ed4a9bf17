/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata endpoint's socket inside an awsvpc task's namespace. */
#include "agent/executor/live.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "netns/namespace.h"
#include "netns/redirect.h"

/* Where containers ask, and where the socket is: programs of the task may listen on port 80
 * themselves. */
#define ENDPOINT_PORT        80
#define ENDPOINT_SOCKET_PORT 51679

int network_listen(const char *netns_path, bool redirect, struct error *err)
{
	_cleanup_close_ int netns = -1;
	struct ip_address address;
	int fd;
	int r;

	r = ip_parse(NETWORK_ENDPOINT_ADDRESS, &address, err);
	if (r == 0)
		r = netns_open(netns_path, &netns, err);
	/* The rule waits ten milliseconds for the kernel, so it is set once and not again when a
	 * task is adopted. */
	if (r == 0 && redirect)
		r = netns_redirect_tcp(netns, &address, ENDPOINT_PORT, ENDPOINT_SOCKET_PORT, err);
	if (r == 0)
		r = netns_listen_tcp(netns, &address, ENDPOINT_SOCKET_PORT, &fd, err);
	return r == 0 ? fd : r;
}

void network_opened(struct live_task *task, const char *place, int listen_fd,
		    const struct error *err)
{
	if (listen_fd < 0)
		log_error("the metadata endpoint of a task cannot be opened: its containers get "
			  "neither metadata nor "
			  "credentials",
			  "task", task->id, "error", err->text);
	else
		task->executor->config.namespace_opened(task->executor->config.data, task->id,
							place, listen_fd);
}
