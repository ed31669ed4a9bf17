/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fixture.h"

#define INVALID "InvalidParameterException"
#define C1      "'resourceArn':'" ARN_PREFIX "cluster/c1'"

static int setup_with_cluster(void **state)
{
	fixture_setup(state);
	json_decref(call_ok(*state, "CreateCluster", "{'clusterName':'c1'}"));
	return 0;
}

/* api-24 */
static void tags_merge_by_key(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *tags = NULL;
	_cleanup_free_ char *text = NULL;

	json_decref(call_ok(fixture, "TagResource", "{" C1 ",'tags':[{'key':'a','value':'1'}]}"));
	json_decref(call_ok(fixture, "TagResource",
			    "{" C1 ",'tags':[{'key':'a','value':'2'},{'key':'b','value':'3'}]}"));
	json_decref(call_ok(fixture, "UntagResource", "{" C1 ",'tagKeys':['b','unknown']}"));
	tags = call_ok(fixture, "ListTagsForResource", "{" C1 "}");
	text = json_dump_compact(tags);
	assert_string_equal(text, "{\"tags\":[{\"key\":\"a\",\"value\":\"2\"}]}");
}

static char *many_tags(int first, int count)
{
	_cleanup_strbuf_ struct strbuf input = STRBUF_INIT;

	strbuf_append(&input, "{" C1 ",'tags':[");
	for (int i = first; i < first + count; i++)
		strbuf_appendf(&input, "%s{'key':'k%d','value':'v'}", i > first ? "," : "", i);
	strbuf_append(&input, "]}");
	return strbuf_take(&input);
}

/* api-25: at once, and in two calls. */
static void fifty_tags_are_all(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *too_many = many_tags(0, 51);
	_cleanup_free_ char *most = many_tags(0, 50);
	_cleanup_free_ char *one_more = many_tags(50, 1);
	_cleanup_json_ json_t *tags = NULL;

	call_refused(fixture, "TagResource", too_many, INVALID, "tags can have at most 50 items.");
	json_decref(call_ok(fixture, "TagResource", most));
	call_refused(fixture, "TagResource", one_more, INVALID,
		     "A resource can have at most 50 tags.");
	tags = call_ok(fixture, "ListTagsForResource", "{" C1 "}");
	assert_int_equal(json_array_size(at(tags, "tags")), 50);
}

