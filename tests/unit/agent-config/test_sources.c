/* SPDX-License-Identifier: Apache-2.0 */
/* Where settings come from, and who goes before whom. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/cleanup.h"

#define REGION "AWS_DEFAULT_REGION=us-west-2"

struct place {
	char folder[64];
	char *file, *vendor_file, *json_file;
	const char *user_data, *region; /* what the host says */
	int asked;
	bool region_asked;
	struct config_map flags;
	struct agent_config *config;
	struct config_report report;
};

static void leave(struct place *place)
{
	unlink(place->file);
	unlink(place->vendor_file);
	unlink(place->json_file);
	rmdir(place->folder);
	free(place->file);
	free(place->vendor_file);
	free(place->json_file);
	config_map_free(&place->flags);
	config_free(place->config);
	config_report_free(&place->report);
}

#define _place_ __attribute__((cleanup(leave))) struct place

static struct place new_place(void)
{
	struct place place = { .folder = "/tmp/berth-sources-XXXXXX" };

	assert_non_null(mkdtemp(place.folder));
	place.file = xasprintf("%s/ecs.config", place.folder);
	place.vendor_file = xasprintf("%s/vendor.config", place.folder);
	place.json_file = xasprintf("%s/ecs.config.json", place.folder);
	return place;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void ask(void *data, const struct agent_config *config, bool region,
		struct config_host_facts *ret, struct str_list *warnings)
{
	struct place *place = data;

