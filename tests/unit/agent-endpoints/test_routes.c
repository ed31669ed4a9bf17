/* SPDX-License-Identifier: Apache-2.0 */
/* Requests over loopback: what is found where, and what the errors say. */
#include "place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

#define A        "arn:aws:ecs:us-west-2:444455556666:task/orchard/aaaaaaaaaaaaaaaa"
#define A_ID     "aaaaaaaaaaaaaaaa"
#define B        "arn:aws:ecs:us-west-2:444455556666:task/orchard/bbbbbbbbbbbbbbbb"
#define B_ID     "bbbbbbbbbbbbbbbb"
#define NO_TASK  "{'Arn':'','KnownStatus':'','Family':'','Version':'','Containers':null}"
#define NO_ROUTE "404 page not found\n"

#define TASK_A                                                                                     \
	"{'arn':'" A "','desiredStatus':'RUNNING','family':'fruit','version':'1',"                 \
	"'networkMode':'awsvpc','elasticNetworkInterfaces':[" ENI "],'containers':["               \
	"{'name':'web','image':'fruit:1','memory':16,'essential':true},"                           \
	"{'name':'side','image':'fruit:1','memory':16,'essential':false}]}"
#define TASK_B                                                                                     \
	"{'arn':'" B "','desiredStatus':'RUNNING','family':'fruit','version':'2',"                 \
	"'networkMode':'host','containers':["                                                      \
	"{'name':'web','image':'fruit:1','memory':16,'essential':true}]}"

static int set_up(void **state)
{
	struct place *place = place_new(NULL);

	place_run(place, TASK_A);
	place_run(place, TASK_B);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	place_free(*state);
	return 0;
}

/* "GET /v4/<id of the container><rest>"; valid until the next call. */
static const char *at(struct place *place, const char *id, const char *container, const char *rest)
{
	static char text[256];

	snprintf(text, sizeof(text), "GET /v4/%s%s", place_endpoint(place, id, container), rest);
	return text;
}

static const char *header(const struct answer *answer, const char *name)
{
	const char *value = http_head_field(&answer->head, name);

	return value ? value : "(none)";
}

/* tmds-1, tmds-7, tmds-19, tmds-23 */
static void what_is_no_route_is_not_found(void **state)
{
	struct place *place = *state;
	const struct answer *answer = ask(place, place->metadata, "GET /");

	assert_int_equal(answer->head.status, 404);
	assert_string_equal(answer->body, NO_ROUTE);
	assert_string_equal(header(answer, "Content-Type"), "text/plain; charset=utf-8");
	assert_string_equal(header(answer, "X-Content-Type-Options"), "nosniff");
	assert_string_equal(header(answer, "X-Rate-Limit-Limit"), "40.00");
	assert_string_equal(header(answer, "X-Rate-Limit-Duration"), "1");
	assert_string_equal(header(answer, "X-Rate-Limit-Request-Forwarded-For"), "192.0.2.9");
	assert_true(
		str_starts_with(header(answer, "X-Rate-Limit-Request-Remote-Addr"), "127.0.0.1:"));

	expect(place, place->metadata, at(place, A_ID, "web", "/"), 404, NO_ROUTE);
	expect(place, place->metadata, at(place, A_ID, "web", "/tasks"), 404, NO_ROUTE);
	expect(place, place->metadata, at(place, A_ID, "web", "/task/"), 404, NO_ROUTE);
	expect(place, place->metadata, "GET /v4", 404, NO_ROUTE);
	expect(place, place->metadata, "GET /v2/credentials", 404, NO_ROUTE);
	expect(place, place->metadata, "GET /v1/credentials/", 404, NO_ROUTE);
	expect(place, place->metadata, "GET /v1/metadata", 404, NO_ROUTE);
}

/* tmds-2, tmds-3 */
static void a_path_that_is_not_clean_is_sent_elsewhere(void **state)
{
	struct place *place = *state;
	const struct answer *answer = ask(place, place->metadata, "GET //v2/credentials/ca?x=1");

	assert_int_equal(answer->head.status, 301);
	assert_string_equal(header(answer, "Location"), "/v2/credentials/ca?x=1");
	assert_string_equal(header(answer, "X-Rate-Limit-Limit"), "(none)");
	assert_string_equal(header(answer, "Content-Type"), "(none)");
	assert_string_equal(answer->body, "");
	answer = ask(place, place->metadata, "GET /v4/./ea");
	assert_int_equal(answer->head.status, 301);
	assert_string_equal(header(answer, "Location"), "/v4/ea");
	expect(place, place->metadata, "GET /v4/%zz", 400, "400 Bad Request");

	answer = ask(place, place->introspection, "GET //v1/tasks?a=\"");
	assert_int_equal(answer->head.status, 301);
	assert_string_equal(header(answer, "Location"), "/v1/tasks?a=\"");
	assert_json(answer->body, "<a href='/v1/tasks?a=&#34;'>Moved Permanently</a>.\n\n");
}

