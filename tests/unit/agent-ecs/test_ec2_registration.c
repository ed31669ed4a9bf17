/* SPDX-License-Identifier: Apache-2.0 */
/* Registration on an instance of EC2: its identity, its network, its tags. */
#include "agent/ecs/registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sigv4.h"
#include "fake_control_plane.h"
#include "fake_imds.h"

#define RCI       "RegisterContainerInstance"
#define DOCUMENT  "/latest/dynamic/instance-identity/document"
#define SIGNATURE "/latest/dynamic/instance-identity/signature"
#define THROTTLED "{\"__type\":\"ThrottlingException\",\"message\":\"slow\"}"

#define ATTRIBUTE(name, value) "{\"name\":\"" name "\",\"value\":\"" value "\"}"
#define GOOD                                                                                                                             \
	"{\"containerInstance\":{\"containerInstanceArn\":\"arn:1\",\"attributes\":[" ATTRIBUTE("ecs.os-type", "linux") "," ATTRIBUTE(   \
		"ecs.os-family",                                                                                                         \
		"LINUX") "," ATTRIBUTE("ecs.vpc-id",                                                                                     \
				       "vpc-1") "," ATTRIBUTE("ecs.subnet-id",                                                           \
							      "subnet-1") "," ATTRIBUTE("ecs."                                           \
											"outpost-"                                       \
											"arn",                                           \
											"arn:"                                           \
											"outpost") "," ATTRIBUTE("ecs.os-type-detailed", \
														 "LINUX") "]}}"

static struct ec2_facts facts = { .instance_id = (char[]){ "i-07" },
				  .vpc_id = (char[]){ "vpc-1" },
				  .subnet_id = (char[]){ "subnet-1" },
				  .outpost_arn = (char[]){ "arn:outpost" } };

static const struct host_resources host = { .cpu_units = 1024, .memory_mib = 512 };

struct place {
	struct fake fake;
	struct fake_imds imds;
	/* EC2's API */
	struct web_listener *ec2;
	char *url;
	int status;
	const char *answer;
	int refusals; /* to come before that one: HTTP 503 */
	size_t asked;
	char body[1024];
	bool signed_well;

	int times;
	enum ecs_exit exit_code;
	char text[1024];
};

static void keep(void *data, const struct registration_result *result)
{
	struct place *place = data;

	place->times++;
	place->exit_code = result->exit_code;
	snprintf(place->text, sizeof(place->text), "%s", result->err.text);
}

static bool is_done(void *data)
{
	return ((struct place *)data)->times > 0;
}

static const char *header_of(void *data, const char *name)
{
	return web_request_header(data, name);
}

static const char *secret_of(void *data, const char *access_key)
{
	(void)data;
	return strcmp(access_key, FAKE_KEY) == 0 ? FAKE_SECRET : NULL;
}

static void on_ec2(void *data, struct web_request *request)
{
	struct place *place = data;
	size_t size;
	const char *body = web_request_body(request, &size);
	const struct sigv4_incoming incoming = {
		.method = web_request_method(request),
		.path = web_request_path(request),
		.header = header_of,
		.header_data = request,
		.payload = body,
		.payload_size = size,
		.service = "ec2",
		.wall_ms = clock_wall_ms(),
		.max_skew_ms = 300000,
	};

	place->asked++;
	place->signed_well = sigv4_verify(&incoming, secret_of, NULL, NULL) == 0;
	snprintf(place->body, sizeof(place->body), "%.*s", (int)size, body);
	if (place->refusals > 0) {
		place->refusals--;
		web_respond_text(request, 503, "text/xml", "");
		return;
	}
	web_respond_text(request, place->status, "text/xml", place->answer);
}

static void begin(struct place *place, const struct fake_imds_file *files, char *const *settings)
{
	memset(place, 0, sizeof(*place));
	fake_start(&place->fake, settings);
	place->imds.files = files;
	place->imds.loop = place->fake.loop;
	place->imds.web = place->fake.web;
	fake_imds_start(&place->imds, false);
	assert_int_equal(web_listen(place->fake.web,
				    &(struct web_listener_config){ .address = "127.0.0.1",
								   .on_request = on_ec2,
								   .data = place },
				    &place->ec2, NULL),
			 0);
	place->url = xasprintf("http://127.0.0.1:%u", web_listener_port(place->ec2));
	setenv("AWS_ENDPOINT_URL_EC2", place->url, 1);
}

