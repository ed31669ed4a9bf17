/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of the OCI runtime specification, with the defaults of Docker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/bundle.h"
#include "runtime/bundle_devices.h"
#include "runtime/bundle_mounts.h"
#include "runtime/bundle_user.h"
#include "runtime/capability.h"
#include "runtime/json_text.h"
#include "runtime/seccomp_profile.h"

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	NULL,
};

static const char *const read_only_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static const char *const rlimit_names[] = {
	"AS",   "CORE",   "CPU",   "DATA", "FSIZE",  "LOCKS",  "MEMLOCK",    "MSGQUEUE",
	"NICE", "NOFILE", "NPROC", "RSS",  "RTPRIO", "RTTIME", "SIGPENDING", "STACK",
};

void container_config_init(struct container_config *config)
{
	struct statfs info;

	*config = (struct container_config){ .memory_swappiness = -1 };
	/* As Docker: private where a group has but one place, the host's with version 1. */
	config->cgroup.mode =
		statfs("/sys/fs/cgroup", &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC
			? NAMESPACE_NEW
			: NAMESPACE_HOST;
}

static const char *env_value(const char *const *env, const char *name)
{
	size_t length = strlen(name);

	for (; env && *env; env++) {
		if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
			return *env + length + 1;
	}
	return NULL;
}

static void append_env(struct strbuf *sb, const struct container_config *config)
{
	json_text_open(sb, "env", '[');
	for (const char *const *env = config->env; env && *env; env++)
		json_text_string(sb, NULL, *env);
	if (!env_value(config->env, "PATH")) {
		_cleanup_free_ char *path = xasprintf("PATH=%s", default_path);

		json_text_string(sb, NULL, path);
	}
	if (config->hostname && !env_value(config->env, "HOSTNAME")) {
		_cleanup_free_ char *name = xasprintf("HOSTNAME=%s", config->hostname);

		json_text_string(sb, NULL, name);
	}
	json_text_close(sb, ']');
}

static int append_rlimits(struct strbuf *sb, const struct container_config *config,
			  struct error *err)
{
	json_text_open(sb, "rlimits", '[');
	for (size_t i = 0; i < config->rlimit_count; i++) {
		const struct container_rlimit *limit = &config->rlimits[i];
		const char *name = str_starts_with_nocase(limit->name, "RLIMIT_") ? limit->name + 7
										  : limit->name;
		_cleanup_free_ char *full = NULL;

		for (size_t k = 0; k < sizeof(rlimit_names) / sizeof(rlimit_names[0]); k++) {
			if (str_eq_nocase(name, rlimit_names[k]))
				full = xasprintf("RLIMIT_%s", rlimit_names[k]);
		}
		if (!full)
			return error_say(err, EINVAL, "ulimit \"%s\" is not known", limit->name);
		if (limit->soft > limit->hard)
			return error_say(err, EINVAL,
					 "ulimit %s: the soft limit must be less than or equal to "
					 "the hard limit: "
					 "%" PRIu64 " > %" PRIu64,
					 limit->name, limit->soft, limit->hard);
		json_text_open(sb, NULL, '{');
		json_text_string(sb, "type", full);
		json_text_unsigned(sb, "hard", limit->hard);
		json_text_unsigned(sb, "soft", limit->soft);
		json_text_close(sb, '}');
	}
	json_text_close(sb, ']');
	return 0;
}

static void append_capabilities(struct strbuf *sb, uint64_t set, bool is_root)
{
	_cleanup_strbuf_ struct strbuf names = STRBUF_INIT;

	capability_append_json(&names, set);
	json_text_open(sb, "capabilities", '{');
	json_text_key(sb, "bounding");
	strbuf_append(sb, names.data);
	/* Another user than root has none to begin with, and gains them by file capabilities only.
	 */
	json_text_key(sb, "effective");
	strbuf_append(sb, is_root ? names.data : "[]");
	json_text_key(sb, "permitted");
	strbuf_append(sb, is_root ? names.data : "[]");
	json_text_close(sb, '}');
}

/* All but the arguments. */
static int append_process_members(struct strbuf *sb, const struct container_config *config,
				  const struct bundle_user *user, uint64_t capabilities,
				  struct error *err)
{
	int result;

	json_text_bool(sb, "terminal", false);
	json_text_open(sb, "user", '{');
	json_text_number(sb, "uid", user->uid);
	json_text_number(sb, "gid", user->gid);
	/*
	 * The user's own group too (CVE-2022-36109): a program that drops it, but keeps the list,
	 * must not gain from not being in it.
	 */
	json_text_open(sb, "additionalGids", '[');
	json_text_number(sb, NULL, user->gid);
	for (size_t i = 0; i < user->group_count; i++)
		json_text_number(sb, NULL, user->groups[i]);
	json_text_close(sb, ']');
	json_text_close(sb, '}');
	append_env(sb, config);
	json_text_string(sb, "cwd", config->cwd && *config->cwd ? config->cwd : "/");
	append_capabilities(sb, capabilities, user->uid == 0);
	result = append_rlimits(sb, config, err);
	if (result < 0)
		return result;
	json_text_bool(sb, "noNewPrivileges", config->no_new_privileges);
	if (config->has_oom_score_adj)
		json_text_number(sb, "oomScoreAdj", config->oom_score_adj);
	return 0;
}

static int append_namespaces(struct strbuf *sb, const struct container_config *config,
			     struct error *err)
{
	const struct {
		const char *type;
		const struct container_namespace *namespace;
	} all[] = {
		{ "pid", &config->pid },     { "ipc", &config->ipc },       { "uts", &config->uts },
		{ "network", &config->net }, { "cgroup", &config->cgroup },
	};

	json_text_open(sb, "namespaces", '[');
	json_text_open(sb, NULL, '{');
	json_text_string(sb, "type", "mount");
	json_text_close(sb, '}');
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].namespace->mode == NAMESPACE_HOST)
			continue;
		json_text_open(sb, NULL, '{');
		json_text_string(sb, "type", all[i].type);
		if (all[i].namespace->mode == NAMESPACE_PATH) {
			if (!all[i].namespace->path || all[i].namespace->path[0] != '/')
				return error_say(err, EINVAL,
						 "%s namespace: its path must be absolute",
						 all[i].type);
			json_text_string(sb, "path", all[i].namespace->path);
		}
		json_text_close(sb, '}');
	}
	json_text_close(sb, ']');
	return 0;
}

