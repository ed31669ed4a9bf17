/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images as people write them, and complete as containerd wants them. Pure. */
#ifndef BERTH_RUNTIME_IMAGE_REFERENCE_H
#define BERTH_RUNTIME_IMAGE_REFERENCE_H

#include <stdbool.h>

#include "base/error.h"

struct image_reference {
	char *host;       /* "docker.io", "registry:5000", "[::1]:5000" */
	char *repository; /* "library/busybox" */
	char *tag;        /* NULL when only a digest is given; "latest" when neither is */
	char *digest;     /* NULL or "sha256:..." */
};

/* -EINVAL with what is wrong with it. */
int image_reference_parse(const char *text, struct image_reference *ret, struct error *err);
void image_reference_free(struct image_reference *reference);
#define _cleanup_image_reference_ __attribute__((cleanup(image_reference_free)))

/*
 * "host/repository:tag", or "host/repository@digest" when there is a digest (the tag is dropped
 * then: the digest says which). The caller frees.
 */
char *image_reference_complete(const struct image_reference *reference);

/* The complete form of a name as people write it; what cannot be one stays as it is. The caller
 * frees. */
char *image_name_complete(const char *text);
/* -EINVAL: it cannot be a name, or is not in its complete form. */
int image_name_check(const char *text, struct error *err);

/* localhost, 127.* or [::1], with or without a port. */
bool image_reference_is_loopback(const struct image_reference *reference);

#endif