static void do_register(struct place *place)
{
	struct fake *fake = &place->fake;
	const struct registration_input input = { .loop = fake->loop,
						  .client = fake->client,
						  .config = fake->config,
						  .host = &host,
						  .imds = place->imds.imds,
						  .facts = &facts,
						  .http = fake->http,
						  .credentials = fake->credentials };

	place->times = 0;
	registration_start(&input, keep, place);
	fake_run_until(fake, is_done, place);
}

static void end(struct place *place)
{
	unsetenv("AWS_ENDPOINT_URL_EC2");
	web_listener_free(place->ec2);
	free(place->url);
	fake_imds_stop(&place->imds);
	fake_stop(&place->fake);
}

static json_t *body_of(const struct place *place, size_t n)
{
	json_t *json = json_loads(fake_nth(&place->fake, RCI, n)->body, 0, NULL);

	assert_non_null(json);
	return json;
}

static const char *text_of(json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

static const char *attribute_of(json_t *body, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(body, "attributes"), i, item)
		if (strcmp(text_of(item, "name"), name) == 0)
			return text_of(item, "value");
	return NULL;
}

#define FAST  "BERTH_TIME_SCALE=1000", "ECS_CNI_PLUGINS_PATH=/nowhere", "ECS_CLUSTER=demo"
#define MINES FAST, "ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM=ec2_instance"

/* The texts go through as they are, and are asked for again for each call. */
static void the_identity_document_goes_along(void **state)
{
	static const struct fake_imds_file files[] = {
		{ DOCUMENT, 200, "{\n  \"instanceId\" : \"i-07\"\n}", 1 },
		{ DOCUMENT, 200, "{\"later\":1}", 0 },
		{ SIGNATURE, 200, "QUJD\nREVG", 0 },
		{ NULL, 0, NULL, 0 },
	};
	struct place place;
	json_t *first, *second;

	begin(&place, files, (char *[]){ FAST, NULL });
	for (int i = 0; i < 3; i++) /* what one call takes */
		fake_answer(&place.fake, RCI, 400, THROTTLED);
	fake_answer(&place.fake, RCI, 200, GOOD);
	do_register(&place);
	assert_int_equal(place.exit_code, ECS_EXIT_OK);
	first = body_of(&place, 0);
	second = body_of(&place, 3);
	assert_string_equal(text_of(first, "instanceIdentityDocument"),
			    "{\n  \"instanceId\" : \"i-07\"\n}");
	assert_string_equal(text_of(first, "instanceIdentityDocumentSignature"), "QUJD\nREVG");
	assert_string_equal(text_of(second, "instanceIdentityDocument"), "{\"later\":1}");
	assert_string_equal(text_of(first, "clientToken"), text_of(second, "clientToken"));
	assert_string_equal(attribute_of(first, "ecs.vpc-id"), "vpc-1");
	assert_string_equal(attribute_of(first, "ecs.subnet-id"), "subnet-1");
	assert_string_equal(attribute_of(first, "ecs.outpost-arn"), "arn:outpost");
	/* The document says it. */
	assert_null(attribute_of(first, "ecs.cpu-architecture"));
	json_decref(first);
	json_decref(second);
	end(&place);
}

/* Only interfaces of tasks are given in a VPC. */
static void the_network_is_not_told_without_task_networking(void **state)
{
	static const struct fake_imds_file files[] = { { DOCUMENT, 200, "{}", 0 },
						       { SIGNATURE, 200, "x", 0 },
						       { NULL, 0, NULL, 0 } };
	struct place place;
	json_t *body;

	begin(&place, files, (char *[]){ FAST, "ECS_ENABLE_TASK_ENI=false", NULL });
	fake_answer(&place.fake, RCI, 200, GOOD);
	do_register(&place);
	assert_int_equal(place.exit_code, ECS_EXIT_OK);
	body = body_of(&place, 0);
	assert_null(attribute_of(body, "ecs.vpc-id"));
	assert_null(attribute_of(body, "ecs.subnet-id"));
	json_decref(body);
	end(&place);
}

