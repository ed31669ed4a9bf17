/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_mesh.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "wire/task.h"

#define TASK(more)                                                                                 \
	"{\"arn\":\"arn:aws:ecs:r:1:task/c/t1\",\"desiredStatus\":\"RUNNING\",\"networkMode\":"    \
	"\"awsvpc\",\"containers\":[{\"name\":\"envoy\",\"image\":\"i\"}]" more "}"

static struct task_spec *task_of(const char *text)
{
	struct task_spec *task = NULL;
	struct error err = ERROR_INIT;

	if (task_spec_decode_text(text, strlen(text), &task, &err) < 0)
		fail_msg("%s", err.text);
	return task;
}

/* The plugins behind the first one, as text. */
static char *added(const struct task_spec *task)
{
	char *conflist = xstrdup("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":"
				 "\"ecs-eni\"}]}");
	_cleanup_json_ json_t *list = NULL;
	json_t *plugins;
	char *text;

	assert_int_equal(mesh_extend_conflist(task, &conflist, NULL), 0);
	list = json_loads(conflist, 0, NULL);
	free(conflist);
	plugins = json_object_get(list, "plugins");
	assert_string_equal(json_string_value(json_object_get(json_array_get(plugins, 0), "type")),
			    "ecs-eni");
	json_array_remove(plugins, 0);
	text = json_dump_sorted(plugins);
	return text;
}

static void expect_added(const char *more, const char *expected)
{
	_cleanup_free_ char *text =
		xasprintf("{\"arn\":\"arn:aws:ecs:r:1:task/c/t1\",\"desiredStatus\":\"RUNNING\","
			  "\"networkMode\":\"awsvpc\",\"containers\":[{\"name\":\"envoy\","
			  "\"image\":\"i\"}]%s}",
			  more);
	struct task_spec *task = task_of(text);
	_cleanup_free_ char *found = added(task);

	assert_string_equal(found, expected);
	task_spec_unref(task);
}

#define PROXY(properties)                                                                          \
	",\"proxyConfiguration\":{\"type\":\"APPMESH\",\"containerName\":\"envoy\","               \
	"\"properties\":{" properties "}}"

static void a_task_without_a_proxy_has_no_more_plugins(void **state)
{
	expect_added("", "[]");
}

static void lists_are_split_and_the_endpoints_are_never_proxied(void **state)
{
	expect_added(
		PROXY("\"IgnoredUID\":\"1337\",\"IgnoredGID\":\"\",\"ProxyIngressPort\":\"15000\","
		      "\"ProxyEgressPort\":\"15001\",\"AppPorts\":\"80, 8080,,\","
		      "\"EgressIgnoredPorts\":\"22\",\"EgressIgnoredIPs\":\" 10.0.0.0/8 ,"
		      "169.254.170.2 \",\"Other\":\"x\""),
		"[{\"appPorts\":[\"80\",\"8080\"],\"egressIgnoredIPs\":[\"10.0.0.0/8\","
		"\"169.254.170.2\",\"169.254.169.254\"],\"egressIgnoredPorts\":[\"22\"],"
		"\"ignoredUID\":\"1337\",\"proxyEgressPort\":\"15001\",\"proxyIngressPort\":"
		"\"15000\",\"type\":\"aws-appmesh\"}]");
}

static void what_is_missing_is_left_to_the_plugin_to_judge(void **state)
{
	expect_added(PROXY(""),
		     "[{\"appPorts\":[],\"egressIgnoredIPs\":[\"169.254.170.2\","
		     "\"169.254.169.254\"],\"egressIgnoredPorts\":[],\"type\":\"aws-appmesh\"}]");
}

static void an_operators_list_must_be_one(void **state)
{
	struct task_spec *task = task_of(TASK(PROXY("")));
	char *conflist = xstrdup("{\"type\":\"ecs-eni\"}");
	struct error err = ERROR_INIT;

	assert_int_equal(mesh_extend_conflist(task, &conflist, &err), -EINVAL);
	assert_string_equal(err.text, "the CNI configuration has no list of plugins");
	free(conflist);
	task_spec_unref(task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_without_a_proxy_has_no_more_plugins),
		cmocka_unit_test(lists_are_split_and_the_endpoints_are_never_proxied),
		cmocka_unit_test(what_is_missing_is_left_to_the_plugin_to_judge),
		cmocka_unit_test(an_operators_list_must_be_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