/* tmds-5, tmds-6, tmds-8 */
static void an_id_may_be_escaped_and_any_method_will_do(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *plain = xstrdup(at(place, A_ID, "web", ""));
	_cleanup_free_ char *expected = xstrdup(ask(place, place->metadata, plain)->body);
	_cleanup_free_ char *escaped = xasprintf("GET /v4/%%%02x%s", plain[strlen("GET /v4/")],
						 plain + strlen("GET /v4/") + 1);
	_cleanup_free_ char *strange = xasprintf("FOO%s", plain + strlen("GET"));

	assert_true(str_starts_with(expected, "{\"DockerId\":\"" A_ID "-web-1\","));
	expect(place, place->metadata, escaped, 200, expected);
	expect(place, place->metadata, strange, 200, expected);
	expect(place, place->metadata, "GET /v4/a%2Fb", 404, NO_ROUTE);
}

/* tmds-42; tmds-43 for version 4 */
static void an_id_of_nobody_is_named(void **state)
{
	struct place *place = *state;

	expect(place, place->metadata, "GET /v4/bad", 404,
	       "'V4 container metadata handler: unable to get container ID from request: unable "
	       "to get docker ID from v3 endpoint ID: bad'");
	expect(place, place->metadata, "GET /v4/", 404,
	       "'V4 container metadata handler: unable to get container ID from request: unable "
	       "to get docker ID from v3 endpoint ID: '");
	expect(place, place->metadata, "GET /v4/bad/task", 404,
	       "'V4 task metadata handler: unable to get task arn from request: unable to get "
	       "task Arn from v3 endpoint ID: bad'");
	expect(place, place->metadata, "GET /v4/bad/stats", 404,
	       "'V4 container stats handler: unable to get task arn from request: unable to get "
	       "task Arn from v3 endpoint ID: bad'");
	expect(place, place->metadata, "GET /v4/b%3Cd/task/stats", 404,
	       "'V4 task stats handler: unable to get task arn from request: unable to get "
	       "task Arn from v3 endpoint ID: b\\u003cd'");
}

/* tmds-61 */
static void a_container_that_was_not_created_has_no_endpoint_yet(void **state)
{
	struct place *place = *state;
	const struct answer *answer;

	place->held = EFFECT_CREATE_CONTAINER;
	place->held_container = "slow";
	place_run(place, "{'arn':'arn:x/cccc','desiredStatus':'RUNNING','networkMode':'host',"
			 "'containers':[{'name':'slow','image':'fruit:1','memory':16,"
			 "'essential':true},{'name':'quick','image':'fruit:1','memory':16,"
			 "'essential':false}]}");
	expect(place, place->metadata, at(place, "cccc", "slow", ""), 404, NULL);
	expect(place, place->metadata, at(place, "cccc", "slow", "/task"), 404, NULL);
	answer = ask(place, place->metadata, at(place, "cccc", "quick", "/task"));
	assert_int_equal(answer->head.status, 200);
	assert_non_null(strstr(answer->body, "{\"DockerId\":\"\",\"Name\":\"slow\""));
	expect(place, place->introspection, "GET /v1/tasks?dockerid=cccc-slow", 404, NO_TASK);
}

