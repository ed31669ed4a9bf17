/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

size_t utf8_decode(const char *text, size_t size, uint32_t *ret)
{
	static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead;
	size_t length;
	uint32_t point;

	if (size == 0)
		return 0;
	lead = (unsigned char)text[0];
	if (lead < 0x80) {
		*ret = lead;
		return 1;
	}
	if (lead >= 0xC2 && lead < 0xE0)
		length = 2;
	else if (lead >= 0xE0 && lead < 0xF0)
		length = 3;
	else if (lead >= 0xF0 && lead < 0xF5)
		length = 4;
	else
		return 0;
	if (size < length)
		return 0;
	point = lead & (0x7Fu >> length);
	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)text[i];

		if ((next & 0xC0) != 0x80)
			return 0;
		point = point << 6 | (next & 0x3Fu);
	}
	if (point < smallest[length] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
		return 0;
	*ret = point;
	return length;
}
