/* SPDX-License-Identifier: Apache-2.0 */
/* linuxParameters, ulimits and systemControls of a container. */
#include <errno.h>
#include <inttypes.h>

#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

static const char *const capability_names[] = {
	"ALL",
	"AUDIT_CONTROL",
	"AUDIT_WRITE",
	"BLOCK_SUSPEND",
	"CHOWN",
	"DAC_OVERRIDE",
	"DAC_READ_SEARCH",
	"FOWNER",
	"FSETID",
	"IPC_LOCK",
	"IPC_OWNER",
	"KILL",
	"LEASE",
	"LINUX_IMMUTABLE",
	"MAC_ADMIN",
	"MAC_OVERRIDE",
	"MKNOD",
	"NET_ADMIN",
	"NET_BIND_SERVICE",
	"NET_BROADCAST",
	"NET_RAW",
	"SETFCAP",
	"SETGID",
	"SETPCAP",
	"SETUID",
	"SYS_ADMIN",
	"SYS_BOOT",
	"SYS_CHROOT",
	"SYS_MODULE",
	"SYS_NICE",
	"SYS_PACCT",
	"SYS_PTRACE",
	"SYS_RAWIO",
	"SYS_RESOURCE",
	"SYS_TIME",
	"SYS_TTY_CONFIG",
	"SYSLOG",
	"WAKE_ALARM",
	NULL,
};

static const char *const ulimit_names[] = {
	"core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
	"nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    NULL,
};

/* Those of the IPC namespace; net.* and fs.mqueue.* are known by their prefix. */
static const char *const ipc_controls[] = {
	"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
	"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
};

static int check_capabilities(struct api_call *call, const json_t *parameters)
{
	static const char *const lists[] = { "add", "drop" };
	const json_t *capabilities = json_object_get(parameters, "capabilities");
	size_t i;
	json_t *name;

	for (size_t list = 0; list < 2; list++)
		json_array_foreach (member_list(capabilities, lists[list]), i, name)
			if (api_check_enum(call, API_CLIENT, "capabilities",
					   json_string_value(name), capability_names) < 0)
				return -EINVAL;
	return 0;
}

static int check_devices(struct api_call *call, const char *container, const json_t *parameters)
{
	static const char *const permissions[] = { "read", "write", "mknod", NULL };
	size_t i, j;
	json_t *device, *permission, *tmpfs;

	json_array_foreach (member_list(parameters, "devices"), i, device) {
		if (str_is_empty(member_string(device, "hostPath")))
			return api_error(call, API_CLIENT,
					 "Container '%s': hostPath of a device can not be blank.",
					 container);
		json_array_foreach (member_list(device, "permissions"), j, permission)
			if (api_check_enum(call, API_CLIENT, "devices.permissions",
					   json_string_value(permission), permissions) < 0)
				return -EINVAL;
	}
	json_array_foreach (member_list(parameters, "tmpfs"), i, tmpfs)
		if (str_is_empty(member_string(tmpfs, "containerPath")) ||
		    member_integer(tmpfs, "size", 0) <= 0)
			return api_error(call, API_CLIENT,
					 "Container '%s': a tmpfs needs a containerPath and a size "
					 "greater than 0.",
					 container);
	return 0;
}

static int check_memory_settings(struct api_call *call, const char *container,
				 const json_t *parameters)
{
	static const struct {
		const char *name;
		int64_t max;
	} settings[] = {
		{ "swappiness", 100 },
		{ "maxSwap", INT32_MAX },
		{ "sharedMemorySize", INT32_MAX },
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		int64_t value = member_integer(parameters, settings[i].name, 0);

		if (value < 0 || value > settings[i].max)
			return api_error(call, API_CLIENT,
					 "Invalid 'linuxParameters.%s' setting for container '%s': "
					 "it must be between 0 and %" PRId64 ".",
					 settings[i].name, container, settings[i].max);
	}
	return 0;
}

static int check_ulimits(struct api_call *call, const json_t *container)
{
	size_t i;
	json_t *limit;

	json_array_foreach (member_list(container, "ulimits"), i, limit) {
		const char *name = member_string(limit, "name");

		if (api_check_enum(call, API_CLIENT, "ulimits.name", name, ulimit_names) < 0)
			return -EINVAL;
		if (!member_has(limit, "softLimit") || !member_has(limit, "hardLimit"))
			return api_error(
				call, API_CLIENT,
				"Container '%s': ulimit '%s' needs softLimit and hardLimit.",
				member_string(container, "name"), name);
		/* A hard limit of -1 is none. */
		if (member_integer(limit, "hardLimit", 0) >= 0 &&
		    (member_integer(limit, "softLimit", 0) < 0 ||
		     member_integer(limit, "softLimit", 0) > member_integer(limit, "hardLimit", 0)))
			return api_error(call, API_CLIENT,
					 "Container '%s': the softLimit of ulimit '%s' can not be "
					 "greater than its hardLimit.",
					 member_string(container, "name"), name);
	}
	return 0;
}

static bool is_ipc_control(const char *name)
{
	for (size_t i = 0; i < sizeof(ipc_controls) / sizeof(ipc_controls[0]); i++)
		if (str_eq(name, ipc_controls[i]))
			return true;
	return str_starts_with(name, "fs.mqueue.");
}

static int check_system_controls(struct api_call *call, const json_t *definition,
				 const json_t *container)
{
	const char *container_name = member_string(container, "name");
	size_t i;
	json_t *control;

	json_array_foreach (member_list(container, "systemControls"), i, control) {
		const char *name = member_string(control, "namespace");

		if (!name || (!str_starts_with(name, "net.") && !is_ipc_control(name)))
			return api_error(call, API_CLIENT,
					 "Container '%s': systemControls namespace '%s' is not "
					 "supported: it must be net.*, fs.mqueue.* or one of the "
					 "kernel's IPC settings.",
					 container_name, name ? name : "");
		if (!member_has(control, "value"))
			return api_error(call, API_CLIENT,
					 "Container '%s': systemControls '%s' needs a value.",
					 container_name, name);
		if (str_starts_with(name, "net.") &&
		    str_eq(definition_network_mode(definition), "host"))
			return api_error(call, API_CLIENT,
					 "Container '%s': systemControls '%s' is not supported "
					 "when networkMode=host.",
					 container_name, name);
		if (is_ipc_control(name) && str_eq(member_string(definition, "ipcMode"), "host"))
			return api_error(call, API_CLIENT,
					 "Container '%s': systemControls '%s' is not supported "
					 "when ipcMode=host.",
					 container_name, name);
	}
	return 0;
}

int container_linux_check(struct api_call *call, const json_t *definition, const json_t *container)
{
	const char *name = member_string(container, "name");
	const json_t *parameters = json_object_get(container, "linuxParameters");

	if (check_capabilities(call, parameters) < 0 || check_devices(call, name, parameters) < 0 ||
	    check_memory_settings(call, name, parameters) < 0 ||
	    check_ulimits(call, container) < 0 ||
	    check_system_controls(call, definition, container) < 0)
		return -EINVAL;
	return 0;
}
