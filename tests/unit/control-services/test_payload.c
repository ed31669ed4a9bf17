/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task definition as an agent gets it: what leaves is read back by the very decoder that agents
 * use.
 */
#include "control-plane/services/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control-plane/services/delivery.h"
#include "fixture.h"
#include "wire/acs.h"

/* Sends the task in a payload and decodes it. */
static struct acs_message *through_the_wire(struct fixture *fixture, struct task *task)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *envelope = NULL;
	const char *tasks[1];
	struct acs_payload_out payload = {
		.message_id = "m1",
		.cluster_arn = CLUSTER_ARN,
		.container_instance_arn = task->instance_arn,
		.seq_num = 42,
		.generated_at_ms = 1700000000000,
		.tasks = tasks,
		.task_count = 1,
	};
	struct acs_message *message = NULL;
	struct error err = ERROR_INIT;

	if (delivery_task_text(fixture->services, task, &text, &err) < 0)
		fail_msg("%s", err.text);
	tasks[0] = text;
	envelope = acs_encode_payload(&payload);
	if (acs_decode(envelope, strlen(envelope), &message, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(message->type, ACS_PAYLOAD);
	assert_string_equal(message->payload.message_id, "m1");
	assert_int_equal(message->payload.seq_num, 42);
	if (message->payload.refused_count > 0)
		fail_msg("%s", message->payload.tasks[0].error);
	return message;
}

static const struct task_spec *spec_of(const struct acs_message *message)
{
	return message->payload.tasks[0].spec;
}

static const char full[] =
	"{'networkMode':'bridge','cpu':'512','memory':'1024','pidMode':'task','ipcMode':'host',"
	"'taskRoleArn':'arn:aws:iam::000000000000:role/app','executionRoleArn':'puller',"
	"'volumes':[{'name':'data','host':{'sourcePath':'/srv'}},{'name':'scratch','host':{}},"
	"{'name':'d','dockerVolumeConfiguration':{'scope':'shared','autoprovision':true,"
	"'driver':'local','driverOpts':{'a':'b'},'labels':{'l':'m'}}}],"
	"'containerDefinitions':[{'name':'app','image':'nginx:1','cpu':256,'memory':300,"
	"'memoryReservation':200,'essential':true,'command':['serve','--all'],"
	"'entryPoint':['/bin/e'],'workingDirectory':'/w','user':'1000:1000','hostname':'h',"
	"'environment':[{'name':'A','value':'1'},{'name':'B','value':'2'}],"
	"'environmentFiles':[{'value':'arn:aws:s3:::b/f.env','type':'s3'}],"
	"'secrets':[{'name':'S','valueFrom':'arn:aws:secretsmanager:us-west-2:0:secret:x'},"
	"{'name':'P','valueFrom':'/param'}],"
	"'portMappings':[{'containerPort':80,'hostPort':8080,'protocol':'tcp'},"
	"{'containerPort':53,'hostPort':0,'protocol':'udp'}],"
	"'mountPoints':[{'sourceVolume':'data','containerPath':'/data','readOnly':true}],"
	"'volumesFrom':[{'sourceContainer':'side','readOnly':true}],"
	"'dependsOn':[{'containerName':'side','condition':'HEALTHY'}],"
	"'links':['side:s'],'startTimeout':30,'stopTimeout':20,"
	"'dockerLabels':{'x':'y'},'interactive':true,'pseudoTerminal':true,'privileged':true,"
	"'readonlyRootFilesystem':true,'disableNetworking':true,'dnsServers':['9.9.9.9'],"
	"'dnsSearchDomains':['example.com'],'dockerSecurityOptions':['no-new-privileges'],"
	"'extraHosts':[{'hostname':'db','ipAddress':'10.0.0.9'}],"
	"'ulimits':[{'name':'nofile','softLimit':1024,'hardLimit':4096}],"
	"'systemControls':[{'namespace':'net.core.somaxconn','value':'500'}],"
	"'logConfiguration':{'logDriver':'json-file','options':{'max-size':'1m'}},"
	"'restartPolicy':{'enabled':true,'ignoredExitCodes':[3],'restartAttemptPeriod':120},"
	"'linuxParameters':{'capabilities':{'add':['NET_ADMIN'],'drop':['MKNOD']},"
	"'devices':[{'hostPath':'/dev/fuse','permissions':['read','write']},"
	"{'hostPath':'/dev/zero','containerPath':'/dev/z'}],"
	"'initProcessEnabled':true,'sharedMemorySize':128,'maxSwap':100,'swappiness':60,"
	"'tmpfs':[{'containerPath':'/tmp','size':64,'mountOptions':['noexec','rw']}]},"
	"'healthCheck':{'command':['CMD-SHELL','true'],'interval':30,'timeout':5,'retries':3,"
	"'startPeriod':10}},"
	"{'name':'side','image':'busybox','cpu':0,'memory':50,'essential':false,"
	"'healthCheck':{'command':['CMD','x'],'interval':5,'timeout':2,'retries':1}}]}";

/* acs-M43 acs-M18: every member of a definition that an agent knows arrives. */
static void a_full_definition_arrives(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	const struct container_spec *app, *side;
	const struct task_spec *spec;
	const struct docker_config *docker;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "full", full);
	task = fixture_task(fixture, "full", NULL, NULL);
	message = through_the_wire(fixture, task);
	spec = spec_of(message);

	assert_string_equal(spec->arn, task->arn);
	assert_string_equal(spec->family, "full");
	assert_string_equal(spec->version, "1");
	assert_string_equal(spec->group, "family:full");
	assert_int_equal(spec->desired_status, TASK_STATUS_RUNNING);
	assert_true(spec->cpu == 0.5);
	assert_int_equal(spec->memory_mib, 1024);
	assert_int_equal(spec->network_mode, NETWORK_MODE_BRIDGE);
	assert_int_equal(spec->pid_mode, PID_MODE_TASK);
	assert_int_equal(spec->ipc_mode, IPC_MODE_HOST);
	assert_int_equal(spec->container_count, 2);
	assert_int_equal(spec->volume_count, 3);
	assert_string_equal(spec->volumes[0].source_path, "/srv");
	assert_string_equal(spec->volumes[1].source_path, "");
	assert_int_equal(spec->volumes[2].type, VOLUME_DOCKER);
	assert_int_equal(spec->volumes[2].docker.scope, DOCKER_VOLUME_SCOPE_SHARED);
	assert_string_equal(text_map_get(&spec->volumes[2].docker.driver_options, "a"), "b");

	app = &spec->containers[0];
	docker = &app->docker;
	if (app->docker_config_error)
		fail_msg("%s", app->docker_config_error);
	assert_string_equal(app->arn, task->containers[0].arn);
	assert_int_equal(app->cpu, 256);
	assert_int_equal(app->memory_mib, 300);
	assert_true(app->essential);
	assert_int_equal(app->command.count, 2);
	assert_string_equal(app->command.items[1], "--all");
	assert_string_equal(app->entry_point.items[0], "/bin/e");
	assert_string_equal(text_map_get(&app->environment, "B"), "2");
	assert_int_equal(app->environment_file_count, 1);
	assert_int_equal(app->secret_count, 2);
	assert_string_equal(app->secrets[0].provider, "asm");
	assert_string_equal(app->secrets[0].region, "us-west-2");
	assert_string_equal(app->secrets[1].provider, "ssm");
	assert_int_equal(app->port_mapping_count, 2);
	assert_int_equal(app->port_mappings[0].host_port, 8080);
	assert_int_equal(app->port_mappings[1].protocol, TRANSPORT_UDP);
	assert_int_equal(app->mount_point_count, 1);
	assert_true(app->mount_points[0].read_only);
	assert_int_equal(app->volume_from_count, 1);
	assert_int_equal(app->depends_on[0].condition, CONTAINER_CONDITION_HEALTHY);
	assert_string_equal(app->links.items[0], "side:s");
	assert_int_equal(app->start_timeout_s, 30);
	assert_int_equal(app->stop_timeout_s, 20);
	assert_true(app->restart_policy.enabled);
	assert_int_equal(app->restart_policy.restart_attempt_period_s, 120);
	assert_true(app->health_check_docker);

	assert_true(docker->has_health_check);
	assert_string_equal(docker->health_check.test.items[0], "CMD-SHELL");
	assert_int_equal(docker->health_check.interval_ms, 30000);
	assert_int_equal(docker->health_check.timeout_ms, 5000);
	assert_int_equal(docker->health_check.start_period_ms, 10000);
	assert_int_equal(docker->health_check.retries, 3);
	assert_string_equal(docker->user, "1000:1000");
	assert_string_equal(docker->working_dir, "/w");
	assert_string_equal(docker->hostname, "h");
	assert_string_equal(text_map_get(&docker->labels, "x"), "y");
	assert_true(docker->tty && docker->open_stdin && docker->network_disabled);
	assert_true(docker->privileged && docker->readonly_rootfs && docker->init);
	assert_string_equal(docker->network_mode, "bridge");
	assert_string_equal(docker->log_driver, "json-file");
	assert_string_equal(text_map_get(&docker->log_options, "max-size"), "1m");
	assert_int_equal(docker->memory_reservation_bytes, 200 * 1048576);
	assert_int_equal(docker->memory_swap_bytes, 400 * 1048576);
	assert_int_equal(docker->memory_swappiness, 60);
	assert_int_equal(docker->ulimits[0].hard, 4096);
	assert_string_equal(docker->cap_add.items[0], "NET_ADMIN");
	assert_string_equal(docker->cap_drop.items[0], "MKNOD");
	assert_int_equal(docker->device_count, 2);
	assert_string_equal(docker->devices[0].container_path, "/dev/fuse");
	assert_string_equal(docker->devices[0].permissions, "rw");
	assert_string_equal(docker->devices[1].container_path, "/dev/z");
	assert_string_equal(docker->devices[1].permissions, "rwm");
	assert_int_equal(docker->shm_size_bytes, 128 * 1048576);
	assert_string_equal(text_map_get(&docker->tmpfs, "/tmp"), "size=64m,noexec,rw");
	assert_string_equal(docker->dns.items[0], "9.9.9.9");
	assert_string_equal(docker->dns_search.items[0], "example.com");
	assert_string_equal(docker->extra_hosts.items[0], "db:10.0.0.9");
	assert_string_equal(docker->security_opt.items[0], "no-new-privileges");
	assert_string_equal(text_map_get(&docker->sysctls, "net.core.somaxconn"), "500");

	side = &spec->containers[1];
	assert_false(side->essential);
	assert_false(side->has_command);
	assert_null(side->docker.log_driver);
}

