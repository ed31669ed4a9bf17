/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tokens: base64url of 8 bytes that bind the token to operation, filter and key, and the key
 * of the last item of the page. A key and not a position, so that a list which changes between two
 * pages neither repeats nor skips what stayed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "control-plane/api/api.h"

#define BINDING_SIZE 8
#define TOKEN_MAX    4096

/* Not a secret: it tells garbled and foreign tokens, there is nothing to steal with one. */
static uint64_t hash(uint64_t seed, const char *text)
{
	return hash64_text(hash64_text(seed, text), "\xff");
}

static uint64_t bind_key(uint64_t bound_to, const char *key)
{
	return hash(bound_to, key);
}

static char *token_encode(const struct api_page *page, const char *key)
{
	size_t key_size = strlen(key);
	_cleanup_free_ unsigned char *plain = xmalloc(BINDING_SIZE + key_size + 1);
	uint64_t binding = bind_key(page->bound_to, key);
	char *token;

	for (size_t i = 0; i < BINDING_SIZE; i++)
		plain[i] = (unsigned char)(binding >> (8 * i));
	memcpy(plain + BINDING_SIZE, key, key_size + 1);
	token = base64_encode(plain, BINDING_SIZE + key_size);
	for (char *c = token; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return token;
}

/* NULL when it is not one of ours for this list. */
static char *token_decode(const struct api_page *page, const char *token)
{
	_cleanup_free_ unsigned char *plain = NULL;
	_cleanup_free_ char *standard = NULL;
	_cleanup_free_ char *key = NULL;
	uint64_t binding = 0;
	size_t size = 0;

	if (strlen(token) > TOKEN_MAX)
		return NULL;
	standard = xstrdup(token);
	for (char *c = standard; *c; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	if (base64_decode(standard, &plain, &size) < 0 || size <= BINDING_SIZE)
		return NULL;
	for (size_t i = 0; i < BINDING_SIZE; i++)
		binding |= (uint64_t)plain[i] << (8 * i);
	key = xstrndup((const char *)plain + BINDING_SIZE, size - BINDING_SIZE);
	if (strlen(key) != size - BINDING_SIZE || bind_key(page->bound_to, key) != binding)
		return NULL;
	return TAKE(key);
}

int api_page_read(struct api_call *call, int64_t default_size, int64_t max_size, const char *filter,
		  struct api_page *ret_page)
{
	const char *token = api_input_string(call, "nextToken");
	struct api_page page = {
		.limit = api_input_integer(call, "maxResults", default_size),
		.bound_to = hash(hash(HASH64_START, call->operation->name), filter),
	};

	if (page.limit < 1 || page.limit > max_size)
		return api_error(call, API_INVALID, "maxResults should be between 1 and %" PRId64,
				 max_size);
	if (!str_is_empty(token)) {
		page.after = token_decode(&page, token);
		if (!page.after)
			return api_error(call, API_INVALID, "Invalid token.");
	}
	*ret_page = page;
	return 0;
}

void api_page_clear(struct api_page *page)
{
	free(page->after);
	page->after = NULL;
}

void api_page_next(const struct api_page *page, json_t *output, const char *last_key)
{
	_cleanup_free_ char *token = token_encode(page, last_key);

	api_set_string(output, "nextToken", token);
}
