/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_TCS_TYPE_H
#define BERTH_WIRE_TCS_TYPE_H

#include "wire/tcs.h"

/* False: no such type. Case-sensitive. */
bool tcs_type_parse(const char *name, enum tcs_type *ret);

#endif
