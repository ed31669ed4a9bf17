/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin prints, or a runtime hands back as prevResult, in every version. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cni-plugins/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_text(const char *text, size_t size, enum cni_version version,
		      struct cni_result *ret)
{
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;

	if (json_parse(text, size, NULL, &value, NULL) < 0)
		return false;
	root = json_root(value);
	return cni_result_parse(&root, version, ret, NULL) == 0;
}

/* What is written in a version is read back the same. */
static void check(const struct cni_result *result, enum cni_version version)
{
	_cleanup_cni_result_ struct cni_result again = CNI_RESULT_INIT;
	_cleanup_free_ char *text = cni_result_dump(result, version);
	_cleanup_free_ char *text_again = NULL;

	if (!read_text(text, strlen(text), version, &again))
		abort();
	text_again = cni_result_dump(&again, version);
	if (strcmp(text, text_again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int version = CNI_VERSION_0_3_0; version <= CNI_VERSION_LATEST; version++) {
		_cleanup_cni_result_ struct cni_result result = CNI_RESULT_INIT;

		if (read_text((const char *)data, size, (enum cni_version)version, &result))
			check(&result, (enum cni_version)version);
	}
	return 0;
}
