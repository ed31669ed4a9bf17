/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/config.h"

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

#define REGION "AWS_DEFAULT_REGION=us-west-2"

struct loaded {
	struct agent_config *config;
	struct config_report report;
	int result;
	struct error err;
};

static void unload(struct loaded *loaded)
{
	config_free(loaded->config);
	config_report_free(&loaded->report);
}

#define _loaded_ __attribute__((cleanup(unload))) struct loaded

static struct loaded load_file(const char *file, char *const *environment)
{
	struct loaded loaded = { 0 };

	loaded.result = config_load(environment, file, &loaded.config, &loaded.report, &loaded.err);
	return loaded;
}

#define load(...) load_file(NULL, (char *[]){ REGION, __VA_ARGS__, NULL })

static bool has(const struct str_list *list, const char *part)
{
	for (size_t i = 0; i < list->count; i++)
		if (strstr(list->items[i], part))
			return true;
	return false;
}

static char *write_file(const char *text, mode_t mode)
{
	char *path = strdup("/tmp/berth-config-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

/* cfg-C1 as far as the values go: reserved ports exactly these. */
static void defaults_are_those_of_the_reference(void **state)
{
	_loaded_ got = load("HOME=/root");
	static const uint16_t ports[] = { 22, 2375, 2376, 51678, 51679 };

	assert_int_equal(got.result, 0);
	assert_int_equal(got.report.warnings.count, 0);
	assert_string_equal(got.config->cluster, "");
	assert_int_equal(got.config->reserved_ports.count, 5);
	assert_memory_equal(got.config->reserved_ports.items, ports, sizeof(ports));
	assert_int_equal(got.config->reserved_ports_udp.count, 0);
	assert_int_equal(got.config->container_stop_timeout_ms, 30000);
	assert_int_equal(got.config->container_start_timeout_ms, 180000);
	assert_int_equal(got.config->container_create_timeout_ms, 240000);
	assert_int_equal(got.config->task_cleanup_wait_ms, 3 * 3600 * 1000);
	assert_int_equal(got.config->metadata_steady_rps, 40);
	assert_int_equal(got.config->metadata_burst_rps, 60);
	assert_int_equal(got.config->log_level, CONFIG_LEVEL_INFO);
	assert_int_equal(got.config->image_pull_behavior, CONFIG_PULL_DEFAULT);
	assert_true(got.config->time_scale == 1);
	assert_int_equal(got.config->cgroup_cpu_period_ms, 100);
}

/* cfg-C19 */
static void the_cpu_period_has_bounds(void **state)
{
	static const struct {
		char *text;
		int64_t ms;
	} cases[] = {
		{ "ECS_CGROUP_CPU_PERIOD=7ms", 100 },      { "ECS_CGROUP_CPU_PERIOD=110ms", 100 },
		{ "ECS_CGROUP_CPU_PERIOD=8ms", 8 },        { "ECS_CGROUP_CPU_PERIOD=100ms", 100 },
		{ "ECS_CGROUP_CPU_PERIOD=20ms", 20 },      { "ECS_CGROUP_CPU_PERIOD=-9ms", 100 },
		{ "ECS_CGROUP_CPU_PERIOD=100001us", 100 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_loaded_ got = load(cases[i].text);

		assert_int_equal(got.result, 0);
		assert_int_equal(got.config->cgroup_cpu_period_ms, cases[i].ms);
	}
}

/* cfg-C28: that nothing listens there, nothing in the agent could change. */
static void prometheus_has_its_port_reserved(void **state)
{
	_loaded_ got = load("ECS_ENABLE_PROMETHEUS_METRICS=true");
	_loaded_ once = load("ECS_ENABLE_PROMETHEUS_METRICS=true", "ECS_RESERVED_PORTS=[51680]");

	assert_int_equal(got.config->reserved_ports.count, 6);
	assert_int_equal(got.config->reserved_ports.items[5], 51680);
	assert_int_equal(once.config->reserved_ports.count, 1);
}

static void what_is_set_to_nothing_may_count(void **state)
{
	_loaded_ none = load("HOME=/");
	_loaded_ empty = load("ECS_DETAILED_OS_FAMILY=");

	assert_string_equal(none.config->detailed_os_family, "LINUX");
	assert_string_equal(empty.config->detailed_os_family, "");
}

static void a_missing_region_is_a_mistake(void **state)
{
	struct loaded got = load_file(NULL, (char *[]){ "HOME=/", NULL });

	assert_int_equal(got.result, -EINVAL);
	assert_non_null(strstr(got.err.text, "AWS_DEFAULT_REGION is not set"));
	assert_null(got.config);
	unload(&got);
	/* cfg-C6 */
	got = load_file(NULL, (char *[]){ "AWS_DEFAULT_REGION=  ", NULL });
	assert_int_equal(got.result, -EINVAL);
	unload(&got);
	got = load_file(NULL, (char *[]){ "AWS_REGION=eu-west-1", NULL });
	assert_int_equal(got.result, 0);
	assert_string_equal(got.config->region, "eu-west-1");
	unload(&got);
}

/* cfg-C4 */
static void a_bad_checkpoint_value_gives_way_with_a_warning(void **state)
{
	_loaded_ got = load("ECS_DATADIR=/d", "ECS_CHECKPOINT=banana");
	_loaded_ off = load("ECS_DATADIR=/d", "ECS_CHECKPOINT= false ");

	assert_int_equal(got.result, 0);
	assert_true(got.config->checkpoint);
	assert_true(has(&got.report.warnings,
			"ECS_CHECKPOINT: \"banana\" is not allowed: give true or false"));
	assert_false(off.config->checkpoint);
	assert_int_equal(off.report.warnings.count, 0);
}

/* cfg-C8, cfg-C9, cfg-C11: each stops the agent, and all are named at once. */
static void mistakes_are_named_all_at_once(void **state)
{
	_loaded_ got = load("ECS_INSTANCE_ATTRIBUTES=notjson", "ECS_CONTAINER_INSTANCE_TAGS=[1]",
			    "ECS_AVAILABLE_LOGGING_DRIVERS=[\"bogus\",\"json-file\",\"worse\"]",
			    "BERTH_ENI_DRIVER=magic", "BERTH_TIME_SCALE=0",
			    "BERTH_INTROSPECTION_PORT=70000", "BERTH_NETWORK_ADDRESS=0.0.0.0");

	assert_int_equal(got.result, -EINVAL);
	assert_int_equal(got.report.mistakes.count, 7);
	assert_true(has(&got.report.mistakes,
			"ECS_INSTANCE_ATTRIBUTES: \"notjson\" is not allowed: give a JSON "
			"object of strings"));
	assert_true(has(&got.report.mistakes, "ECS_CONTAINER_INSTANCE_TAGS"));
	assert_true(has(&got.report.mistakes, "\"bogus, worse\" is not known"));
	assert_true(has(&got.report.mistakes,
			"BERTH_ENI_DRIVER: \"magic\" is not allowed: give one of veth, eni"));
	assert_true(has(&got.report.mistakes, "BERTH_TIME_SCALE"));
	assert_true(has(&got.report.mistakes, "BERTH_NETWORK_ADDRESS is \"0.0.0.0\", which is no"));
	assert_true(has(&got.report.mistakes,
			"BERTH_INTROSPECTION_PORT: \"70000\" is not allowed: give a whole number "
			"from 0 to 65535"));
}

static void the_bridge_is_checked_before_a_task_needs_it(void **state)
{
	static char *const bad[] = {
		"BERTH_BRIDGE=a-name-that-is-too-long",
		"BERTH_BRIDGE=a/b",
		"BERTH_BRIDGE=..",
		"BERTH_BRIDGE_SUBNET=172.29.0.0",
		"BERTH_BRIDGE_SUBNET=172.29.0.0/31",
		"BERTH_BRIDGE_SUBNET=fd00::/64",
		"BERTH_BRIDGE_SUBNET=x",
		"BERTH_BRIDGE_SUBNET_IPV6=fd00::",
		"BERTH_BRIDGE_SUBNET_IPV6=fd00::/113",
		"BERTH_BRIDGE_SUBNET_IPV6=172.29.0.0/16",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_loaded_ got = load(bad[i]);

		assert_int_equal(got.result, -EINVAL);
		assert_int_equal(got.report.mistakes.count, 1);
	}
	_loaded_ good = load("BERTH_BRIDGE=br.1", "BERTH_BRIDGE_SUBNET=10.0.0.0/30",
			     "BERTH_BRIDGE_SUBNET_IPV6=fd00:172:29::/64");

	assert_int_equal(good.result, 0);
}

/* What is none of the words is told, and the host's routes count. */
static void a_host_may_be_said_to_have_ipv6_alone(void **state)
{
	_loaded_ got = load("ECS_INSTANCE_IP_COMPATIBILITY= IPv6 ");
	_loaded_ other = load("ECS_INSTANCE_IP_COMPATIBILITY=both");
	_loaded_ none = load("ECS_EXCLUDE_IPV6_PORTBINDING=false");

	assert_int_equal(got.config->ip_compatibility, CONFIG_IP_IPV6);
	assert_true(got.config->exclude_ipv6_port_bindings);
	assert_int_equal(other.result, 0);
	assert_int_equal(other.config->ip_compatibility, CONFIG_IP_DETECT);
	assert_int_equal(none.config->ip_compatibility, CONFIG_IP_DETECT);
	assert_false(none.config->exclude_ipv6_port_bindings);
}

/* cfg-C10 */
static void local_routes_are_prefixes(void **state)
{
	static char *const bad[] = {
		"ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES=[\"300.1.1.1/8\"]",
		"ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES=[\"10.0.0.0\"]",
		"ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES=[\"10.0.0.0/8\",\"fd00::/8\"]",
		"ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES=10.0.0.0/8",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_loaded_ got = load(bad[i]);

		assert_int_equal(got.result, -EINVAL);
		assert_int_equal(got.report.mistakes.count, 1);
	}
	_loaded_ good = load("ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES=[\"10.0.0.0/8\",\"0.0.0.0/0\"]",
			     "BERTH_TASK_NETWORK_SHAPE=ec2");

	assert_int_equal(good.result, 0);
	assert_int_equal(good.config->local_routes.count, 2);
	assert_int_equal(good.config->network_shape, CONFIG_SHAPE_EC2);
}

/* cfg-C8 */
static void attributes_must_be_strings(void **state)
{
	static char *const bad[] = { "ECS_INSTANCE_ATTRIBUTES={\"a\":1}",
				     "ECS_INSTANCE_ATTRIBUTES= ", "ECS_INSTANCE_ATTRIBUTES=[]" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_loaded_ got = load(bad[i]);

		assert_int_equal(got.result, -EINVAL);
	}
	_loaded_ good = load("ECS_INSTANCE_ATTRIBUTES={\"a\":\"1\",\"b\":null,\"a\":\"2\"}");

	assert_int_equal(good.result, 0);
	assert_int_equal(good.config->instance_attributes.count, 2);
	assert_string_equal(good.config->instance_attributes.items[0].value, "2");
	assert_string_equal(good.config->instance_attributes.items[1].value, "");
}

/* cfg-C12 */
static void a_malformed_driver_list_gives_way(void **state)
{
	_loaded_ got = load("ECS_AVAILABLE_LOGGING_DRIVERS=[\"json");

	assert_int_equal(got.result, 0);
	assert_int_equal(got.config->logging_drivers.count, 2);
	assert_string_equal(got.config->logging_drivers.items[0], "json-file");
	assert_string_equal(got.config->logging_drivers.items[1], "none");
}

/* cfg-C13, of the timeouts that Berth has */
static void short_timeouts_are_raised_to_their_minimum(void **state)
{
	_loaded_ got =
		load("ECS_CONTAINER_STOP_TIMEOUT=1ms", "ECS_CONTAINER_START_TIMEOUT=1s",
		     "ECS_CONTAINER_CREATE_TIMEOUT=1s", "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT=-5m");

	assert_int_equal(got.result, 0);
	assert_int_equal(got.config->container_stop_timeout_ms, 1000);
	assert_int_equal(got.config->container_start_timeout_ms, 45000);
	assert_int_equal(got.config->container_create_timeout_ms, 60000);
	assert_int_equal(got.config->image_pull_inactivity_timeout_ms, 60000);
	assert_int_equal(got.report.warnings.count, 4);
	assert_true(has(&got.report.warnings, "45s is used"));
}

/* cfg-C14 */
static void a_duration_without_unit_gives_way_with_a_warning(void **state)
{
	_loaded_ got = load("ECS_CONTAINER_STOP_TIMEOUT=30");

	assert_int_equal(got.config->container_stop_timeout_ms, 30000);
	assert_true(has(&got.report.warnings, "ECS_CONTAINER_STOP_TIMEOUT: \"30\" is not allowed"));
}

static void durations_are_read_as_go_reads_them(void **state)
{
	static const struct {
		char *text;
		int64_t ms;
	} cases[] = {
		{ "ECS_IMAGE_PULL_TIMEOUT=1h30m", 5400000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=1.5h", 5400000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=+90s", 90000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=500ms", 500 },
		{ "ECS_IMAGE_PULL_TIMEOUT=1500000us", 1500 },
		{ "ECS_IMAGE_PULL_TIMEOUT=2000000000ns", 2000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=1000000\xc2\xb5s", 1000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=0", 7200000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=1h 30m", 7200000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=h", 7200000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=9999999999999h", 7200000 },
		{ "ECS_IMAGE_PULL_TIMEOUT=1d", 7200000 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_loaded_ got = load(cases[i].text);

		assert_int_equal(got.config->image_pull_timeout_ms, cases[i].ms);
	}
}

/* cfg-C15 */
static void a_short_cleanup_wait_is_the_default(void **state)
{
	_loaded_ got = load("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=1ms",
			    "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION_JITTER=-5s",
			    "ECS_IMAGE_CLEANUP_INTERVAL=5m");

	assert_int_equal(got.config->task_cleanup_wait_ms, 3 * 3600 * 1000);
	assert_int_equal(got.config->task_cleanup_wait_jitter_ms, 0);
	assert_int_equal(got.config->image_cleanup_interval_ms, 30 * 60 * 1000);
	assert_int_equal(got.report.warnings.count, 3);
}

static void image_cleanup_has_the_defaults_and_bounds_of_the_reference(void **state)
{
	_loaded_ none = load("HOME=/");
	_loaded_ low =
		load("ECS_IMAGE_CLEANUP_INTERVAL=10m", "ECS_IMAGE_MINIMUM_CLEANUP_AGE=-1h",
		     "NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE=1ms", "ECS_NUM_IMAGES_DELETE_PER_CYCLE=0",
		     "ECS_DISABLE_IMAGE_CLEANUP=true", "ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP=true",
		     "ECS_EXCLUDE_UNTRACKED_IMAGE=busybox,r/a:1",
		     "BERTH_IMAGE_CLEANUP_DISK_PERCENT=101");

	assert_false(none.config->disable_image_cleanup);
	assert_false(none.config->untracked_image_cleanup);
	assert_int_equal(none.config->image_cleanup_interval_ms, 30 * 60 * 1000);
	assert_int_equal(none.config->image_minimum_age_ms, 3600 * 1000);
	assert_int_equal(none.config->untracked_image_minimum_age_ms, 3600 * 1000);
	assert_int_equal(none.config->images_per_cleanup, 5);
	assert_int_equal(none.config->excluded_images.count, 0);
	assert_int_equal(none.config->image_disk_percent, 85);

	assert_true(low.config->disable_image_cleanup);
	assert_true(low.config->untracked_image_cleanup);
	assert_int_equal(low.config->image_cleanup_interval_ms, 10 * 60 * 1000);
	assert_int_equal(low.config->image_minimum_age_ms, 0);
	assert_int_equal(low.config->untracked_image_minimum_age_ms, 1);
	assert_int_equal(low.config->images_per_cleanup, 5);
	assert_int_equal(low.config->excluded_images.count, 2);
	assert_int_equal(low.config->image_disk_percent, 85);
	assert_int_equal(low.report.warnings.count, 3);
}

/* cfg-C16 */
static void the_polling_interval_is_held_only_when_polling(void **state)
{
	_loaded_ low = load("ECS_POLL_METRICS=true", "ECS_POLLING_METRICS_WAIT_DURATION=1s");
	_loaded_ high = load("ECS_POLL_METRICS=true", "ECS_POLLING_METRICS_WAIT_DURATION=90s");
	_loaded_ off = load("ECS_POLLING_METRICS_WAIT_DURATION=90s");

	assert_int_equal(low.config->polling_metrics_wait_ms, 5000);
	assert_int_equal(high.config->polling_metrics_wait_ms, 20000);
	assert_int_equal(off.config->polling_metrics_wait_ms, 90000);
}

/* cfg-C17, tmds-13 */
static void the_metadata_rate_needs_both_halves(void **state)
{
	static const struct {
		char *text;
		int64_t steady, burst;
	} cases[] = {
		{ "ECS_TASK_METADATA_RPS_LIMIT=0,60", 40, 60 },
		{ "ECS_TASK_METADATA_RPS_LIMIT=5,0", 40, 60 },
		{ "ECS_TASK_METADATA_RPS_LIMIT=-1,60", 40, 60 },
		{ "ECS_TASK_METADATA_RPS_LIMIT=100", 40, 60 },
		{ "ECS_TASK_METADATA_RPS_LIMIT=1,2,3", 40, 60 },
		{ "ECS_TASK_METADATA_RPS_LIMIT=100,150", 100, 150 },
		{ "ECS_TASK_METADATA_RPS_LIMIT= 100 , 150 ", 100, 150 },
		{ "ECS_TASK_METADATA_RPS_LIMIT=a,b", 40, 60 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_loaded_ got = load(cases[i].text);

		assert_int_equal(got.config->metadata_steady_rps, cases[i].steady);
		assert_int_equal(got.config->metadata_burst_rps, cases[i].burst);
	}
}

/* cfg-C20, its first half: 0 is the kernel's range, see test_ports.c */
static void dynamic_host_ports_are_a_range(void **state)
{
	static const struct {
		char *text;
		int64_t first, last;
	} cases[] = {
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=50000-50001", 50000, 50001 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE= 1 - 65535 ", 1, 65535 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=", 0, 0 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=0-10", 0, 0 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=20-10", 0, 0 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=1-65536", 0, 0 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=200-300", 200, 300 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=80", 80, 80 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=test", 0, 0 },
		{ "ECS_DYNAMIC_HOST_PORT_RANGE=1-2-3", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_loaded_ got = load(cases[i].text);

		assert_int_equal(got.config->dynamic_host_ports[0], cases[i].first);
		assert_int_equal(got.config->dynamic_host_ports[1], cases[i].last);
	}
}

/* cfg-C18 */
static void the_pids_limit_has_bounds(void **state)
{
	static char *const unset[] = { "ECS_TASK_PIDS_LIMIT=0", "ECS_TASK_PIDS_LIMIT=-1",
				       "ECS_TASK_PIDS_LIMIT=4194305", "ECS_TASK_PIDS_LIMIT=x" };
	_loaded_ set = load("ECS_TASK_PIDS_LIMIT= 4194304 ");

	assert_int_equal(set.config->task_pids_limit, 4194304);
	for (size_t i = 0; i < sizeof(unset) / sizeof(unset[0]); i++) {
		_loaded_ got = load(unset[i]);

		assert_int_equal(got.result, 0);
		assert_int_equal(got.config->task_pids_limit, 0);
		assert_int_equal(got.report.warnings.count, 1);
	}
}

/* cfg-C21 */
static void reserved_memory_has_sixteen_bits(void **state)
{
	_loaded_ big = load("ECS_RESERVED_MEMORY=70000");
	_loaded_ negative = load("ECS_RESERVED_MEMORY=-1");

	assert_int_equal(big.config->reserved_memory_mib, 0);
	assert_true(has(&big.report.warnings, "ECS_RESERVED_MEMORY"));
	assert_int_equal(negative.config->reserved_memory_mib, 0);
	assert_true(has(&negative.report.warnings, "ECS_RESERVED_MEMORY"));
}

static void a_port_out_of_range_spoils_the_whole_list(void **state)
{
	_loaded_ bad = load("ECS_RESERVED_PORTS=[22,70000]");
	_loaded_ good = load("ECS_RESERVED_PORTS=[80,443] and more", "ECS_RESERVED_PORTS_UDP=[53]");
	_loaded_ empty = load("ECS_RESERVED_PORTS=[]");

	assert_int_equal(bad.config->reserved_ports.count, 5);
	assert_int_equal(good.config->reserved_ports.count, 2);
	assert_int_equal(good.config->reserved_ports.items[1], 443);
	assert_int_equal(good.config->reserved_ports_udp.items[0], 53);
	/* An empty list is the same as none. */
	assert_int_equal(empty.config->reserved_ports.count, 5);
}

/* cfg-C27 */
static void blanks_around_a_cluster_do_not_count(void **state)
{
	_loaded_ got = load("ECS_CLUSTER= c1\r");

	assert_string_equal(got.config->cluster, "c1");
}

/* cfg-C30 */
static void the_endpoint_is_https_unless_told_otherwise(void **state)
{
	static const struct {
		char *setting, *region;
		const char *endpoint;
	} cases[] = {
		{ "ECS_BACKEND_HOST=127.0.0.1:9", REGION, "https://127.0.0.1:9" },
		{ "ECS_BACKEND_HOST=http://127.0.0.1:9", REGION, "http://127.0.0.1:9" },
		{ "ECS_BACKEND_HOST=", REGION, "https://ecs.us-west-2.amazonaws.com" },
		{ "ECS_BACKEND_HOST=", "AWS_DEFAULT_REGION=cn-north-1",
		  "https://ecs.cn-north-1.amazonaws.com.cn" },
		{ "ECS_BACKEND_HOST=", "AWS_DEFAULT_REGION=us-gov-east-1",
		  "https://ecs.us-gov-east-1.amazonaws.com" },
		{ "ECS_BACKEND_HOST=", "AWS_DEFAULT_REGION=us-isob-east-1",
		  "https://ecs.us-isob-east-1.sc2s.sgov.gov" },
		{ "ECS_BACKEND_HOST=", "AWS_DEFAULT_REGION=eusc-de-east-1",
		  "https://ecs.eusc-de-east-1.amazonaws.eu" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_loaded_ got =
			load_file(NULL, (char *[]){ cases[i].region, cases[i].setting, NULL });
		_cleanup_free_ char *endpoint = config_endpoint(got.config);

		assert_string_equal(endpoint, cases[i].endpoint);
	}
}

/* cfg-C23, of the sources that Berth has: environment, then file, then default. */
static void the_environment_goes_before_the_file(void **state)
{
	_cleanup_free_ char *file = write_file("# a comment\n"
					       "; another\n"
					       "\n"
					       "ECS_CLUSTER=from-file\n"
					       "  ECS_LOGLEVEL = \"DEBUG\"  \r\n"
					       "ECS_RESERVED_MEMORY='64'\n"
					       "ECS_LOGFILE=\"/var/log/a \\\"b\\\".log\"\n",
					       0600);
	_loaded_ env = load_file(file, (char *[]){ REGION, "ECS_CLUSTER=from-environment", NULL });
	_loaded_ only_file = load_file(file, (char *[]){ REGION, "ECS_CLUSTER=", NULL });
	_loaded_ none = load_file("/nonexistent/ecs.config", (char *[]){ REGION, NULL });

	unlink(file);
	assert_string_equal(env.config->cluster, "from-environment");
	assert_string_equal(only_file.config->cluster, "from-file");
	assert_string_equal(none.config->cluster, "");
	assert_int_equal(env.config->log_level, CONFIG_LEVEL_DEBUG);
	assert_int_equal(env.config->reserved_memory_mib, 64);
	assert_string_equal(env.config->log_file, "/var/log/a \"b\".log");
	assert_int_equal(env.report.warnings.count, 0);
}

static void a_bad_line_of_the_file_is_named_by_its_number_only(void **state)
{
	_cleanup_free_ char *file = write_file("ECS_CLUSTER=c\n"
					       "hunter2\n"
					       "export ECS_CLUSTER=d\n"
					       "ECS_LOGFILE=\"open\n"
					       "ECS_CLUSTRE=x\n"
					       "AWS_ACCESS_KEY_ID=AKID\n"
					       "AWS_SECRET_KEY=hunter2\n",
					       0644);
	_loaded_ got = load_file(file, (char *[]){ REGION, "BERTH_TYME_SCALE=2", NULL });

	assert_int_equal(got.result, 0);
	assert_string_equal(got.config->cluster, "c");
	assert_true(has(&got.report.warnings, "line 2: it is not NAME=value"));
	assert_true(has(&got.report.warnings, "line 3: what stands before the ="));
	assert_true(has(&got.report.warnings, "line 4: the quotes of ECS_LOGFILE"));
	assert_true(has(&got.report.warnings, "no setting ECS_CLUSTRE"));
	assert_true(has(&got.report.warnings, "no setting BERTH_TYME_SCALE"));
	assert_true(
		has(&got.report.warnings, "AWS_SECRET_KEY and everybody on this host can read it"));
	assert_false(has(&got.report.warnings, "hunter2"));
	unlink(file);
}

static void a_directory_as_file_is_a_mistake(void **state)
{
	_loaded_ got = load_file("/tmp", (char *[]){ REGION, NULL });

	assert_int_equal(got.result, -EINVAL);
	assert_true(has(&got.report.mistakes, "read the configuration"));
}

static void half_of_a_key_is_a_mistake(void **state)
{
	_loaded_ id = load("AWS_ACCESS_KEY_ID=AKID");
	_loaded_ secret = load("AWS_SECRET_ACCESS_KEY=hunter2");

	assert_true(has(&id.report.mistakes, "AWS_SECRET_ACCESS_KEY is not"));
	assert_true(has(&secret.report.mistakes, "AWS_ACCESS_KEY_ID is not"));
	assert_false(has(&secret.report.mistakes, "hunter2"));
}

static char *printed(void (*print)(const struct agent_config *, FILE *),
		     const struct agent_config *config)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (print)
		print(config, out);
	else
		config_print_reference(out);
	fclose(out);
	return text;
}

static void a_token_goes_over_tls_to_a_control_plane_of_ones_own(void **state)
{
	static const char plain[] = "ECS_BACKEND_HOST=http://127.0.0.1:4510";
	_loaded_ aws = load("BERTH_ENROLL_TOKEN=berth1-hunter2");
	_loaded_ open = load("BERTH_ENROLL_TOKEN=berth1-hunter2", (char *)(uintptr_t)plain);
	_loaded_ file = load("BERTH_ENROLL_TOKEN_FILE=/etc/token", (char *)(uintptr_t)plain);
	_loaded_ secure = load("BERTH_ENROLL_TOKEN=berth1-hunter2",
			       "ECS_BACKEND_HOST=https://127.0.0.1:4510");
	_loaded_ bare = load("BERTH_ENROLL_TOKEN_FILE=/etc/token", "ECS_BACKEND_HOST=control");
	const struct loaded *const bad[] = { &aws, &open, &file };

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(bad[i]->report.mistakes.count, 1);
		assert_true(has(&bad[i]->report.mistakes,
				"set ECS_BACKEND_HOST to its https:// address"));
		assert_false(has(&bad[i]->report.mistakes, "hunter2"));
	}
	assert_int_equal(secure.report.mistakes.count, 0);
	assert_int_equal(bare.report.mistakes.count, 0);
}

static void secrets_are_never_printed(void **state)
{
	_loaded_ got = load("AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=hunter2",
			    "AWS_SESSION_TOKEN=hunter3", "ECS_ENGINE_AUTH_TYPE=docker",
			    "ECS_ENGINE_AUTH_DATA={\"r\":\"hunter4\"}", "ECS_RESERVED_PORTS=[1,2]",
			    "ECS_INSTANCE_ATTRIBUTES={\"a\":\"b\"}");
	_cleanup_free_ char *text = printed(config_print, got.config);

	assert_null(strstr(text, "hunter"));
	assert_non_null(strstr(text, "AWS_SECRET_ACCESS_KEY=(set) (environment)\n"));
	assert_non_null(strstr(text, "ECS_RESERVED_PORTS=[1,2] (environment)\n"));
	assert_non_null(strstr(text, "ECS_INSTANCE_ATTRIBUTES={\"a\":\"b\"} (environment)\n"));
	assert_non_null(strstr(text, "ECS_CONTAINER_STOP_TIMEOUT=30s (default)\n"));
	assert_non_null(strstr(text, "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=3h (default)\n"));
	assert_non_null(strstr(text, "BERTH_ENI_DRIVER=veth (default)\n"));
}

static void the_reference_names_every_setting_with_what_is_allowed(void **state)
{
	_cleanup_free_ char *text = printed(NULL, NULL);

	assert_non_null(strstr(text, "## Identity and control plane\n"));
	assert_non_null(strstr(text, "| `ECS_CONTAINER_STOP_TIMEOUT` | `DockerStopTimeout` | `30s` "
				     "| a duration such as 90s, "
				     "10m or 1h30m of at least 1s | "));
	assert_non_null(strstr(text, "| `AWS_DEFAULT_REGION` | `AWSRegion` | (required) | "));
	assert_non_null(strstr(text, "| `BERTH_ENI_DRIVER` |  | `veth` | one of veth, eni | "));
}

static void only_timers_above_a_second_are_scaled(void **state)
{
	_loaded_ got = load("BERTH_TIME_SCALE=60");

	assert_int_equal(config_scaled_ms(got.config, 250), 250);
	assert_int_equal(config_scaled_ms(got.config, 1000), 1000);
	assert_int_equal(config_scaled_ms(got.config, 60000), 1000);
	assert_int_equal(config_scaled_ms(got.config, 1020), 17);
}

static void a_program_is_looked_for_in_the_path(void **state)
{
	char folder[] = "/tmp/berth-path-XXXXXX";
	_cleanup_free_ char *path = NULL, *program = NULL;
	FILE *file;

	assert_non_null(mkdtemp(folder));
	assert_true(asprintf(&path, "PATH=/nonexistent:%s", folder) > 0);
	assert_true(asprintf(&program, "%s/my-runtime", folder) > 0);
	file = fopen(program, "w");
	assert_non_null(file);
	fclose(file);
	chmod(program, 0700);
	{
		_loaded_ got = load(path, "BERTH_RUNTIME=my-runtime", "BERTH_CTR=no-such-program");
		_loaded_ given = load(path, "BERTH_RUNTIME=./my-runtime");

		assert_string_equal(got.config->runtime, program);
		assert_string_equal(got.config->ctr, "no-such-program");
		assert_string_equal(given.config->runtime, "./my-runtime");
	}
	unlink(program);
	rmdir(folder);
}

#define DOCKER_AUTH                                                                                \
	"ECS_ENGINE_AUTH_DATA={\"https://index.docker.io/v1/"                                      \
	"\":{\"username\":\"hub\",\"password\":\"h\"},"                                            \
	"\"registry:5000\":{\"username\":\"host\",\"password\":\"p\"},"                            \
	"\"quay.io/team\":{\"username\":\"team\",\"password\":\"t\"},"                             \
	"\"quay.io/team/app\":{\"username\":\"app\",\"password\":\"a\"},"                          \
	"\"broken.example\":{\"username\":\"x\"}}"

static void registry_credentials_are_those_of_the_best_key(void **state)
{
	_loaded_ got = load("ECS_ENGINE_AUTH_TYPE=docker", DOCKER_AUTH);
	static const struct {
		const char *image, *user; /* NULL: none */
	} cases[] = {
		{ "busybox:1", "hub" },
		{ "docker.io/library/busybox", "hub" },
		{ "registry-1.docker.io/a/b", "hub" },
		{ "registry:5000/web:1", "host" },
		{ "quay.io/team/web", "team" },
		{ "quay.io/team/app:2", "app" },
		{ "quay.io/other/web", NULL },
		{ "quay.io.evil.example/team/web", NULL },
		{ "registry:50000/web", NULL },
		{ "broken.example/web", NULL },
		{ "localhost/web", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *user = NULL, *password = NULL;
		bool found = config_registry_auth(got.config, cases[i].image, &user, &password);

		assert_int_equal(found, cases[i].user != NULL);
		if (found)
			assert_string_equal(user, cases[i].user);
	}
}

static void dockercfg_holds_user_and_password_in_one(void **state)
{
	/* bob:pa:ss, and one without a colon */
	_loaded_ got = load(
		"ECS_ENGINE_AUTH_TYPE=dockercfg",
		"ECS_ENGINE_AUTH_DATA={\"r:5000\":{\"auth\":\"Ym9iOnBhOnNz\"},\"s:5000\":{\"auth\":"
		"\"Ym9i\"}}");
	_loaded_ off = load("ECS_ENGINE_AUTH_DATA={\"r:5000\":{\"auth\":\"Ym9iOnBhOnNz\"}}");
	_cleanup_free_ char *user = NULL, *password = NULL;

	assert_true(config_registry_auth(got.config, "r:5000/web", &user, &password));
	assert_string_equal(user, "bob");
	assert_string_equal(password, "pa:ss");
	assert_false(config_registry_auth(got.config, "s:5000/web", &user, &password));
	assert_false(config_registry_auth(off.config, "r:5000/web", &user, &password));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_reference),
		cmocka_unit_test(the_cpu_period_has_bounds),
		cmocka_unit_test(prometheus_has_its_port_reserved),
		cmocka_unit_test(what_is_set_to_nothing_may_count),
		cmocka_unit_test(a_missing_region_is_a_mistake),
		cmocka_unit_test(a_bad_checkpoint_value_gives_way_with_a_warning),
		cmocka_unit_test(mistakes_are_named_all_at_once),
		cmocka_unit_test(a_host_may_be_said_to_have_ipv6_alone),
		cmocka_unit_test(attributes_must_be_strings),
		cmocka_unit_test(a_malformed_driver_list_gives_way),
		cmocka_unit_test(short_timeouts_are_raised_to_their_minimum),
		cmocka_unit_test(a_duration_without_unit_gives_way_with_a_warning),
		cmocka_unit_test(durations_are_read_as_go_reads_them),
		cmocka_unit_test(a_short_cleanup_wait_is_the_default),
		cmocka_unit_test(image_cleanup_has_the_defaults_and_bounds_of_the_reference),
		cmocka_unit_test(the_polling_interval_is_held_only_when_polling),
		cmocka_unit_test(the_metadata_rate_needs_both_halves),
		cmocka_unit_test(dynamic_host_ports_are_a_range),
		cmocka_unit_test(the_bridge_is_checked_before_a_task_needs_it),
		cmocka_unit_test(local_routes_are_prefixes),
		cmocka_unit_test(the_pids_limit_has_bounds),
		cmocka_unit_test(reserved_memory_has_sixteen_bits),
		cmocka_unit_test(a_port_out_of_range_spoils_the_whole_list),
		cmocka_unit_test(blanks_around_a_cluster_do_not_count),
		cmocka_unit_test(the_endpoint_is_https_unless_told_otherwise),
		cmocka_unit_test(the_environment_goes_before_the_file),
		cmocka_unit_test(a_bad_line_of_the_file_is_named_by_its_number_only),
		cmocka_unit_test(a_directory_as_file_is_a_mistake),
		cmocka_unit_test(half_of_a_key_is_a_mistake),
		cmocka_unit_test(a_token_goes_over_tls_to_a_control_plane_of_ones_own),
		cmocka_unit_test(secrets_are_never_printed),
		cmocka_unit_test(the_reference_names_every_setting_with_what_is_allowed),
		cmocka_unit_test(only_timers_above_a_second_are_scaled),
		cmocka_unit_test(a_program_is_looked_for_in_the_path),
		cmocka_unit_test(registry_credentials_are_those_of_the_best_key),
		cmocka_unit_test(dockercfg_holds_user_and_password_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
