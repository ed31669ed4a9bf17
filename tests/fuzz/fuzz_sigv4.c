/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signed request, as a stranger would forge it: method, path and query in the first line, then
 * "name: value" lines, an empty line, the body. Only a signature that was made with the key may be
 * taken, and no input here has one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/sigv4.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a line "name: value"; NULL: there is none. */
static const char *header_of(void *data, const char *name)
{
	const struct str_list *lines = data;
	size_t length = strlen(name);

	for (size_t i = 1; i < lines->count; i++)
		if (str_starts_with_nocase(lines->items[i], name) &&
		    strncmp(lines->items[i] + length, ": ", 2) == 0)
			return lines->items[i] + length + 2;
	return NULL;
}

static const char *secret_of(void *data, const char *access_key)
{
	(void)data;
	return str_eq(access_key, "AKIDEXAMPLE") ? "a secret that is in no input" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *empty = memmem(data, size, "\n\n", 2);
	size_t head = empty ? (size_t)(empty - data) : size;
	size_t body = empty ? head + 2 : size;
	_cleanup_free_ char *text = xstrndup((const char *)data, head);
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;
	_cleanup_str_list_ struct str_list words = STR_LIST_INIT;
	_cleanup_free_ char *key = NULL;
	struct error err = ERROR_INIT;
	struct sigv4_incoming incoming = {
		.header = header_of,
		.header_data = &lines,
		.payload = data + body,
		.payload_size = size - body,
		.service = "ecs",
		.wall_ms = 1440938160000, /* 2015-08-30T12:36:00Z */
		.max_skew_ms = 900000,
	};

	str_list_split(&lines, text, '\n', true);
	str_list_split(&words, lines.count > 0 ? lines.items[0] : "", ' ', true);
	incoming.method = words.count > 0 ? words.items[0] : "GET";
	incoming.path = words.count > 1 ? words.items[1] : "/";
	incoming.query = words.count > 2 ? words.items[2] : NULL;
	key = sigv4_access_key(header_of(&lines, "authorization"));
	if (key && strchr(key, '/'))
		abort();
	if (sigv4_verify(&incoming, secret_of, NULL, &err) == 0 || err.text[0] == '\0')
		abort();
	return 0;
}