	assert_non_null(config->data_dir);
	place->asked++;
	place->region_asked = region;
	ret->user_data = place->user_data ? xstrdup(place->user_data) : NULL;
	ret->region = place->region ? xstrdup(place->region) : NULL;
}

static void read_all(struct place *place, char *const *environment)
{
	const struct config_sources sources = {
		.flags = &place->flags,
		.environment = environment,
		.file = place->file,
		.vendor_file = place->vendor_file,
		.json_file = place->json_file,
		.ask_host = ask,
		.data = place,
	};

	config_free(place->config);
	config_report_free(&place->report);
	config_read(&sources, &place->config, &place->report);
}

#define read_with(place, ...) read_all(place, (char *[]){ __VA_ARGS__, NULL })

static bool has(const struct str_list *list, const char *part)
{
	for (size_t i = 0; i < list->count; i++)
		if (strstr(list->items[i], part))
			return true;
	return false;
}

static const char *source_of(const struct place *place, const char *name)
{
	for (size_t i = 0; i < config_setting_count(); i++)
		if (str_eq(config_setting_at(i)->name, name))
			return config_origin_name(place->config, place->config->origins[i]);
	fail();
	return NULL;
}

/* cfg-C23: from the command line down to user data, each hides those below it. */
static void each_source_goes_before_those_below_it(void **state)
{
	_place_ place = new_place();

	put(place.file, "ECS_CLUSTER=of-file\n");
	put(place.vendor_file, "ECS_CLUSTER=of-vendor\n");
	put(place.json_file, "{\"Cluster\":\"of-json\"}");
	place.user_data = "{\"ECSAgentConfiguration\":{\"Cluster\":\"of-user-data\"}}";
	config_map_set(&place.flags, "ECS_CLUSTER", "of-flags");

	read_with(&place, REGION, "ECS_CLUSTER=of-environment");
	assert_string_equal(place.config->cluster, "of-flags");
	assert_string_equal(source_of(&place, "ECS_CLUSTER"), "command line");
	config_map_free(&place.flags);
	read_with(&place, REGION, "ECS_CLUSTER=of-environment");
	assert_string_equal(place.config->cluster, "of-environment");
	assert_string_equal(source_of(&place, "ECS_CLUSTER"), "environment");
	read_with(&place, REGION);
	assert_string_equal(place.config->cluster, "of-file");
	assert_string_equal(source_of(&place, "ECS_CLUSTER"), place.file);
	unlink(place.file);
	read_with(&place, REGION);
	assert_string_equal(place.config->cluster, "of-vendor");
	assert_string_equal(source_of(&place, "ECS_CLUSTER"), place.vendor_file);
	unlink(place.vendor_file);
	read_with(&place, REGION);
	assert_string_equal(place.config->cluster, "of-json");
	assert_string_equal(source_of(&place, "ECS_CLUSTER"), place.json_file);
	unlink(place.json_file);
	read_with(&place, REGION);
	assert_string_equal(place.config->cluster, "of-user-data");
	assert_string_equal(source_of(&place, "ECS_CLUSTER"), "user data");
	place.user_data = NULL;
	read_with(&place, REGION);
	assert_string_equal(place.config->cluster, "");
	assert_string_equal(source_of(&place, "ECS_CLUSTER"), "default");
	assert_int_equal(place.report.warnings.count + place.report.mistakes.count, 0);
}

static void every_type_has_its_form_in_the_json_file(void **state)
{
	_place_ place = new_place();

	put(place.json_file,
	    "{\"apiendpoint\":\"http://h:1\",\"DISABLEMETRICS\":1,\"PollMetrics\":true,"
	    "\"PollingMetricsWaitDuration\":6000000000,\"ReservedMemory\":64,"
	    "\"ReservedPorts\":[1,2],\"InstanceAttributes\":{\"a\":\"b\"},"
	    "\"AvailableLoggingDrivers\":[\"none\"],\"ImageCleanupExclusionList\":[\"x\",\"y\"],"
	    "\"ImagePullBehavior\":3,\"TaskMetadataBurstRate\":7,\"EngineAuthType\":\"docker\","
	    "\"EngineAuthData\":{\"r\":{\"username\":\"u\",\"password\":\"p\"}},"
	    "\"TaskPidsLimit\":9,\"AWSVPCAdditionalLocalRoutes\":[\"10.0.0.0/8\"],"
	    "\"Checkpoint\":null,\"TaskENIEnabled\":false}");
	read_with(&place, REGION);
	assert_int_equal(place.report.mistakes.count, 0);
	assert_int_equal(place.report.warnings.count, 0);
	assert_string_equal(place.config->backend_host, "http://h:1");
	assert_true(place.config->disable_metrics);
	assert_int_equal(place.config->polling_metrics_wait_ms, 6000);
	assert_int_equal(place.config->reserved_memory_mib, 64);
	assert_int_equal(place.config->reserved_ports.count, 2);
	assert_string_equal(place.config->instance_attributes.items[0].value, "b");
	assert_int_equal(place.config->logging_drivers.count, 1);
	assert_int_equal(place.config->excluded_images.count, 2);
	assert_int_equal(place.config->image_pull_behavior, CONFIG_PULL_PREFER_CACHED);
	assert_int_equal(place.config->metadata_steady_rps, 40);
	assert_int_equal(place.config->metadata_burst_rps, 7);
	assert_int_equal(place.config->engine_auth_type, CONFIG_AUTH_DOCKER);
	assert_string_equal(place.config->engine_auth_data,
			    "{\"r\":{\"username\":\"u\",\"password\":\"p\"}}");
	assert_int_equal(place.config->task_pids_limit, 9);
	assert_int_equal(place.config->local_routes.count, 1);
	assert_true(place.config->checkpoint);
	assert_false(place.config->task_eni);
}

/* cfg-C24: with every other thing that the file may not hold. */
static void a_wrong_type_in_the_json_file_is_a_mistake(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "{\"Checkpoint\":\"true\"}", "Checkpoint: must be" },
		{ "{\"Checkpoint\":2}", "Checkpoint" },
		{ "{\"GPUSupportEnabled\":1}", "GPUSupportEnabled: must be" },
		{ "{\"Cluster\":1}", "Cluster: must be a string" },
		{ "{\"ImagePullTimeout\":\"2h\"}", "ImagePullTimeout: must be" },
		{ "{\"ImagePullTimeout\":1.5}", "ImagePullTimeout: must be" },
		{ "{\"ReservedPorts\":[22,70000]}", "ReservedPorts[1]" },
		{ "{\"ReservedPorts\":22}", "ReservedPorts: must be an array" },
		{ "{\"ReservedMemory\":70000}", "ECS_RESERVED_MEMORY" },
		{ "{\"InstanceAttributes\":{\"a\":1}}", "InstanceAttributes.a: must be" },
		{ "{\"ImagePullBehavior\":4}", "ImagePullBehavior" },
		{ "{\"AvailableLoggingDrivers\":[\"bogus\"]}", "bogus" },
		{ "{\"ImageCleanupExclusionList\":[1]}", "ImageCleanupExclusionList[0]: must be" },
		{ "{\"DockerStopTimeout\":1}", "ECS_CONTAINER_STOP_TIMEOUT" },
		{ "{\"ContainerStartTimeout\":44000000000}", "ECS_CONTAINER_START_TIMEOUT" },
		{ "{\"Cluster\":", "line 1" },
		{ "[]", "must be an object" },
		{ "{} {}", "ecs.config.json" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_place_ place = new_place();

		put(place.json_file, cases[i].text);
		read_with(&place, REGION);
		assert_int_equal(place.report.mistakes.count, 1);
		assert_non_null(strstr(place.report.mistakes.items[0], cases[i].sentence));
	}
}

