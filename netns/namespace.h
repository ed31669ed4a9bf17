/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_NAMESPACE_H
#define BERTH_NETNS_NAMESPACE_H

#include "base/error.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Named network namespaces: a namespace lives as long as a file that it is bind-mounted on.
 *
 * Every function here blocks (tens of milliseconds under contention): call it in a plugin process
 * or on the loop's pool, never on the loop. None changes the namespace of the calling thread: work
 * inside a namespace is done by a thread of its own that ends with it, so that no failure can leave
 * a pool thread in a task's namespace.
 */

/* What a namespace is, whatever its name: compare it before trusting a path or a pid again. */
struct netns_identity {
	dev_t dev;
	ino_t ino;
};

struct netns_sysctl {
	const char *name; /* as sysctl(8) or a task definition writes it:
			     "net.ipv4.ip_local_port_range" */
	const char *value;
};

struct netns_options {
	const struct netns_sysctl
		*sysctls; /* set inside before anybody else sees the namespace; only net.* */
	size_t sysctl_count;
};

/*
 * Makes `directory` (and its parents, 0755) the place of namespace files: a bind mount of itself
 * with private propagation, so that no other mount namespace receives, and pins, what is mounted in
 * it. Safe to repeat, and to call from several processes at once.
 */
int netns_directory_prepare(const char *directory, struct error *err);

/* The reverse, when the directory is empty: unmounted and removed. -EBUSY when a namespace is left
 * in it. */
int netns_directory_release(const char *directory, struct error *err);

/*
 * Creates a namespace with its loopback up, and binds it to the file `path`. A stale plain file
 * there is replaced; -EEXIST when a living namespace is bound there (open it, and compare its
 * identity with the recorded one). `options` may be NULL. *ret_fd (may be NULL): the namespace,
 * O_CLOEXEC, the caller closes it.
 */
int netns_create(const char *path, const struct netns_options *options, int *ret_fd,
		 struct error *err);

/* Opens the namespace at `path` (a bound file or /proc/<pid>/ns/net). -ENOENT; -EINVAL when it is
 * something else. */
int netns_open(const char *path, int *ret_fd, struct error *err);

int netns_identity(int netns_fd, struct netns_identity *ret, struct error *err);
bool netns_identity_equal(const struct netns_identity *a, const struct netns_identity *b);

/* Whether the calling thread is in this namespace. < 0 on error. */
int netns_is_current(int netns_fd, struct error *err);

/*
 * Runs work(data, err) inside the namespace, in a thread of its own, and returns what it returned.
 * Sockets that the work opens stay in the namespace for ever.
 */
int netns_run(int netns_fd, int (*work)(void *data, struct error *err), void *data,
	      struct error *err);

/*
 * A listening, non-blocking TCP socket inside the namespace, for the caller's own loop; the
 * metadata endpoint at 169.254.170.2:80 is one. IP_FREEBIND is set: the address need not be there
 * yet.
 */
int netns_listen_tcp(int netns_fd, const struct ip_address *address, uint16_t port, int *ret_fd,
		     struct error *err);

/*
 * Unmounts and removes the namespace file and verifies that it is gone. Already gone: 0. The
 * namespace itself, and the links in it, go when the last process, socket or open file of it does;
 * for a veth some 30 ms after that: links_wait_gone() of netns/link.h.
 *
 * `expected` (may be NULL): -ESTALE, and nothing is done, when another namespace is bound there.
 */
int netns_delete(const char *path, const struct netns_identity *expected, struct error *err);

#endif
