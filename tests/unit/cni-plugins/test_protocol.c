/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/cni.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "call.h"
#include "cni-plugins/eni.h"
#include "cni-plugins/ipam.h"
#include "cni-plugins/request.h"

static int adds, dels, checks, collected, answered;

static int add(const struct cni_request *request, struct cni_result *ret, struct cni_error *err)
{
	struct ip_prefix address;
	struct ip_address gateway;

	(void)err;
	adds++;
	ip_prefix_parse("10.0.1.37/24", &address, NULL);
	ip_parse("10.0.1.1", &gateway, NULL);
	cni_result_add_ip(ret, &address, &gateway,
			  cni_result_add_interface(ret, request->ifname, "02:1f:00:00:00:01",
						   request->netns, 9001));
	return 0;
}

static int del(const struct cni_request *request, struct cni_error *err)
{
	(void)request;
	(void)err;
	dels++;
	return 0;
}

static int check(const struct cni_request *request, struct cni_error *err)
{
	checks++;
	return request->previous ? 0 : cni_fail(err, CNI_PLUGIN_FAILED, "no previous result");
}

static int gc(const struct cni_request *request, struct cni_error *err)
{
	(void)err;
	collected = (int)request->valid_count;
	return strcmp(request->valid[1].container_id, "b") == 0 ? 0 : -1;
}

static int status(const struct cni_request *request, struct cni_error *err)
{
	(void)request;
	answered++;
	return cni_fail(err, CNI_NOT_AVAILABLE, "the pool is empty");
}

static const struct cni_plugin plain = {
	.name = "plain",
	.about = "a plugin of this test",
	.add = add,
	.del = del,
	.check = check,
	.gc = gc,
	.status = status,
};

static int fail_silently(const struct cni_request *request, struct cni_error *err)
{
	(void)request;
	(void)err;
	return -1;
}

#define CONFIG(version) "{\"name\":\"net\",\"type\":\"plain\",\"cniVersion\":\"" version "\"}"

/* Conformance C1 */
static void by_hand_it_says_what_it_is(void **state)
{
	struct call call = { 0 };

	call_expect_success(&call, &plain);
	assert_string_equal(call.out, "");
	call_free(&call);
}

/* Conformance C2 */
static void missing_variables_are_named_alone_and_together(void **state)
{
	static const struct {
		const char *command;
		const char *text;
	} all[] = {
		{ "ADD", "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] "
			 "missing" },
		{ "DEL", "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing" },
		{ "CHECK", "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] "
			   "missing" },
		{ "GC", "required env variables [CNI_PATH] missing" },
		{ "STATUS", "required env variables [CNI_PATH] missing" },
	};
	struct call call;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		call = (struct call){ .command = all[i].command, .config = CONFIG("1.1.0") };
		call_expect_failure(&call, &plain, 4, all[i].text);
		call_free(&call);
	}
	call = call_good("ADD");
	call.container_id = NULL;
	call_expect_failure(&call, &plain, 4, "required env variables [CNI_CONTAINERID] missing");
	call_free(&call);
	call = call_good("ADD");
	call.netns = "";
	call_expect_failure(&call, &plain, 4, "required env variables [CNI_NETNS] missing");
	call_free(&call);
	call = call_good("ADD");
	call.ifname = NULL;
	call_expect_failure(&call, &plain, 4, "required env variables [CNI_IFNAME] missing");
	call_free(&call);
	call = call_good("ADD");
	call.path = NULL;
	call_expect_failure(&call, &plain, 4, "required env variables [CNI_PATH] missing");
	call_free(&call);
}

/* Conformance C3 */
static void bad_ids_and_names_are_refused(void **state)
{
	static const char *const ids[] = { "a b", "-a", ".a", "a/b", "a:b", "ä", "_" };
	static const char *const names[] = {
		"sixteen-bytes-xx", "a/b", ".", "..", "a b", "a:b", "a\tb"
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct call call = call_good("ADD");

		call.container_id = ids[i];
		call.config = CONFIG("1.0.0");
		call_expect_failure(&call, &plain, 4, "CNI_CONTAINERID");
		call_free(&call);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct call call = call_good("DEL");

		call.ifname = names[i];
		call.config = CONFIG("1.0.0");
		call_expect_failure(&call, &plain, 4, "CNI_IFNAME");
		call_free(&call);
	}
}

