/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_ERROR_H
#define BERTH_CNI_PLUGINS_ERROR_H

#include "base/error.h"

/* The codes of the CNI specification; 100 and above belong to the plugins. */
enum cni_code {
	CNI_OK = 0,
	CNI_INCOMPATIBLE_VERSION = 1,
	CNI_UNSUPPORTED_FIELD = 2,
	CNI_UNKNOWN_CONTAINER = 3,
	CNI_BAD_ENVIRONMENT = 4,
	CNI_IO_FAILURE = 5,
	CNI_DECODE_FAILURE = 6,
	CNI_INVALID_CONFIG = 7,
	CNI_INVALID_NETNS = 8,
	CNI_TRY_AGAIN_LATER = 11,
	CNI_NOT_AVAILABLE = 50,
	CNI_PLUGIN_FAILED = 100, /* what the plugin was about could not be done */
	CNI_INTERNAL = 999,
};

/* What a plugin prints when it fails. code 0: no error. */
struct cni_error {
	int code;
	char text[ERROR_TEXT_SIZE];
	char details[ERROR_TEXT_SIZE];
};

/* Both return -1. `err` may be NULL. */
__attribute__((format(printf, 3, 4))) int cni_fail(struct cni_error *err, int code,
						   const char *format, ...);
int cni_fail_with(struct cni_error *err, int code, const struct error *cause);

/* Puts "prefix: " in front of the text. */
__attribute__((format(printf, 2, 3))) void cni_error_prefix(struct cni_error *err,
							    const char *format, ...);

/* {"cniVersion":...,"code":...,"msg":...,"details":...}; the caller frees. */
char *cni_error_dump(const struct cni_error *err, const char *cni_version);

#endif
