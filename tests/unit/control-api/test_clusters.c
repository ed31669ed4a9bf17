/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol, clusters, pages and what survives a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fixture.h"

#define INVALID "InvalidParameterException"

/* api-1 */
static void unknown_operations_say_so(void **state)
{
	raw_refused(*state, API_TARGET_PREFIX "Nope", "{}", "UnknownOperationException");
	raw_refused(*state, "DynamoDB_20120810.ListTables", "{}", "UnknownOperationException");
	raw_refused(*state, NULL, "{}", "UnknownOperationException");
	raw_refused(*state, API_TARGET_PREFIX, "{}", "UnknownOperationException");
}

/* api-2 */
static void bad_bodies_are_serialization_errors(void **state)
{
	static const char *const bodies[] = { "{",     "[]",
					      "nope",  "{\"maxResults\":\"1\"}",
					      "{} {}", "{\"nextToken\":\"\xff\"}" };

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		raw_refused(*state, API_TARGET_PREFIX "ListClusters", bodies[i],
			    "SerializationException");
}

/* api-3; an empty body is {} and null is absent */
static void an_empty_server_has_no_clusters(void **state)
{
	static const char *const inputs[] = { "", "{}", "{'nextToken':null,'unknown':1}" };

	for (size_t i = 0; i < 3; i++) {
		_cleanup_json_ json_t *output = call_ok(*state, "ListClusters", inputs[i]);
		_cleanup_free_ char *text = json_dump_compact(output);

		assert_string_equal(text, "{\"clusterArns\":[]}");
	}
}

/* api-4 */
static void a_cluster_without_a_name_is_default(void **state)
{
	_cleanup_json_ json_t *output = call_ok(*state, "CreateCluster", "{}");
	json_t *cluster = at(output, "cluster");

	assert_string_equal(text_at(cluster, "clusterArn"), ARN_PREFIX "cluster/default");
	assert_string_equal(text_at(cluster, "status"), "ACTIVE");
	assert_int_equal(number_at(cluster, "registeredContainerInstancesCount"), 0);
	assert_int_equal(number_at(cluster, "runningTasksCount"), 0);
	assert_int_equal(number_at(cluster, "pendingTasksCount"), 0);
	assert_int_equal(number_at(cluster, "activeServicesCount"), 0);
	assert_string_equal(text_at(cluster, "settings[0].name"), "containerInsights");
	assert_string_equal(text_at(cluster, "settings[0].value"), "disabled");
	assert_int_equal(json_array_size(at(cluster, "statistics")), 0);
	assert_true(json_is_array(at(cluster, "tags")));
	assert_true(json_is_array(at(cluster, "capacityProviders")));
	assert_true(json_is_array(at(cluster, "defaultCapacityProviderStrategy")));
}

static void the_same_cluster_twice(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *first = call_ok(fixture, "CreateCluster", "{'clusterName':'c1'}");
	_cleanup_json_ json_t *again =
		call_ok(fixture, "CreateCluster", "{'clusterName':'c1','tags':[]}");
	_cleanup_json_ json_t *list = call_ok(fixture, "ListClusters", "{}");

	/* api-5 */
	assert_true(json_equal(first, again));
	assert_int_equal(json_array_size(at(list, "clusterArns")), 1);
	/* api-6 */
	call_refused(fixture, "CreateCluster",
		     "{'clusterName':'c1','settings':[{'name':'containerInsights',"
		     "'value':'enabled'}]}",
		     INVALID,
		     "Arguments on this idempotent request are inconsistent with arguments used in "
		     "previous request(s).");
}