/* Conformance C4 */
static void what_is_no_json_is_refused_quickly(void **state)
{
	static const char nul[] = "{\"name\":\"net\0\",\"cniVersion\":\"1.0.0\"}";
	static const char *const bad[] = { "",    " ",    "{",   "{\"name\":",
					   "[]x", "{}{}", "nil", "{\"name\":\"a\\u0000b\"}" };
	size_t big_size = CNI_CONFIG_LIMIT + 2;
	char *big = malloc(big_size), *deep = malloc(200001);
	struct call call;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		call = call_good("ADD");
		call.config = bad[i];
		call_expect_failure(&call, &plain, 6, "");
		call_free(&call);
	}
	call = call_good("ADD");
	call.config = nul;
	call.config_size = sizeof(nul) - 1;
	call_expect_failure(&call, &plain, 6, "");
	call_free(&call);

	memset(big, ' ', big_size);
	call = call_good("ADD");
	call.config = big;
	call.config_size = big_size;
	call_expect_failure(&call, &plain, 6, "longer than");
	call_free(&call);

	memset(deep, '[', 200000);
	deep[200000] = '\0';
	call = call_good("ADD");
	call.config = deep;
	call_expect_failure(&call, &plain, 6, "");
	call_free(&call);

	/* Of a key given twice the last counts. */
	call = call_good("ADD");
	call.config = "{\"name\":\"\",\"cniVersion\":\"1.0.0\",\"name\":\"net\"}";
	call_expect_success(&call, &plain);
	call_free(&call);
	free(big);
	free(deep);
}

/* Conformance C5 */
static void a_network_has_a_name(void **state)
{
	static const char *const missing[] = { "{\"cniVersion\":\"1.0.0\"}",
					       "{\"name\":\"\",\"cniVersion\":\"1.0.0\"}" };
	struct call call;

	for (size_t i = 0; i < 2; i++) {
		call = call_good("ADD");
		call.config = missing[i];
		call_expect_failure(&call, &plain, 7, "missing network name");
		call_free(&call);
	}
	call = call_good("ADD");
	call.config = "{\"name\":\"a/b\",\"cniVersion\":\"1.0.0\"}";
	call_expect_failure(&call, &plain, 7, "is not valid");
	call_free(&call);
}

/* Conformance C6 */
static void an_answer_is_in_the_version_that_was_asked_for(void **state)
{
	static const struct {
		const char *config, *version, *family;
		bool mtu;
	} versions[] = {
		{ CONFIG("0.3.0"), "0.3.0", "4", false }, { CONFIG("0.3.1"), "0.3.1", "4", false },
		{ CONFIG("0.4.0"), "0.4.0", "4", false }, { CONFIG("1.0.0"), "1.0.0", NULL, false },
		{ CONFIG("1.1.0"), "1.1.0", NULL, true },
	};
	static const char *const unknown[] = { CONFIG("9.9.9"), CONFIG("0.2.0"), CONFIG(""),
					       "{\"name\":\"net\"}" };
	struct call call;

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		const json_t *interface;

		call = call_good("ADD");
		call.config = versions[i].config;
		call_expect_success(&call, &plain);
		assert_string_equal(call_text(&call, "cniVersion"), versions[i].version);
		assert_string_equal(call_text(&call, "ips.0.address"), "10.0.1.37/24");
		if (versions[i].family)
			assert_string_equal(call_text(&call, "ips.0.version"), versions[i].family);
		else
			assert_null(call_text(&call, "ips.0.version"));
		interface = json_array_get(json_object_get(call.answer, "interfaces"), 0);
		assert_int_equal(json_object_get(interface, "mtu") != NULL, versions[i].mtu);
		assert_true(json_is_object(json_object_get(call.answer, "dns")));
		call_free(&call);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		int before = adds;

		call = call_good("ADD");
		call.config = unknown[i];
		call_expect_failure(&call, &plain, 1, "incompatible CNI versions");
		assert_non_null(strstr(call_text(&call, "details"), "plugin supports [\"0.3.0\""));
		assert_int_equal(adds, before);
		call_free(&call);
	}
}

/* Conformance C7 */
static void version_needs_no_stdin(void **state)
{
	struct call call = { .command = "VERSION", .config = "not even JSON" };

	call_expect_success(&call, &plain);
	assert_string_equal(call_text(&call, "cniVersion"), "1.1.0");
	assert_string_equal(call_text(&call, "supportedVersions.0"), "0.3.0");
	assert_string_equal(call_text(&call, "supportedVersions.4"), "1.1.0");
	call_free(&call);
}

