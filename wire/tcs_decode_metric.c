/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tcs_in.h"

#include <errno.h>

#include "wire/reader.h"

#define LIST_LIMIT 1000

/* *ret_given (may be NULL): whether the set is there. */
static int read_double_set(const struct json_at *at, const char *name, struct tcs_double_set *set,
			   bool *ret_given, struct error *err)
{
	struct json_at object = { .value = NULL };
	int result = read_object(at, name, &object, err);

	if (ret_given)
		*ret_given = result == 0 && json_present(&object);
	if (result < 0 || !json_present(&object))
		return result;
	result = read_double(&object, "max", &set->max, err);
	if (result == 0)
		result = read_double(&object, "min", &set->min, err);
	if (result == 0)
		result = read_double(&object, "sum", &set->sum, err);
	if (result == 0)
		result = read_i64(&object, "sampleCount", 0, INT64_MAX, &set->sample_count, err);
	return result;
}

static int read_ulong_set(const struct json_at *at, const char *name, struct tcs_ulong_set *set,
			  bool *ret_given, struct error *err)
{
	struct json_at object = { .value = NULL };
	const struct {
		const char *name;
		int64_t *value;
	} members[] = {
		{ "max", &set->max },
		{ "min", &set->min },
		{ "sum", &set->sum },
		{ "overflowMax", &set->overflow_max },
		{ "overflowMin", &set->overflow_min },
		{ "overflowSum", &set->overflow_sum },
		{ "sampleCount", &set->sample_count },
	};
	int result = read_object(at, name, &object, err);

	if (ret_given)
		*ret_given = result == 0 && json_present(&object);
	if (result < 0 || !json_present(&object))
		return result;
	for (size_t i = 0; result == 0 && i < sizeof(members) / sizeof(members[0]); i++)
		result = read_i64(&object, members[i].name, 0, INT64_MAX, members[i].value, err);
	return result;
}

static int read_network(const struct json_at *at, struct tcs_container_metric *container,
			struct error *err)
{
	struct tcs_network_sets *network = &container->network;
	const struct {
		const char *name;
		struct tcs_ulong_set *set;
	} counters[] = {
		{ "rxDropped", &network->rx_dropped }, { "rxErrors", &network->rx_errors },
		{ "rxPackets", &network->rx_packets }, { "txBytes", &network->tx_bytes },
		{ "txDropped", &network->tx_dropped }, { "txErrors", &network->tx_errors },
		{ "txPackets", &network->tx_packets },
	};
	struct json_at object = { .value = NULL };
	int result = read_object(at, "networkStatsSet", &object, err);

	if (result < 0 || !json_present(&object))
		return result;
	container->has_network = true;
	result = read_ulong_set(&object, "rxBytes", &network->rx_bytes, &network->has_bytes, err);
	for (size_t i = 0; result == 0 && i < sizeof(counters) / sizeof(counters[0]); i++)
		result = read_ulong_set(&object, counters[i].name, counters[i].set, NULL, err);
	if (result == 0)
		result = read_double_set(&object, "rxBytesPerSecond", &network->rx_bytes_per_second,
					 &network->has_rates, err);
	if (result == 0)
		result = read_double_set(&object, "txBytesPerSecond", &network->tx_bytes_per_second,
					 NULL, err);
	return result;
}

static int read_container(const struct json_at *at, struct arena *arena,
			  struct tcs_container_metric *container, struct error *err)
{
	struct json_at storage = { .value = NULL };
	struct json_at restarts = { .value = NULL };
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "containerName", arena, &container->name, err);
	if (result == 0)
		result = read_double_set(at, "cpuStatsSet", &container->cpu, NULL, err);
	if (result == 0)
		result = read_double_set(at, "memoryStatsSet", &container->memory, NULL, err);
	if (result == 0)
		result = read_network(at, container, err);
	if (result == 0)
		result = read_object(at, "storageStatsSet", &storage, err);
	if (result == 0)
		result = read_object(at, "restartStatsSet", &restarts, err);
	if (result < 0)
		return result;
	if (!container->name)
		return json_fail(at, err, "containerName is missing");
	if (json_present(&storage)) {
		container->has_storage = true;
		result = read_ulong_set(&storage, "readSizeBytes", &container->read_size_bytes,
					NULL, err);
		if (result == 0)
			result = read_ulong_set(&storage, "writeSizeBytes",
						&container->write_size_bytes, NULL, err);
	}
	if (result == 0 && json_present(&restarts)) {
		container->has_restarts = true;
		result = read_i64(&restarts, "restartCount", 0, INT64_MAX,
				  &container->restart_count, err);
	}
	return result;
}

