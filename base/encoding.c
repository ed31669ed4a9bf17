/* SPDX-License-Identifier: Apache-2.0 */
/* hex and base64 of base/str.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

void hex_encode(const void *data, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * size] = '\0';
}

int hex_digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *text, void *out, size_t size)
{
	unsigned char *bytes = out;

	if (strlen(text) != 2 * size)
		return -EINVAL;
	for (size_t i = 0; i < 2 * size; i++)
		if (hex_digit_value(text[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		unsigned high = (unsigned)hex_digit_value(text[2 * i]);
		unsigned low = (unsigned)hex_digit_value(text[2 * i + 1]);

		bytes[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t size)
{
	const unsigned char *in = data;
	char *text = xmalloc(size / 3 * 4 + 5);
	char *out = text;

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		unsigned group = (unsigned)in[i] << 16;

		if (left > 1)
			group |= (unsigned)in[i + 1] << 8;
		if (left > 2)
			group |= in[i + 2];
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 63];
		*out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
		*out++ = left > 2 ? alphabet[group & 63] : '=';
	}
	*out = '\0';
	return text;
}

static int base64_digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

int base64_decode(const char *text, unsigned char **ret, size_t *ret_size)
{
	size_t length = strlen(text);
	size_t padding = 0;
	unsigned char *data, *out;

	if (length % 4)
		return -EINVAL;
	if (length >= 4)
		padding = (size_t)(text[length - 1] == '=') +
			  (size_t)(text[length - 1] == '=' && text[length - 2] == '=');
	for (size_t i = 0; i < length - padding; i++)
		if (base64_digit(text[i]) < 0)
			return -EINVAL;

	out = data = xmalloc(length / 4 * 3 + 1);
	for (size_t i = 0; i < length; i += 4) {
		unsigned group = 0;

		for (size_t j = 0; j < 4; j++) {
			int digit = base64_digit(text[i + j]);

			group = group << 6 | (digit < 0 ? 0 : (unsigned)digit);
		}
		*out++ = (unsigned char)(group >> 16);
		*out++ = (unsigned char)(group >> 8);
		*out++ = (unsigned char)group;
	}
	*ret_size = length / 4 * 3 - padding;
	data[*ret_size] = '\0';
	*ret = data;
	return 0;
}
