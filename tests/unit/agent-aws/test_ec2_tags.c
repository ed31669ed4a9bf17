/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/ec2_tags.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/aws/xml_texts.h"
#include "base/cleanup.h"
#include "base/strbuf.h"

#define ANSWER(tags)                                                                               \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeTagsResponse "                       \
	"xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n    <requestId>7a62c49f</requestId>" \
	"\n    <tagSet>" tags "</tagSet>\n</DescribeTagsResponse>"

static struct ec2_tags read_good(const char *xml)
{
	struct ec2_tags tags;
	struct error err = ERROR_INIT;

	assert_int_equal(ec2_tags_read(xml, strlen(xml), &tags, &err), 0);
	return tags;
}

static void the_request_names_the_instance_and_nothing_else(void **state)
{
	char *body = ec2_tags_request("i-0abc&Filter.3.Name=x");

	assert_string_equal(body,
			    "Action=DescribeTags&Version=2016-11-15&Filter.1.Name=resource-id&"
			    "Filter.1.Value.1=i-0abc%26Filter.3.Name%3Dx&Filter.2.Name="
			    "resource-type&Filter.2.Value.1=instance&MaxResults=50");
	free(body);
}

static void tags_are_read_as_ec2_writes_them(void **state)
{
	struct ec2_tags tags = read_good(ANSWER(
		"\n<item>\n<resourceId>i-0abc</resourceId>\n<resourceType>instance</resourceType>\n"
		"<key>Name</key>\n<value>web &amp; &lt;b&gt; \xc3\xa9</value>\n</item>"
		"<item><value>before its key</value><key>k</key></item>"
		"<item><key>empty</key><value/></item>"
		"<item><key>without</key></item>"
		"<item><value>of no key</value></item>"));

	assert_int_equal(tags.count, 4);
	assert_string_equal(tags.items[0].key, "Name");
	assert_string_equal(tags.items[0].value, "web & <b> \xc3\xa9");
	assert_string_equal(tags.items[1].key, "k");
	assert_string_equal(tags.items[1].value, "before its key");
	assert_string_equal(tags.items[2].value, "");
	assert_string_equal(tags.items[3].key, "without");
	assert_string_equal(tags.items[3].value, "");
	ec2_tags_free(&tags);
	tags = read_good(ANSWER(""));
	assert_int_equal(tags.count, 0);
	ec2_tags_free(&tags);
}

/* Key or value, in any case, at the beginning only. */
static void what_aws_keeps_for_itself_is_left_out(void **state)
{
	struct ec2_tags tags =
		read_good(ANSWER("<item><key>aws:a</key><value>1</value></item>"
				 "<item><key>AWS:b</key><value>1</value></item>"
				 "<item><key>c</key><value>Aws:1</value></item>"
				 "<item><key>laws:d</key><value>1</value></item>"
				 "<item><key>aws</key><value>x aws:</value></item>"));

	assert_int_equal(tags.count, 2);
	assert_string_equal(tags.items[0].key, "laws:d");
	assert_string_equal(tags.items[1].key, "aws");
	ec2_tags_free(&tags);
}

static void more_than_a_resource_can_have_is_not_kept(void **state)
{
	struct strbuf xml = STRBUF_INIT;
	struct ec2_tags tags, copy;

	strbuf_append(&xml, "<DescribeTagsResponse><tagSet>");
	for (int i = 0; i < 1000; i++)
		strbuf_appendf(&xml, "<item><key>%d</key><value>v</value></item>", i);
	strbuf_append(&xml, "</tagSet></DescribeTagsResponse>");
	tags = read_good(strbuf_text(&xml));
	assert_int_equal(tags.count, EC2_TAGS_MAX);
	assert_string_equal(tags.items[49].key, "49");
	ec2_tags_copy(&tags, &copy);
	ec2_tags_free(&tags);
	assert_int_equal(copy.count, EC2_TAGS_MAX);
	assert_string_equal(copy.items[49].key, "49");
	ec2_tags_free(&copy);
	strbuf_free(&xml);
}

static void what_is_no_answer_is_refused(void **state)
{
	static const char *const answers[] = {
		"",
		"not XML",
		"<DescribeTagsResponse><tagSet><item><key>a</key><value>1</value></item>",
		"<Other><item><key>a</key><value>1</value></item></Other>",
		"<!DOCTYPE r [<!ENTITY a "
		"\"aaaa\">]><DescribeTagsResponse>&a;</DescribeTagsResponse>",
		"<DescribeTagsResponse>&undefined;</DescribeTagsResponse>",
		"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><DescribeTagsResponse/>"
		"</a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a>",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct ec2_tags tags;
		struct error err = ERROR_INIT;

		assert_int_equal(ec2_tags_read(answers[i], strlen(answers[i]), &tags, &err),
				 -EINVAL);
		assert_string_equal(err.text, "the answer is not one of DescribeTags");
		assert_int_equal(tags.count, 0);
		assert_null(tags.items);
	}
}

static void an_error_answer_says_what_is_wrong(void **state)
{
	static const char xml[] =
		"<?xml "
		"version=\"1.0\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code>"
		"<Message>You are not "
		"authorized.</Message></Error></Errors><RequestID>1</RequestID>"
		"</Response>";
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *none = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(xml_texts_failure(403, xml, strlen(xml), &name, &err), -EACCES);
	assert_string_equal(err.text, "HTTP 403: UnauthorizedOperation: You are not authorized.");
	assert_string_equal(name, "UnauthorizedOperation");
	error_clear(&err);
	assert_int_equal(xml_texts_failure(503, "oh", 2, &none, &err), -EACCES);
	assert_string_equal(err.text, "HTTP 503");
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_names_the_instance_and_nothing_else),
		cmocka_unit_test(tags_are_read_as_ec2_writes_them),
		cmocka_unit_test(what_aws_keeps_for_itself_is_left_out),
		cmocka_unit_test(more_than_a_resource_can_have_is_not_kept),
		cmocka_unit_test(what_is_no_answer_is_refused),
		cmocka_unit_test(an_error_answer_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
