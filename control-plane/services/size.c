/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/size.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"

/* "<number>" counts as it is, "<number> <unit>" in units of 1024. */
static int parse_size(const char *text, const char *unit, int64_t *ret)
{
	size_t length = strlen(text), unit_length = strlen(unit);
	_cleanup_free_ char *number = NULL;
	double value;

	if (number_parse_i64(text, 1, INT32_MAX, ret, NULL) == 0)
		return 0;
	if (length <= unit_length || strcasecmp(text + length - unit_length, unit) != 0)
		return -EINVAL;
	length -= unit_length;
	while (length > 0 && text[length - 1] == ' ')
		length--;
	number = xstrndup(text, length);
	if (number_parse_double(number, 0, 1e6, &value, NULL) < 0 || value <= 0)
		return -EINVAL;
	*ret = (int64_t)(value * 1024 + 0.5);
	return 0;
}

int size_parse_cpu(const char *text, int64_t *ret_units)
{
	return parse_size(text, "vCPU", ret_units);
}

int size_parse_memory(const char *text, int64_t *ret_mib)
{
	return parse_size(text, "GB", ret_mib);
}
