/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/docker_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "quoted.h"

struct fixture {
	struct arena *arena;
	struct docker_config config;
	struct error err;
};

static int decode(struct fixture *fixture, const char *config, const char *host_config)
{
	_cleanup_free_ char *config_text = config ? quoted(config) : NULL;
	_cleanup_free_ char *host_text = host_config ? quoted(host_config) : NULL;

	return docker_config_decode(config_text, host_text, fixture->arena, &fixture->config,
				    &fixture->err);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->arena = arena_new();
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static void config_arrives(void **state)
{
	struct fixture *fixture = *state;
	const struct docker_config *config = &fixture->config;

	assert_int_equal(decode(fixture,
				"{'Healthcheck':{'Test':['CMD-SHELL','true'],'Interval':5000000000,"
				"'Timeout':2000000001,"
				"'StartPeriod':1000000,'Retries':3},'User':'1000:1000','WorkingDir'"
				":'/w','Hostname':'h',"
				"'Domainname':'d','labels':{'a':'b'},'TTY':true,'OpenStdin':true,'"
				"StopSignal':'SIGINT',"
				"'NetworkDisabled':true,'Env':['A=1'],'Cmd':'single','Entrypoint':["
				"],'Unknown':{}}",
				NULL),
			 0);
	assert_true(config->has_health_check);
	assert_int_equal(config->health_check.test.count, 2);
	assert_string_equal(config->health_check.test.items[1], "true");
	assert_int_equal(config->health_check.interval_ms, 5000);
	assert_int_equal(config->health_check.timeout_ms, 2001); /* upwards */
	assert_int_equal(config->health_check.start_period_ms, 1);
	assert_int_equal(config->health_check.retries, 3);
	assert_string_equal(config->user, "1000:1000");
	assert_string_equal(config->working_dir, "/w");
	assert_string_equal(config->hostname, "h");
	assert_string_equal(config->domainname, "d");
	assert_string_equal(text_map_get(&config->labels, "a"), "b");
	assert_true(config->tty && config->open_stdin && config->network_disabled);
	assert_string_equal(config->stop_signal, "SIGINT");
	assert_true(config->has_environment);
	assert_string_equal(config->environment.items[0], "A=1");
	assert_true(config->has_command);
	assert_string_equal(config->command.items[0], "single");
	assert_true(config->has_entry_point);
	assert_int_equal(config->entry_point.count, 0);
}

static void host_config_arrives(void **state)
{
	struct fixture *fixture = *state;
	const struct docker_config *config = &fixture->config;

	assert_int_equal(
		decode(fixture, NULL,
		       "{'NetworkMode':'host','LogConfig':{'Type':'json-file','Config':{'max-size':"
		       "'1m'}},"
		       "'MemoryReservation':67108864,'Memory':0,'MemorySwap':-1,'MemorySwappiness':"
		       "60,"
		       "'CpuShares':7,'CpuPeriod':100000,'CpuQuota':50000,'NanoCpus':1,'CpusetCpus'"
		       ":'0-1',"
		       "'PidsLimit':100,'OomScoreAdj':-5,'OomKillDisable':true,"
		       "'Ulimits':[{'Name':'nofile','Soft':1024,'Hard':-1}],'CapAdd':['NET_ADMIN'],"
		       "'CapDrop':'ALL','Privileged':true,'ReadonlyRootfs':true,'Init':true,"
		       "'Devices':[{'PathOnHost':'/dev/fuse','PathInContainer':'/dev/"
		       "f','CgroupPermissions':'rw'},"
		       "{'PathOnHost':'/dev/kvm'}],'ShmSize':1024,'Tmpfs':{'/run':'size=1m','/"
		       "tmp':''},"
		       "'Binds':['/a:/"
		       "b:ro'],'Dns':['1.1.1.1'],'DnsSearch':['x.test'],'DnsOptions':['ndots:1'],"
		       "'ExtraHosts':['h:1.2.3.4'],'SecurityOpt':['no-new-privileges'],"
		       "'Sysctls':{'net.core.somaxconn':'100'},'GroupAdd':['5'],'PidMode':'host',"
		       "'PortBindings':{'80/tcp':[{'HostIp':'127.0.0.1','HostPort':'8080'},{}],'53/"
		       "udp':[{}]}}"),
		0);
	assert_string_equal(config->network_mode, "host");
	assert_string_equal(config->log_driver, "json-file");
	assert_int_equal(config->log_options.count, 1);
	assert_int_equal(config->memory_reservation_bytes, 67108864);
	assert_true(config->has_memory);
	assert_int_equal(config->memory_bytes, 0);
	assert_int_equal(config->memory_swap_bytes, -1);
	assert_true(config->has_memory_swappiness);
	assert_int_equal(config->memory_swappiness, 60);
	assert_int_equal(config->cpu_shares, 7);
	assert_int_equal(config->cpu_quota_us, 50000);
	assert_string_equal(config->cpuset_cpus, "0-1");
	assert_int_equal(config->pids_limit, 100);
	assert_true(config->has_oom_score_adj);
	assert_int_equal(config->oom_score_adj, -5);
	assert_true(config->oom_kill_disable);
	assert_string_equal(config->ulimits[0].name, "nofile");
	assert_int_equal(config->ulimits[0].hard, -1);
	assert_string_equal(config->cap_add.items[0], "NET_ADMIN");
	assert_string_equal(config->cap_drop.items[0], "ALL");
	assert_true(config->privileged && config->readonly_rootfs && config->init);
	assert_int_equal(config->device_count, 2);
	assert_string_equal(config->devices[0].permissions, "rw");
	assert_string_equal(config->devices[1].container_path, "/dev/kvm");
	assert_string_equal(config->devices[1].permissions, "rwm");
	assert_int_equal(config->shm_size_bytes, 1024);
	assert_string_equal(text_map_get(&config->tmpfs, "/run"), "size=1m");
	assert_string_equal(config->binds.items[0], "/a:/b:ro");
	assert_string_equal(config->dns.items[0], "1.1.1.1");
	assert_string_equal(config->extra_hosts.items[0], "h:1.2.3.4");
	assert_string_equal(config->security_opt.items[0], "no-new-privileges");
	assert_string_equal(text_map_get(&config->sysctls, "net.core.somaxconn"), "100");
	assert_string_equal(config->pid_mode, "host");
	assert_int_equal(config->port_binding_count, 3);
	assert_int_equal(config->port_bindings[0].container_port, 80);
	assert_int_equal(config->port_bindings[0].host_port, 8080);
	assert_string_equal(config->port_bindings[1].host_ip, "");
	assert_string_equal(config->port_bindings[2].protocol, "udp");
}

static void nothing_given_is_nothing_wrong(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(decode(fixture, NULL, NULL), 0);
	assert_int_equal(decode(fixture, "{}", "null"), 0);
	assert_int_equal(
		decode(fixture, "{'Healthcheck':null}", "{'Ulimits':null,'MemorySwappiness':-1}"),
		0);
	assert_false(fixture->config.has_health_check);
	assert_false(fixture->config.has_memory_swappiness);
}

static void a_log_that_must_not_block_has_a_bound(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(decode(fixture, NULL,
				"{'LogConfig':{'Type':'x','Config':{'mode':'non-blocking'}}}"),
			 0);
	assert_string_equal(text_map_get(&fixture->config.log_options, "max-buffer-size"), "10m");
	assert_int_equal(
		decode(fixture, NULL,
		       "{'LogConfig':{'Config':{'mode':'non-blocking','max-buffer-size':'1m'}}}"),
		0);
	assert_string_equal(text_map_get(&fixture->config.log_options, "max-buffer-size"), "1m");
	assert_int_equal(decode(fixture, NULL, "{'LogConfig':{'Config':{'mode':'blocking'}}}"), 0);
	assert_null(text_map_get(&fixture->config.log_options, "max-buffer-size"));
}

#define CONFIG "DockerClientConfigError: Unable decode given docker config: "
#define HOST   "HostConfigError: Unable to decode given host config: "

static void what_cannot_be_decoded_is_named(void **state)
{
	static const struct {
		const char *config;
		const char *host_config;
		const char *error;
	} cases[] = {
		{ "{'User':1}", NULL, CONFIG "User: must be a string, got a number" },
		{ "[]", NULL, CONFIG "must be an object, got an array" },
		{ "{'Healthcheck':{'Interval':'5s'}}", NULL,
		  CONFIG "Healthcheck.Interval: must be a number, got a string" },
		{ "{'Healthcheck':{'Interval':999999}}", NULL,
		  CONFIG "Healthcheck: Interval cannot be less than 1ms" },
		{ "{'Healthcheck':{'Timeout':-1}}", NULL,
		  CONFIG "Healthcheck: Timeout cannot be less than 1ms" },
		{ "{'Labels':{'a':1}}", "{'Privileged':'x'}",
		  CONFIG "Labels.a: must be a string, got a number" },
		{ NULL, "{'Privileged':'x'}", HOST "Privileged: must be a boolean, got a string" },
		{ NULL, "{'Ulimits':[{'Soft':1}]}", HOST "Ulimits[0]: Name is missing" },
		{ NULL, "{'Ulimits':[{'Name':'x','Soft':-2}]}",
		  HOST "Ulimits[0].Soft: must be between -1 and 9223372036854775807, got -2" },
		{ NULL, "{'Devices':[{}]}", HOST "Devices[0]: PathOnHost is missing" },
		{ NULL, "{'MemorySwappiness':101}",
		  HOST "MemorySwappiness: must be between -1 and 100, got 101" },
		{ NULL, "{'ShmSize':-1}",
		  HOST "ShmSize: must be between 0 and 9223372036854775807, got -1" },
		{ NULL, "{'PortBindings':{'x/tcp':[{}]}}",
		  HOST "PortBindings.x/tcp: 'x/tcp' is no port" },
		{ NULL, "{'PortBindings':{'1/sctp':[{}]}}",
		  HOST "PortBindings.1/sctp: '1/sctp' is neither tcp nor udp" },
		{ NULL, "{'PortBindings':{'80':[{'HostPort':'99999'}]}}",
		  HOST "PortBindings.80[0]: HostPort: '99999' is no port" },
		{ NULL, "{'PortBindings':{'80':{}}}", HOST "PortBindings.80: must be a list" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *expected = quoted(cases[i].error);

		assert_int_equal(decode(fixture, cases[i].config, cases[i].host_config), -EINVAL);
		assert_string_equal(fixture->err.text, expected);
	}
	assert_int_equal(decode(fixture, "{", NULL), -EINVAL);
	assert_memory_equal(fixture->err.text, CONFIG, strlen(CONFIG));
	assert_int_equal(decode(fixture, NULL, "nonsense"), -EINVAL);
	assert_memory_equal(fixture->err.text, HOST, strlen(HOST));
}

/* The payload is fine, the container is not. */
static void an_undecodable_one_does_not_fail_the_task(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
		task_with("'containers':[{'name':'bad','dockerConfig':{'hostConfig':'{\\'Init\\':3}"
			  "'}},{'name':'good'}]");

	assert_string_equal(task->containers[0].docker_config_error,
			    HOST "Init: must be a boolean, got a number");
	assert_null(task->containers[1].docker_config_error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(config_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(host_config_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_given_is_nothing_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_log_that_must_not_block_has_a_bound, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_decoded_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_undecodable_one_does_not_fail_the_task, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