static void what_a_cluster_can_not_be(void **state)
{
	static const struct {
		const char *input, *type, *message;
	} cases[] = {
		/* api-7 */
		{ "{'clusterName':'a b'}", INVALID,
		  "Invalid cluster name 'a b': up to 255 letters, numbers, hyphens and underscores "
		  "are allowed." },
		{ "{'settings':[{'name':'x','value':'enabled'}]}", INVALID,
		  "setting name should be one of [containerInsights]" },
		{ "{'settings':[{'name':'containerInsights','value':'x'}]}", INVALID,
		  "setting value should be one of [enhanced,enabled,disabled]" },
		{ "{'configuration':{'executeCommandConfiguration':{'logging':'OVERRIDE'}}}",
		  INVALID,
		  "When logging is OVERRIDE, logConfiguration must name a cloudWatchLogGroupName "
		  "or "
		  "an s3BucketName." },
		{ "{'capacityProviders':['mine']}", INVALID,
		  "The specified capacity provider 'mine' is not in an ACTIVE state. Specify a "
		  "valid capacity provider and try again." },
		{ "{'capacityProviders':['FARGATE'],'defaultCapacityProviderStrategy':"
		  "[{'capacityProvider':'FARGATE_SPOT','weight':1}]}",
		  INVALID,
		  "The capacity provider strategy names 'FARGATE_SPOT', which is not one of the "
		  "cluster's capacity providers." },
		{ "{'capacityProviders':['FARGATE','FARGATE_SPOT'],"
		  "'defaultCapacityProviderStrategy':[{'capacityProvider':'FARGATE','weight':1,"
		  "'base':1},{'capacityProvider':'FARGATE_SPOT','base':1}]}",
		  INVALID, "Only one capacity provider of a strategy can have a base." },
		{ "{'tags':[{'key':'a','value':'1'},{'key':'a','value':'2'}]}", INVALID,
		  "Tag key 'a' is given more than once." },
		{ "{'serviceConnectDefaults':{'namespace':'n'}}", "NamespaceNotFoundException",
		  NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		call_refused(*state, "CreateCluster", cases[i].input, cases[i].type,
			     cases[i].message);
}

/* api-8 */
static void unknown_clusters_are_failures(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *output = NULL;
	_cleanup_json_ json_t *foreign = NULL;

	json_decref(call_ok(fixture, "CreateCluster", "{'clusterName':'c1'}"));
	output = call_ok(fixture, "DescribeClusters",
			 "{'clusters':['" ARN_PREFIX "cluster/c1','zz']}");
	assert_string_equal(text_at(output, "clusters[0].clusterName"), "c1");
	assert_int_equal(json_array_size(at(output, "failures")), 1);
	assert_string_equal(text_at(output, "failures[0].arn"), ARN_PREFIX "cluster/zz");
	assert_string_equal(text_at(output, "failures[0].reason"), "MISSING");
	foreign = call_ok(fixture, "DescribeClusters",
			  "{'clusters':['arn:aws:ecs:eu-west-1:123456789012:cluster/c1']}");
	assert_int_equal(json_array_size(at(foreign, "clusters")), 0);
	assert_string_equal(text_at(foreign, "failures[0].reason"), "MISSING");
}

/* api-9, api-10 */
static void blocks_come_when_they_are_asked_for(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *plain = NULL, *whole = NULL;

	json_decref(call_ok(fixture, "CreateCluster",
			    "{'tags':[{'key':'a','value':'1'}],'configuration':"
			    "{'executeCommandConfiguration':{'logging':'NONE'}}}"));
	plain = call_ok(fixture, "DescribeClusters", "{}");
	assert_int_equal(json_array_size(at(plain, "clusters[0].settings")), 0);
	assert_int_equal(json_array_size(at(plain, "clusters[0].statistics")), 0);
	assert_int_equal(json_array_size(at(plain, "clusters[0].tags")), 0);
	assert_null(at(plain, "clusters[0].configuration"));

	whole = call_ok(fixture, "DescribeClusters",
			"{'include':['TAGS','SETTINGS','STATISTICS','CONFIGURATIONS']}");
	assert_string_equal(text_at(whole, "clusters[0].tags[0].value"), "1");
	assert_string_equal(text_at(whole, "clusters[0].settings[0].value"), "disabled");
	assert_string_equal(
		text_at(whole, "clusters[0].configuration.executeCommandConfiguration.logging"),
		"NONE");
	assert_int_equal(json_array_size(at(whole, "clusters[0].statistics")), 12);
	assert_string_equal(text_at(whole, "clusters[0].statistics[0].name"),
			    "runningEC2TasksCount");
	assert_string_equal(text_at(whole, "clusters[0].statistics[0].value"), "0");
	assert_string_equal(text_at(whole, "clusters[0].statistics[5].name"),
			    "pendingFargateTasksCount");
	call_refused(
		fixture, "DescribeClusters", "{'include':['ALL']}", INVALID,
		"include should be one of [ATTACHMENTS,CONFIGURATIONS,SETTINGS,STATISTICS,TAGS]");
}

/* api-15 */
static void a_deleted_cluster_is_inactive_and_not_listed(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *gone = NULL, *list = NULL, *described = NULL, *anew = NULL;

	json_decref(call_ok(fixture, "CreateCluster", "{'clusterName':'c1'}"));
	gone = call_ok(fixture, "DeleteCluster", "{'cluster':'c1'}");
	assert_string_equal(text_at(gone, "cluster.status"), "INACTIVE");
	list = call_ok(fixture, "ListClusters", "{}");
	assert_int_equal(json_array_size(at(list, "clusterArns")), 0);
	described = call_ok(fixture, "DescribeClusters", "{'clusters':['c1']}");
	assert_string_equal(text_at(described, "clusters[0].status"), "INACTIVE");
	call_refused(fixture, "DeleteCluster", "{'cluster':'c1'}", "ClusterNotFoundException",
		     "Cluster not found.");
	call_refused(fixture, "DeleteCluster", "{}", INVALID, "Cluster can not be blank.");
	anew = call_ok(fixture, "CreateCluster",
		       "{'clusterName':'c1','tags':[{'key':'a','value':'1'}]}");
	assert_string_equal(text_at(anew, "cluster.status"), "ACTIVE");
}

/* api-12 */
static void a_cluster_with_instances_stays(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *instance = NULL;
	_cleanup_free_ char *input = NULL;
	static const char message[] = "The Cluster cannot be deleted while Container Instances are "
				      "active or draining.";

	json_decref(call_ok(fixture, "CreateCluster", "{'clusterName':'c1'}"));
	instance = add_instance(fixture, "c1");
	call_refused(fixture, "DeleteCluster", "{'cluster':'c1'}",
		     "ClusterContainsContainerInstancesException", message);
	input = xasprintf("{'cluster':'c1','containerInstances':['%s'],'status':'DRAINING'}",
			  instance);
	json_decref(call_ok(fixture, "UpdateContainerInstancesState", input));
	call_refused(fixture, "DeleteCluster", "{'cluster':'c1'}",
		     "ClusterContainsContainerInstancesException", message);
}

static void make_clusters(struct fixture *fixture, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		_cleanup_free_ char *input = xasprintf("{'clusterName':'c%03d'}", i);

		json_decref(call_ok(fixture, "CreateCluster", input));
	}
}

/* api-16 */
static void a_page_has_a_hundred(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *first = NULL, *second = NULL;
	_cleanup_free_ char *input = NULL;

	make_clusters(fixture, 0, 150);
	first = call_ok(fixture, "ListClusters", "{}");
	assert_int_equal(json_array_size(at(first, "clusterArns")), 100);
	input = xasprintf("{'nextToken':'%s'}", text_at(first, "nextToken"));
	second = call_ok(fixture, "ListClusters", input);
	assert_int_equal(json_array_size(at(second, "clusterArns")), 50);
	assert_null(at(second, "nextToken"));
}

/* api-17: every one once, while others come. */
static void pages_hold_while_the_list_changes(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *seen = json_object();
	_cleanup_free_ char *input = xstrdup("{'maxResults':1}");

	make_clusters(fixture, 0, 5);
	for (int added = 0;; added++) {
		_cleanup_json_ json_t *page = call_ok(fixture, "ListClusters", input);
		const char *arn = text_at(page, "clusterArns[0]");

		assert_int_equal(json_array_size(at(page, "clusterArns")), 1);
		assert_null(json_object_get(seen, arn));
		json_object_set_new(seen, arn, json_true());
		if (added < 3)
			make_clusters(fixture, 100 + added, 1);
		if (!at(page, "nextToken"))
			break;
		free(input);
		input = xasprintf("{'maxResults':1,'nextToken':'%s'}", text_at(page, "nextToken"));
	}
	assert_int_equal(json_object_size(seen), 8);
}

static void bad_pages_are_refused(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *page = NULL;
	_cleanup_free_ char *foreign = NULL;
	_cleanup_free_ char *garbled = NULL;

	make_clusters(fixture, 0, 2);
	page = call_ok(fixture, "ListClusters", "{'maxResults':1}");
	/* api-18 */
	call_refused(fixture, "ListClusters", "{'maxResults':101}", INVALID,
		     "maxResults should be between 1 and 100");
	call_refused(fixture, "ListClusters", "{'maxResults':0}", INVALID,
		     "maxResults should be between 1 and 100");
	call_refused(fixture, "ListClusters", "{'nextToken':'x'}", INVALID, "Invalid token.");
	garbled = xasprintf("{'nextToken':'A%s'}", text_at(page, "nextToken") + 1);
	call_refused(fixture, "ListClusters", garbled, INVALID, "Invalid token.");
	/* a token of another operation */
	foreign = xasprintf("{'nextToken':'%s'}", text_at(page, "nextToken"));
	call_refused(fixture, "ListTaskDefinitions", foreign, INVALID, "Invalid token.");
}

/* api-30 is of every reply: here the two kinds of time that these operations have. */
static void a_restart_forgets_nothing(void **state)
{
	char directory[] = "/tmp/berth-api-XXXXXX";
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *input = NULL;
	_cleanup_free_ char *instance = NULL;
	_cleanup_json_ json_t *before = NULL, *after = NULL, *page = NULL, *rest = NULL;
	_cleanup_json_ json_t *instances = NULL;
	struct fixture fixture;

	(void)state;
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/state.db", directory);
	fixture_open(&fixture, path);
	make_clusters(&fixture, 0, 3);
	instance = add_instance(&fixture, "c001");
	before = call_ok(&fixture, "RegisterTaskDefinition",
			 "{'family':'web','containerDefinitions':[{'name':'web','image':'busybox',"
			 "'memory':10}]}");
	page = call_ok(&fixture, "ListClusters", "{'maxResults':1}");
	fixture_close(&fixture);

	fixture_open(&fixture, path);
	after = call_ok(&fixture, "DescribeTaskDefinition", "{'taskDefinition':'web'}");
	assert_true(json_equal(before, after));
	/* a page token is good across the restart */
	input = xasprintf("{'nextToken':'%s'}", text_at(page, "nextToken"));
	rest = call_ok(&fixture, "ListClusters", input);
	assert_int_equal(json_array_size(at(rest, "clusterArns")), 2);
	free(input);
	input = xasprintf("{'cluster':'c001','containerInstances':['%s']}", instance);
	instances = call_ok(&fixture, "DescribeContainerInstances", input);
	assert_string_equal(text_at(instances, "containerInstances[0].status"), "ACTIVE");
	assert_false(json_is_true(at(instances, "containerInstances[0].agentConnected")));
	fixture_close(&fixture);

	unlink(path);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(unknown_operations_say_so),
		TEST(bad_bodies_are_serialization_errors),
		TEST(an_empty_server_has_no_clusters),
		TEST(a_cluster_without_a_name_is_default),
		TEST(the_same_cluster_twice),
		TEST(what_a_cluster_can_not_be),
		TEST(unknown_clusters_are_failures),
		TEST(blocks_come_when_they_are_asked_for),
		TEST(a_deleted_cluster_is_inactive_and_not_listed),
		TEST(a_cluster_with_instances_stays),
		TEST(a_page_has_a_hundred),
		TEST(pages_hold_while_the_list_changes),
		TEST(bad_pages_are_refused),
		cmocka_unit_test(a_restart_forgets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
