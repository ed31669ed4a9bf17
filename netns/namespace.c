/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/namespace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "netns/link.h"
#include "netns/netlink.h"
#include "netns/sysctl.h"

#define HERE           "/proc/thread-self/ns/net"
#define MOUNTS_LIMIT   64 /* mounts stacked on one file before we give up */
#define BACKLOG        128
#define LOOPBACK_INDEX 1 /* of lo, in every namespace */

/*
 * A thread that does one thing in a namespace and ends there. It blocks all signals: handlers
 * belong to threads that live where the process lives.
 */
struct visit {
	int netns_fd; /* -1: the work itself makes the namespace */
	int (*work)(void *data, struct error *err);
	void *data;
	struct error *err;
	int result;
};

static void *visit_thread(void *data)
{
	struct visit *visit = data;

	if (visit->netns_fd >= 0 && setns(visit->netns_fd, CLONE_NEWNET) < 0)
		visit->result = error_set(visit->err, errno, "enter a network namespace");
	else
		visit->result = visit->work(visit->data, visit->err);
	return NULL;
}

static int run_in_thread(struct visit *visit)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, visit_thread, visit);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return error_set(visit->err, r, "start a thread to enter a network namespace");
	pthread_join(thread, NULL);
	return visit->result;
}

int netns_run(int netns_fd, int (*work)(void *data, struct error *err), void *data,
	      struct error *err)
{
	struct visit visit = { .netns_fd = netns_fd, .work = work, .data = data, .err = err };

	if (netns_fd < 0)
		return error_say(err, EBADF, "enter a network namespace: it is not open");
	return run_in_thread(&visit);
}

int netns_identity(int netns_fd, struct netns_identity *ret, struct error *err)
{
	struct stat info;

	if (fstat(netns_fd, &info) < 0)
		return error_set(err, errno, "examine a network namespace");
	*ret = (struct netns_identity){ .dev = info.st_dev, .ino = info.st_ino };
	return 0;
}

