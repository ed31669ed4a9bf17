/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp_profile.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/socket.h>

#include "base/str.h"
#include "runtime/capability.h"

/* Names separated by spaces, in families: what a program needs that keeps to itself. */
static const char *const always[] = {
	/* memory */
	("brk madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap "
	 "mmap2 "
	 "mprotect mremap "
	 "msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease "
	 "remap_file_pages"),
	/* files: opening, reading, writing */
	("close close_range copy_file_range creat dup dup2 dup3 fadvise64 fadvise64_64 fallocate "
	 "fcntl fcntl64 "
	 "fdatasync flock fsync ftruncate ftruncate64 ioctl _llseek lseek open openat openat2 "
	 "pread64 preadv preadv2 "
	 "pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync "
	 "sync_file_range syncfs tee "
	 "truncate truncate64 umask vmsplice write writev"),
	/* files: names and attributes */
	("access chdir chmod chown chown32 faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 "
	 "fchown fchown32 "
	 "fchownat fstat fstat64 fstatat64 fstatfs fstatfs64 futimesat getcwd getdents getdents64 "
	 "lchown lchown32 link "
	 "linkat lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat readlink "
	 "readlinkat rename "
	 "renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat unlink "
	 "unlinkat utime utimensat "
	 "utimensat_time64 utimes"),
	("fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr llistxattr "
	 "lremovexattr lsetxattr "
	 "removexattr setxattr"),
	/* waiting for events */
	("epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
	 "epoll_wait_old eventfd "
	 "eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch "
	 "_newselect poll ppoll "
	 "ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4"),
	"io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit",
	/* processes and threads */
	("capget capset execve execveat exit exit_group fork get_robust_list get_thread_area "
	 "getcpu "
	 "getpgid getpgrp "
	 "getpid getppid getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set "
	 "pidfd_open pidfd_send_signal "
	 "prctl prlimit64 rseq sched_get_priority_max sched_get_priority_min sched_getaffinity "
	 "sched_getattr "
	 "sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
	 "sched_setaffinity "
	 "sched_setattr sched_setparam sched_setscheduler sched_yield set_robust_list "
	 "set_thread_area set_tid_address "
	 "setpgid setpriority setrlimit setsid times ugetrlimit vfork wait4 waitid waitpid"),
	"futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake",
	("getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid "
	 "getresgid32 getresuid "
	 "getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
	 "setgroups setgroups32 "
	 "setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
	 "setuid setuid32"),
	/* signals */
	("kill pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
	 "rt_sigreturn "
	 "rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack "
	 "sigprocmask sigreturn "
	 "tgkill tkill"),
	/* time */
	("adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
	 "clock_gettime clock_gettime64 "
	 "clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time "
	 "timer_create "
	 "timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
	 "timer_settime64 "
	 "timerfd_create "
	 "timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64"),
	/* talking to others; socket() itself is below */
	("accept accept4 bind connect getpeername getsockname getsockopt listen pipe pipe2 recv "
	 "recvfrom recvmmsg "
	 "recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall "
	 "socketpair"),
	("ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
	 "mq_timedsend_time64 "
	 "mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 "
	 "shmat shmctl shmdt "
	 "shmget"),
	/* confining oneself, and the rest */
	("getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp "
	 "sysinfo uname"),
	/* reading another process is bounded by ptrace's own checks since Linux 4.8 */
	"process_vm_readv process_vm_writev ptrace",
#if defined(__x86_64__)
	"arch_prctl map_shadow_stack modify_ldt",
#elif defined(__i386__)
	"modify_ldt",
#elif defined(__aarch64__) || defined(__arm__)
	"arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
#elif defined(__powerpc64__)
	"swapcontext sync_file_range2",
#elif defined(__riscv)
	"riscv_flush_icache",
#endif
};

