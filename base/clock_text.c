/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text, and back. Pure. */
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Seconds and the rest, which is never negative. */
static int64_t split(int64_t time, int64_t unit, int64_t *ret_rest)
{
	int64_t seconds = time / unit;

	*ret_rest = time % unit;
	if (*ret_rest < 0) {
		*ret_rest += unit;
		seconds--;
	}
	return seconds;
}

static void break_down(int64_t seconds, struct tm *ret)
{
	time_t time = (time_t)seconds;

	if (!gmtime_r(&time, ret))
		memset(ret, 0, sizeof(*ret));
}

static size_t format_seconds(int64_t seconds, const char *format, char out[CLOCK_ISO8601_SIZE])
{
	struct tm tm;
	size_t length;

	break_down(seconds, &tm);
	length = strftime(out, CLOCK_ISO8601_SIZE, format, &tm);
	out[length] = '\0';
	return length;
}

char *format_iso8601(int64_t wall_ms, char out[CLOCK_ISO8601_SIZE])
{
	int64_t rest;

	format_seconds(split(wall_ms, 1000, &rest), "%Y-%m-%dT%H:%M:%SZ", out);
	return out;
}

char *format_iso8601_basic(int64_t wall_ms, char out[CLOCK_ISO8601_SIZE])
{
	int64_t rest;

	format_seconds(split(wall_ms, 1000, &rest), "%Y%m%dT%H%M%SZ", out);
	return out;
}

char *format_iso8601_ms(int64_t wall_ms, char out[CLOCK_ISO8601_SIZE])
{
	int64_t rest;
	size_t length = format_seconds(split(wall_ms, 1000, &rest), "%Y-%m-%dT%H:%M:%S", out);

	snprintf(out + length, CLOCK_ISO8601_SIZE - length, ".%03dZ", (int)rest);
	return out;
}

char *format_iso8601_ns(int64_t wall_ns, char out[CLOCK_ISO8601_SIZE])
{
	int64_t rest;
	size_t length = format_seconds(split(wall_ns, 1000000000, &rest), "%Y-%m-%dT%H:%M:%S", out);

	if (rest > 0) {
		length += (size_t)snprintf(out + length, CLOCK_ISO8601_SIZE - length, ".%09d",
					   (int)rest);
		while (out[length - 1] == '0')
			length--;
	}
	memcpy(out + length, "Z", 2);
	return out;
}

/* Exactly `count` digits; moves *text behind them. */
static bool take_digits(const char **text, int count, int *ret)
{
	int value = 0;

	for (int i = 0; i < count; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		value = value * 10 + (**text - '0');
	}
	*ret = value;
	return true;
}

static bool take(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* Refuses 30 February and 25 o'clock: timegm() would take them for other days. */
static bool to_seconds(struct tm *tm, int64_t *ret)
{
	struct tm asked = *tm;
	time_t time;

	if (asked.tm_year < -1899 || asked.tm_mon < 0 || asked.tm_mon > 11 || asked.tm_hour > 23 ||
	    asked.tm_min > 59 || asked.tm_sec > 59)
		return false;
	time = timegm(tm);
	*ret = (int64_t)time;
	return tm->tm_mday == asked.tm_mday && tm->tm_mon == asked.tm_mon;
}

static bool take_date_time(const char **text, const char *dash, const char *colon, struct tm *tm)
{
	memset(tm, 0, sizeof(*tm));
	if (!take_digits(text, 4, &tm->tm_year) || (*dash && !take(text, *dash)) ||
	    !take_digits(text, 2, &tm->tm_mon) || (*dash && !take(text, *dash)) ||
	    !take_digits(text, 2, &tm->tm_mday))
		return false;
	if (!take(text, 'T') && !(*dash && (take(text, 't') || take(text, ' '))))
		return false;
	if (!take_digits(text, 2, &tm->tm_hour) || (*colon && !take(text, *colon)) ||
	    !take_digits(text, 2, &tm->tm_min) || (*colon && !take(text, *colon)) ||
	    !take_digits(text, 2, &tm->tm_sec))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return true;
}

static bool take_fraction(const char **text, int64_t *ret_ms)
{
	int64_t scale = 100;

	*ret_ms = 0;
	if (!take(text, '.'))
		return true;
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++, scale /= 10)
		*ret_ms += (**text - '0') * scale;
	return true;
}

static bool take_zone(const char **text, int64_t *ret_seconds)
{
	int hours, minutes, sign;

	*ret_seconds = 0;
	if (take(text, 'Z') || take(text, 'z'))
		return true;
	sign = **text == '-' ? -1 : 1;
	if (!take(text, '+') && !take(text, '-'))
		return false;
	if (!take_digits(text, 2, &hours) || !take(text, ':') || !take_digits(text, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600L + minutes * 60L);
	return true;
}

int parse_iso8601(const char *text, int64_t *ret_wall_ms, struct error *err)
{
	const char *at = text;
	int64_t seconds, ms, zone;
	struct tm tm;

	if (!take_date_time(&at, "-", ":", &tm) || !take_fraction(&at, &ms) ||
	    !take_zone(&at, &zone) || *at || !to_seconds(&tm, &seconds))
		return error_say(err, EINVAL,
				 "\"%.40s\" is not a time such as 2026-01-02T03:04:05Z", text);
	*ret_wall_ms = (seconds - zone) * 1000 + ms;
	return 0;
}

int parse_iso8601_basic(const char *text, int64_t *ret_wall_ms, struct error *err)
{
	const char *at = text;
	int64_t seconds;
	struct tm tm;

	if (!take_date_time(&at, "", "", &tm) || !take(&at, 'Z') || *at ||
	    !to_seconds(&tm, &seconds))
		return error_say(err, EINVAL, "\"%.40s\" is not a time such as 20260102T030405Z",
				 text);
	*ret_wall_ms = seconds * 1000;
	return 0;
}
