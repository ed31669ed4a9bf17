/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/docker_host_config.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/number.h"
#include "wire/docker_unknown.h"
#include "wire/reader.h"

/* Entries of ulimits, devices and port bindings: more are refused. */
#define HOST_CONFIG_LIST_LIMIT 1000

#define LOG_BUFFER_DEFAULT "10m"

/* A log driver that must not block needs a bound for what it holds back. */
static void bound_log_buffer(struct arena *arena, struct text_map *options)
{
	const char *mode = text_map_get(options, "mode");
	struct text_pair *items;

	if (!mode || strcmp(mode, "non-blocking") != 0 || text_map_get(options, "max-buffer-size"))
		return;
	items = arena_calloc(arena, options->count + 1, sizeof(*items));
	memcpy(items, options->items, options->count * sizeof(*items));
	items[options->count].name = "max-buffer-size";
	items[options->count].value = LOG_BUFFER_DEFAULT;
	options->items = items;
	options->count++;
}

static int read_log_config(const struct json_at *at, struct arena *arena,
			   struct docker_config *config, struct error *err)
{
	struct json_at log = { .value = NULL };
	int result = read_object(at, "LogConfig", &log, err);

	if (result < 0 || !json_present(&log))
		return result;
	result = read_text(&log, "Type", arena, &config->log_driver, err);
	if (result == 0)
		result = read_map(&log, "Config", arena, &config->log_options, err);
	if (result == 0)
		bound_log_buffer(arena, &config->log_options);
	return result;
}

static int read_ulimits(const struct json_at *at, struct arena *arena, struct docker_config *config,
			struct error *err)
{
	struct json_at list = { .value = NULL };
	struct docker_ulimit *ulimits;
	int result = read_list(at, "Ulimits", HOST_CONFIG_LIST_LIMIT, &list, err);

	if (result < 0)
		return result;
	ulimits = arena_calloc(arena, json_count(&list), sizeof(*ulimits));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_is_object(&item, err);
		if (result == 0)
			result = read_text(&item, "Name", arena, &ulimits[i].name, err);
		if (result == 0)
			result = read_i64(&item, "Soft", -1, INT64_MAX, &ulimits[i].soft, err);
		if (result == 0)
			result = read_i64(&item, "Hard", -1, INT64_MAX, &ulimits[i].hard, err);
		if (result < 0)
			return result;
		if (!ulimits[i].name)
			return json_fail(&item, err, "Name is missing");
	}
	config->ulimits = ulimits;
	config->ulimit_count = json_count(&list);
	return 0;
}

static int read_devices(const struct json_at *at, struct arena *arena, struct docker_config *config,
			struct error *err)
{
	struct json_at list = { .value = NULL };
	struct docker_device *devices;
	int result = read_list(at, "Devices", HOST_CONFIG_LIST_LIMIT, &list, err);

	if (result < 0)
		return result;
	devices = arena_calloc(arena, json_count(&list), sizeof(*devices));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);
		struct docker_device *device = &devices[i];

		device->permissions = "rwm";
		result = read_is_object(&item, err);
		if (result == 0)
			result = read_text(&item, "PathOnHost", arena, &device->host_path, err);
		if (result == 0)
			result = read_text(&item, "PathInContainer", arena, &device->container_path,
					   err);
		if (result == 0)
			result = read_text(&item, "CgroupPermissions", arena, &device->permissions,
					   err);
		if (result < 0)
			return result;
		if (!device->host_path)
			return json_fail(&item, err, "PathOnHost is missing");
		if (!device->container_path)
			device->container_path = device->host_path;
	}
	config->devices = devices;
	config->device_count = json_count(&list);
	return 0;
}

/* "80/tcp", "53/udp", "80". */
static int parse_port_key(const struct json_at *at, struct arena *arena, const char *key,
			  struct docker_port_binding *binding, struct error *err)
{
	const char *slash = strchr(key, '/');
	const char *port = slash ? arena_strndup(arena, key, (size_t)(slash - key)) : key;
	int64_t number;

	if (number_parse_i64(port, 1, UINT16_MAX, &number, NULL) < 0)
		return json_fail(at, err, "\"%s\" is no port", key);
	binding->container_port = (uint16_t)number;
	binding->protocol = slash ? arena_strdup(arena, slash + 1) : "tcp";
	if (strcmp(binding->protocol, "tcp") != 0 && strcmp(binding->protocol, "udp") != 0)
		return json_fail(at, err, "\"%s\" is neither tcp nor udp", key);
	return 0;
}

static int read_binding(const struct json_at *item, struct arena *arena,
			struct docker_port_binding *binding, struct error *err)
{
	const char *host_port = NULL;
	int64_t number;
	int result;

	binding->host_ip = "";
	result = read_is_object(item, err);
	if (result == 0)
		result = read_text(item, "HostIp", arena, &binding->host_ip, err);
	if (result == 0)
		result = read_text(item, "HostPort", arena, &host_port, err);
	if (result < 0 || !host_port)
		return result;
	if (number_parse_i64(host_port, 0, UINT16_MAX, &number, NULL) < 0)
		return json_fail(item, err, "HostPort: \"%s\" is no port", host_port);
	binding->host_port = (uint16_t)number;
	return 0;
}

static int read_port_bindings(const struct json_at *at, struct arena *arena,
			      struct docker_config *config, struct error *err)
{
	struct json_at map = { .value = NULL };
	struct docker_port_binding *bindings;
	const char *key;
	json_t *value;
	size_t count = 0;
	int result = read_object(at, "PortBindings", &map, err);

