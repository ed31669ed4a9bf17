/* SPDX-License-Identifier: Apache-2.0 */
/* The one checked parser of numbers. The whole text must be the number: no spaces, no rest, no hex.
 */
#ifndef BERTH_BASE_NUMBER_H
#define BERTH_BASE_NUMBER_H

#include <stdint.h>

#include "base/error.h"

/*
 * Base 10. -EINVAL when the text is no such number, -ERANGE when it is outside min..max (both
 * inclusive). A leading + or - is taken by the i64 parser only. *ret is written on success.
 */
int number_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret, struct error *err);
int number_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
		     struct error *err);
/* Decimal or exponent form; no inf, nan or hexadecimal; the locale does not matter. */
int number_parse_double(const char *text, double min, double max, double *ret, struct error *err);

#endif
