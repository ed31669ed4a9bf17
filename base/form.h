/* SPDX-License-Identifier: Apache-2.0 */
/*
 * application/x-www-form-urlencoded bodies, as they come from outside: every name at most once,
 * names and values UTF-8 without control characters but tab and line ends.
 */
#ifndef BERTH_BASE_FORM_H
#define BERTH_BASE_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

struct form;

struct form_limits {
	size_t size;   /* bytes of the body */
	size_t params; /* how many */
};

/* -EFBIG over a limit, -EINVAL for what is no form; the error says which. */
int form_parse(const char *text, size_t size, const struct form_limits *limits,
	       struct form **ret_form, struct error *err);
void form_free(struct form *form);
DEFINE_CLEANUP(struct form, form_free);

/* The value, which is remembered as asked for; NULL: not there. */
const char *form_get(struct form *form, const char *name);
/* Is there a parameter whose name begins so? It is not asked for by this. */
bool form_has_prefix(const struct form *form, const char *prefix);
/* The first name, in the order of the body, that nobody has asked for; NULL: none. */
const char *form_unasked(const struct form *form);
size_t form_count(const struct form *form);

#endif
