/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/ec2_tags.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/aws/xml_texts.h"
#include "base/alloc.h"
#include "base/str.h"
#include "base/strbuf.h"

char *ec2_tags_request(const char *instance_id)
{
	struct strbuf out = STRBUF_INIT;

	strbuf_append(&out, "Action=DescribeTags&Version=2016-11-15");
	strbuf_append(&out, "&Filter.1.Name=resource-id&Filter.1.Value.1=");
	strbuf_append_urlencoded(&out, instance_id);
	strbuf_append(&out, "&Filter.2.Name=resource-type&Filter.2.Value.1=instance");
	strbuf_appendf(&out, "&MaxResults=%d", EC2_TAGS_MAX);
	return strbuf_take(&out);
}

struct reading {
	struct ec2_tags *tags;
	char *key, *value;
	bool is_answer;
};

static bool is_reserved(const char *text)
{
	return text && str_starts_with_nocase(text, "aws:");
}

static void add(struct reading *reading)
{
	struct ec2_tags *tags = reading->tags;

	if (reading->key && !is_reserved(reading->key) && !is_reserved(reading->value) &&
	    tags->count < EC2_TAGS_MAX) {
		tags->items = xreallocarray(tags->items, tags->count + 1, sizeof(*tags->items));
		tags->items[tags->count++] = (struct ec2_tag){
			.key = xstrdup(reading->key),
			.value = xstrdup(reading->value ? reading->value : ""),
		};
	}
	str_replace(&reading->key, NULL);
	str_replace(&reading->value, NULL);
}

static void on_element(void *data, const char *name, const char *text)
{
	struct reading *reading = data;

	if (strcmp(name, "key") == 0)
		str_replace(&reading->key, text);
	else if (strcmp(name, "value") == 0)
		str_replace(&reading->value, text);
	else if (strcmp(name, "item") == 0)
		add(reading);
	else if (strcmp(name, "DescribeTagsResponse") == 0)
		reading->is_answer = true;
}

int ec2_tags_read(const char *xml, size_t size, struct ec2_tags *ret, struct error *err)
{
	struct ec2_tags tags = { 0 };
	struct reading reading = { .tags = &tags };
	int r = xml_texts_each(xml, size, on_element, &reading);

	free(reading.key);
	free(reading.value);
	if (r < 0 || !reading.is_answer) {
		ec2_tags_free(&tags);
		*ret = tags;
		return error_say(err, EINVAL, "the answer is not one of DescribeTags");
	}
	*ret = tags;
	return 0;
}

void ec2_tags_copy(const struct ec2_tags *tags, struct ec2_tags *ret)
{
	ret->items = xcalloc(tags->count + 1, sizeof(*ret->items));
	ret->count = tags->count;
	for (size_t i = 0; i < tags->count; i++)
		ret->items[i] = (struct ec2_tag){ .key = xstrdup(tags->items[i].key),
						  .value = xstrdup(tags->items[i].value) };
}

void ec2_tags_free(struct ec2_tags *tags)
{
	for (size_t i = 0; i < tags->count; i++) {
		free(tags->items[i].key);
		free(tags->items[i].value);
	}
	free(tags->items);
	*tags = (struct ec2_tags){ 0 };
}
