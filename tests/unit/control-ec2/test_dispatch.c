/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol, and what a failed call leaves behind. tests/e2e/test_ec2_api.py drives it with the
 * AWS client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "control-plane/ec2/ec2.h"
#include "control-plane/services/networks.h"
#include "control-plane/services/services.h"

struct place {
	struct loop *loop;
	struct store *store;
	struct services *services;
	struct ec2 ec2;
	struct ec2_response response;
};

static int set_up(void **state)
{
	static const struct services_subnet subnet = { .id = "subnet-a", .cidr = "10.1.0.0/28" };
	const struct store_config store = { ":memory:", "us-west-2", "123456789012" };
	const struct services_config services = { .region = "us-west-2",
						  .account = "123456789012",
						  .subnets = &subnet,
						  .subnet_count = 1 };
	struct place *place = xcalloc(1, sizeof(*place));
	struct error err = ERROR_INIT;

	if (loop_new(&place->loop, &err) < 0 || store_open(&store, &place->store, &err) < 0 ||
	    services_new(place->loop, place->store, &services, &place->services, &err) < 0)
		fail_msg("%s", err.text);
	place->ec2 = (struct ec2){ .store = place->store, .services = place->services };
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	ec2_response_clear(&place->response);
	services_free(place->services);
	store_close(place->store);
	loop_free(place->loop);
	free(place);
	return 0;
}

/* The body of the answer. */
static const char *call(struct place *place, const char *form)
{
	ec2_response_clear(&place->response);
	ec2_dispatch(&place->ec2, form, strlen(form), &place->response);
	assert_int_equal(strlen(place->response.request_id), 36);
	return place->response.body;
}

static void refused(struct place *place, const char *form, const char *code)
{
	_cleanup_free_ char *expected = xasprintf(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>%s"
		"</Code><Message>",
		code);

	assert_int_equal(strncmp(call(place, form), expected, strlen(expected)), 0);
	assert_int_equal(place->response.status, 400);
}

/* The text of the first such element. */
static char *element(const char *body, const char *name)
{
	_cleanup_free_ char *open = xasprintf("<%s>", name);
	const char *at = strstr(body, open);

	assert_non_null(at);
	at += strlen(open);
	return xstrndup(at, strcspn(at, "<"));
}

static void an_answer_has_its_action_its_namespace_and_its_id(void **state)
{
	struct place *place = *state;
	const char *body = call(place, "Action=DescribeTags&Version=2016-11-15");
	_cleanup_free_ char *expected =
		xasprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeTagsResponse "
			  "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>%s"
			  "</requestId><tagSet></tagSet></DescribeTagsResponse>",
			  place->response.request_id);

	assert_string_equal(body, expected);
	assert_int_equal(place->response.status, 200);
}

static void what_is_no_call_is_refused(void **state)
{
	struct place *place = *state;

	refused(place, "", "MissingAction");
	refused(place, "Action=%", "MalformedQueryString");
	refused(place, "Action=RunInstances", "InvalidAction");
	refused(place, "Action=DescribeVpcs&Version=1", "InvalidParameterValue");
	refused(place, "Action=DescribeVpcs&X=1", "UnknownParameter");
	refused(place, "Action=DescribeVpcs&MaxResults=1", "InvalidParameterValue");
	refused(place, "Action=DescribeVpcs&NextToken=0", "InvalidPaginationToken");
	refused(place, "Action=DescribeVpcs&Filter.1.Value.1=x", "InvalidParameterValue");
	refused(place, "Action=DescribeVpcs&Filter.1.Name=vpc-id", "InvalidParameterValue");
}

/* A parameter that is not known may have been a rule. */
static void a_change_that_is_refused_leaves_nothing(void **state)
{
	struct place *place = *state;

	refused(place, "Action=CreateSubnet&VpcId=vpc-berth&CidrBlock=10.1.1.0%2F24&OutpostArn=1",
		"UnknownParameter");
	assert_null(strstr(call(place, "Action=DescribeSubnets"), "10.1.1.0/24"));
	assert_int_equal(networks_free_count(place->services, "subnet-a"), 11);
	call(place, "Action=CreateSubnet&VpcId=vpc-berth&CidrBlock=10.1.1.0%2F24&DryRun=true");
	assert_int_equal(place->response.status, 412);
	assert_null(strstr(call(place, "Action=DescribeSubnets"), "10.1.1.0/24"));
}

static void a_subnet_has_addresses_as_soon_as_it_is_there(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *id = NULL;
	_cleanup_free_ char *left = NULL;

	call(place, "Action=CreateSubnet&VpcId=vpc-berth&CidrBlock=10.1.1.0%2F24");
	id = element(place->response.body, "subnetId");
	left = element(place->response.body, "availableIpAddressCount");
	assert_string_equal(left, "251");
	assert_int_equal(networks_free_count(place->services, id), 251);
}

static void filters_have_wildcards(void **state)
{
	static const struct {
		const char *pattern;
		bool matches;
	} cases[] = {
		{ "subnet-a", true },  { "subnet-%3F", true }, { "*", true },
		{ "sub*-a", true },    { "*-*", true },        { "s*b*t*a", true },
		{ "subnet-a*", true }, { "subnet-", false },   { "subnet-a%3F", false },
		{ "*b", false },       { "**x**", false },     { "SUBNET-A", false },
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *form = xasprintf("Action=DescribeSubnets&Filter.1.Name=subnet-"
						      "id&Filter.1.Value.1=%s",
						      cases[i].pattern);

		assert_int_equal(strstr(call(place, form), "<item>") != NULL, cases[i].matches);
	}
}

static void refusals_before_a_call_look_the_same(void **state)
{
	struct ec2_response response;
	_cleanup_free_ char *expected = NULL;

	ec2_refuse(401, "AuthFailure", "who <are> you?", &response);
	expected = xasprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>"
			     "<Code>AuthFailure</Code><Message>who &lt;are&gt; you?</Message>"
			     "</Error></Errors><RequestID>%s</RequestID></Response>",
			     response.request_id);
	assert_int_equal(response.status, 401);
	assert_string_equal(response.body, expected);
	ec2_response_clear(&response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_has_its_action_its_namespace_and_its_id),
		TEST(what_is_no_call_is_refused),
		TEST(a_change_that_is_refused_leaves_nothing),
		TEST(a_subnet_has_addresses_as_soon_as_it_is_there),
		TEST(filters_have_wildcards),
		TEST(refusals_before_a_call_look_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