/* A task's own socket is for that task, whoever knows another's ids. */
static void a_socket_of_a_task_answers_for_that_task_alone(void **state)
{
	struct place *place = *state;
	uint16_t port = place_serve(place, A_ID);

	place_credentials(place, A, CREDENTIALS_ROLE_TASK, "ca", "");
	place_credentials(place, B, CREDENTIALS_ROLE_TASK, "cb", "");
	expect(place, port, at(place, A_ID, "web", ""), 200, NULL);
	expect(place, port, at(place, A_ID, "side", "/task"), 200, NULL);
	expect(place, port, "GET /v2/credentials/ca", 200, NULL);
	expect(place, port, at(place, B_ID, "web", ""), 404, NULL);
	expect(place, port, at(place, B_ID, "web", "/task"), 404, NULL);
	expect(place, port, at(place, B_ID, "web", "/stats"), 404, NULL);
	expect(place, port, at(place, B_ID, "web", "/task/stats"), 404, NULL);
	expect(place, port, "GET /v2/credentials/cb", 400, NULL);
	expect(place, port, "GET /v1/credentials?id=cb", 400, NULL);
	/* while the host's port answers for both */
	expect(place, place->metadata, at(place, B_ID, "web", ""), 200, NULL);
	expect(place, place->metadata, "GET /v2/credentials/cb", 200, NULL);
	endpoints_leave_task(place->endpoints, A_ID, A_ID);
}

#define REFUSED(version, code, status, message)                                                    \
	"{'code':'" code "','message':'CredentialsV" version "Request: " message                   \
	"','HTTPErrorCode':" status "}"
#define NO_ID(version) REFUSED(version, "NoIdInRequest", "400", "No Credential ID in the request")
#define UNKNOWN        REFUSED("2", "InvalidIdInRequest", "400", "Credentials not found")

/* tmds-20, tmds-21, tmds-22, tmds-24, tmds-25, tmds-26, tmds-27, tmds-28, tmds-32 */
static void credentials_are_given_to_who_knows_the_id(void **state)
{
	struct place *place = *state;
	const char *given = "{'RoleArn':'arn:aws:iam::444455556666:role/fruit',"
			    "'AccessKeyId':'ASIAEXAMPLE','SecretAccessKey':'not/a/secret',"
			    "'Token':'IQoJ==','Expiration':'2001-01-01T00:00:00Z'}";

	expect(place, place->metadata, "GET /v1/credentials", 400, NO_ID("1"));
	expect(place, place->metadata, "GET /v1/credentials?id=", 400, NO_ID("1"));
	expect(place, place->metadata, "GET /v2/credentials/", 400, NO_ID("2"));
	expect(place, place->metadata, "GET /v2/credentials/zz", 400, UNKNOWN);
	expect(place, place->metadata, "GET /v1/credentials?id=zz", 400,
	       REFUSED("1", "InvalidIdInRequest", "400", "Credentials not found"));

	credentials_store_expect(place->credentials, A, CREDENTIALS_ROLE_TASK, "ca");
	expect(place, place->metadata, "GET /v2/credentials/ca", 503,
	       REFUSED("2", "CredentialsUninitialized", "503", "Credentials uninitialized for ID"));
	place_credentials(place, A, CREDENTIALS_ROLE_TASK, "ca", "2001-01-01T00:00:00Z");
	expect(place, place->metadata, "GET /v2/credentials/ca", 200, given);
	assert_string_equal(
		header(ask(place, place->metadata, "GET /v2/credentials/ca"), "Content-Type"),
		"application/json");
	expect(place, place->metadata, "GET /v1/credentials?id=ca&id=zz", 200, given);
	expect(place, place->metadata, "GET /v2/credentials/ca/x", 400, UNKNOWN);
}

/* tmds-9 */
static void head_has_the_length_and_no_body(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *length = NULL;
	const struct answer *answer;

	place_credentials(place, A, CREDENTIALS_ROLE_TASK, "ca", "");
	answer = ask(place, place->metadata, "GET /v2/credentials/ca");
	length = xasprintf("%zu", strlen(answer->body));
	answer = ask(place, place->metadata, "HEAD /v2/credentials/ca");
	assert_int_equal(answer->head.status, 200);
	assert_string_equal(header(answer, "Content-Length"), length);
	assert_string_equal(answer->body, "");
}

/* tmds-30, tmds-31 */
static void the_role_of_a_task_ends_with_it(void **state)
{
	struct place *place = *state;

	place_credentials(place, A, CREDENTIALS_ROLE_TASK, "ca", "");
	place_credentials(place, A, CREDENTIALS_ROLE_EXECUTION, "cx", "");
	expect(place, place->metadata, "GET /v2/credentials/cx", 200, NULL);
	place_stop(place, A_ID);
	expect(place, place->metadata, "GET /v2/credentials/ca", 400, UNKNOWN);
	expect(place, place->metadata, "GET /v2/credentials/cx", 200, NULL);
	/* its containers can still be asked about */
	expect(place, place->metadata, at(place, A_ID, "web", ""), 200, NULL);

	credentials_store_drop_role(place->credentials, A);
	expect(place, place->metadata, "GET /v2/credentials/cx", 200, NULL);
	credentials_store_drop_task(place->credentials, A);
	expect(place, place->metadata, "GET /v2/credentials/cx", 400, UNKNOWN);
}

