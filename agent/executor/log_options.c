/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/log_options.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"

static int read_size(const char *text, int64_t *ret, struct error *err)
{
	size_t length = strlen(text);
	int64_t unit = 1, number;
	_cleanup_free_ char *digits = NULL;

	if (length > 0 && strchr("bB", text[length - 1]))
		length--;
	if (length > 0) {
		switch (text[length - 1]) {
		case 'k':
		case 'K':
			unit = 1024;
			break;
		case 'm':
		case 'M':
			unit = 1024 * 1024;
			break;
		case 'g':
		case 'G':
			unit = 1024 * 1024 * 1024;
			break;
		default:
			break;
		}
	}
	digits = xstrndup(text, unit > 1 ? length - 1 : length);
	if (number_parse_i64(digits, 1, INT64_MAX / unit, &number, NULL) < 0)
		return error_say(err, EINVAL,
				 "HostConfigError: log option max-size: \"%s\" is no size; use a "
				 "number with k, m or g, "
				 "for example 10m",
				 text);
	*ret = number * unit;
	return 0;
}

int log_options_read(const struct text_map *options, int64_t *ret_max_bytes,
		     unsigned *ret_max_files, struct error *err)
{
	const char *size = text_map_get(options, "max-size");
	const char *files = text_map_get(options, "max-file");
	int64_t bytes = 0, count = 1;
	int r;

	if (size) {
		r = read_size(size, &bytes, err);
		if (r < 0)
			return r;
	}
	if (files && number_parse_i64(files, 1, 1000, &count, NULL) < 0)
		return error_say(err, EINVAL,
				 "HostConfigError: log option max-file: \"%s\" must be a number "
				 "from 1 to 1000",
				 files);
	*ret_max_bytes = bytes;
	*ret_max_files = (unsigned)count;
	return 0;
}
