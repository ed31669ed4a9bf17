/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/pause_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

const char *pause_step_name(enum pause_step step)
{
	switch (step) {
	case PAUSE_STEP_CGROUP:
		return "enter its cgroup";
	case PAUSE_STEP_NETNS:
		return "join the network namespace";
	case PAUSE_STEP_HOSTNAME:
		return "set the host name";
	case PAUSE_STEP_ROOT:
		return "make its root file system";
	case PAUSE_STEP_STDIO:
		return "set its standard streams";
	case PAUSE_STEP_PRIVILEGES:
		return "give up privileges";
	case PAUSE_STEP_EXEC:
		return "execute the pause program";
	}
	return "?";
}

__attribute__((noreturn)) static void fail(const struct pause_child *child, enum pause_step step)
{
	struct pause_failure failure = { .step = step, .code = errno };

	if (write(child->status_fd, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

/* Best effort: raising works for everybody, lowering needs CAP_SYS_RESOURCE. */
static void set_oom_score(int score)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int length = snprintf(text, sizeof(text), "%d", score);

	if (fd < 0)
		return;
	if (write(fd, text, (size_t)length) < 0)
		errno = 0;
	close(fd);
}

/* An empty tmpfs, read-only; nothing of the host can be reached, and the program is executed by its
 * descriptor. */
static int make_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	/* Over /proc, which every host has: in this mount namespace nobody needs it any more. */
	if (mount("berth-pause", "/proc", "tmpfs", MS_NOSUID | MS_NODEV,
		  "size=4k,nr_inodes=2,mode=555") < 0)
		return -1;
	if (chdir("/proc") < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -1;
	/* The old root lies on top of the new one now. */
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -1;
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV,
		     NULL);
}

static int drop_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof(none));
	/* EINVAL: the kernel has no more */
	for (unsigned capability = 0; capability < 64; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL)
			return -1;
	}
	prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
					 SECBIT_NO_SETUID_FIXUP_LOCKED);
	/* Raw calls: glibc's would tell the other threads, which are not in this process. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) < 0 ||
	    syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0)
		return -1;
	if (syscall(SYS_capset, &header, none) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* A first process is not told of signals that it neither handles nor blocks: it must block them
 * before it is known. */
static void set_signals(void)
{
	struct sigaction defaults = { .sa_handler = SIG_DFL };
	sigset_t waited_for;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &defaults, NULL);
	sigemptyset(&waited_for);
	sigaddset(&waited_for, SIGTERM);
	sigaddset(&waited_for, SIGINT);
	sigaddset(&waited_for, SIGCHLD);
	sigprocmask(SIG_SETMASK, &waited_for, NULL);
}

__attribute__((noreturn)) static void run_child(const struct pause_child *child)
{
	char *const argv[] = { (char *)PAUSE_NAME, NULL };
	char *const env[] = { NULL };

	set_signals();
	setsid();
	for (size_t i = 0; i < child->cgroup_count; i++) {
		if (write(child->cgroup_fds[i], "0", 1) < 0)
			fail(child, PAUSE_STEP_CGROUP);
	}
	if (child->oom_score_adj)
		set_oom_score(child->oom_score_adj);
	if (child->netns_fd >= 0 && setns(child->netns_fd, CLONE_NEWNET) < 0)
		fail(child, PAUSE_STEP_NETNS);
	if (sethostname(child->hostname, strlen(child->hostname)) < 0)
		fail(child, PAUSE_STEP_HOSTNAME);
	if (make_root() < 0)
		fail(child, PAUSE_STEP_ROOT);
	if (dup2(child->null_fd, 0) < 0 || dup2(child->null_fd, 1) < 0 ||
	    dup2(child->null_fd, 2) < 0)
		fail(child, PAUSE_STEP_STDIO);
	if (syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
		fail(child, PAUSE_STEP_STDIO);
	if (drop_privileges() < 0)
		fail(child, PAUSE_STEP_PRIVILEGES);
	execveat(child->program_fd, "", argv, env, AT_EMPTY_PATH);
	fail(child, PAUSE_STEP_EXEC);
}

pid_t pause_clone(const struct pause_child *child, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
			 (child->netns_fd < 0 ? CLONE_NEWNET : 0),
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		/* No signal to us: SIGCHLD belongs to the loop's own children. It is waited for by
		   its pidfd. */
		.exit_signal = 0,
	};
	sigset_t all, old;
	long pid;

	/* No handler of ours may run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		run_child(child);
	if (pid < 0)
		pid = -errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid > 0)
		*ret_pidfd = pidfd;
	return (pid_t)pid;
}