static void an_unknown_field_is_told_and_an_old_one_is_taken(void **state)
{
	_place_ place = new_place();

	put(place.json_file, " \n\t ");
	read_with(&place, REGION);
	assert_int_equal(place.report.warnings.count + place.report.mistakes.count, 0);
	put(place.json_file, "{\"Clustre\":\"x\",\"ClusterArn\":\"old\"}");
	read_with(&place, REGION);
	assert_int_equal(place.report.mistakes.count, 0);
	assert_true(has(&place.report.warnings, "knows no field Clustre"));
	assert_true(has(&place.report.warnings, "ClusterArn is an old name of Cluster"));
	assert_string_equal(place.config->cluster, "old");
	put(place.json_file, "{\"Cluster\":\"new\",\"ClusterArn\":\"old\"}");
	read_with(&place, REGION);
	assert_string_equal(place.config->cluster, "new");
	put(place.json_file, "{\"ClusterArn\":\"old\",\"Cluster\":\"new\"}");
	read_with(&place, REGION);
	assert_string_equal(place.config->cluster, "new");
	put(place.json_file, "{\"ClusterArn\":\"old\",\"Cluster\":\"\"}");
	read_with(&place, REGION);
	assert_string_equal(place.config->cluster, "old");
}

static void blanks_are_nothing(void **state)
{
	_place_ place = new_place();

	put(place.json_file, "{\"Cluster\":\"of-file\"}");
	read_with(&place, REGION, "ECS_CLUSTER= \t", "BERTH_RUN_DIR= ");
	assert_string_equal(place.config->cluster, "of-file");
	assert_string_equal(place.config->run_dir, "/run/berth");
}

/* cfg-C25, and the same of all else that counts as absent. */
static void what_is_absent_gives_way_to_the_file(void **state)
{
	_place_ place = new_place();

	put(place.json_file,
	    "{\"GPUSupportEnabled\":true,\"ReservedMemory\":64,\"ReservedPorts\":[1],"
	    "\"DockerStopTimeout\":5000000000,\"Checkpoint\":false,\"DisableMetrics\":true}");
	read_with(&place, REGION, "ECS_ENABLE_GPU_SUPPORT=false", "ECS_RESERVED_MEMORY=0",
		  "ECS_RESERVED_PORTS=[]", "ECS_CONTAINER_STOP_TIMEOUT=0", "ECS_CHECKPOINT=banana",
		  "ECS_DISABLE_METRICS=false");
	assert_true(place.config->gpu_support);
	assert_int_equal(place.config->reserved_memory_mib, 64);
	assert_int_equal(place.config->reserved_ports.count, 1);
	assert_int_equal(place.config->container_stop_timeout_ms, 5000);
	assert_false(place.config->checkpoint);
	assert_true(has(&place.report.warnings, "\"false\" of /tmp/berth-sources-"));
	/* one of three states: false is a value like another */
	assert_false(place.config->disable_metrics);
	assert_string_equal(source_of(&place, "ECS_DISABLE_METRICS"), "environment");
	/* The environment and its file are one: what is worth nothing hides the file all the same.
	 */
	put(place.file, "ECS_CHECKPOINT=true\nECS_RESERVED_MEMORY=128\n");
	read_with(&place, REGION, "ECS_CHECKPOINT=banana", "ECS_RESERVED_MEMORY=0");
	assert_false(place.config->checkpoint);
	assert_int_equal(place.config->reserved_memory_mib, 64);
	unlink(place.file);
	/* and the file cannot turn it off */
	put(place.json_file, "{\"GPUSupportEnabled\":false}");
	read_with(&place, REGION, "ECS_ENABLE_GPU_SUPPORT=true");
	assert_true(place.config->gpu_support);
}

/* cfg-C26 */
static void the_file_cannot_set_the_cpu_period(void **state)
{
	_place_ place = new_place();

	put(place.json_file, "{\"CgroupCPUPeriod\":20000000}");
	read_with(&place, REGION);
	assert_int_equal(place.config->cgroup_cpu_period_ms, 100);
	assert_int_equal(place.report.mistakes.count, 0);
	assert_true(has(&place.report.ignored, "CgroupCPUPeriod"));
}

