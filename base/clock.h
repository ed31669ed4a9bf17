/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_CLOCK_H
#define BERTH_BASE_CLOCK_H

#include <stdint.h>

#include "base/error.h"

#define CLOCK_ISO8601_SIZE 32

/* Never goes back; counts from some point in the past; stands still while the machine is suspended.
 */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_ns(void);
/* Milliseconds since 1970-01-01 UTC; may step. */
int64_t clock_wall_ms(void);
int64_t clock_wall_ns(void);

/* "2026-01-02T03:04:05Z": seconds, UTC. Returns `out`. */
char *format_iso8601(int64_t wall_ms, char out[CLOCK_ISO8601_SIZE]);
/* "2026-01-02T03:04:05.678Z" */
char *format_iso8601_ms(int64_t wall_ms, char out[CLOCK_ISO8601_SIZE]);
/* "2026-01-02T03:04:05.678901234Z": as Go's RFC3339Nano, trailing zeros of the fraction dropped. */
char *format_iso8601_ns(int64_t wall_ns, char out[CLOCK_ISO8601_SIZE]);
/* "20260102T030405Z": for signatures. */
char *format_iso8601_basic(int64_t wall_ms, char out[CLOCK_ISO8601_SIZE]);

/*
 * RFC 3339: date, T or space, time, optional fraction (cut to ms), then Z or +hh:mm. Years 1 to
 * 9999. -EINVAL.
 */
int parse_iso8601(const char *text, int64_t *ret_wall_ms, struct error *err);
/* "20260102T030405Z". -EINVAL. */
int parse_iso8601_basic(const char *text, int64_t *ret_wall_ms, struct error *err);

#endif