static int read_volume(const struct json_at *at, struct arena *arena,
		       struct tcs_volume_metric *volume, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "volumeId", arena, &volume->volume_id, err);
	if (result == 0)
		result = read_text(at, "volumeName", arena, &volume->volume_name, err);
	if (result == 0)
		result = read_double_set(at, "utilized", &volume->utilized, NULL, err);
	if (result == 0)
		result = read_double_set(at, "size", &volume->size, NULL, err);
	return result;
}

static int read_general_metric(const struct json_at *at, struct arena *arena,
			       struct tcs_general_metric *metric, struct error *err)
{
	struct json_at values = { .value = NULL };
	struct json_at counts = { .value = NULL };
	double *value;
	int64_t *count;
	int result = read_is_object(at, err);

	metric->name = "";
	if (result == 0)
		result = read_text(at, "metricName", arena, &metric->name, err);
	if (result == 0)
		result = read_list(at, "metricValues", LIST_LIMIT, &values, err);
	if (result == 0)
		result = read_list(at, "metricCounts", LIST_LIMIT, &counts, err);
	if (result < 0)
		return result;
	if (json_count(&values) != json_count(&counts))
		return json_fail(at, err, "metricValues and metricCounts have different lengths");
	value = arena_calloc(arena, json_count(&values), sizeof(*value));
	count = arena_calloc(arena, json_count(&values), sizeof(*count));
	for (size_t i = 0; i < json_count(&values); i++) {
		struct json_at value_at = json_item(&values, i);
		struct json_at count_at = json_item(&counts, i);

		if (json_as_double(&value_at, -1e308, 1e308, &value[i], err) < 0 ||
		    json_as_i64(&count_at, 0, INT64_MAX, &count[i], err) < 0)
			return -EINVAL;
	}
	metric->values = value;
	metric->counts = count;
	metric->value_count = json_count(&values);
	return 0;
}

static int read_general_metrics(const struct json_at *at, struct arena *arena,
				struct tcs_general_metrics *metrics, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct tcs_general_metric *items;
	int result = read_is_object(at, err);

	metrics->type = "";
	if (result == 0)
		result = read_text(at, "metricType", arena, &metrics->type, err);
	if (result == 0)
		result = read_pairs(at, "dimensions", "key", LIST_LIMIT, arena,
				    &metrics->dimensions, err);
	if (result == 0)
		result = read_list(at, "generalMetrics", LIST_LIMIT, &list, err);
	if (result < 0)
		return result;
	items = arena_calloc(arena, json_count(&list), sizeof(*items));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_general_metric(&item, arena, &items[i], err);
		if (result < 0)
			return result;
	}
	metrics->metrics = items;
	metrics->metric_count = json_count(&list);
	return 0;
}

/* Reads list `name` into `items` of task, each element by `read`. A macro, for the types differ. */
#define READ_LIST(name, element, field, field_count, limit, read)                                  \
	do {                                                                                       \
		struct json_at list = { .value = NULL };                                           \
		struct element *items;                                                             \
		int result = read_list(at, name, limit, &list, err);                               \
		if (result < 0)                                                                    \
			return result;                                                             \
		items = arena_calloc(arena, json_count(&list), sizeof(*items));                    \
		for (size_t i = 0; i < json_count(&list); i++) {                                   \
			struct json_at item = json_item(&list, i);                                 \
			result = read(&item, arena, &items[i], err);                               \
			if (result < 0)                                                            \
				return result;                                                     \
		}                                                                                  \
		task->field = items;                                                               \
		task->field_count = json_count(&list);                                             \
	} while (0)

int tcs_read_task_metric(const struct json_at *at, struct arena *arena,
			 struct tcs_task_metric *task, struct error *err)
{
	int head = read_is_object(at, err);

	if (head == 0)
		head = read_text(at, "taskArn", arena, &task->task_arn, err);
	if (head == 0)
		head = read_text(at, "taskDefinitionFamily", arena, &task->family, err);
	if (head == 0)
		head = read_text(at, "taskDefinitionVersion", arena, &task->version, err);
	if (head < 0)
		return head;
	if (!task->task_arn)
		return json_fail(at, err, "taskArn is missing");
	READ_LIST("containerMetrics", tcs_container_metric, containers, container_count, LIST_LIMIT,
		  read_container);
	READ_LIST("volumeMetrics", tcs_volume_metric, volumes, volume_count, LIST_LIMIT,
		  read_volume);
	READ_LIST("serviceConnectMetricsWrapper", tcs_general_metrics, service_connect,
		  service_connect_count, READ_LIST_LIMIT, read_general_metrics);
	return 0;
}