/* What goes with a capability: without it the call would be refused anyhow, or must be. */
static const struct {
	unsigned capability;
	const char *names;
} with_capability[] = {
	{ CAP_DAC_READ_SEARCH, "open_by_handle_at" },
	{ CAP_SYS_ADMIN,
	  "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
	  "mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
	  "sethostname setns syslog umount umount2 unshare" },
	{ CAP_SYS_BOOT, "reboot" },
	{ CAP_SYS_CHROOT, "chroot" },
	{ CAP_SYS_MODULE, "delete_module finit_module init_module" },
	{ CAP_SYS_PACCT, "acct" },
	{ CAP_SYS_PTRACE,
	  "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace" },
	{ CAP_SYS_RAWIO, "ioperm iopl" },
	{ CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime" },
	{ CAP_SYS_TTY_CONFIG, "vhangup" },
	{ CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
	{ CAP_SYSLOG, "syslog" },
	{ CAP_BPF, "bpf" },
	{ CAP_PERFMON, "perf_event_open" },
};

/* personality(2): the default, 32-bit layout, and both with SHORT_INODE; 0xffffffff asks. */
static const uint64_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

#define NAMESPACE_FLAGS                                                                            \
	((uint64_t)CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |      \
	 CLONE_NEWNET | CLONE_NEWCGROUP)

static bool is_known(const char *name, bool all_architectures)
{
	int number = seccomp_syscall_resolve_name(name);

	/* Other negative numbers stand for calls that only other architectures have. */
	return all_architectures ? number != __NR_SCMP_ERROR : number >= 0;
}

static void append_names(struct strbuf *sb, struct str_list *seen, const char *names,
			 bool all_architectures)
{
	struct str_list list = STR_LIST_INIT;

	str_list_split(&list, names, ' ', false);
	for (size_t i = 0; i < list.count; i++) {
		if (!is_known(list.items[i], all_architectures) ||
		    str_list_has(seen, list.items[i]))
			continue;
		strbuf_append(sb, seen->count ? "," : "");
		strbuf_append_json(sb, list.items[i]);
		str_list_add(seen, list.items[i]);
	}
	str_list_free(&list);
}

static void append_rule(struct strbuf *sb, const char *name, unsigned index, uint64_t value,
			const char *operation)
{
	strbuf_appendf(sb,
		       ",{\"names\":[\"%s\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":%u,"
		       "\"value\":%llu,\"op\":\"%s\"}]}",
		       name, index, (unsigned long long)value, operation);
}

static int append_architectures(struct strbuf *sb, bool all, struct error *err)
{
	switch (seccomp_arch_native()) {
	case SCMP_ARCH_X86_64:
		strbuf_append(sb, all ? "[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]"
				      : "[\"SCMP_ARCH_X86_64\"]");
		return 0;
	case SCMP_ARCH_AARCH64:
		strbuf_append(sb, all ? "[\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_ARM\"]"
				      : "[\"SCMP_ARCH_AARCH64\"]");
		return 0;
	case SCMP_ARCH_RISCV64:
		strbuf_append(sb, "[\"SCMP_ARCH_RISCV64\"]");
		return 0;
	case SCMP_ARCH_S390X:
		strbuf_append(sb, all ? "[\"SCMP_ARCH_S390X\",\"SCMP_ARCH_S390\"]"
				      : "[\"SCMP_ARCH_S390X\"]");
		return 0;
	default:
		return error_say(err, ENOTSUP,
				 "there is no default seccomp profile for this machine's "
				 "architecture (%#x): "
				 "run the container unconfined, or without the profile",
				 seccomp_arch_native());
	}
}

int seccomp_profile_append_json(struct strbuf *sb, uint64_t capabilities, bool all_architectures,
				struct error *err)
{
	_cleanup_str_list_ struct str_list seen = STR_LIST_INIT;
	bool is_admin = capability_has(capabilities, CAP_SYS_ADMIN);
	unsigned clone_flags_index = seccomp_arch_native() == SCMP_ARCH_S390X ? 1 : 0;
	int result;

	strbuf_append(
		sb,
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"architectures\":");
	result = append_architectures(sb, all_architectures, err);
	if (result < 0)
		return result;

	strbuf_append(sb, ",\"syscalls\":[{\"names\":[");
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		append_names(sb, &seen, always[i], all_architectures);
	for (size_t i = 0; i < sizeof(with_capability) / sizeof(with_capability[0]); i++) {
		if (capability_has(capabilities, with_capability[i].capability))
			append_names(sb, &seen, with_capability[i].names, all_architectures);
	}
	strbuf_append(sb, "],\"action\":\"SCMP_ACT_ALLOW\"}");

	/* AF_VSOCK reaches the hypervisor past every network namespace. */
	append_rule(sb, "socket", 0, AF_VSOCK, "SCMP_CMP_NE");
	for (size_t i = 0; i < sizeof(personalities) / sizeof(personalities[0]); i++)
		append_rule(sb, "personality", 0, personalities[i], "SCMP_CMP_EQ");
	if (!is_admin) {
		/* No new namespaces. The flags of clone3 are in memory, where a filter cannot see
		 * them: libc falls back on ENOSYS. */
		append_rule(sb, "clone", clone_flags_index, NAMESPACE_FLAGS, "SCMP_CMP_MASKED_EQ");
		strbuf_append(
			sb,
			",{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}");
	}
	strbuf_append(sb, "]}");
	return 0;
}
