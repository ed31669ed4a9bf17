/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Long texts are quoted in part only. */
#define QUOTED "\"%.64s\""

/* Digits only; false: not a number. Saturates with *ret_over. */
static bool parse_digits(const char *text, uint64_t *ret, bool *ret_over)
{
	uint64_t value = 0;

	*ret_over = false;
	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++) {
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			*ret_over = true;
	}
	*ret = value;
	return *text == '\0';
}

int number_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	uint64_t value;
	bool over;

	if (!parse_digits(text, &value, &over))
		return error_say(err, EINVAL, QUOTED " is not a whole number", text);
	if (over || value < min || value > max)
		return error_say(err, ERANGE, QUOTED " is not between %" PRIu64 " and %" PRIu64,
				 text, min, max);
	*ret = value;
	return 0;
}

int number_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret, struct error *err)
{
	bool negative = *text == '-';
	const char *digits = text + (*text == '-' || *text == '+');
	uint64_t size;
	bool over;
	int64_t value;

	if (!parse_digits(digits, &size, &over))
		return error_say(err, EINVAL, QUOTED " is not a whole number", text);
	if (over || size > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		goto out_of_range;
	if (!negative)
		value = (int64_t)size;
	else if (size == (uint64_t)INT64_MAX + 1)
		value = INT64_MIN;
	else
		value = -(int64_t)size;
	if (value < min || value > max)
		goto out_of_range;
	*ret = value;
	return 0;

out_of_range:
	return error_say(err, ERANGE, QUOTED " is not between %" PRId64 " and %" PRId64, text, min,
			 max);
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool looks_like_decimal(const char *text)
{
	bool digits = false;

	if (*text == '+' || *text == '-')
		text++;
	for (; is_digit(*text); text++)
		digits = true;
	if (*text == '.')
		text++;
	for (; is_digit(*text); text++)
		digits = true;
	if (!digits)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		if (*text == '+' || *text == '-')
			text++;
		if (!is_digit(*text))
			return false;
		while (is_digit(*text))
			text++;
	}
	return *text == '\0';
}

int number_parse_double(const char *text, double min, double max, double *ret, struct error *err)
{
	double value;
	locale_t c_locale;

	if (!looks_like_decimal(text))
		return error_say(err, EINVAL, QUOTED " is not a number", text);
	c_locale = newlocale(LC_ALL_MASK, "C", NULL);
	value = strtod_l(text, NULL, c_locale);
	freelocale(c_locale);
	if (!isfinite(value) || value < min || value > max)
		return error_say(err, ERANGE, QUOTED " is not between %g and %g", text, min, max);
	*ret = value;
	return 0;
}
