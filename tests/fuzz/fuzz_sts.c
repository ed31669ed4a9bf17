/* SPDX-License-Identifier: Apache-2.0 */
/* What the Security Token Service, or whoever answers in its place, may say. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/aws/sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_credential_set_ struct credential_set set = { 0 };
	struct error err = ERROR_INIT;
	const char *xml = (const char *)data;
	int result = sts_read_keys(xml, size, &set, &err);

	if ((result < 0) != (err.text[0] != '\0'))
		abort();
	/* Keys of a role always have a token. */
	if (result == 0 && (!credential_set_is_whole(&set) || !set.token || !set.token[0]))
		abort();
	if (result < 0 && (set.access_key || set.secret || set.token))
		abort();
	err = (struct error)ERROR_INIT;
	if (sts_read_failure(403, xml, size, &err) != -EACCES || err.code == 0 ||
	    strncmp(err.text, "HTTP 403", 8) != 0)
		abort();
	return 0;
}
