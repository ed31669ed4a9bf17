/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container of a task definition in Docker's words, as the agent lays them over what it computes
 * itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "control-plane/services/definition.h"
#include "control-plane/services/payload.h"

#define DOCKER_API_VERSION "1.25"
#define NS_PER_S           INT64_C(1000000000)
#define MIB                INT64_C(1048576)

/* A member of the definition under Docker's name, as it is. */
static void rename_member(json_t *object, const char *docker_name, const json_t *from,
			  const char *name)
{
	const json_t *value = json_object_get(from, name);
	bool empty = (json_is_array(value) && json_array_size(value) == 0) ||
		     (json_is_object(value) && json_object_size(value) == 0);

	if (value && !json_is_null(value) && !empty)
		json_object_set(object, docker_name, json_object_get(from, name));
}

static void set_scaled(json_t *object, const char *docker_name, const json_t *from,
		       const char *name, int64_t factor)
{
	const json_t *value = json_object_get(from, name);

	if (json_is_integer(value))
		json_object_set_new(object, docker_name,
				    json_integer(json_integer_value(value) * factor));
}

static void set_health_check(json_t *config, const json_t *container)
{
	const json_t *check = json_object_get(container, "healthCheck");
	json_t *object;

	if (!json_is_object(check))
		return;
	object = json_object();
	rename_member(object, "Test", check, "command");
	set_scaled(object, "Interval", check, "interval", NS_PER_S);
	set_scaled(object, "Timeout", check, "timeout", NS_PER_S);
	set_scaled(object, "StartPeriod", check, "startPeriod", NS_PER_S);
	rename_member(object, "Retries", check, "retries");
	json_object_set_new(config, "Healthcheck", object);
}

static json_t *config_object(const json_t *container)
{
	json_t *config = json_object();

	rename_member(config, "User", container, "user");
	rename_member(config, "WorkingDir", container, "workingDirectory");
	rename_member(config, "Hostname", container, "hostname");
	rename_member(config, "Labels", container, "dockerLabels");
	rename_member(config, "Tty", container, "pseudoTerminal");
	rename_member(config, "OpenStdin", container, "interactive");
	rename_member(config, "NetworkDisabled", container, "disableNetworking");
	set_health_check(config, container);
	return config;
}

static void set_log(json_t *host, const json_t *container)
{
	const json_t *log = json_object_get(container, "logConfiguration");
	json_t *object;

	if (!definition_text(log, "logDriver"))
		return;
	object = json_object();
	rename_member(object, "Type", log, "logDriver");
	rename_member(object, "Config", log, "options");
	json_object_set_new(host, "LogConfig", object);
}

/* [{name, softLimit, hardLimit}] */
static void set_ulimits(json_t *host, const json_t *container)
{
	json_t *list = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(container, "ulimits"), i, item) {
		json_t *limit = json_object();

		rename_member(limit, "Name", item, "name");
		rename_member(limit, "Soft", item, "softLimit");
		rename_member(limit, "Hard", item, "hardLimit");
		json_array_append_new(list, limit);
	}
	if (json_array_size(list) > 0)
		json_object_set(host, "Ulimits", list);
	json_decref(list);
}

/* ["read", "write", "mknod"], all when none is named. */
static char *device_permissions(const json_t *permissions)
{
	struct strbuf text = STRBUF_INIT;
	const json_t *item;
	size_t i;

	json_array_foreach (permissions, i, item) {
		if (str_eq(json_string_value(item), "read"))
			strbuf_append_char(&text, 'r');
		if (str_eq(json_string_value(item), "write"))
			strbuf_append_char(&text, 'w');
		if (str_eq(json_string_value(item), "mknod"))
			strbuf_append_char(&text, 'm');
	}
	if (text.length == 0)
		strbuf_append(&text, "rwm");
	return strbuf_take(&text);
}

static void set_devices(json_t *host, const json_t *linux_parameters)
{
	json_t *list = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(linux_parameters, "devices"), i, item) {
		_cleanup_free_ char *permissions =
			device_permissions(json_object_get(item, "permissions"));
		const char *inside = definition_text(item, "containerPath");
		json_t *device = json_object();

		rename_member(device, "PathOnHost", item, "hostPath");
		rename_member(device, "PathInContainer", item,
			      str_is_empty(inside) ? "hostPath" : "containerPath");
		json_object_set_new(device, "CgroupPermissions", json_string(permissions));
		json_array_append_new(list, device);
	}
	if (json_array_size(list) > 0)
		json_object_set(host, "Devices", list);
	json_decref(list);
}

