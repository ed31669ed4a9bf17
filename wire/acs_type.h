/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ACS_TYPE_H
#define BERTH_WIRE_ACS_TYPE_H

#include "wire/acs.h"

/* False: no such type. Case-sensitive. */
bool acs_type_parse(const char *name, enum acs_type *ret);

/* ErrorMessage and the exceptions. */
bool acs_type_is_error(enum acs_type type);

#endif