/* acs-M18: both roles come with credentials, each under its own id, that say how long they live. */
static void roles_come_with_credentials(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	const struct task_credentials *credentials;
	int64_t expires_ms;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "full", full);
	task = fixture_task(fixture, "full", NULL, NULL);
	message = through_the_wire(fixture, task);
	credentials = &message->payload.tasks[0].credentials;
	assert_string_equal(credentials->role->role_arn, "arn:aws:iam::000000000000:role/app");
	assert_string_equal(credentials->execution->role_arn,
			    "arn:aws:iam::000000000000:role/puller");
	assert_string_equal(credentials->role->id, task->role.credentials_id);
	assert_string_not_equal(credentials->role->id, credentials->execution->id);
	assert_int_equal(strncmp(credentials->role->access_key_id, "BERTHLOCAL", 10), 0);
	assert_string_not_equal(credentials->role->secret_access_key,
				credentials->execution->secret_access_key);
	assert_int_equal(parse_iso8601(credentials->role->expiration, &expires_ms, NULL), 0);
	assert_in_range(expires_ms - clock_wall_ms(), 6 * 3600 * 1000 - 10000, 6 * 3600 * 1000);
}

static void configured_credentials_are_handed_out(void **state)
{
	struct fixture *fixture = *state;
	struct role_credentials *credentials;
	struct task *task;

	fixture->config.role_credentials = (struct services_credentials){ "AKIA1", "key", "token" };
	fixture_restart(fixture);
	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "full", full);
	task = fixture_task(fixture, "full", NULL, NULL);
	credentials = delivery_credentials(fixture->services, task, CREDENTIALS_ROLE_TASK);
	assert_string_equal(credentials->access_key_id, "AKIA1");
	assert_string_equal(credentials->secret_access_key, "key");
	assert_string_equal(credentials->session_token, "token");
	role_credentials_free(credentials);
}

