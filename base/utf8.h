/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_UTF8_H
#define BERTH_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that `text` begins with (1 to 4), its code point in *ret; 0: not valid
 * UTF-8. */
size_t utf8_decode(const char *text, size_t size, uint32_t *ret);

#endif