/* cfg-C7: what is in the file is not even looked at. */
static void an_external_instance_is_told_its_region_in_its_environment(void **state)
{
	_place_ place = new_place();

	put(place.json_file, "{\"AWSRegion\":\"eu-west-1\",\"Cluster\":1}");
	read_with(&place, "ECS_EXTERNAL=true");
	assert_int_equal(place.report.mistakes.count, 1);
	assert_true(has(&place.report.mistakes, "with ECS_EXTERNAL it must be in"));
	assert_int_equal(place.asked, 0);
	put(place.json_file, "{\"AWSRegion\":\"eu-west-1\",\"External\":true}");
	read_with(&place, "HOME=/");
	assert_int_equal(place.report.mistakes.count, 0);
	assert_string_equal(place.config->region, "eu-west-1");
	assert_true(place.config->external);
}

static void the_host_tells_the_region_that_nobody_else_does(void **state)
{
	_place_ place = new_place();

	place.region = "eu-north-1";
	read_with(&place, "HOME=/");
	assert_true(place.region_asked);
	assert_int_equal(place.report.mistakes.count, 0);
	assert_string_equal(place.config->region, "eu-north-1");
	assert_string_equal(source_of(&place, "AWS_DEFAULT_REGION"), "instance metadata");
	/* blanks are not nothing: cfg-C6 */
	read_with(&place, "AWS_DEFAULT_REGION=  ");
	assert_false(place.region_asked);
	assert_true(has(&place.report.mistakes, "AWS_DEFAULT_REGION is not set"));
	place.region = NULL;
	place.user_data = "{\"ECSAgentConfiguration\":{\"AWSRegion\":\"eu-south-1\"}}";
	read_with(&place, "HOME=/");
	assert_string_equal(place.config->region, "eu-south-1");
}

static void user_data_are_never_a_mistake(void **state)
{
	static const char *const none[] = {
		"",
		"#!/bin/sh\necho hello\n",
		"[1]",
		"{}",
		"{\"ECSAgentConfiguration\":[]}",
		"{\"ECSAgentConfiguration\":{}}",
		"{\"Cluster\":\"c\"}",
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		_place_ place = new_place();

		place.user_data = none[i];
		read_with(&place, REGION);
		assert_int_equal(place.report.mistakes.count + place.report.warnings.count, 0);
		assert_string_equal(place.config->cluster, "");
	}
	_place_ place = new_place();

	place.user_data = "{\"ECSAgentConfiguration\":{\"Cluster\":1,\"Checkpoint\":false}}";
	read_with(&place, REGION);
	assert_int_equal(place.report.mistakes.count, 0);
	assert_true(has(&place.report.warnings,
			"user data: ECSAgentConfiguration.Cluster: must be a string"));
	assert_false(place.config->checkpoint);
}

static void what_has_no_effect_is_told_once_with_the_reason(void **state)
{
	_place_ place = new_place();

	put(place.file, "DOCKER_HOST=unix:///x\nECS_SKIP_LOCALHOST_TRAFFIC_FILTER=true\n");
	put(place.json_file, "{\"UpdatesEnabled\":true}");
	read_with(&place, REGION, "ECS_PAUSE_LABELS={}", "ECS_GMSA_SUPPORTED=");
	assert_int_equal(place.report.warnings.count, 0);
	assert_int_equal(place.report.ignored.count, 3);
	assert_true(has(&place.report.ignored, "ECS_PAUSE_LABELS (environment) has no effect: "));
	assert_true(has(&place.report.ignored, "UpdatesEnabled ("));
	assert_true(has(&place.report.ignored, "There is no Docker daemon"));
}

/* One name has one meaning, wherever it stands. */
static void no_name_is_in_the_tables_twice(void **state)
{
	for (size_t i = 0; i < config_setting_count(); i++) {
		const struct setting *setting = config_setting_at(i);

		assert_null(config_ignored_setting_find(setting->name));
		assert_ptr_equal(config_setting_find(setting->name), setting);
		for (size_t j = 0; setting->json && j < config_ignored_setting_count; j++)
			assert_false(str_eq(setting->json, config_ignored_settings[j].json));
		for (size_t j = 0; setting->json && j < i; j++)
			assert_false(str_eq(setting->json, config_setting_at(j)->json));
	}
	for (size_t i = 0; i < config_ignored_setting_count; i++) {
		const struct ignored_setting *ignored = &config_ignored_settings[i];

		assert_true(ignored->name || ignored->json);
		if (ignored->name)
			assert_ptr_equal(config_ignored_setting_find(ignored->name), ignored);
	}
}

