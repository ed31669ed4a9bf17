/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/host.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "agent/ecs/gpu.h"
#include "agent/ecs/ip_compatibility.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "netns/ipv6.h"

int64_t host_cpu_count(void)
{
	cpu_set_t cpus;
	long configured;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		return CPU_COUNT(&cpus);
	configured = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t holds */
	return configured > 0 ? configured : 1;
}

/* MemTotal of /proc/meminfo in MiB; 0 when it cannot be read, as the reference has it. */
static int64_t host_memory_mib(void)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *digits = NULL;
	const char *at;
	int64_t kib;

	if (file_read(AT_FDCWD, "/proc/meminfo", 65536, &text, NULL, NULL) < 0)
		return 0;
	at = strstr(text, "MemTotal:");
	if (!at)
		return 0;
	at += strlen("MemTotal:");
	at += strspn(at, " \t");
	digits = strndup(at, strspn(at, "0123456789"));
	if (!digits || number_parse_i64(digits, 0, INT64_MAX / 1024, &kib, NULL) < 0)
		return 0;
	return kib / 1024;
}

char *host_boot_id(void)
{
	char *text = NULL;

	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

int host_resources_read(const struct agent_config *config, struct host_resources *ret,
			struct error *err)
{
	int64_t memory = config->host_memory_mib > 0 ? config->host_memory_mib : host_memory_mib();

	if (memory < config->reserved_memory_mib)
		return error_say(err, ERANGE,
				 "ECS_RESERVED_MEMORY is %" PRId64 " MiB, more than the %" PRId64
				 " MiB that this host has: reserve less",
				 config->reserved_memory_mib, memory);
	*ret = (struct host_resources){
		.memory_mib = memory - config->reserved_memory_mib,
		.cpu_units = config->host_cpu_units > 0 ? config->host_cpu_units
							: 1024 * host_cpu_count(),
		.ipv6 = ipv6_check(NULL) == 0,
		.ipv6_only = ip_compatibility_is_ipv6_only(config),
	};
	return config->gpu_support ? gpu_ids_read(GPU_INFO_FILE, &ret->gpus, err) : 0;
}

void host_resources_free(struct host_resources *resources)
{
	str_list_free(&resources->gpus);
}
