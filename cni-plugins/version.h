/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_VERSION_H
#define BERTH_CNI_PLUGINS_VERSION_H

#include <stdbool.h>

/* The versions of the CNI specification that we speak, in order: compare with < and >=. */
enum cni_version {
	CNI_VERSION_UNKNOWN = 0,
	CNI_VERSION_0_3_0,
	CNI_VERSION_0_3_1,
	CNI_VERSION_0_4_0,
	CNI_VERSION_1_0_0,
	CNI_VERSION_1_1_0,
};

#define CNI_VERSION_LATEST CNI_VERSION_1_1_0

enum cni_version cni_version_parse(const char *text); /* CNI_VERSION_UNKNOWN for any other */
const char *cni_version_text(enum cni_version version);

/* `["0.3.0","0.3.1",...]` */
extern const char cni_supported_versions[];

#endif
