/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/scheduler/fit.h"

#include <errno.h>
#include <string.h>

int fit_constraints_parse(const struct scheduler_request *request,
			  struct fit_constraints *ret_constraints, struct error *err)
{
	struct fit_constraints constraints = { .count = 0 };

	if (request->constraint_count > SCHEDULER_CONSTRAINTS_MAX)
		return error_say(err, EINVAL, "placement constraints can have at most %d items.",
				 SCHEDULER_CONSTRAINTS_MAX);
	for (size_t i = 0; i < request->constraint_count; i++) {
		const struct scheduler_constraint *constraint = &request->constraints[i];

		constraints.queries[i] = NULL;
		constraints.count = i + 1;
		if (constraint->type == SCHEDULER_DISTINCT_INSTANCE)
			continue;
		int r = query_parse(constraint->expression, &constraints.queries[i], err);
		if (r < 0) {
			fit_constraints_free(&constraints);
			return r;
		}
	}
	*ret_constraints = constraints;
	return 0;
}

void fit_constraints_free(struct fit_constraints *constraints)
{
	for (size_t i = 0; i < constraints->count; i++)
		query_free(constraints->queries[i]);
	constraints->count = 0;
}

size_t fit_group_count(const struct scheduler_instance *instance, const char *group)
{
	size_t count = 0;

	if (!group)
		return 0;
	for (size_t i = 0; i < instance->task_count; i++)
		count += instance->task_groups[i] && strcmp(instance->task_groups[i], group) == 0;
	return count;
}

const char *fit_attribute(const struct scheduler_instance *instance, const char *name)
{
	for (size_t i = 0; i < instance->attribute_count; i++)
		if (strcmp(instance->attributes[i].name, name) == 0)
			return instance->attributes[i].value ? instance->attributes[i].value : "";
	return NULL;
}

static bool zone_allowed(const struct scheduler_instance *instance,
			 const struct scheduler_request *request)
{
	if (request->zone_count == 0 || !instance->zone)
		return true;
	for (size_t i = 0; i < request->zone_count; i++)
		if (strcmp(instance->zone, request->zones[i]) == 0)
			return true;
	return false;
}

static bool attributes_present(const struct scheduler_instance *instance,
			       const struct scheduler_request *request)
{
	for (size_t i = 0; i < request->required_count; i++) {
		const char *value = fit_attribute(instance, request->required[i].name);

		if (!value)
			return false;
		if (request->required[i].value && strcmp(value, request->required[i].value) != 0)
			return false;
	}
	return !request->external || fit_attribute(instance, "ecs.capability.external") != NULL;
}

static const char *constraint_refusal(const struct scheduler_instance *instance,
				      const struct fit_taken *taken,
				      const struct scheduler_request *request,
				      const struct fit_constraints *constraints)
{
	for (size_t i = 0; i < constraints->count; i++) {
		if (constraints->queries[i]) {
			if (!query_matches(constraints->queries[i], instance))
				return "MemberOf placement constraint unsatisfied.";
		} else if (taken->tasks + fit_group_count(instance, request->group) > 0) {
			return "DistinctInstance placement constraint unsatisfied.";
		}
	}
	return NULL;
}

static bool ports_free(const struct scheduler_ports *wanted, const struct scheduler_ports *used,
		       const struct fit_taken *taken)
{
	if (wanted->count > 0 && taken->tasks > 0)
		return false;
	for (size_t i = 0; i < wanted->count; i++)
		for (size_t k = 0; k < used->count; k++)
			if (wanted->items[i] == used->items[k])
				return false;
	return true;
}

/* What is left after `taken` tasks of `need` each; never below INT64_MIN, since the needs are
 * bounded by the API. */
static bool enough(int64_t remaining, int64_t need, const struct fit_taken *taken)
{
	int64_t wanted;

	if (__builtin_mul_overflow(need, (int64_t)taken->tasks + 1, &wanted))
		return false;
	return need == 0 || remaining >= wanted;
}

const char *fit_refusal(const struct scheduler_instance *instance, const struct fit_taken *taken,
			const struct scheduler_request *request,
			const struct fit_constraints *constraints)
{
	const char *refusal = NULL;

	if (!instance->agent_connected)
		return "AGENT";
	if (!zone_allowed(instance, request))
		return "LOCATION";
	if (!attributes_present(instance, request))
		return "ATTRIBUTE";
	if (constraints)
		refusal = constraint_refusal(instance, taken, request, constraints);
	if (refusal)
		return refusal;
	if (!ports_free(&request->tcp, &instance->tcp_used, taken))
		return "RESOURCE:PORTS";
	if (!ports_free(&request->udp, &instance->udp_used, taken))
		return "RESOURCE:PORTS_UDP";
	if (!enough(instance->cpu_remaining, request->cpu, taken))
		return "RESOURCE:CPU";
	if (!enough(instance->memory_remaining, request->memory, taken))
		return "RESOURCE:MEMORY";
	if (request->needs_eni && !enough(instance->enis_remaining, 1, taken))
		return "RESOURCE:ENI";
	if (!enough(instance->gpus_remaining, request->gpus, taken))
		return "RESOURCE:GPU";
	return NULL;
}