/* The files are read again when the agent is told so; the environment is what it was. */
static void what_somebody_read_from_the_files_is_the_files(void **state)
{
	char *environment[] = { REGION,           "ECS_CLUSTER=one", "ECS_LOGLEVEL=debug",
				"ECS_DATADIR=/d", "HOME=/",          NULL };
	_place_ place = new_place();
	_cleanup_free_ char **own = NULL;

	put(place.file, "ECS_CLUSTER=\"one\"\nECS_LOGLEVEL=info\n");
	put(place.vendor_file, "ECS_CLUSTER=other\nECS_DATADIR=/d\n");
	own = config_environment_own(environment, place.file, place.vendor_file);
	assert_string_equal(own[0], REGION);
	assert_string_equal(own[1], "ECS_LOGLEVEL=debug");
	assert_string_equal(own[2], "HOME=/");
	assert_null(own[3]);
}

static void what_may_change_changes_and_the_rest_is_told(void **state)
{
	_place_ place = new_place();
	_cleanup_(config_free_cleanup) struct agent_config *config = NULL;
	struct config_changes changes = { 0 };

	put(place.file, "ECS_CLUSTER=one\nECS_LOGLEVEL=info\nECS_ENGINE_AUTH_DATA={\"a\":1}\n");
	read_with(&place, REGION);
	config = TAKE(place.config);
	put(place.file, "ECS_CLUSTER=two\nECS_LOGLEVEL=debug\nECS_ENGINE_AUTH_DATA={\"a\":2}\n"
			"ECS_TASK_METADATA_RPS_LIMIT=5,6\nECS_EXCLUDE_UNTRACKED_IMAGE=x,y\n");
	read_with(&place, REGION);
	config_reload(config, place.config, &changes);
	assert_int_equal(changes.applied.count, 4);
	assert_true(has(&changes.applied, "ECS_LOGLEVEL: info -> debug"));
	assert_true(has(&changes.applied, "ECS_ENGINE_AUTH_DATA: (set) -> (set)"));
	assert_true(has(&changes.applied, "ECS_TASK_METADATA_RPS_LIMIT: 40,60 -> 5,6"));
	assert_int_equal(changes.waiting.count, 1);
	assert_true(has(&changes.waiting, "ECS_CLUSTER: one -> two"));
	assert_string_equal(config->cluster, "one");
	assert_int_equal(config->log_level, CONFIG_LEVEL_DEBUG);
	assert_string_equal(config->engine_auth_data, "{\"a\":2}");
	assert_int_equal(config->metadata_burst_rps, 6);
	assert_int_equal(config->excluded_images.count, 2);
	config_changes_free(&changes);
	config_reload(config, config, &changes);
	assert_int_equal(changes.applied.count + changes.waiting.count, 0);
}

/* The file on whose name another source decides is one of the sources. */
static void the_json_file_may_be_another(void **state)
{
	_place_ place = new_place();
	_cleanup_free_ char *setting =
		xasprintf("ECS_AGENT_CONFIG_FILE_PATH=%s/other.json", place.folder);
	char *path = strchr(setting, '=') + 1;

	put(place.json_file, "{\"Cluster\":\"usual\"}");
	put(path, "{\"Cluster\":\"other\"}");
	read_with(&place, REGION, setting);
	assert_string_equal(place.config->cluster, "other");
	assert_string_equal(place.config->json_file, path);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_source_goes_before_those_below_it),
		cmocka_unit_test(every_type_has_its_form_in_the_json_file),
		cmocka_unit_test(a_wrong_type_in_the_json_file_is_a_mistake),
		cmocka_unit_test(an_unknown_field_is_told_and_an_old_one_is_taken),
		cmocka_unit_test(what_is_absent_gives_way_to_the_file),
		cmocka_unit_test(the_file_cannot_set_the_cpu_period),
		cmocka_unit_test(blanks_are_nothing),
		cmocka_unit_test(an_external_instance_is_told_its_region_in_its_environment),
		cmocka_unit_test(the_host_tells_the_region_that_nobody_else_does),
		cmocka_unit_test(user_data_are_never_a_mistake),
		cmocka_unit_test(what_has_no_effect_is_told_once_with_the_reason),
		cmocka_unit_test(no_name_is_in_the_tables_twice),
		cmocka_unit_test(what_somebody_read_from_the_files_is_the_files),
		cmocka_unit_test(what_may_change_changes_and_the_rest_is_told),
		cmocka_unit_test(the_json_file_may_be_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