/* tmds-65, tmds-72; tmds-66 for version 4 */
static void statistics_are_of_what_runs(void **state)
{
	struct place *place = *state;
	const struct answer *answer = ask(place, place->metadata, at(place, A_ID, "web", "/stats"));
	const char *web, *side;

	assert_int_equal(answer->head.status, 200);
	assert_non_null(strstr(answer->body, "\"total_usage\":42"));

	place_exit(place, A_ID, "side", 0);
	expect(place, place->metadata, at(place, A_ID, "side", "/stats"), 500,
	       "'Unable to get container stats for: " A_ID "-side-1'");
	answer = ask(place, place->metadata, at(place, A_ID, "web", "/task/stats"));
	assert_true(str_starts_with(answer->body, "{\"" A_ID "-pause\":{},"));
	side = strstr(answer->body, ",\"" A_ID "-side-1\":{},");
	web = strstr(answer->body, ",\"" A_ID "-web-1\":{\"read\":");
	assert_true(side && web && side < web);

	place->stats_result = -ENODEV;
	expect(place, place->metadata, at(place, B_ID, "web", "/stats"), 200, "{}");
}

/* tmds-74 */
static void without_metrics_there_are_no_statistics(void **state)
{
	struct place *place = place_new("ECS_DISABLE_METRICS=true");

	place_run(place, TASK_B);
	expect(place, place->metadata, at(place, B_ID, "web", "/task/stats"), 200,
	       "{'" B_ID "-web-1':{}}");
	expect(place, place->metadata, at(place, B_ID, "web", "/stats"), 500,
	       "'Unable to get container stats for: " B_ID "-web-1'");
	place_free(place);
}

/* tmds-12, but for the audit log */
static void too_many_requests_of_a_path_are_refused(void **state)
{
	struct place *place = place_new("ECS_TASK_METADATA_RPS_LIMIT=1,3");
	const struct answer *answer;
	uint16_t port;

	place_run(place, TASK_B);
	for (int i = 0; i < 3; i++)
		expect(place, place->metadata, at(place, B_ID, "web", ""), 200, NULL);
	answer = ask(place, place->metadata, at(place, B_ID, "web", "?x=1"));
	assert_int_equal(answer->head.status, 429);
	assert_string_equal(answer->body, "You have reached maximum request limit.");
	assert_string_equal(header(answer, "Content-Type"), "text/plain; charset=utf-8");
	assert_string_equal(header(answer, "X-Rate-Limit-Limit"), "1.00");
	expect(place, place->metadata, at(place, B_ID, "web", "/task"), 200, NULL);
	/* redirects take nothing; each socket has its own measure */
	for (int i = 0; i < 5; i++)
		expect(place, place->metadata, "GET //v4", 301, NULL);
	expect(place, place->metadata, "GET /v4", 404, NULL);
	port = place_serve(place, B_ID);
	expect(place, port, at(place, B_ID, "web", ""), 200, NULL);
	place_free(place);
}

/* ---- introspection ---- */

/* tmds-118, tmds-119 */
static void any_other_path_of_the_introspection_names_the_commands(void **state)
{
	static const char *const paths[] = { "GET /", "GET /foo", "GET /debug/pprof/",
					     "POST /v1/metadata/" };
	struct place *place = *state;

	for (size_t i = 0; i < 4; i++) {
		const struct answer *answer = ask(place, place->introspection, paths[i]);

		assert_int_equal(answer->head.status, 200);
		assert_string_equal(header(answer, "Content-Type"), "text/plain; charset=utf-8");
		assert_json(answer->body,
			    "{'AvailableCommands':['/v1/metadata','/v1/tasks','/v1/health','/"
			    "berth/v1/tasks']}");
	}
}