static void bad_tags_and_resources_are_refused(void **state)
{
	static const struct {
		const char *operation, *input, *type, *message;
	} cases[] = {
		/* api-26 */
		{ "TagResource", "{" C1 ",'tags':[{'key':'aws:x','value':'1'}]}", INVALID,
		  "Tag keys that start with 'aws:' are reserved: 'aws:x'" },
		{ "TagResource", "{" C1 ",'tags':[{'key':'AWS:x','value':'1'}]}", INVALID,
		  "Tag keys that start with 'aws:' are reserved: 'AWS:x'" },
		{ "TagResource", "{" C1 ",'tags':[{'key':'a#','value':'1'}]}", INVALID,
		  "Tag 'a#' contains invalid characters: letters, numbers, spaces and _ . : / = + "
		  "- "
		  "@ are allowed." },
		{ "TagResource", "{" C1 ",'tags':[{'key':'a'},{'key':'a'}]}", INVALID,
		  "Tag key 'a' is given more than once." },
		{ "TagResource", "{" C1 "}", INVALID, "Tags cannot be empty." },
		{ "UntagResource", "{" C1 "}", INVALID, "Tag Keys cannot be empty." },
		/* api-27 */
		{ "TagResource",
		  "{'resourceArn':'" ARN_PREFIX "service/short','tags':[{'key':'a','value':'1'}]}",
		  INVALID, "Long arn format must be used for tagging operations" },
		{ "ListTagsForResource", "{'resourceArn':'" ARN_PREFIX "task/abc'}", INVALID,
		  "Long arn format must be used for tagging operations" },
		{ "ListTagsForResource", "{'resourceArn':'c1'}", INVALID,
		  "The ARN provided is invalid. Provide a valid ARN and try again: c1" },
		{ "ListTagsForResource", "{}", INVALID, "Resource ARN can not be blank." },
		{ "ListTagsForResource", "{'resourceArn':'" ARN_PREFIX "cluster/zz'}",
		  "ClusterNotFoundException", "Cluster not found." },
		{ "ListTagsForResource", "{'resourceArn':'" ARN_PREFIX "task-definition/x:1'}",
		  INVALID, NULL },
		{ "TagResource",
		  "{'resourceArn':'" ARN_PREFIX "task-definition/x:1','tags':[{'key':'a'}]}",
		  "ResourceNotFoundException", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		call_refused(*state, cases[i].operation, cases[i].input, cases[i].type,
			     cases[i].message);
}

static void definitions_and_instances_have_tags(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *instance = add_instance(fixture, "c1");
	_cleanup_free_ char *tag_instance =
		xasprintf("{'resourceArn':'%s','tags':[{'key':'a','value':'1'}]}", instance);
	_cleanup_free_ char *list = xasprintf("{'resourceArn':'%s'}", instance);
	_cleanup_free_ char *gone =
		xasprintf("{'cluster':'c1','containerInstance':'%s'}", instance);
	_cleanup_json_ json_t *tags = NULL, *definition = NULL;

	json_decref(call_ok(fixture, "TagResource", tag_instance));
	tags = call_ok(fixture, "ListTagsForResource", list);
	assert_string_equal(text_at(tags, "tags[0].key"), "a");
	json_decref(call_ok(fixture, "DeregisterContainerInstance", gone));
	call_refused(fixture, "ListTagsForResource", list, INVALID, NULL);

	json_decref(call_ok(fixture, "RegisterTaskDefinition",
			    "{'family':'web','tags':[{'key':'a','value':'1'}],"
			    "'containerDefinitions':[{'name':'w','image':'b','memory':10}]}"));
	definition = call_ok(fixture, "ListTagsForResource",
			     "{'resourceArn':'" ARN_PREFIX "task-definition/web:1'}");
	assert_string_equal(text_at(definition, "tags[0].value"), "1");
}

static void attributes_are_put_listed_and_deleted(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	_cleanup_free_ char *put = xasprintf(
		"{'cluster':'c1','attributes':[{'name':'stack','value':'prod','targetId':'%s'},"
		"{'name':'bare','targetType':'container-instance','targetId':'%s'}]}",
		arn, strrchr(arn, '/') + 1);
	_cleanup_free_ char *delete =
		xasprintf("{'cluster':'c1','attributes':[{'name':'stack','targetId':'%s'},"
			  "{'name':'unknown','targetId':'%s'}]}",
			  arn, arn);
	_cleanup_json_ json_t *done = call_ok(fixture, "PutAttributes", put);
	_cleanup_json_ json_t *list = NULL, *value = NULL, *none = NULL, *gone = NULL, *page = NULL;
	_cleanup_json_ json_t *rest = NULL;
	_cleanup_free_ char *next = NULL;

	assert_int_equal(json_array_size(at(done, "attributes")), 2);
	assert_string_equal(text_at(done, "attributes[1].targetId"), arn);
	list = call_ok(
		fixture, "ListAttributes",
		"{'cluster':'c1','targetType':'container-instance','attributeName':'stack'}");
	assert_string_equal(text_at(list, "attributes[0].value"), "prod");
	assert_string_equal(text_at(list, "attributes[0].targetId"), arn);
	value = call_ok(fixture, "ListAttributes",
			"{'cluster':'c1','targetType':'container-instance','attributeName':'stack',"
			"'attributeValue':'test'}");
	assert_int_equal(json_array_size(at(value, "attributes")), 0);

	page = call_ok(fixture, "ListAttributes",
		       "{'cluster':'c1','targetType':'container-instance','maxResults':1}");
	assert_string_equal(text_at(page, "attributes[0].name"), "bare");
	next = xasprintf("{'cluster':'c1','targetType':'container-instance','nextToken':'%s'}",
			 text_at(page, "nextToken"));
	rest = call_ok(fixture, "ListAttributes", next);
	/* ecs.availability-zone, ecs.cpu-architecture, ecs.os-type, stack */
	assert_int_equal(json_array_size(at(rest, "attributes")), 4);

	gone = call_ok(fixture, "DeleteAttributes", delete);
	assert_int_equal(json_array_size(at(gone, "attributes")), 1);
	none = call_ok(
		fixture, "ListAttributes",
		"{'cluster':'c1','targetType':'container-instance','attributeName':'stack'}");
	assert_int_equal(json_array_size(at(none, "attributes")), 0);
}

static void bad_attributes_are_refused(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	static const struct {
		const char *attribute, *type, *message;
	} cases[] = {
		{ "'name':'a b','targetId':'%s'", INVALID,
		  "Attribute name 'a b' is invalid: 1 to 128 letters, numbers and - _ . / \\ are "
		  "allowed." },
		{ "'name':'ecs.x','targetId':'%s'", INVALID,
		  "Attribute name 'ecs.x' is reserved: names that start with ecs. or "
		  "com.amazonaws. "
		  "are given by Amazon ECS." },
		{ "'name':'a','value':' b','targetId':'%s'", INVALID,
		  "The value of attribute 'a' is invalid: 1 to 128 letters, numbers, spaces and - "
		  "_ "
		  ". @ / \\ : are allowed, without spaces at the ends." },
		{ "'name':'a','targetType':'task','targetId':'%s'", INVALID,
		  "targetType should be one of [container-instance]" },
		{ "'name':'a'", INVALID, "Target Id can not be blank." },
		{ "'name':'a','targetId':'0123456789abcdef0123456789abcdef'", INVALID,
		  "targetType is required when targetId is not an ARN." },
		{ "'name':'a','targetType':'container-instance',"
		  "'targetId':'0123456789abcdef0123456789abcdef'",
		  "TargetNotFoundException", /* api-157 */
		  "Could not find 0123456789abcdef0123456789abcdef" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *format =
			xasprintf("{'cluster':'c1','attributes':[{%s}]}", cases[i].attribute);
		const char *target = strstr(format, "%s");
		_cleanup_free_ char *input = NULL;

		if (target)
			input = xasprintf("%.*s%s%s", (int)(target - format), format, arn,
					  target + 2);
		call_refused(fixture, "PutAttributes", input ? input : format, cases[i].type,
			     cases[i].message);
	}
	call_refused(fixture, "PutAttributes", "{'cluster':'c1'}", INVALID,
		     "attributes can not be empty");
	call_refused(fixture, "ListAttributes", "{'cluster':'c1'}", INVALID,
		     "targetType should be one of [container-instance]");
	call_refused(fixture, "ListAttributes",
		     "{'cluster':'c1','targetType':'container-instance','attributeValue':'x'}",
		     INVALID, "attributeName is required when attributeValue is given.");
}

/* api-156 */
static void ten_custom_attributes_are_all(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	_cleanup_json_ json_t *list = NULL;

	for (int i = 0; i < 11; i++) {
		_cleanup_free_ char *input = xasprintf(
			"{'cluster':'c1','attributes':[{'name':'a%d','targetId':'%s'}]}", i, arn);

		if (i < 10)
			json_decref(call_ok(fixture, "PutAttributes", input));
		else
			call_refused(fixture, "PutAttributes", input,
				     "AttributeLimitExceededException",
				     "A container instance can have at most 10 custom attributes.");
	}
	/* What was refused left nothing. */
	list = call_ok(fixture, "ListAttributes",
		       "{'cluster':'c1','targetType':'container-instance','attributeName':'a10'}");
	assert_int_equal(json_array_size(at(list, "attributes")), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_cluster, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(tags_merge_by_key),
		TEST(fifty_tags_are_all),
		TEST(bad_tags_and_resources_are_refused),
		TEST(definitions_and_instances_have_tags),
		TEST(attributes_are_put_listed_and_deleted),
		TEST(bad_attributes_are_refused),
		TEST(ten_custom_attributes_are_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
