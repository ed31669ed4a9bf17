/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/scheduler/scheduler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "control-plane/scheduler/fit.h"

static const struct scheduler_strategy default_strategies[] = {
	{ .type = SCHEDULER_SPREAD, .field = "attribute:ecs.availability-zone" },
	{ .type = SCHEDULER_SPREAD, .field = "instanceId" },
};

struct placing {
	const struct scheduler_instance *instances;
	size_t instance_count;
	const struct scheduler_request *request;
	struct fit_constraints constraints;
	struct fit_taken *taken; /* one for each instance */
	size_t *candidates;      /* indices that are ACTIVE */
	size_t candidate_count;
	size_t *fitting; /* indices that may take the task at hand */
	size_t fitting_count;
	uint64_t random;
};

/* splitmix64: the caller's seed, one number at a time. */
static uint64_t next_random(struct placing *placing)
{
	uint64_t z = (placing->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool spread_by_instance(const char *field)
{
	return strcasecmp(field, "instanceId") == 0 || strcasecmp(field, "host") == 0;
}

static const char attribute_prefix[] = "attribute:";

int scheduler_check_strategies(const struct scheduler_strategy *strategies, size_t count,
			       struct error *err)
{
	if (count > SCHEDULER_STRATEGIES_MAX)
		return error_say(err, EINVAL, "placement strategies can have at most %d items.",
				 SCHEDULER_STRATEGIES_MAX);
	for (size_t i = 0; i < count; i++) {
		const char *field = strategies[i].field ? strategies[i].field : "";

		switch (strategies[i].type) {
		case SCHEDULER_RANDOM:
			if (field[0] != '\0')
				return error_say(err, EINVAL,
						 "Placement strategy 'random' takes no field, "
						 "got '%s'.",
						 field);
			break;
		case SCHEDULER_SPREAD:
			if (!spread_by_instance(field) &&
			    (strncmp(field, attribute_prefix, strlen(attribute_prefix)) != 0 ||
			     field[strlen(attribute_prefix)] == '\0'))
				return error_say(err, EINVAL,
						 "Placement strategy 'spread' takes the field "
						 "instanceId, host or attribute:<name>, got '%s'.",
						 field);
			break;
		case SCHEDULER_BINPACK:
			if (strcasecmp(field, "cpu") != 0 && strcasecmp(field, "memory") != 0)
				return error_say(err, EINVAL,
						 "Placement strategy 'binpack' takes the field cpu "
						 "or memory, got '%s'.",
						 field);
			break;
		}
	}
	return 0;
}

/* The instances that lack the attribute form one group of their own. */
static bool same_spread_group(const struct placing *placing, const char *field, size_t a, size_t b)
{
	const char *left, *right;

	if (spread_by_instance(field))
		return a == b;
	left = fit_attribute(&placing->instances[a], field + strlen(attribute_prefix));
	right = fit_attribute(&placing->instances[b], field + strlen(attribute_prefix));
	if (!left || !right)
		return left == right;
	return strcmp(left, right) == 0;
}

static int64_t spread_score(const struct placing *placing, const char *field, size_t index)
{
	size_t tasks = 0;

	for (size_t i = 0; i < placing->instance_count; i++)
		if (same_spread_group(placing, field, i, index))
			tasks += placing->taken[i].tasks +
				 fit_group_count(&placing->instances[i], placing->request->group);
	return (int64_t)tasks;
}

static int64_t binpack_score(const struct placing *placing, const char *field, size_t index)
{
	const struct scheduler_instance *instance = &placing->instances[index];
	int64_t tasks = (int64_t)placing->taken[index].tasks;

	if (strcasecmp(field, "cpu") == 0)
		return instance->cpu_remaining - tasks * placing->request->cpu;
	return instance->memory_remaining - tasks * placing->request->memory;
}

/* Keeps the fitting instances with the lowest score. */
static void narrow(struct placing *placing, const struct scheduler_strategy *strategy)
{
	int64_t best = INT64_MAX;
	size_t kept = 0;

	if (strategy->type == SCHEDULER_RANDOM) {
		placing->fitting[0] =
			placing->fitting[next_random(placing) % placing->fitting_count];
		placing->fitting_count = 1;
		return;
	}
	for (size_t i = 0; i < placing->fitting_count; i++) {
		size_t index = placing->fitting[i];
		int64_t score = strategy->type == SCHEDULER_SPREAD
					? spread_score(placing, strategy->field, index)
					: binpack_score(placing, strategy->field, index);

		if (score < best) {
			best = score;
			kept = 0;
		}
		if (score == best)
			placing->fitting[kept++] = index;
	}
	placing->fitting_count = kept;
}

static size_t choose(struct placing *placing)
{
	const struct scheduler_strategy *strategies = placing->request->strategies;
	size_t count = placing->request->strategy_count;

	if (count == 0) {
		strategies = default_strategies;
		count = sizeof(default_strategies) / sizeof(default_strategies[0]);
	}
	for (size_t i = 0; i < count && placing->fitting_count > 1; i++)
		narrow(placing, &strategies[i]);
	return placing->fitting[next_random(placing) % placing->fitting_count];
}

/* Finds who may take one more task. Returns the failures in *result when there is nobody. */
static void find_fitting(struct placing *placing, bool addresses_left,
			 struct scheduler_result *result)
{
	result->failure_count = 0;
	placing->fitting_count = 0;
	for (size_t i = 0; i < placing->candidate_count; i++) {
		size_t index = placing->candidates[i];
		const char *refusal =
			fit_refusal(&placing->instances[index], &placing->taken[index],
				    placing->request, &placing->constraints);

		if (!refusal && !addresses_left)
			refusal = "RESOURCE:ENI";
		if (refusal)
			result->failures[result->failure_count++] =
				(struct scheduler_failure){ .instance = index, .reason = refusal };
		else
			placing->fitting[placing->fitting_count++] = index;
	}
	if (placing->fitting_count > 0)
		result->failure_count = 0;
}

int scheduler_place(const struct scheduler_instance *instances, size_t instance_count,
		    const struct scheduler_request *request, struct scheduler_result *ret_result,
		    struct error *err)
{
	_cleanup_free_ struct fit_taken *taken = NULL;
	_cleanup_free_ size_t *candidates = NULL;
	_cleanup_free_ size_t *fitting = NULL;
	struct placing placing = {
		.instances = instances,
		.instance_count = instance_count,
		.request = request,
		.random = request->seed,
	};
	struct scheduler_result result = { .placement_count = 0 };
	int r;

	if (request->count < 1 || request->count > SCHEDULER_COUNT_MAX)
		return error_say(err, EINVAL, "Count should be between 1 and %d, got %zu.",
				 SCHEDULER_COUNT_MAX, request->count);
	r = scheduler_check_strategies(request->strategies, request->strategy_count, err);
	if (r < 0)
		return r;
	r = fit_constraints_parse(request, &placing.constraints, err);
	if (r < 0)
		return r;

	taken = xcalloc(instance_count + 1, sizeof(*taken));
	candidates = xcalloc(instance_count + 1, sizeof(*candidates));
	fitting = xcalloc(instance_count + 1, sizeof(*fitting));
	placing.taken = taken;
	placing.candidates = candidates;
	placing.fitting = fitting;
	result.placements = xcalloc(request->count, sizeof(*result.placements));
	result.failures = xcalloc(instance_count + 1, sizeof(*result.failures));
	for (size_t i = 0; i < instance_count; i++)
		if (instances[i].active)
			candidates[placing.candidate_count++] = i;

	while (result.placement_count < request->count) {
		bool addresses_left =
			!request->needs_eni || result.placement_count < request->addresses_left;
		size_t index;

		find_fitting(&placing, addresses_left, &result);
		if (placing.fitting_count == 0)
			break;
		index = choose(&placing);
		taken[index].tasks++;
		result.placements[result.placement_count++] = index;
	}
	fit_constraints_free(&placing.constraints);
	*ret_result = result;
	return 0;
}

const char *scheduler_check(const struct scheduler_instance *instance, size_t taken,
			    const struct scheduler_request *request)
{
	const struct fit_taken before = { .tasks = taken };
	const char *refusal;

	if (instance->inactive)
		return "INACTIVE";
	refusal = fit_refusal(instance, &before, request, NULL);
	if (!refusal && request->needs_eni && request->addresses_left == 0)
		return "RESOURCE:ENI";
	return refusal;
}

void scheduler_result_free(struct scheduler_result *result)
{
	free(result->placements);
	free(result->failures);
	*result = (struct scheduler_result){ .placement_count = 0 };
}
