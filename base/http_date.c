/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include <curl/curl.h>

#include "base/http.h"

int http_date_parse(const char *text, int64_t *ret_wall_ms)
{
	time_t seconds = curl_getdate(text, NULL);

	if (seconds < 0)
		return -EINVAL;
	*ret_wall_ms = (int64_t)seconds * 1000;
	return 0;
}
