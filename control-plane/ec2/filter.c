/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: a name, and values in which * and ? stand for others. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "control-plane/ec2/call.h"

void ec2_fact(struct ec2_facts *facts, const char *name, const char *value)
{
	if (!value)
		return;
	facts->items = xreallocarray(facts->items, facts->count + 1, sizeof(*facts->items));
	facts->items[facts->count++] =
		(struct ec2_fact){ .name = xstrdup(name), .value = xstrdup(value) };
}

void ec2_facts_clear(struct ec2_facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		free(facts->items[i].name);
		free(facts->items[i].value);
	}
	free(facts->items);
	*facts = (struct ec2_facts){ 0 };
}

static bool is_known(const char *const *known, const char *name)
{
	if (str_starts_with(name, "tag:") || str_eq(name, "tag-key"))
		return true;
	for (; *known; known++)
		if (str_eq(*known, name))
			return true;
	return false;
}

int ec2_filters_read(struct ec2_call *call, const char *const *known,
		     struct ec2_filters *ret_filters)
{
	struct ec2_filters *filters = ret_filters;

	for (size_t i = 1; ec2_param_item(call, "Filter", i); i++) {
		const char *name = ec2_paramf(call, "Filter.%zu.Name", i);
		_cleanup_free_ char *values = xasprintf("Filter.%zu.Value", i);
		struct ec2_filter *filter;

		if (!name || !is_known(known, name))
			return ec2_error(call, EC2_INVALID, "The filter '%s' is invalid",
					 name ? name : "null");
		filters->items =
			xreallocarray(filters->items, filters->count + 1, sizeof(*filters->items));
		filter = &filters->items[filters->count++];
		*filter = (struct ec2_filter){ .name = xstrdup(name), .values = STR_LIST_INIT };
		ec2_param_list(call, values, &filter->values);
		if (filter->values.count == 0)
			return ec2_error(call, EC2_INVALID, "The filter '%s' has no values", name);
	}
	return 0;
}

void ec2_filters_clear(struct ec2_filters *filters)
{
	for (size_t i = 0; i < filters->count; i++) {
		free(filters->items[i].name);
		str_list_free(&filters->items[i].values);
	}
	free(filters->items);
	*filters = (struct ec2_filters){ 0 };
}

/* Only the last * is ever tried again: at worst the product of both lengths. */
static bool is_like(const char *text, const char *pattern)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool one_matches(const struct ec2_filter *filter, const struct ec2_facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		if (!str_eq(facts->items[i].name, filter->name))
			continue;
		for (size_t j = 0; j < filter->values.count; j++)
			if (is_like(facts->items[i].value, filter->values.items[j]))
				return true;
	}
	return false;
}

bool ec2_filters_match(const struct ec2_filters *filters, const struct ec2_facts *facts)
{
	for (size_t i = 0; i < filters->count; i++)
		if (!one_matches(&filters->items[i], facts))
			return false;
	return true;
}