static void append_memory(struct strbuf *sb, const struct container_config *config)
{
	json_text_open(sb, "memory", '{');
	if (config->memory_limit > 0) {
		json_text_number(sb, "limit", config->memory_limit);
		if (config->memory_swap != -2)
			json_text_number(sb, "swap",
					 config->memory_swap ? config->memory_swap
							     : config->memory_limit * 2);
	}
	if (config->memory_reservation > 0)
		json_text_number(sb, "reservation", config->memory_reservation);
	if (config->memory_swappiness >= 0)
		json_text_number(sb, "swappiness", config->memory_swappiness);
	json_text_close(sb, '}');
}

static int append_resources(struct strbuf *sb, const struct container_config *config,
			    const char *device_rules, struct error *err)
{
	if (config->memory_limit < 0 || config->memory_limit > INT64_MAX / 2 ||
	    config->memory_reservation < 0)
		return error_say(err, EINVAL, "memory limit %" PRId64 ": out of range",
				 config->memory_limit);
	json_text_open(sb, "resources", '{');
	json_text_key(sb, "devices");
	strbuf_appendf(sb, "[%s]", device_rules);
	append_memory(sb, config);
	json_text_open(sb, "cpu", '{');
	if (config->cpu_shares)
		json_text_unsigned(sb, "shares", config->cpu_shares);
	if (config->cpu_quota_us > 0) {
		json_text_number(sb, "quota", config->cpu_quota_us);
		json_text_unsigned(sb, "period",
				   config->cpu_period_us ? config->cpu_period_us : 100000);
	}
	if (config->cpuset_cpus)
		json_text_string(sb, "cpus", config->cpuset_cpus);
	json_text_close(sb, '}');
	if (config->pids_limit > 0) {
		json_text_open(sb, "pids", '{');
		json_text_number(sb, "limit", config->pids_limit);
		json_text_close(sb, '}');
	}
	json_text_close(sb, '}');
	return 0;
}

static void append_map(struct strbuf *sb, const char *key, const struct container_sysctl *items,
		       size_t count)
{
	json_text_open(sb, key, '{');
	for (size_t i = 0; i < count; i++)
		json_text_string(sb, items[i].name, items[i].value);
	json_text_close(sb, '}');
}

