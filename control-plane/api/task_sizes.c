/* SPDX-License-Identifier: Apache-2.0 */
/* cpu and memory of the task and of its containers. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

#define CPU_MIN        128
#define CPU_MAX        196608
#define MEMORY_MIN_MIB 6
#define MEMORY_MAX_MIB (INT64_C(32) * 1024 * 1024)

/* "2 GB", ".5vCPU": the number before the unit, times `factor`. -EINVAL when the text is no such
 * thing. */
static int parse_with_unit(const char *text, const char *unit, int factor, int64_t *ret_value)
{
	size_t length = strlen(text);
	size_t unit_length = strlen(unit);
	_cleanup_free_ char *number = NULL;
	double value = 0;

	if (length <= unit_length || !str_eq_nocase(text + length - unit_length, unit))
		return -EINVAL;
	length -= unit_length;
	while (length > 0 && text[length - 1] == ' ')
		length--;
	/* ".5" is taken, as AWS does. */
	number = xasprintf("%s%.*s", text[0] == '.' ? "0" : "", (int)length, text);
	if (number_parse_double(number, 0, 1e6, &value, NULL) < 0)
		return -EINVAL;
	*ret_value = (int64_t)(value * factor + 0.5);
	return 0;
}

/* The integer, or the number with its unit; written back as the plain integer. */
static int parse_size(json_t *definition, const char *name, const char *unit, int factor,
		      int64_t min, int64_t max)
{
	const char *text = member_string(definition, name);
	_cleanup_free_ char *plain = NULL;
	int64_t value;

	if (number_parse_i64(text, INT64_MIN, INT64_MAX, &value, NULL) < 0 &&
	    parse_with_unit(text, unit, factor, &value) < 0)
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	plain = xasprintf("%" PRId64, value);
	json_object_set_new(definition, name, json_string(plain));
	return 0;
}

int sizes_check(struct api_call *call, json_t *definition)
{
	static const struct {
		const char *name, *unit;
		int factor;
		int64_t min, max;
	} sizes[] = {
		{ "cpu", "vCPU", 1024, CPU_MIN, CPU_MAX },
		{ "memory", "GB", 1024, MEMORY_MIN_MIB, MEMORY_MAX_MIB },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int r;

		if (!member_has(definition, sizes[i].name))
			continue;
		r = parse_size(definition, sizes[i].name, sizes[i].unit, sizes[i].factor,
			       sizes[i].min, sizes[i].max);
		if (r == -ERANGE)
			return api_error(call, API_CLIENT,
					 "Invalid '%s' setting for task. For more information, see "
					 "the Troubleshooting section of the Amazon ECS Developer "
					 "Guide.",
					 sizes[i].name);
		if (r < 0)
			return api_error(call, API_CLIENT, "Invalid '%s' setting for task.",
					 sizes[i].name);
	}
	return 0;
}

static int64_t definition_size(const json_t *definition, const char *name)
{
	const char *text = member_string(definition, name);
	int64_t value = 0;

	if (text)
		number_parse_i64(text, 0, INT64_MAX, &value, NULL);
	return value;
}

int64_t definition_cpu(const json_t *definition)
{
	return definition_size(definition, "cpu");
}

int64_t definition_memory(const json_t *definition)
{
	return definition_size(definition, "memory");
}

static int check_container_memory(struct api_call *call, const json_t *container,
				  int64_t task_memory)
{
	const char *name = member_string(container, "name");
	int64_t memory = member_integer(container, "memory", 0);
	int64_t reservation = member_integer(container, "memoryReservation", 0);

	if (member_has(container, "memory") && memory < MEMORY_MIN_MIB)
		return api_error(call, API_CLIENT,
				 "Invalid setting for container '%s'. 'memory' must be at least %d "
				 "MiB.",
				 name, MEMORY_MIN_MIB);
	if (member_has(container, "memoryReservation") && reservation < MEMORY_MIN_MIB)
		return api_error(call, API_CLIENT,
				 "Invalid setting for container '%s'. 'memoryReservation' must be "
				 "at least %d MiB.",
				 name, MEMORY_MIN_MIB);
	if (memory == 0 && reservation == 0 && task_memory == 0)
		return api_error(call, API_CLIENT,
				 "Invalid setting for container '%s'. At least one of 'memory' or "
				 "'memoryReservation' must be specified.",
				 name);
	if (memory > 0 && reservation > memory)
		return api_error(call, API_CLIENT,
				 "Invalid setting for container '%s'. 'memoryReservation' must not "
				 "be greater than 'memory'.",
				 name);
	if (task_memory > 0 && memory > task_memory)
		return api_error(
			call, API_CLIENT,
			"The 'memory' setting for container '%s' is greater than for the task.",
			name);
	return 0;
}

int container_sizes_check(struct api_call *call, const json_t *definition)
{
	int64_t task_memory = definition_memory(definition);
	int64_t task_cpu = definition_cpu(definition);
	int64_t memory = 0;
	int64_t cpu = 0;
	size_t i;
	json_t *container;
	int r;

	json_array_foreach (member_list(definition, "containerDefinitions"), i, container) {
		r = check_container_memory(call, container, task_memory);
		if (r < 0)
			return r;
		if (member_integer(container, "cpu", 0) < 0)
			return api_error(call, API_CLIENT,
					 "Invalid 'cpu' setting for container '%s'.",
					 member_string(container, "name"));
		cpu += member_integer(container, "cpu", 0);
		memory += member_integer(container, "memoryReservation",
					 member_integer(container, "memory", 0));
	}
	if (task_cpu > 0 && cpu > task_cpu)
		return api_error(call, API_CLIENT,
				 "The sum of all container 'cpu' values cannot be greater than the "
				 "value of the task 'cpu'.");
	if (task_memory > 0 && memory > task_memory)
		return api_error(call, API_CLIENT,
				 "The sum of all container memory reservations cannot be greater "
				 "than the value of the task 'memory'.");
	return 0;
}