static void the_document_can_be_left_out(void **state)
{
	static const struct fake_imds_file files[] = {
		{ DOCUMENT, 200, "{}", 0 },
		{ SIGNATURE, 200, "s", 0 },
		{ NULL, 0, NULL, 0 },
	};
	struct place place;
	json_t *body;

	begin(&place, files,
	      (char *[]){ "BERTH_NO_IDENTITY_DOCUMENT=true", "ECS_CNI_PLUGINS_PATH=/nowhere",
			  "ECS_CLUSTER=demo", NULL });
	fake_answer(&place.fake, RCI, 200, GOOD);
	do_register(&place);
	assert_int_equal(place.exit_code, ECS_EXIT_OK);
	assert_int_equal(place.imds.used[0], 0);
	assert_int_equal(place.imds.used[1], 0);
	body = body_of(&place, 0);
	assert_string_equal(text_of(body, "instanceIdentityDocument"), "");
	json_decref(body);
	end(&place);
}

/* cfg-R23, twenty times as fast */
static void without_a_document_it_registers_after_a_minute(void **state)
{
	static const struct fake_imds_file files[] = {
		{ DOCUMENT, 404, "", 0 },
		{ SIGNATURE, 500, "", 0 },
		{ NULL, 0, NULL, 0 },
	};
	struct place place;
	int64_t since_ms, took_ms;
	json_t *body;

	begin(&place, files,
	      (char *[]){ "BERTH_TIME_SCALE=20", "ECS_CNI_PLUGINS_PATH=/nowhere",
			  "ECS_CLUSTER=demo", NULL });
	fake_answer(&place.fake, RCI, 200, GOOD);
	since_ms = clock_monotonic_ms();
	do_register(&place);
	took_ms = clock_monotonic_ms() - since_ms;
	assert_int_equal(place.exit_code, ECS_EXIT_OK);
	/* 1.5 s each, less the wait that would have led beyond it: those below a second are not
	 * faster. */
	assert_true(took_ms >= 1500);
	assert_in_range(place.imds.used[0], 4, 30);
	assert_in_range(place.imds.used[1], 4, 300);
	body = body_of(&place, 0);
	assert_string_equal(text_of(body, "instanceIdentityDocument"), "");
	assert_string_equal(text_of(body, "instanceIdentityDocumentSignature"), "");
	assert_int_equal(fake_count(&place.fake, RCI), 1);
	json_decref(body);
	end(&place);
}

#define TAG(key, value)                                                                            \
	"<item><resourceId>i-07</resourceId><resourceType>instance</resourceType><key>" key        \
	"</key><value>" value "</value></item>"
#define TAGS(tags)                                                                                 \
	"<?xml version=\"1.0\"?>\n<DescribeTagsResponse "                                          \
	"xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">"                                      \
	"<requestId>1</requestId><tagSet>" tags "</tagSet></DescribeTagsResponse>"

static const struct fake_imds_file identified[] = { { DOCUMENT, 200, "{}", 0 },
						    { SIGNATURE, 200, "x", 0 },
						    { NULL, 0, NULL, 0 } };

/* cfg-R30 for what is merged */
static void tags_of_the_instance_come_along(void **state)
{
	struct place place;
	json_t *body, *tags;

	begin(&place, identified,
	      (char *[]){ MINES, "ECS_CONTAINER_INSTANCE_TAGS={\"a\":\"9\"}", NULL });
	place.status = 200;
	place.answer = TAGS(TAG("a", "1") TAG("aws:x", "2") TAG("b", "3") TAG("c", "AWS:4"));
	place.refusals = 4; /* the fifth attempt is the last */
	fake_answer(&place.fake, RCI, 200, GOOD);
	do_register(&place);
	assert_int_equal(place.exit_code, ECS_EXIT_OK);
	assert_int_equal(place.asked, 5);
	assert_true(place.signed_well);
	assert_string_equal(place.body,
			    "Action=DescribeTags&Version=2016-11-15&Filter.1.Name=resource-id&"
			    "Filter.1.Value.1=i-07&Filter.2.Name=resource-type&"
			    "Filter.2.Value.1=instance&MaxResults=50");
	body = body_of(&place, 0);
	tags = json_object_get(body, "tags");
	assert_int_equal(json_array_size(tags), 2);
	assert_string_equal(text_of(json_array_get(tags, 0), "key"), "a");
	assert_string_equal(text_of(json_array_get(tags, 0), "value"), "9");
	assert_string_equal(text_of(json_array_get(tags, 1), "key"), "b");
	assert_string_equal(text_of(json_array_get(tags, 1), "value"), "3");
	json_decref(body);
	end(&place);
}

