/* SPDX-License-Identifier: Apache-2.0 */
/* The profile, and what it does: it is loaded into a child, which then tries. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/capability.h"
#include "runtime/seccomp_profile.h"

#define BIT(capability) (UINT64_C(1) << (capability))

static json_t *profile(uint64_t capabilities, bool all)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct error err = ERROR_INIT;
	json_t *value;

	if (seccomp_profile_append_json(&sb, capabilities, all, &err) < 0)
		fail_msg("%s", err.text);
	if (json_parse(sb.data, sb.length, NULL, &value, &err) < 0)
		fail_msg("%s", err.text);
	return value;
}

/* Whether it is in a rule that allows, whatever its arguments. */
static bool is_allowed(json_t *value, const char *name)
{
	json_t *rule, *item;
	size_t i, k;

	json_array_foreach (json_object_get(value, "syscalls"), i, rule) {
		if (!str_eq(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW"))
			continue;
		json_array_foreach (json_object_get(rule, "names"), k, item) {
			if (str_eq(json_string_value(item), name))
				return true;
		}
	}
	return false;
}

static void what_is_dangerous_is_not_in_the_list(void **state)
{
	(void)state;
	static const char *const never[] = {
		"acct",
		"add_key",
		"bpf",
		"delete_module",
		"fanotify_init",
		"finit_module",
		"fsopen",
		"init_module",
		"io_uring_setup",
		"ioperm",
		"iopl",
		"kcmp",
		"kexec_load",
		"keyctl",
		"mount",
		"move_mount",
		"nfsservctl",
		"open_by_handle_at",
		"pivot_root",
		"perf_event_open",
		"reboot",
		"request_key",
		"setns",
		"swapon",
		"syslog",
		"umount2",
		"unshare",
		"userfaultfd",
		"vhangup",
		"settimeofday",
	};
	_cleanup_json_ json_t *value = profile(capability_default_set(), true);

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (is_allowed(value, never[i]))
			fail_msg("%s is allowed", never[i]);
	}
}

static void what_programs_need_is_in_the_list(void **state)
{
	(void)state;
	static const char *const needed[] = {
		"read",   "write",   "openat",     "openat2",         "execve",     "clone",
		"futex",  "mmap",    "epoll_wait", "socket",          "accept4",    "chroot",
		"ptrace", "rseq",    "faccessat2", "close_range",     "statx",      "getrandom",
		"prctl",  "seccomp", "mknod",      "clock_nanosleep", "arch_prctl",
	};
	_cleanup_json_ json_t *value = profile(capability_default_set(), false);

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (seccomp_syscall_resolve_name(needed[i]) >= 0 && !is_allowed(value, needed[i]))
			fail_msg("%s is not allowed", needed[i]);
	}
	assert_true(json_array_size(json_object_get(
			    json_array_get(json_object_get(value, "syscalls"), 0), "names")) > 250);
}

/* Native only by default; names that this architecture does not have are not there either. */
static void other_architectures_only_when_wanted(void **state)
{
	(void)state;
	_cleanup_json_ json_t *native = profile(capability_default_set(), false);
	_cleanup_json_ json_t *all = profile(capability_default_set(), true);

	assert_int_equal(json_array_size(json_object_get(native, "architectures")), 1);
	assert_false(is_allowed(native, "socketcall"));
	assert_true(is_allowed(all, "socketcall"));
	if (seccomp_arch_native() == SCMP_ARCH_X86_64)
		assert_int_equal(json_array_size(json_object_get(all, "architectures")), 3);
}

static void capabilities_bring_their_calls(void **state)
{
	(void)state;
	static const struct {
		unsigned capability;
		const char *name;
	} pairs[] = {
		{ CAP_SYS_ADMIN, "mount" },
		{ CAP_SYS_ADMIN, "setns" },
		{ CAP_SYS_BOOT, "reboot" },
		{ CAP_SYS_MODULE, "init_module" },
		{ CAP_SYS_TIME, "clock_settime" },
		{ CAP_SYSLOG, "syslog" },
		{ CAP_SYS_PTRACE, "kcmp" },
		{ CAP_SYS_NICE, "mbind" },
		{ CAP_BPF, "bpf" },
		{ CAP_DAC_READ_SEARCH, "open_by_handle_at" },
	};
	_cleanup_json_ json_t *without = profile(capability_default_set(), false);

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		_cleanup_json_ json_t *with = profile(BIT(pairs[i].capability), false);

		assert_false(is_allowed(without, pairs[i].name));
		assert_true(is_allowed(with, pairs[i].name));
	}
}