/* Renewed when a quarter of their life is left, and until they are acknowledged. */
static void credentials_are_due_before_they_expire(void **state)
{
	struct fixture *fixture = *state;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "full", full);
	task = fixture_task(fixture, "full", NULL, NULL);
	acs_message_free(through_the_wire(fixture, task));
	delivery_acknowledged(fixture->services, task, DELIVERY_RUN);
	assert_true(delivery_credentials_due(fixture->services, task, CREDENTIALS_ROLE_TASK));
	delivery_credentials_acknowledged(fixture->services, task, task->role.credentials_id);
	assert_false(delivery_credentials_due(fixture->services, task, CREDENTIALS_ROLE_TASK));
	assert_true(delivery_credentials_due(fixture->services, task, CREDENTIALS_ROLE_EXECUTION));
	task->role.expires_ms = clock_wall_ms() + 6 * 3600 * 1000 / 4 + 5000;
	assert_false(delivery_credentials_due(fixture->services, task, CREDENTIALS_ROLE_TASK));
	task->role.expires_ms = clock_wall_ms() + 6 * 3600 * 1000 / 4 - 5000;
	assert_true(delivery_credentials_due(fixture->services, task, CREDENTIALS_ROLE_TASK));
}

/* acs-M9: a command is overridden in the way agents know, the rest is laid over the definition. */
static void overrides_are_applied(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	const struct container_spec *app;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "full", full);
	task = fixture_task(fixture, "full", NULL,
			    "{'cpu':'1 vCPU','memory':'2GB','taskRoleArn':'other',"
			    "'containerOverrides':[{'name':'app','command':['y'],"
			    "'environment':[{'name':'B','value':'9'},{'name':'C','value':'3'}],"
			    "'cpu':7,'memory':400,'memoryReservation':100}]}");
	assert_string_equal(task->cpu, "1024");
	assert_string_equal(task->memory, "2048");
	assert_string_equal(task->containers[0].cpu, "7");
	assert_string_equal(task->role.role_arn, "arn:aws:iam::000000000000:role/other");
	message = through_the_wire(fixture, task);
	assert_true(spec_of(message)->cpu == 1.0);
	assert_int_equal(spec_of(message)->memory_mib, 2048);
	app = &spec_of(message)->containers[0];
	assert_int_equal(app->command.count, 1);
	assert_string_equal(app->command.items[0], "y");
	assert_string_equal(text_map_get(&app->environment, "A"), "1");
	assert_string_equal(text_map_get(&app->environment, "B"), "9");
	assert_string_equal(text_map_get(&app->environment, "C"), "3");
	assert_int_equal(app->cpu, 7);
	assert_int_equal(app->memory_mib, 400);
	assert_int_equal(app->docker.memory_reservation_bytes, 100 * 1048576);
}