/* [{containerPath, size (MiB), mountOptions}] to path -> "size=64m,ro". */
static void set_tmpfs(json_t *host, const json_t *linux_parameters)
{
	json_t *map = json_object();
	const json_t *item, *option;
	size_t i, k;

	json_array_foreach (json_object_get(linux_parameters, "tmpfs"), i, item) {
		_cleanup_strbuf_ struct strbuf options = STRBUF_INIT;

		if (!definition_text(item, "containerPath"))
			continue;
		strbuf_appendf(&options, "size=%lldm", (long long)definition_number(item, "size"));
		json_array_foreach (json_object_get(item, "mountOptions"), k, option)
			if (json_string_value(option))
				strbuf_appendf(&options, ",%s", json_string_value(option));
		json_object_set_new(map, definition_text(item, "containerPath"),
				    json_string(strbuf_text(&options)));
	}
	if (json_object_size(map) > 0)
		json_object_set(host, "Tmpfs", map);
	json_decref(map);
}

/* Docker counts memory and swap together; maxSwap is swap alone. */
static void set_swap(json_t *host, const json_t *linux_parameters, const json_t *container,
		     const json_t *override)
{
	const json_t *swap = json_object_get(linux_parameters, "maxSwap");
	int64_t memory;

	rename_member(host, "MemorySwappiness", linux_parameters, "swappiness");
	if (json_is_integer(swap) &&
	    definition_container_number(container, override, "memory", &memory))
		json_object_set_new(host, "MemorySwap",
				    json_integer((memory + json_integer_value(swap)) * MIB));
}

static void set_linux(json_t *host, const json_t *container, const json_t *override)
{
	const json_t *linux_parameters = json_object_get(container, "linuxParameters");
	const json_t *capabilities = json_object_get(linux_parameters, "capabilities");

	rename_member(host, "CapAdd", capabilities, "add");
	rename_member(host, "CapDrop", capabilities, "drop");
	rename_member(host, "Init", linux_parameters, "initProcessEnabled");
	set_scaled(host, "ShmSize", linux_parameters, "sharedMemorySize", MIB);
	set_devices(host, linux_parameters);
	set_tmpfs(host, linux_parameters);
	set_swap(host, linux_parameters, container, override);
}

/* [{hostname, ipAddress}] to ["host:ip"]. */
static void set_extra_hosts(json_t *host, const json_t *container)
{
	json_t *list = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(container, "extraHosts"), i, item) {
		const char *name = definition_text(item, "hostname");
		const char *address = definition_text(item, "ipAddress");

		if (name && address)
			json_array_append_new(list, json_sprintf("%s:%s", name, address));
	}
	if (json_array_size(list) > 0)
		json_object_set(host, "ExtraHosts", list);
	json_decref(list);
}

/* [{namespace, value}] to a map. */
static void set_sysctls(json_t *host, const json_t *container)
{
	json_t *map = json_object();
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(container, "systemControls"), i, item)
		if (definition_text(item, "namespace") && definition_text(item, "value"))
			json_object_set(map, definition_text(item, "namespace"),
					json_object_get(item, "value"));
	if (json_object_size(map) > 0)
		json_object_set(host, "Sysctls", map);
	json_decref(map);
}

static json_t *host_config_object(const json_t *container, const json_t *override,
				  const char *network_mode)
{
	json_t *host = json_object();
	int64_t reservation;

	/* The agent knows better than anybody where the namespace of an awsvpc task is. */
	if (!str_eq(network_mode, "awsvpc"))
		json_object_set_new(host, "NetworkMode", json_string(network_mode));
	if (definition_container_number(container, override, "memoryReservation", &reservation))
		json_object_set_new(host, "MemoryReservation", json_integer(reservation * MIB));
	rename_member(host, "Privileged", container, "privileged");
	rename_member(host, "ReadonlyRootfs", container, "readonlyRootFilesystem");
	rename_member(host, "Dns", container, "dnsServers");
	rename_member(host, "DnsSearch", container, "dnsSearchDomains");
	rename_member(host, "SecurityOpt", container, "dockerSecurityOptions");
	set_log(host, container);
	set_ulimits(host, container);
	set_linux(host, container, override);
	set_extra_hosts(host, container);
	set_sysctls(host, container);
	return host;
}

json_t *payload_docker_config(const json_t *container, const json_t *override,
			      const char *network_mode)
{
	_cleanup_json_ json_t *config = config_object(container);
	_cleanup_json_ json_t *host = host_config_object(container, override, network_mode);
	_cleanup_free_ char *config_text = json_dump_compact(config);
	_cleanup_free_ char *host_text = json_dump_compact(host);

	return json_pack("{s:s, s:s, s:s}", "version", DOCKER_API_VERSION, "config", config_text,
			 "hostConfig", host_text);
}