/* tmds-120 */
static void the_agent_says_who_it_is(void **state)
{
	struct place *place = *state;
	const struct answer *answer = ask(place, place->introspection, "GET /v1/metadata");
	_cleanup_free_ char *start =
		quoted("{'Cluster':'orchard','ContainerInstanceArn':null,'Version':'Amazon ECS "
		       "Agent - v");

	assert_int_equal(answer->head.status, 200);
	assert_true(str_starts_with(answer->body, start));
	assert_true(str_ends_with(answer->body, ")\"}"));
	place->identity.container_instance_arn = "arn:instance";
	answer = ask(place, place->introspection, "GET /v1/metadata");
	assert_non_null(strstr(answer->body, "\"ContainerInstanceArn\":\"arn:instance\""));
}

static void assert_task(struct place *place, const char *request, const char *arn)
{
	const struct answer *answer = ask(place, place->introspection, request);
	_cleanup_free_ char *start = xasprintf("{\"Arn\":\"%s\",", arn);

	assert_int_equal(answer->head.status, 200);
	assert_true(str_starts_with(answer->body, start));
}

/* tmds-122, tmds-123, tmds-124, tmds-125 */
static void tasks_are_found_by_arn_and_by_container(void **state)
{
	struct place *place = *state;
	const struct answer *answer;

	assert_task(place, "GET /v1/tasks?taskarn=" A, A);
	assert_task(place, "GET /v1/tasks?dockerid=" A_ID "-side-1", A);
	assert_task(place, "GET /v1/tasks?dockerid=bbbb", B);
	expect(place, place->introspection, "GET /v1/tasks?dockerid=aaaa", 400, NO_TASK);
	expect(place, place->introspection, "GET /v1/tasks?dockerid=", 400, NO_TASK);
	assert_task(place, "GET /v1/tasks?dockerid=bbbbbbbbbbbb", B);
	expect(place, place->introspection, "GET /v1/tasks?dockerid=bbbbbbbbbbbbb", 404, NO_TASK);
	expect(place, place->introspection, "GET /v1/tasks?dockerid=cc", 404, NO_TASK);
	expect(place, place->introspection, "GET /v1/tasks?taskarn=arn", 404, NO_TASK);
	expect(place, place->introspection, "GET /v1/tasks?taskarn=", 404, NO_TASK);
	expect(place, place->introspection, "GET /v1/tasks?dockerid=x&taskarn=", 400, NO_TASK);
	answer = ask(place, place->introspection, "GET /v1/tasks?dockerid=%zz");
	assert_int_equal(answer->head.status, 200);
	assert_true(str_starts_with(answer->body, "{\"Tasks\":[{\"Arn\":\"" A "\","));
	assert_non_null(strstr(answer->body, "},{\"Arn\":\"" B "\","));
	assert_null(strstr(answer->body, "pause"));
}

/* tmds-121 */
static void without_tasks_the_list_is_empty(void **state)
{
	struct place *place = place_new(NULL);

	expect(place, place->introspection, "GET /v1/tasks", 200, "{'Tasks':[]}");
	place_free(place);
}

/* Also later: who asks and leaves is forgotten. */
static void health_is_the_status_of_the_answer(void **state)
{
	struct place *place = *state;

	place->well = true;
	expect(place, place->introspection, "GET /v1/health", 200, "{'healthy':0}");
	place->well = false;
	expect(place, place->introspection, "GET /v1/health", 503, "{'healthy':0}");
	expect(place, place->introspection, "HEAD /v1/health", 503, "");
	assert_int_equal(place->health_asked, 3);
}

int main(void)
{
#define ROUTE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROUTE(what_is_no_route_is_not_found),
		ROUTE(a_path_that_is_not_clean_is_sent_elsewhere),
		ROUTE(an_id_may_be_escaped_and_any_method_will_do),
		ROUTE(an_id_of_nobody_is_named),
		ROUTE(a_container_that_was_not_created_has_no_endpoint_yet),
		ROUTE(a_socket_of_a_task_answers_for_that_task_alone),
		ROUTE(credentials_are_given_to_who_knows_the_id),
		ROUTE(head_has_the_length_and_no_body),
		ROUTE(the_role_of_a_task_ends_with_it),
		ROUTE(statistics_are_of_what_runs),
		cmocka_unit_test(without_metrics_there_are_no_statistics),
		cmocka_unit_test(too_many_requests_of_a_path_are_refused),
		ROUTE(any_other_path_of_the_introspection_names_the_commands),
		ROUTE(the_agent_says_who_it_is),
		ROUTE(tasks_are_found_by_arn_and_by_container),
		cmocka_unit_test(without_tasks_the_list_is_empty),
		ROUTE(health_is_the_status_of_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
