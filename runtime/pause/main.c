/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-pause: the first process of a task's namespaces. It holds them open, reaps what is left to
 * it, and ends on SIGTERM or SIGINT. It confines itself to the five system calls that this takes.
 *
 * Without a C library: one of it stands beside every task, and this way it touches four pages of
 * memory.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/wait.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define AUDIT_ARCH_NATIVE AUDIT_ARCH_X86_64
static long call5(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
#define AUDIT_ARCH_NATIVE AUDIT_ARCH_AARCH64
static long call5(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}
#else
_Static_assert(0, "berth-pause: no system call sequence for this architecture yet");
#endif

enum {
	SIGNAL_INT = 2,
	SIGNAL_TERM = 15,
	SIGNAL_CHILD = 17,
	MASK_BLOCK = 0, /* SIG_BLOCK of the kernel */
};

#define BIT_OF(signal) (UINT64_C(1) << ((signal)-1))

#define ALLOW(name)                                                                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                     \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_NATIVE, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(rt_sigtimedwait),
	ALLOW(wait4),
	ALLOW(exit_group),
	ALLOW(restart_syscall),
	ALLOW(rt_sigreturn),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static void confine(void)
{
	static const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = (struct sock_filter *)filter,
	};

	call5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* Where the kernel has no seccomp, the pause does its work all the same: it has no
	 * capability and no file. */
	call5(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program, 0, 0);
}

__attribute__((noreturn)) void _start(void);

#if defined(__x86_64__)
__attribute__((force_align_arg_pointer)) /* the kernel does not call, so the stack is 8 bytes off */
#endif
void _start(void)
{
	uint64_t wanted = BIT_OF(SIGNAL_INT) | BIT_OF(SIGNAL_TERM) | BIT_OF(SIGNAL_CHILD);

	/* Executed by descriptor: older kernels call us by its number, and we are looked for by
	 * name. */
	call5(SYS_prctl, PR_SET_NAME, (long)"berth-pause", 0, 0, 0);
	call5(SYS_rt_sigprocmask, MASK_BLOCK, (long)&wanted, 0, sizeof(wanted), 0);
	confine();
	for (;;) {
		long signal = call5(SYS_rt_sigtimedwait, (long)&wanted, 0, 0, sizeof(wanted), 0);

		if (signal == SIGNAL_INT || signal == SIGNAL_TERM)
			break;
		while (call5(SYS_wait4, -1, 0, WNOHANG, 0, 0) > 0)
			;
	}
	for (;;)
		call5(SYS_exit_group, 0, 0, 0, 0, 0);
}