static void an_awsvpc_task_brings_its_interface(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	const struct task_spec *spec;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc",
			   "{'networkMode':'awsvpc','containerDefinitions':[{'name':'a',"
			   "'image':'i','memory':10,'portMappings':[{'containerPort':80,"
			   "'hostPort':80}]}]}");
	task = fixture_task(fixture, "vpc", "subnet-a", NULL);
	message = through_the_wire(fixture, task);
	spec = spec_of(message);
	assert_int_equal(spec->network_mode, NETWORK_MODE_AWSVPC);
	assert_int_equal(spec->eni_count, 1);
	assert_string_equal(spec->enis[0].mac_address, task->eni->mac);
	assert_string_equal(spec->enis[0].ec2_id, task->eni->eni_id);
	assert_string_equal(spec->enis[0].attachment_arn, task->eni->arn);
	assert_string_equal(eni_primary_ipv4(&spec->enis[0]), "10.1.0.4");
	assert_string_equal(spec->enis[0].gateway_ipv4.address, "10.1.0.1");
	assert_int_equal(spec->enis[0].gateway_ipv4.prefix, 28);
	assert_string_equal(spec->enis[0].dns_servers.items[0], "10.1.0.2");
	assert_null(spec->containers[0].docker.network_mode);
	/* Without a size of its own the task has none. */
	assert_true(spec->cpu == 0);
	assert_int_equal(spec->memory_mib, 0);
}

/* acs-M13: the stop of a task carries no credentials. */
static void a_stop_is_the_same_task_with_another_wish(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	struct error err = ERROR_INIT;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "full", full);
	task = fixture_task(fixture, "full", NULL, NULL);
	delivery_sent(fixture->services, task);
	assert_int_equal(services_stop(fixture->services, task, NULL, &err), 0);
	message = through_the_wire(fixture, task);
	assert_int_equal(spec_of(message)->desired_status, TASK_STATUS_STOPPED);
	assert_string_equal(spec_of(message)->arn, task->arn);
	assert_null(message->payload.tasks[0].credentials.role);
}

static void private_registries_name_their_authentication(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	const struct container_spec *containers;

	fixture_instance(fixture, ID1);
	fixture_definition(
		fixture, "private",
		"{'executionRoleArn':'puller','containerDefinitions':["
		"{'name':'ecr','image':'123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1',"
		"'memory':10,'logConfiguration':{'logDriver':'awslogs','options':{}}},"
		"{'name':'asm','image':'r.example.com/x','memory':10,'repositoryCredentials':"
		"{'credentialsParameter':'arn:aws:secretsmanager:us-east-2:0:secret:s'}},"
		"{'name':'open','image':'busybox','memory':10}]}");
	message = through_the_wire(fixture, fixture_task(fixture, "private", NULL, NULL));
	containers = spec_of(message)->containers;
	assert_int_equal(containers[0].registry_auth.type, REGISTRY_AUTH_ECR);
	assert_string_equal(containers[0].registry_auth.registry_id, "123456789012");
	assert_string_equal(containers[0].registry_auth.region, "eu-west-1");
	assert_true(containers[0].registry_auth.use_execution_role);
	assert_true(containers[0].logs_use_execution_role);
	assert_int_equal(containers[1].registry_auth.type, REGISTRY_AUTH_ASM);
	assert_string_equal(containers[1].registry_auth.region, "us-east-2");
	assert_int_equal(containers[2].registry_auth.type, REGISTRY_AUTH_NONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_full_definition_arrives),
		TEST(roles_come_with_credentials),
		TEST(configured_credentials_are_handed_out),
		TEST(credentials_are_due_before_they_expire),
		TEST(overrides_are_applied),
		TEST(an_awsvpc_task_brings_its_interface),
		TEST(a_stop_is_the_same_task_with_another_wish),
		TEST(private_registries_name_their_authentication),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
