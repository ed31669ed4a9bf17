/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/docker_unknown.h"

#include "base/str.h"

/* Of Docker's HostConfig; those that are read are in docker_host_config.c. What only Docker for
 * Windows, or only a client of Docker, looks at is left out. */
static const struct {
	const char *name;
	const char *usual; /* a value that asks for nothing; NULL: none but an empty one */
} members[] = {
	{ "AutoRemove", NULL },           { "BlkioDeviceReadBps", NULL },
	{ "BlkioDeviceReadIOps", NULL },  { "BlkioDeviceWriteBps", NULL },
	{ "BlkioDeviceWriteIOps", NULL }, { "BlkioWeight", NULL },
	{ "BlkioWeightDevice", NULL },    { "Cgroup", NULL },
	{ "CgroupnsMode", "host" },       { "CpuRealtimePeriod", NULL },
	{ "CpuRealtimeRuntime", NULL },   { "DeviceCgroupRules", NULL },
	{ "DeviceRequests", NULL },       { "KernelMemory", NULL },
	{ "KernelMemoryTCP", NULL },      { "Links", NULL },
	{ "MaskedPaths", NULL },          { "Mounts", NULL },
	{ "PublishAllPorts", NULL },      { "ReadonlyPaths", NULL },
	{ "RestartPolicy", "no" },        { "StorageOpt", NULL },
	{ "VolumeDriver", NULL },         { "VolumesFrom", NULL },
};

/* null, false, 0, "", [], {}, and an object of which every member is empty. */
static bool is_empty(json_t *value, const char *usual)
{
	const char *key;
	json_t *member;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_string_length(value) == 0 || str_eq(json_string_value(value), usual);
	case JSON_ARRAY:
		return json_array_size(value) == 0;
	case JSON_OBJECT:
		json_object_foreach (value, key, member)
			if (!is_empty(member, usual))
				return false;
		return true;
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(value) == 0;
	default:
		return !json_is_true(value);
	}
}

const char *docker_unknown_host_member(const struct json_at *host_config)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct json_at at = json_member(host_config, members[i].name, JSON_ANY_CASE);

		if (json_present(&at) && !is_empty(at.value, members[i].usual))
			return members[i].name;
	}
	return NULL;
}
