/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_CHECKS_H
#define BERTH_CLI_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What `berth doctor` found, and how it is told. Pure. */

enum check_state { CHECK_OK, CHECK_FAILED, CHECK_SKIPPED };

struct check {
	const char *name; /* static */
	enum check_state state;
	char *found;        /* what is there, or what is wrong */
	const char *advice; /* static; what to do about a failure, why it was skipped; "" when ok */
};

struct checks {
	struct check *items;
	size_t count;
};

/* `found` becomes the list's. */
void checks_add(struct checks *checks, const char *name, enum check_state state, char *found,
		const char *advice);
bool checks_failed(const struct checks *checks);
/* Lines for people; the caller frees. */
char *checks_text(const struct checks *checks, bool colours);
/* {"healthy":bool,"checks":[{"name","status":"ok|failed|skipped","found","advice"}]}; the caller
 * frees. */
char *checks_json(const struct checks *checks);
void checks_free(struct checks *checks);
#define _cleanup_checks_ __attribute__((cleanup(checks_free)))

/* Whether a file system with so many bytes of which so many are free has room for more tasks. */
bool disk_has_room(uint64_t size, uint64_t available);
/* "1.5 GiB"; the caller frees. */
char *size_text(uint64_t bytes);

#endif