/* cfg-R30 for what fails */
static void without_the_tags_that_are_wanted_it_ends(void **state)
{
	static const struct {
		int status;
		const char *answer, *text;
	} cases[] = {
		{ 403,
		  "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not "
		  "authorized.</Message></Error></Errors></Response>",
		  "register this host in cluster demo: ask EC2 for the tags of this instance: HTTP "
		  "403: UnauthorizedOperation: You are not authorized." },
		{ 200, "<DescribeTagsResponse><tagSet>", "not one of DescribeTags" },
		{ 200, "<Other/>", "not one of DescribeTags" },
		{ 200, "", "not one of DescribeTags" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place place;

		begin(&place, identified, (char *[]){ MINES, NULL });
		place.status = cases[i].status;
		place.answer = cases[i].answer;
		do_register(&place);
		assert_int_equal(place.exit_code, ECS_EXIT_ERROR);
		assert_non_null(strstr(place.text, cases[i].text));
		assert_int_equal(place.asked, 1);
		assert_int_equal(fake_count(&place.fake, RCI), 0);
		end(&place);
	}
}

static void tags_of_no_instance_are_an_error(void **state)
{
	struct place place;
	struct registration_input input;

	begin(&place, identified, (char *[]){ MINES, NULL });
	input = (struct registration_input){ .loop = place.fake.loop,
					     .client = place.fake.client,
					     .config = place.fake.config,
					     .host = &host };
	registration_start(&input, keep, &place);
	fake_run_until(&place.fake, is_done, &place);
	assert_int_equal(place.exit_code, ECS_EXIT_ERROR);
	assert_non_null(strstr(place.text, "ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM"));
	assert_int_equal(place.fake.request_count, 0);
	end(&place);
}

static void a_registration_can_be_cancelled_at_every_question(void **state)
{
	static const struct fake_imds_file silent[] = { { DOCUMENT, 0, "", 0 },
							{ NULL, 0, NULL, 0 } };
	struct place place;
	struct registration *registration;
	struct registration_input input;

	begin(&place, silent, (char *[]){ MINES, NULL });
	place.status = 200;
	place.answer = TAGS("");
	input = (struct registration_input){ .loop = place.fake.loop,
					     .client = place.fake.client,
					     .config = place.fake.config,
					     .host = &host,
					     .imds = place.imds.imds,
					     .facts = &facts,
					     .http = place.fake.http,
					     .credentials = place.fake.credentials };
	registration = registration_start(&input, keep, &place);
	while (place.asked == 0)
		loop_run_once(place.fake.loop, true);
	registration_cancel(registration); /* the answer of EC2 is on its way */
	registration = registration_start(&input, keep, &place);
	while (place.imds.stalled_count == 0)
		loop_run_once(place.fake.loop, true);
	registration_cancel(registration);
	assert_int_equal(place.times, 0);
	end(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_identity_document_goes_along),
		cmocka_unit_test(the_network_is_not_told_without_task_networking),
		cmocka_unit_test(the_document_can_be_left_out),
		cmocka_unit_test(without_a_document_it_registers_after_a_minute),
		cmocka_unit_test(tags_of_the_instance_come_along),
		cmocka_unit_test(without_the_tags_that_are_wanted_it_ends),
		cmocka_unit_test(tags_of_no_instance_are_an_error),
		cmocka_unit_test(a_registration_can_be_cancelled_at_every_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
