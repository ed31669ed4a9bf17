/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "agent/config/settings.h"

/* Longest first where one is the beginning of another. */
static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 }, /* micro sign */
	{ "\xce\xbcs", 1000 }, /* Greek mu */
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60LL * 1000000000 },
	{ "h", 3600LL * 1000000000 },
};

int config_duration_parse(const char *text, int64_t *ret_ns, struct error *err)
{
	const char *at = text;
	bool negative = false;
	int64_t total = 0;

	if (*at == '+' || *at == '-')
		negative = *at++ == '-';
	if (strcmp(at, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (*at == '\0')
		return error_say(err, EINVAL, "\"%.100s\" is not a duration such as 90s or 1h30m",
				 text);
	while (*at) {
		int64_t whole = 0, unit = 0, part;
		double fraction = 0, place = 0.1;
		bool digits = false;

		for (; *at >= '0' && *at <= '9'; at++, digits = true)
			if (__builtin_mul_overflow(whole, 10, &whole) ||
			    __builtin_add_overflow(whole, *at - '0', &whole))
				return error_say(err, ERANGE, "\"%.100s\" is too long a duration",
						 text);
		if (*at == '.')
			for (at++; *at >= '0' && *at <= '9'; at++, digits = true) {
				fraction += place * (*at - '0');
				place /= 10;
			}
		for (size_t i = 0; digits && unit == 0 && i < sizeof(units) / sizeof(units[0]);
		     i++) {
			size_t length = strlen(units[i].name);

			/* "m" must not take the first letter of "ms", which stands before it in the
			 * table. */
			if (strncmp(at, units[i].name, length) == 0) {
				unit = units[i].ns;
				at += length;
			}
		}
		if (unit == 0)
			return error_say(err, EINVAL,
					 "\"%.100s\" is not a duration such as 90s or 1h30m", text);
		if (__builtin_mul_overflow(whole, unit, &part) ||
		    __builtin_add_overflow(part, (int64_t)(fraction * (double)unit), &part) ||
		    __builtin_add_overflow(total, part, &total))
			return error_say(err, ERANGE, "\"%.100s\" is too long a duration", text);
	}
	*ret_ns = negative ? -total : total;
	return 0;
}
