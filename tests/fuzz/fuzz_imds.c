/* SPDX-License-Identifier: Apache-2.0 */
/* The document by which instance metadata, and whoever answers in its place, hands out keys. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/aws/credential_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct credential_set none = { 0 };
	_cleanup_credential_set_ struct credential_set set = { 0 };
	struct error err = ERROR_INIT;
	int result = credential_document_parse((const char *)data, size, &set, &err);

	if ((result < 0) != (err.text[0] != '\0'))
		abort();
	if (result == 0 && (!credential_set_is_whole(&set) || (set.token && !set.token[0])))
		abort();
	if (result < 0 && memcmp(&set, &none, sizeof(set)) != 0)
		abort();
	return 0;
}
