/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/version.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
	[CNI_VERSION_0_3_0] = "0.3.0", [CNI_VERSION_0_3_1] = "0.3.1", [CNI_VERSION_0_4_0] = "0.4.0",
	[CNI_VERSION_1_0_0] = "1.0.0", [CNI_VERSION_1_1_0] = "1.1.0",
};

const char cni_supported_versions[] = "[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]";

enum cni_version cni_version_parse(const char *text)
{
	for (enum cni_version version = CNI_VERSION_0_3_0; version <= CNI_VERSION_LATEST; version++)
		if (strcmp(text, names[version]) == 0)
			return version;
	return CNI_VERSION_UNKNOWN;
}

const char *cni_version_text(enum cni_version version)
{
	return names[version == CNI_VERSION_UNKNOWN ? CNI_VERSION_LATEST : version];
}
