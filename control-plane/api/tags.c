/* SPDX-License-Identifier: Apache-2.0 */
/* Tags of a request and of a resource. */
#include "control-plane/store/tags.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "control-plane/api/api.h"
#include "control-plane/api/member.h"

#define TAGS_MAX         50
#define KEY_LENGTH_MAX   128
#define VALUE_LENGTH_MAX 256

const struct api_member api_tag_members[] = {
	{ "key", API_STRING, NULL },
	{ "value", API_STRING, NULL },
	{ NULL, 0, NULL },
};

/* Characters, not bytes: letters of any script are allowed. */
static size_t utf8_length(const char *text)
{
	size_t length = 0;

	for (; *text; text++)
		length += ((unsigned char)*text & 0xc0) != 0x80;
	return length;
}

static bool has_tag_characters(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x80 && !isalnum(c) && !strchr(" _.:/=+-@", c))
			return false;
	}
	return true;
}

static int check_tag(struct api_call *call, const char *key, const char *value)
{
	if (str_is_empty(key) || utf8_length(key) > KEY_LENGTH_MAX)
		return api_error(call, API_INVALID,
				 "Tag keys must have between 1 and %d characters.", KEY_LENGTH_MAX);
	if (utf8_length(value) > VALUE_LENGTH_MAX)
		return api_error(call, API_INVALID,
				 "The value of tag '%s' has more than %d characters.", key,
				 VALUE_LENGTH_MAX);
	if (str_starts_with_nocase(key, "aws:"))
		return api_error(call, API_INVALID,
				 "Tag keys that start with 'aws:' are reserved: '%s'", key);
	if (!has_tag_characters(key) || !has_tag_characters(value))
		return api_error(call, API_INVALID,
				 "Tag '%s' contains invalid characters: letters, numbers, spaces "
				 "and _ . : / = + - @ are allowed.",
				 key);
	return 0;
}

int api_tags_check(struct api_call *call, const json_t *list)
{
	size_t i;
	json_t *tag;
	int r;

	if (json_array_size(list) > TAGS_MAX)
		return api_error(call, API_INVALID, "tags can have at most %d items.", TAGS_MAX);
	json_array_foreach (list, i, tag) {
		const char *key = member_string(tag, "key");
		const char *value = member_string(tag, "value");

		r = check_tag(call, key, value ? value : "");
		if (r < 0)
			return r;
		for (size_t before = 0; before < i; before++)
			if (str_eq(member_string(json_array_get(list, before), "key"), key))
				return api_error(call, API_INVALID,
						 "Tag key '%s' is given more than once.", key);
	}
	return 0;
}

int api_tags_write(struct api_call *call, const char *arn, const json_t *list)
{
	_cleanup_(tag_list_clear) struct tag_list all = { 0 };
	struct error err = ERROR_INIT;
	size_t own = 0;
	size_t i;
	json_t *tag;

	json_array_foreach (list, i, tag) {
		const char *value = member_string(tag, "value");

		if (tags_put(call->store, arn, member_string(tag, "key"), value ? value : "",
			     &err) < 0)
			return api_server_error(call, &err);
	}
	if (tags_get(call->store, arn, &all, &err) < 0)
		return api_server_error(call, &err);
	for (i = 0; i < all.count; i++)
		own += !str_starts_with_nocase(all.items[i].key, "aws:");
	if (own > TAGS_MAX)
		return api_error(call, API_INVALID, "A resource can have at most %d tags.",
				 TAGS_MAX);
	return 0;
}

int api_tags_read(struct api_call *call, const char *arn, json_t **ret_list)
{
	_cleanup_(tag_list_clear) struct tag_list all = { 0 };
	struct error err = ERROR_INIT;
	json_t *list;

	if (tags_get(call->store, arn, &all, &err) < 0)
		return api_server_error(call, &err);
	list = json_array();
	for (size_t i = 0; i < all.count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "key", all.items[i].key,
						      "value", all.items[i].value));
	*ret_list = list;
	return 0;
}