static void commands_have_the_version_that_introduced_them(void **state)
{
	struct call call = call_good("CHECK");

	call.config = CONFIG("0.3.1");
	call_expect_failure(&call, &plain, 1, "config version does not allow CHECK");
	call_free(&call);
	call = call_good("GC");
	call.config = CONFIG("1.0.0");
	call_expect_failure(&call, &plain, 1, "config version does not allow GC");
	call_free(&call);
	call = call_good("STATUS");
	call.config = CONFIG("1.0.0");
	call_expect_failure(&call, &plain, 1, "config version does not allow STATUS");
	call_free(&call);
	assert_int_equal(checks, 0);

	call = call_good("NONSENSE");
	call.config = CONFIG("1.0.0");
	call_expect_failure(&call, &plain, 4, "unknown CNI_COMMAND: NONSENSE");
	call_free(&call);
	call = call_good("add");
	call.config = CONFIG("1.0.0");
	call_expect_failure(&call, &plain, 4, "unknown CNI_COMMAND: add");
	call_free(&call);
}

static void collection_and_status_are_answered(void **state)
{
	struct call call = call_good("GC");

	call.config = "{\"name\":\"net\",\"cniVersion\":\"1.1.0\",\"cni.dev/valid-attachments\":["
		      "{\"containerID\":\"a\",\"ifname\":\"eth0\"},"
		      "{\"containerID\":\"b\",\"ifname\":\"eth0\"}]}";
	call_expect_success(&call, &plain);
	assert_int_equal(collected, 2);
	assert_string_equal(call.out, "");
	call_free(&call);

	call = call_good("STATUS");
	call.config = CONFIG("1.1.0");
	call_expect_failure(&call, &plain, 50, "the pool is empty");
	assert_int_equal(answered, 1);
	call_free(&call);
}

/* Conformance C12 */
static void the_previous_result_is_handed_on(void **state)
{
	static const char previous[] =
		"{\"name\":\"net\",\"cniVersion\":\"1.1.0\",\"prevResult\":{\"cniVersion\":\"1.1."
		"0\","
		"\"interfaces\":[{\"name\":\"br0\",\"mac\":\"02:00:00:00:00:09\",\"mtu\":1500,"
		"\"pciID\":\"0000:00:1f.6\"}],"
		"\"ips\":[{\"address\":\"192.168.9.9/24\",\"gateway\":\"192.168.9.1\"}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/"
		"0\",\"gw\":\"192.168.9.1\",\"priority\":7,\"scope\":0,"
		"\"mtu\":1.4e3}],"
		"\"dns\":{\"nameservers\":[\"9.9.9.9\"],\"domain\":\"d\",\"search\":[\"s\"],"
		"\"options\":[\"o\"]}}}";
	_cleanup_json_ json_t *expected = json_loads(
		"{\"cniVersion\":\"1.1.0\",\"interfaces\":["
		"{\"name\":\"br0\",\"mac\":\"02:00:00:00:00:09\",\"mtu\":1500,\"pciID\":\"0000:00:"
		"1f.6\"},"
		"{\"name\":\"eth0\",\"mac\":\"02:1f:00:00:00:01\",\"mtu\":9001,\"sandbox\":\"/"
		"nowhere/netns\"}],"
		"\"ips\":[{\"address\":\"192.168.9.9/24\",\"gateway\":\"192.168.9.1\"},"
		"{\"address\":\"10.0.1.37/24\",\"gateway\":\"10.0.1.1\",\"interface\":1}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/"
		"0\",\"gw\":\"192.168.9.1\",\"priority\":7,\"scope\":0,"
		"\"mtu\":1400}],"
		"\"dns\":{\"nameservers\":[\"9.9.9.9\"],\"domain\":\"d\",\"search\":[\"s\"],"
		"\"options\":[\"o\"]}}",
		0, NULL);
	struct call call = call_good("ADD");

	call.config = previous;
	call_expect_success(&call, &plain);
	assert_true(json_equal(call.answer, expected));
	call_free(&call);

	call = call_good("ADD");
	call.config =
		"{\"name\":\"net\",\"cniVersion\":\"1.0.0\",\"prevResult\":{\"ips\":[{\"address\":"
		"\"10.0.0.1\"}]}}";
	call_expect_failure(&call, &plain, 6, "prevResult.ips[0].address");
	call_free(&call);
	/* A DEL does what it can without it. */
	call = call_good("DEL");
	call.config = "{\"name\":\"net\",\"cniVersion\":\"1.0.0\",\"prevResult\":{\"ips\":7}}";
	call_expect_success(&call, &plain);
	call_free(&call);
}