bool netns_identity_equal(const struct netns_identity *a, const struct netns_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

int netns_is_current(int netns_fd, struct error *err)
{
	struct netns_identity own, other = { 0 };
	struct stat info;
	int r = netns_identity(netns_fd, &other, err);

	if (r < 0)
		return r;
	if (stat(HERE, &info) < 0)
		return error_set(err, errno, "examine our own network namespace");
	own = (struct netns_identity){ .dev = info.st_dev, .ino = info.st_ino };
	return netns_identity_equal(&own, &other);
}

int netns_open(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return error_set(err, errno, "open network namespace %s", path);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return error_say(err, EINVAL,
				 "open network namespace %s: it is something else: no namespace is "
				 "bound to it",
				 path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Whether a namespace, of whatever kind, is bound at the path. */
static bool is_bound(const char *path)
{
	struct statfs info;

	return statfs(path, &info) == 0 && info.f_type == NSFS_MAGIC;
}

struct creation {
	const char *path;
	const struct netns_options *options;
	int fd;
};

static int set_loopback_up(struct error *err)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch;
	int r = netlink_open(&netlink, err);

	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_set_up(batch, LOOPBACK_INDEX, "lo");
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	netlink_close(netlink);
	return r;
}

/* In a thread of its own, which ends in the new namespace. The name is given last, when all is in
 * order. */
static int create_in_thread(void *data, struct error *err)
{
	struct creation *creation = data;
	const struct netns_options *options = creation->options;
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return error_set(err, errno, "make a network namespace");
	r = set_loopback_up(err);
	for (size_t i = 0; r == 0 && options && i < options->sysctl_count; i++)
		r = sysctl_set(options->sysctls[i].name, options->sysctls[i].value, err);
	if (r < 0)
		return r;
	creation->fd = open(HERE, O_RDONLY | O_CLOEXEC);
	if (creation->fd < 0)
		return error_set(err, errno, "open the new network namespace");
	if (mount(HERE, creation->path, NULL, MS_BIND, NULL) < 0)
		return error_set(err, errno, "bind the new network namespace to %s",
				 creation->path);
	return 0;
}

/*
 * The file to bind to, locked while it is being made a namespace, so that a file left by a crash
 * (which nobody locks) is told from one that another is working on.
 */
static int claim_file(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat claimed, now;

	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0444);
	if (fd < 0)
		return error_set(err, errno, "create network namespace %s", path);
	if (is_bound(path))
		return error_say(err, EEXIST,
				 "create network namespace %s: a namespace is bound there already",
				 path);
	if (fstat(fd, &claimed) < 0 || !S_ISREG(claimed.st_mode))
		return error_say(err, EEXIST,
				 "create network namespace %s: something that is no plain file is "
				 "there",
				 path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_say(err, EBUSY,
				 "create network namespace %s: another process is creating it",
				 path);
	/* Whoever had the lock before may have bound it, or removed it. */
	if (stat(path, &now) < 0 || now.st_dev != claimed.st_dev || now.st_ino != claimed.st_ino)
		return error_say(err, EEXIST,
				 "create network namespace %s: another process has created it",
				 path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int netns_create(const char *path, const struct netns_options *options, int *ret_fd,
		 struct error *err)
{
	_cleanup_close_ int claim = -1;
	struct creation creation = { .path = path, .options = options, .fd = -1 };
	struct visit visit = {
		.netns_fd = -1, .work = create_in_thread, .data = &creation, .err = err
	};
	int r = claim_file(path, &claim, err);

	if (r < 0)
		return r;
	r = run_in_thread(&visit);
	if (r < 0) {
		unlink(path);
		error_prefix(err, "create network namespace %s", path);
	}
	if (r < 0 || !ret_fd) {
		if (creation.fd >= 0)
			close(creation.fd);
		return r;
	}
	*ret_fd = creation.fd;
	return 0;
}

struct listening {
	struct sockaddr_storage address;
	socklen_t size;
	int fd;
};

static int listen_here(void *data, struct error *err)
{
	struct listening *listening = data;
	_cleanup_close_ int fd = -1;
	int on = 1;

	fd = socket(listening->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, errno, "open a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
		return error_set(err, errno, "prepare a socket");
	if (bind(fd, (const struct sockaddr *)&listening->address, listening->size) < 0)
		return error_set(err, errno, "bind");
	if (listen(fd, BACKLOG) < 0)
		return error_set(err, errno, "listen");
	listening->fd = TAKE_FD(fd);
	return 0;
}

int netns_listen_tcp(int netns_fd, const struct ip_address *address, uint16_t port, int *ret_fd,
		     struct error *err)
{
	struct listening listening = { .fd = -1 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&listening.address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&listening.address;
	char text[IP_TEXT_SIZE];
	int r;

	if (address->family == AF_INET) {
		*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&v4->sin_addr, address->bytes, sizeof(v4->sin_addr));
		listening.size = sizeof(*v4);
	} else {
		*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		memcpy(&v6->sin6_addr, address->bytes, sizeof(v6->sin6_addr));
		listening.size = sizeof(*v6);
	}
	r = netns_run(netns_fd, listen_here, &listening, err);
	if (r < 0) {
		error_prefix(err, "listen on %s port %u in a network namespace",
			     ip_format(address, text), port);
		return r;
	}
	*ret_fd = listening.fd;
	return 0;
}

static int check_identity(const char *path, const struct netns_identity *expected,
			  struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct netns_identity found = { 0 };
	int r = netns_open(path, &fd, err);

	if (r == 0)
		r = netns_identity(fd, &found, err);
	if (r < 0)
		return r;
	if (!netns_identity_equal(&found, expected))
		return error_say(
			err, ESTALE,
			"delete network namespace %s: another namespace is bound there now "
			"(inode %llu, not %llu): it is left alone",
			path, (unsigned long long)found.ino, (unsigned long long)expected->ino);
	return 0;
}

int netns_delete(const char *path, const struct netns_identity *expected, struct error *err)
{
	int r;

	if (expected && is_bound(path)) {
		r = check_identity(path, expected, err);
		if (r < 0)
			return r;
	}
	for (int mounts = 0; umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; mounts++)
		if (mounts == MOUNTS_LIMIT)
			return error_say(err, EBUSY,
					 "delete network namespace %s: mounts keep appearing on it",
					 path);
	if (errno != EINVAL && errno != ENOENT && errno != ENOTDIR)
		return error_set(err, errno, "unmount network namespace %s", path);
	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return error_set(err, errno, "remove network namespace %s", path);
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_say(err, EBUSY,
				 "delete network namespace %s: it is there again: another process "
				 "made it",
				 path);
	return 0;
}