	if (result < 0 || !json_present(&map))
		return result;
	json_object_foreach (map.value, key, value) {
		struct json_at list = { .value = value, .parent = &map, .key = key };

		if (!json_is_null(value) && !json_is_array(value))
			return json_fail(&list, err, "must be a list");
		count += json_array_size(value);
	}
	if (count > HOST_CONFIG_LIST_LIMIT)
		return json_fail(&map, err, "has %zu bindings, at most %d are taken", count,
				 HOST_CONFIG_LIST_LIMIT);
	bindings = arena_calloc(arena, count, sizeof(*bindings));
	count = 0;
	json_object_foreach (map.value, key, value) {
		struct json_at list = { .value = value, .parent = &map, .key = key };

		for (size_t i = 0; i < json_array_size(value); i++) {
			struct json_at item = json_item(&list, i);

			result = parse_port_key(&list, arena, key, &bindings[count], err);
			if (result == 0)
				result = read_binding(&item, arena, &bindings[count], err);
			if (result < 0)
				return result;
			count++;
		}
	}
	config->port_bindings = bindings;
	config->port_binding_count = count;
	return 0;
}

struct number_member {
	const char *name;
	int64_t min;
	int64_t max;
	int64_t *value;
	bool *given; /* may be NULL */
};

static int read_numbers(const struct json_at *at, struct docker_config *config, struct error *err)
{
	const struct number_member members[] = {
		{ "Memory", 0, INT64_MAX, &config->memory_bytes, &config->has_memory },
		{ "MemoryReservation", 0, INT64_MAX, &config->memory_reservation_bytes, NULL },
		{ "MemorySwap", -1, INT64_MAX, &config->memory_swap_bytes, NULL },
		{ "MemorySwappiness", -1, 100, &config->memory_swappiness,
		  &config->has_memory_swappiness },
		{ "CpuShares", 0, INT64_MAX, &config->cpu_shares, &config->has_cpu_shares },
		{ "CpuPeriod", 0, INT64_MAX, &config->cpu_period_us, NULL },
		{ "CpuQuota", -1, INT64_MAX, &config->cpu_quota_us, NULL },
		{ "NanoCpus", 0, INT64_MAX, &config->nano_cpus, NULL },
		{ "PidsLimit", -1, INT64_MAX, &config->pids_limit, NULL },
		{ "OomScoreAdj", -1000, 1000, &config->oom_score_adj, &config->has_oom_score_adj },
		{ "ShmSize", 0, INT64_MAX, &config->shm_size_bytes, NULL },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const struct number_member *member = &members[i];
		struct json_at found = json_member(at, member->name, JSON_ANY_CASE);
		int result =
			read_i64(at, member->name, member->min, member->max, member->value, err);

		if (result < 0)
			return result;
		if (member->given)
			*member->given = json_present(&found);
	}
	/* Docker's way to say "not given". */
	if (config->memory_swappiness == -1) {
		config->has_memory_swappiness = false;
		config->memory_swappiness = 0;
	}
	return 0;
}

static int read_texts_of_host(const struct json_at *at, struct arena *arena,
			      struct docker_config *config, struct error *err)
{
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{ "NetworkMode", &config->network_mode },
		{ "CpusetCpus", &config->cpuset_cpus },
		{ "CpusetMems", &config->cpuset_mems },
		{ "PidMode", &config->pid_mode },
		{ "IpcMode", &config->ipc_mode },
		{ "UTSMode", &config->uts_mode },
		{ "UsernsMode", &config->userns_mode },
		{ "CgroupParent", &config->cgroup_parent },
		{ "Runtime", &config->runtime },
	};
	const struct {
		const char *name;
		struct text_list *list;
	} lists[] = {
		{ "CapAdd", &config->cap_add },
		{ "CapDrop", &config->cap_drop },
		{ "Binds", &config->binds },
		{ "Dns", &config->dns },
		{ "DnsSearch", &config->dns_search },
		{ "DnsOptions", &config->dns_options },
		{ "ExtraHosts", &config->extra_hosts },
		{ "SecurityOpt", &config->security_opt },
		{ "GroupAdd", &config->group_add },
	};
	int result = 0;

	for (size_t i = 0; result == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		result = read_text(at, texts[i].name, arena, texts[i].text, err);
	for (size_t i = 0; result == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		result = read_text_or_texts(at, lists[i].name, arena, lists[i].list, NULL, err);
	if (result == 0)
		result = read_map(at, "Tmpfs", arena, &config->tmpfs, err);
	if (result == 0)
		result = read_map(at, "Sysctls", arena, &config->sysctls, err);
	return result;
}

static int read_bools(const struct json_at *at, struct docker_config *config, struct error *err)
{
	const struct {
		const char *name;
		bool *value;
	} members[] = {
		{ "Privileged", &config->privileged },
		{ "ReadonlyRootfs", &config->readonly_rootfs },
		{ "Init", &config->init },
		{ "OomKillDisable", &config->oom_kill_disable },
	};
	int result = 0;

	for (size_t i = 0; result == 0 && i < sizeof(members) / sizeof(members[0]); i++)
		result = read_bool(at, members[i].name, members[i].value, err);
	return result;
}

int docker_host_config_read(const struct json_at *at, struct arena *arena,
			    struct docker_config *config, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_texts_of_host(at, arena, config, err);
	if (result == 0)
		result = read_bools(at, config, err);
	if (result == 0)
		result = read_numbers(at, config, err);
	if (result == 0)
		result = read_log_config(at, arena, config, err);
	if (result == 0)
		result = read_ulimits(at, arena, config, err);
	if (result == 0)
		result = read_devices(at, arena, config, err);
	if (result == 0)
		result = read_port_bindings(at, arena, config, err);
	if (result == 0)
		config->unknown_member = docker_unknown_host_member(at);
	return result;
}