/* ---- in effect */

static uint32_t action_of(json_t *rule, const char *action_key, const char *errno_key)
{
	const char *action = json_string_value(json_object_get(rule, action_key));

	if (str_eq(action, "SCMP_ACT_ALLOW"))
		return SCMP_ACT_ALLOW;
	assert_string_equal(action, "SCMP_ACT_ERRNO");
	return SCMP_ACT_ERRNO((uint16_t)json_integer_value(json_object_get(rule, errno_key)));
}

static struct scmp_arg_cmp comparison_of(json_t *arg)
{
	const char *op = json_string_value(json_object_get(arg, "op"));
	struct scmp_arg_cmp compare = {
		.arg = (unsigned)json_integer_value(json_object_get(arg, "index")),
		.datum_a = (uint64_t)json_integer_value(json_object_get(arg, "value")),
		.op = str_eq(op, "SCMP_CMP_EQ")   ? SCMP_CMP_EQ
		      : str_eq(op, "SCMP_CMP_NE") ? SCMP_CMP_NE
						  : SCMP_CMP_MASKED_EQ,
	};

	return compare;
}

/* As runc does it. */
static void load(json_t *value)
{
	scmp_filter_ctx context =
		seccomp_init(action_of(value, "defaultAction", "defaultErrnoRet"));
	json_t *rule, *name;
	size_t i, k;

	json_array_foreach (json_object_get(value, "syscalls"), i, rule) {
		json_t *args = json_object_get(rule, "args");
		uint32_t action = action_of(rule, "action", "errnoRet");

		json_array_foreach (json_object_get(rule, "names"), k, name) {
			int number = seccomp_syscall_resolve_name(json_string_value(name)), result;

			if (args) {
				struct scmp_arg_cmp compare =
					comparison_of(json_array_get(args, 0));

				result = seccomp_rule_add_array(context, action, number, 1,
								&compare);
			} else {
				result = seccomp_rule_add_array(context, action, number, 0, NULL);
			}
			if (result < 0)
				_exit(100);
		}
	}
	if (seccomp_load(context) < 0)
		_exit(101);
}

/* Runs `attempt` under the profile; it exits with 0 when all was as it should be. */
static void in_child(uint64_t capabilities, int (*attempt)(void))
{
	_cleanup_json_ json_t *value = profile(capabilities, false);
	pid_t child = fork();
	int status;

	if (child == 0) {
		load(value);
		_exit(attempt());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool fails(long result, int code)
{
	return result == -1 && errno == code;
}

static int attempt_plain(void)
{
	struct clone_args args = { .exit_signal = 17 };
	pid_t child;

	if (!fails(unshare(CLONE_NEWUTS), EPERM))
		return 1;
	if (!fails(syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0), EPERM))
		return 2;
	/* libc then takes clone, whose flags the filter sees. */
	if (!fails(syscall(SYS_clone3, &args, sizeof(args)), ENOSYS))
		return 3;
	if (personality(0xffffffff) < 0)
		return 4;
	if (!fails(personality(ADDR_NO_RANDOMIZE), EPERM))
		return 5;
	if (!fails(socket(AF_VSOCK, SOCK_STREAM, 0), EPERM))
		return 6;
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
		return 7;
	if (!fails(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM))
		return 8;
	child = fork();
	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		return 9;
	return 0;
}

static int attempt_admin(void)
{
	struct clone_args args = { .exit_signal = 17 };
	long child = syscall(SYS_clone3, &args, sizeof(args));

	if (child == 0)
		_exit(0);
	if (child < 0)
		return 1;
	/* The filter lets it through: what comes back is of the call itself. */
	return fails(unshare(0x1), EINVAL) ? 0 : 2;
}

static void a_container_cannot_make_namespaces(void **state)
{
	(void)state;
	in_child(capability_default_set(), attempt_plain);
}

static void an_administrator_can(void **state)
{
	(void)state;
	in_child(capability_default_set() | BIT(CAP_SYS_ADMIN), attempt_admin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_dangerous_is_not_in_the_list),
		cmocka_unit_test(what_programs_need_is_in_the_list),
		cmocka_unit_test(other_architectures_only_when_wanted),
		cmocka_unit_test(capabilities_bring_their_calls),
		cmocka_unit_test(a_container_cannot_make_namespaces),
		cmocka_unit_test(an_administrator_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
