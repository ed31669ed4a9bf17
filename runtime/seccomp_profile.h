/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default system call filter of a container: what is allowed is listed, the rest fails with
 * EPERM. Equal in effect to Docker's default profile, less io_uring (which Docker has taken out
 * too). Names that libseccomp or the architecture does not know are left out.
 */
#ifndef BERTH_RUNTIME_SECCOMP_PROFILE_H
#define BERTH_RUNTIME_SECCOMP_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/*
 * Appends the value of linux.seccomp for a container with these capabilities (some system calls go
 * with one). Programs of other architectures than the native one are killed unless
 * `all_architectures`, which costs 7 to 9 ms per launch.
 */
int seccomp_profile_append_json(struct strbuf *sb, uint64_t capabilities, bool all_architectures,
				struct error *err);

#endif
