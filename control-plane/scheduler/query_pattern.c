/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/scheduler/query_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

/* A sensible pattern and a value of 128 characters need some hundred steps; this many take a
 * fraction of a millisecond. */
#define STEPS_MAX       10000
#define HEAP_MAX_KIB    256
#define GROUP_DEPTH_MAX 32

struct query_pattern {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static int refuse(struct error *err, const char *text, int code, size_t at)
{
	PCRE2_UCHAR why[128];

	pcre2_get_error_message(code, why, sizeof(why));
	return error_say(
		err, EINVAL,
		"Invalid expression: '%s' is not a regular expression: %s (at character %zu).",
		text, (const char *)why, at + 1);
}

int query_pattern_compile(const char *text, struct query_pattern **ret, struct error *err)
{
	/* The whole value; no Unicode classes, which Java has not either; and nothing that is
	 * PCRE's own. */
	const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_UTF |
				 PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
	pcre2_compile_context *context;
	struct query_pattern *pattern;
	pcre2_code *code;
	size_t at = 0;
	int failure = 0;

	if (strlen(text) > QUERY_PATTERN_MAX)
		return error_say(err, EINVAL,
				 "Invalid expression: a pattern has at most %d characters.",
				 QUERY_PATTERN_MAX);
	context = must(pcre2_compile_context_create(NULL));
	pcre2_set_parens_nest_limit(context, GROUP_DEPTH_MAX);
	code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &failure, &at,
			     context);
	pcre2_compile_context_free(context);
	if (!code)
		return refuse(err, text, failure, at);
	pattern = xcalloc(1, sizeof(*pattern));
	pattern->code = code;
	pattern->match = must(pcre2_match_data_create(1, NULL));
	pattern->limits = must(pcre2_match_context_create(NULL));
	pcre2_set_match_limit(pattern->limits, STEPS_MAX);
	pcre2_set_heap_limit(pattern->limits, HEAP_MAX_KIB);
	*ret = pattern;
	return 0;
}

bool query_pattern_matches(const struct query_pattern *pattern, const char *value)
{
	return pcre2_match(pattern->code, (PCRE2_SPTR)value, strlen(value), 0, 0, pattern->match,
			   pattern->limits) >= 0;
}

void query_pattern_free(struct query_pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_code_free(pattern->code);
	pcre2_match_data_free(pattern->match);
	pcre2_match_context_free(pattern->limits);
	free(pattern);
}