/* Conformance C13: refused before anything is done. */
static void the_hosts_own_namespace_is_refused_first(void **state)
{
	int before = adds;
	struct call call = call_good("ADD");

	call.netns = "/proc/self/ns/net";
	call.config = CONFIG("1.0.0");
	call_expect_failure(&call, &plain, 8, "should not be the same");
	assert_int_equal(adds, before);
	call_free(&call);

	call = call_good("ADD");
	call.netns = "/proc/self/ns/net";
	call.override = "True";
	call.config = CONFIG("1.0.0");
	call_expect_success(&call, &plain);
	assert_int_equal(adds, before + 1);
	call_free(&call);
}

static void a_namespace_that_is_wanted_must_be_one(void **state)
{
	static const char *const bad[] = { "/nowhere/netns", "/etc/passwd", "/proc/self/ns/mnt" };
	struct cni_plugin wants = plain;

	wants.wants_netns = true;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct call call = call_good("ADD");
		int before = dels;

		call.netns = bad[i];
		call.config = CONFIG("1.0.0");
		call_expect_failure(&call, &wants, 8, bad[i]);
		call_free(&call);
		/* Conformance C9: a DEL succeeds whatever stands there. */
		call = call_good("DEL");
		call.netns = bad[i];
		call.config = CONFIG("1.0.0");
		call_expect_success(&call, &wants);
		assert_string_equal(call.out, "");
		assert_int_equal(dels, before + 1);
		call_free(&call);
	}
}

/* Conformance C14, C18 */
static void unknown_keys_are_accepted_and_output_is_json(void **state)
{
	struct call call = call_good("ADD");

	call.config = "{\"name\":\"net\",\"cniVersion\":\"1.0.0\",\"unknown\":{\"a\":[1,2]},"
		      "\"capabilities\":{\"portMappings\":true},\"runtimeConfig\":{\"x\":1}}";
	call_expect_success(&call, &plain);
	assert_non_null(call.answer);
	call_free(&call);
}

static void a_failure_is_never_taken_for_a_success(void **state)
{
	struct cni_plugin silent = plain;
	struct call call = call_good("DEL");

	silent.del = fail_silently;
	call.config = CONFIG("1.0.0");
	call_expect_failure(&call, &silent, 999, "without saying why");
	call_free(&call);
}

static const char *no_env(void *data, const char *name)
{
	(void)data;
	(void)name;
	return NULL;
}

static void flags_answer_in_both_styles(void **state)
{
	static char *const flags[] = { (char *)"-version", (char *)"--version",
				       (char *)"-capabilities", (char *)"--capabilities" };

	for (size_t i = 0; i < 4; i++) {
		struct cni_world world = { .get_env = no_env, .in = -1 };
		char *argv[] = { (char *)"ecs-eni", flags[i], NULL };
		char *out = NULL;
		size_t size = 0;
		json_t *answer;

		world.out = open_memstream(&out, &size);
		world.about = fopen("/dev/null", "we");
		assert_int_equal(cni_run(i % 2 ? &eni_plugin : &ipam_plugin, &world, 2, argv), 0);
		fclose(world.out);
		fclose(world.about);
		answer = json_loads(out, 0, NULL);
		if (i < 2) {
			assert_true(json_is_string(json_object_get(answer, "version")));
			assert_true(json_is_string(json_object_get(answer, "gitShortHash")));
			assert_true(json_is_boolean(json_object_get(answer, "dirty")));
		} else {
			const json_t *list = json_object_get(answer, "capabilities");

			assert_string_equal(json_string_value(json_array_get(list, 0)),
					    "awsvpc-network-mode");
		}
		json_decref(answer);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand_it_says_what_it_is),
		cmocka_unit_test(missing_variables_are_named_alone_and_together),
		cmocka_unit_test(bad_ids_and_names_are_refused),
		cmocka_unit_test(what_is_no_json_is_refused_quickly),
		cmocka_unit_test(a_network_has_a_name),
		cmocka_unit_test(an_answer_is_in_the_version_that_was_asked_for),
		cmocka_unit_test(version_needs_no_stdin),
		cmocka_unit_test(commands_have_the_version_that_introduced_them),
		cmocka_unit_test(collection_and_status_are_answered),
		cmocka_unit_test(the_previous_result_is_handed_on),
		cmocka_unit_test(the_hosts_own_namespace_is_refused_first),
		cmocka_unit_test(a_namespace_that_is_wanted_must_be_one),
		cmocka_unit_test(unknown_keys_are_accepted_and_output_is_json),
		cmocka_unit_test(a_failure_is_never_taken_for_a_success),
		cmocka_unit_test(flags_answer_in_both_styles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
