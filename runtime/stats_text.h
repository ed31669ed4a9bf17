/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the small texts that the kernel gives. */
#ifndef BERTH_RUNTIME_STATS_TEXT_H
#define BERTH_RUNTIME_STATS_TEXT_H

#include <stdint.h>

/* The digits at *at, which is moved behind them; UINT64_MAX when they are too many. */
uint64_t stats_text_number(const char **at);

/* The number after "key " at the start of a line; 0 when there is none. */
uint64_t stats_text_find(const char *text, const char *key);

#endif
