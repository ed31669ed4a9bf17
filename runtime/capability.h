/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of capabilities, one bit each: 1 << CAP_CHOWN and so on. */
#ifndef BERTH_RUNTIME_CAPABILITY_H
#define BERTH_RUNTIME_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Docker's default set of 14. */
uint64_t capability_default_set(void);

/* What this process may give: its bounding set. */
uint64_t capability_host_set(void);

/*
 * The default set, changed as Docker does: `add` with "ALL" gives all but `drop`; else `drop` with
 * "ALL" leaves `add` alone; else the default without `drop`, and `add`. Names with or without CAP_,
 * any case. NULL lists are empty. Cut to `host`. -EINVAL unknown name; -EPERM one that is named in
 * `add` and not in `host`.
 */
int capability_choose(const char *const *add, const char *const *drop, bool privileged,
		      uint64_t host, uint64_t *ret, struct error *err);

bool capability_has(uint64_t set, unsigned capability);

/* ["CAP_CHOWN","CAP_KILL"] */
void capability_append_json(struct strbuf *sb, uint64_t set);

#endif