static int append_linux(struct strbuf *sb, const struct container_config *config,
			uint64_t capabilities, struct error *err)
{
	_cleanup_strbuf_ struct strbuf nodes = STRBUF_INIT, rules = STRBUF_INIT;
	int result = bundle_devices_append(&nodes, &rules, config, err);

	if (result < 0)
		return result;
	json_text_open(sb, "linux", '{');
	if (config->cgroup_path)
		json_text_string(sb, "cgroupsPath", config->cgroup_path);
	result = append_resources(sb, config, strbuf_text(&rules), err);
	if (result == 0)
		result = append_namespaces(sb, config, err);
	if (result < 0)
		return result;
	json_text_key(sb, "devices");
	strbuf_appendf(sb, "[%s]", strbuf_text(&nodes));
	append_map(sb, "sysctl", config->sysctls, config->sysctl_count);
	if (!config->privileged) {
		json_text_strings(sb, "maskedPaths", masked_paths);
		json_text_strings(sb, "readonlyPaths", read_only_paths);
	}
	if (!config->privileged && config->seccomp == SECCOMP_DEFAULT) {
		json_text_key(sb, "seccomp");
		result = seccomp_profile_append_json(sb, capabilities,
						     config->seccomp_all_architectures, err);
		if (result < 0)
			return result;
	}
	json_text_close(sb, '}');
	return 0;
}

static int check(const struct container_config *config, struct error *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-";

	if (!config->id || !*config->id || strspn(config->id, allowed) != strlen(config->id))
		return error_say(err, EINVAL,
				 "container id \"%s\": only letters, digits and _ + . - are taken",
				 config->id ? config->id : "");
	if (!config->args || !config->args[0])
		return error_say(err, EINVAL,
				 "no command specified: neither the container nor its image says "
				 "what to run");
	if (!*config->args[0])
		return error_say(err, EINVAL, "the command is an empty string");
	if (config->cwd && *config->cwd && config->cwd[0] != '/')
		return error_say(
			err, EINVAL,
			"the working directory '%s' is invalid, it needs to be an absolute path",
			config->cwd);
	for (const char *const *env = config->env; env && *env; env++) {
		if (!strchr(*env, '=') || **env == '=')
			return error_say(err, EINVAL,
					 "environment variable without a name or a value");
	}
	return 0;
}

int bundle_config_json(const struct container_config *config, const struct bundle_user *user,
		       const char *root_path, char **ret_json, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	uint64_t capabilities = 0;
	int result = check(config, err);

	if (result == 0)
		result = capability_choose(config->capabilities_add, config->capabilities_drop,
					   config->privileged, capability_host_set(), &capabilities,
					   err);
	if (result < 0)
		return result;

	strbuf_reserve(&sb, 16384);
	strbuf_append_char(&sb, '{');
	json_text_string(&sb, "ociVersion", "1.0.2");
	json_text_open(&sb, "process", '{');
	json_text_strings(&sb, "args", config->args);
	result = append_process_members(&sb, config, user, capabilities, err);
	if (result < 0)
		return result;
	json_text_close(&sb, '}');
	json_text_open(&sb, "root", '{');
	json_text_string(&sb, "path", root_path);
	json_text_bool(&sb, "readonly", config->read_only_root);
	json_text_close(&sb, '}');
	if (config->hostname && config->uts.mode == NAMESPACE_NEW)
		json_text_string(&sb, "hostname", config->hostname);
	result = bundle_mounts_append(&sb, config, err);
	if (result == 0)
		result = append_linux(&sb, config, capabilities, err);
	if (result < 0)
		return result;
	append_map(&sb, "annotations", config->annotations, config->annotation_count);
	strbuf_append_char(&sb, '}');
	*ret_json = strbuf_take(&sb);
	return 0;
}

int bundle_process_json(const struct container_config *config, const struct bundle_user *user,
			char **ret_json, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	uint64_t capabilities = 0;
	int result =
		capability_choose(config->capabilities_add, config->capabilities_drop,
				  config->privileged, capability_host_set(), &capabilities, err);

	strbuf_append_char(&sb, '{');
	if (result == 0)
		result = append_process_members(&sb, config, user, capabilities, err);
	strbuf_append_char(&sb, '}');
	if (result == 0)
		*ret_json = strbuf_take(&sb);
	return result;
}
