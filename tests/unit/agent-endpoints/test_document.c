/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of tasks and containers, to the byte: that is presence, order and spelling of each key.
 */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

#define ARN "arn:aws:ecs:us-west-2:444455556666:task/orchard/5e0c"

static const struct endpoints_identity identity = {
	.cluster = "orchard",
	.container_instance_arn = "arn:instance",
	.availability_zone = "us-west-2b",
};
static const struct document_context context = { .identity = &identity };

static void task_state_drop(struct task_state **task)
{
	task_state_free(*task);
}
#define _state_ __attribute__((cleanup(task_state_drop)))

static char *container_text(const struct task_state *task, size_t index)
{
	struct strbuf out = STRBUF_INIT;

	document_container(&context, task, &task->containers[index], &out);
	return strbuf_take(&out);
}

static char *task_text(const struct task_state *task, bool without_zone)
{
	const struct document_context this = { &identity, without_zone };
	struct strbuf out = STRBUF_INIT;

	document_task(&this, task, &out);
	return strbuf_take(&out);
}

static char *introspected(const struct task_state *task)
{
	struct strbuf out = STRBUF_INIT;

	struct engine_config config;
	struct engine *engine;

	engine_config_defaults(&config);
	engine = engine_new(&config); /* it knows no task, so none waits */
	document_introspected_task(engine, task, &out);
	engine_free(engine);
	return strbuf_take(&out);
}

/* A task in host mode with one container that has `more`. */
static struct task_state *host_task(const char *more)
{
	_cleanup_free_ char *json =
		xasprintf("{'arn':'" ARN "','desiredStatus':'RUNNING','family':'fruit-api',"
			  "'version':'12','networkMode':'host','containers':[{'name':'web',"
			  "'image':'fruit:1','cpu':0,'memory':16,'essential':true%s}]}",
			  more);

	return state_of(json);
}

#define LABELS(own, name)                                                                          \
	"'Labels':{" own "'com.amazonaws.ecs.cluster':'orchard',"                                  \
	"'com.amazonaws.ecs.container-name':'" name "',"                                           \
	"'com.amazonaws.ecs.task-arn':'" ARN "',"                                                  \
	"'com.amazonaws.ecs.task-definition-family':'fruit-api',"                                  \
	"'com.amazonaws.ecs.task-definition-version':'12'"

#define ENI_SHOWN                                                                                  \
	"'Networks':[{'NetworkMode':'awsvpc','IPv4Addresses':['10.31.4.77'],'AttachmentIndex':0,"  \
	"'MACAddress':'0a:00:00:00:00:01','IPv4SubnetCIDRBlock':'10.31.4.0/24',"                   \
	"'DomainNameServers':['10.31.0.2'],'DomainNameSearchList':['orchard.internal'],"           \
	"'PrivateDNSName':'ip-10-31-4-77.internal','SubnetGatewayIpv4Address':'10.31.4.1/24'}]"

/* tmds-44, tmds-57 but for the cut of the output, tmds-59, tmds-60 */
static void a_container_has_all_its_keys_in_order(void **state)
{
	_state_ struct task_state *task = state_of(
		"{'arn':'" ARN "','desiredStatus':'RUNNING','family':'fruit-api','version':'12',"
		"'networkMode':'awsvpc','elasticNetworkInterfaces':[" ENI "],"
		"'volumes':[{'name':'conf','type':'host','host':{'sourcePath':'/etc/fruit'}},"
		"{'name':'cache','type':'host','host':{'sourcePath':''}}],"
		"'containers':[{'name':'web_1','image':'fruit:1','cpu':256,'memory':512,"
		"'essential':true,'containerArn':'arn:container','healthCheckType':'docker',"
		"'restartPolicy':{'enabled':true},"
		"'mountPoints':[{'sourceVolume':'cache','containerPath':'/cache'},"
		"{'sourceVolume':'conf','containerPath':'/config'}],"
		"'dockerConfig':{'config':'{\\'Labels\\':{\\'zone\\':\\'a<b&c\\',"
		"\\'basket\\':\\'1\\',\\'com.amazonaws.ecs.cluster\\':\\'mine\\'},"
		"\\'Healthcheck\\':{\\'Test\\':[\\'CMD\\',\\'true\\']}}',"
		"'hostConfig':'{\\'LogConfig\\':{\\'Type\\':\\'json-file\\',\\'Config\\':"
		"{\\'max-size\\':\\'1m\\',\\'max-file\\':\\'2\\'}}}'}}]}");
	struct container_state *container = &task->containers[0];
	_cleanup_free_ char *text = NULL;

	container->image_id = xstrdup("sha256:1c9a");
	container->health = CONTAINER_HEALTH_UNHEALTHY;
	container->health_since_ms = INT64_C(1773500498904);
	container->health_exit_code = 3;
	container->health_output = xstrdup("no answer");
	container->known = container->desired = CONTAINER_STATUS_STOPPED;
	container->finished_at_ms = INT64_C(1773500500000);
	container->has_exit_code = true;
	container->exit_code = 137;
	text = container_text(task, 0);
	assert_json(
		text,
		"{'DockerId':'5e0c-web_1-1','Name':'web_1',"
		"'DockerName':'ecs-fruit-api-12-web1-8ab3c1f0d2e446b78100',"
		"'Image':'fruit:1','ImageID':'sha256:1c9a'," LABELS(
			"'basket':'1',",
			"web_1") ",'zone':'a\\u003cb\\u0026c'},"
				 "'DesiredStatus':'STOPPED','KnownStatus':'STOPPED','ExitCode':137,"
				 "'Limits':{'CPU':256,'Memory':512},"
				 "'CreatedAt':'2026-03-14T15:01:07.22Z','StartedAt':'2026-03-14T15:"
				 "01:08.5Z',"
				 "'FinishedAt':'2026-03-14T15:01:40Z','Type':'NORMAL',"
				 "'Health':{'status':'UNHEALTHY','statusSince':'2026-03-14T15:01:"
				 "38.904Z',"
				 "'exitCode':3,'output':'no answer'},"
				 "'Volumes':[{'DockerName':'cache','Source':'','Destination':'/"
				 "cache'},"
				 "{'Source':'/etc/fruit','Destination':'/config'}],"
				 "'LogDriver':'json-file','LogOptions':{'max-file':'2','max-size':'"
				 "1m'},"
				 "'ContainerARN':'arn:container'," ENI_SHOWN ",'RestartCount':0}");
}

/* tmds-48, tmds-56, tmds-58 */
static void what_is_not_known_is_left_out(void **state)
{
	_state_ struct task_state *task =
		host_task(",'healthCheckType':'docker','dockerConfig':{'config':"
			  "'{\\'Healthcheck\\':{\\'Test\\':[\\'CMD\\',\\'true\\']}}'}");
	_cleanup_free_ char *text = NULL;

	task->containers[0].health = CONTAINER_HEALTH_STARTING;
	task->containers[0].has_exit_code = true;
	text = container_text(task, 0);
	assert_json(
		text,
		"{'DockerId':'5e0c-web-1','Name':'web',"
		"'DockerName':'ecs-fruit-api-12-web-8ab3c1f0d2e446b78100',"
		"'Image':'fruit:1','ImageID':''," LABELS(
			"",
			"web") "},"
			       "'DesiredStatus':'RUNNING','KnownStatus':'RUNNING','ExitCode':0,"
			       "'Limits':{'CPU':2,'Memory':16},"
			       "'CreatedAt':'2026-03-14T15:01:07.22Z',"
			       "'StartedAt':'2026-03-14T15:01:08.5Z','Type':'NORMAL','Health':{},"
			       "'Networks':[{'NetworkMode':'host','IPv4Addresses':['']}]}");
}

static void assert_networks(const char *eni, const char *expected)
{
	_cleanup_free_ char *json =
		xasprintf("{'arn':'" ARN "','desiredStatus':'RUNNING','networkMode':'awsvpc',"
			  "'elasticNetworkInterfaces':[{'attachmentArn':'a','ec2Id':'e',"
			  "'macAddress':'0a:00:00:00:00:01',%s}],'containers':[{'name':'web',"
			  "'image':'fruit:1','essential':true}]}",
			  eni);
	_state_ struct task_state *task = state_of(json);
	_cleanup_free_ char *text = container_text(task, 0);
	_cleanup_free_ char *wanted = quoted(expected);
	const char *networks = strstr(text, "\"Networks\"");

	assert_non_null(networks);
	if (!str_ends_with(networks, "}") || strlen(networks) != strlen(wanted) + 1 ||
	    !str_starts_with(networks, wanted))
		fail_msg("\n%s\nis not\n%s", networks, wanted);
}

/* tmds-45, tmds-46 */
static void interfaces_with_ipv6(void **state)
{
	assert_networks("'ipv4Addresses':[{'primary':true,'privateAddress':'10.31.4.77'}],"
			"'ipv6Addresses':[{'primary':true,'address':'2001:db8:0:7::5'}],"
			"'subnetGatewayIpv4Address':'10.31.4.1/20',"
			"'subnetGatewayIpv6Address':'2001:db8::1/56'",
			"'Networks':[{'NetworkMode':'awsvpc','IPv4Addresses':['10.31.4.77'],"
			"'IPv6Addresses':['2001:db8:0:7::5'],'AttachmentIndex':0,"
			"'MACAddress':'0a:00:00:00:00:01','IPv4SubnetCIDRBlock':'10.31.0.0/20',"
			"'IPv6SubnetCIDRBlock':'2001:db8:0:7::/64',"
			"'SubnetGatewayIpv4Address':'10.31.4.1/20'}]");
	assert_networks("'ipv6Addresses':[{'primary':true,'address':'2001:db8:0:107::5'}],"
			"'subnetGatewayIpv6Address':'2001:db8::1/56'",
			"'Networks':[{'NetworkMode':'awsvpc',"
			"'IPv6Addresses':['2001:db8:0:107::5'],'AttachmentIndex':0,"
			"'MACAddress':'0a:00:00:00:00:01',"
			"'IPv6SubnetCIDRBlock':'2001:db8:0:100::/56',"
			"'SubnetGatewayIpv6Address':'2001:db8::1/56'}]");
}

static void assert_ports(const char *address, const char *ipv6_address, const char *expected)
{
	static const struct port_binding bindings[] = {
		{ .container_port = 80, .host_port = 49153, .count = 1 },
		{ TRANSPORT_UDP, 8000, 50000, 2, true },
	};
	_state_ struct task_state *task = state_of(
		"{'arn':'" ARN "','desiredStatus':'RUNNING','networkMode':'bridge','containers':[{"
		"'name':'web','image':'fruit:1','essential':true}]}");
	struct connection_state *connection = &task->containers[0].connection;
	_cleanup_free_ char *text = NULL, *wanted = quoted(expected);

	connection->address = xstrdup_null(address);
	connection->ipv6_address = xstrdup_null(ipv6_address);
	connection_set_bindings(connection, bindings, 2);
	text = container_text(task, 0);
	if (!strstr(text, wanted))
		fail_msg("\n%s\nis not in\n%s", wanted, text);
}

/* tmds-47 */
static void ports_are_told_for_each_family_that_they_are_bound_in(void **state)
{
#define PORT(container, protocol, host, ip)                                                        \
	"{'ContainerPort':" container ",'Protocol':'" protocol "','HostPort':" host                \
	",'HostIp':'" ip "'}"
#define PORTS(web, first, second)       "'Ports':[" web "," first "," second "]"
#define IPV4(container, protocol, host) PORT(container, protocol, host, "0.0.0.0")
#define IPV6(container, protocol, host) PORT(container, protocol, host, "::")
#define BOTH(container, protocol, host)                                                            \
	IPV4(container, protocol, host) "," IPV6(container, protocol, host)
#define ALL(kind)                                                                                  \
	PORTS(kind("80", "tcp", "49153"), kind("8000", "udp", "50000"),                            \
	      kind("8001", "udp", "50001"))
	assert_ports("172.29.0.2", NULL, ALL(IPV4));
	assert_ports(NULL, "fd00:172:29::2", ALL(IPV6));
	assert_ports("172.29.0.2", "fd00:172:29::2", ALL(BOTH));
}

/* On EC2 the task's document says where the instance is; the zone, by name and by id, can be left
 * out. */
static void a_task_says_where_its_instance_is(void **state)
{
	static const struct endpoints_identity on_ec2 = {
		.cluster = "orchard",
		.container_instance_arn = "arn:instance",
		.availability_zone = "us-west-2b",
		.availability_zone_id = "usw2-az2",
		.vpc_id = "vpc-0a",
	};
	_state_ struct task_state *task =
		state_of("{'arn':'" ARN "','desiredStatus':'RUNNING','family':'f','version':'1',"
			 "'serviceName':'front','containers':[{'name':'web','image':'fruit:1'}]}");

	for (size_t i = 0; i < 2; i++) {
		const struct document_context this = { &on_ec2, i == 1 };
		struct strbuf out = STRBUF_INIT;

		document_task(&this, task, &out);
		assert_non_null(strstr(strbuf_text(&out),
				       ",\"VPCID\":\"vpc-0a\",\"ServiceName\":\"front\","));
		assert_int_equal(
			str_ends_with(strbuf_text(&out), ",\"AvailabilityZoneID\":\"usw2-az2\"}"),
			i == 0);
		strbuf_free(&out);
	}
}

/* tmds-51 as far as version 4 goes, and the pause container */
static void a_task_lists_what_is_there_and_what_has_its_image(void **state)
{
	_state_ struct task_state *task = state_of(
		"{'arn':'" ARN "','desiredStatus':'RUNNING','family':'fruit-api','version':'12',"
		"'networkMode':'awsvpc','elasticNetworkInterfaces':[" ENI "],'cpu':0.25,"
		"'memory':512,'launchType':'EC2','serviceName':'front','enableFaultInjection':true,"
		"'containers':[{'name':'late','image':'late:2','memory':256,'essential':false},"
		"{'name':'later','image':'later:2','essential':false},"
		"{'name':'web','image':'fruit:1','memory':16,'essential':true}]}");
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < 2; i++) {
		task->containers[i].known = CONTAINER_STATUS_PULLED;
		task->containers[i].created_at_ms = task->containers[i].started_at_ms = 0;
	}
	task->containers[0].image_id = xstrdup("sha256:0101");
	task->containers[1].known = CONTAINER_STATUS_MANIFEST_PULLED;
	task->pull_started_at_ms = INT64_C(1773500460200);
	task->pull_stopped_at_ms = INT64_C(1773500466000);
	task->execution_stopped_at_ms = INT64_C(1773500500000);
	task->network.status = NETWORK_READY;
	task->network.created_at_ms = task->network.started_at_ms = INT64_C(1773500458010);
	text = task_text(task, false);
	assert_json(
		text,
		"{'Cluster':'orchard','TaskARN':'" ARN "','Family':'fruit-api','Revision':'12',"
		"'DesiredStatus':'RUNNING','KnownStatus':'RUNNING',"
		"'Limits':{'CPU':0.25,'Memory':512},"
		"'PullStartedAt':'2026-03-14T15:01:00.2Z',"
		"'PullStoppedAt':'2026-03-14T15:01:06Z',"
		"'ExecutionStoppedAt':'2026-03-14T15:01:40Z','AvailabilityZone':'us-west-2b',"
		"'LaunchType':'EC2','Containers':["
		"{'DockerId':'5e0c-web-1','Name':'web',"
		"'DockerName':'ecs-fruit-api-12-web-8ab3c1f0d2e446b78100',"
		"'Image':'fruit:1','ImageID':''," LABELS(
			"",
			"web") "},"
			       "'DesiredStatus':'RUNNING','KnownStatus':'RUNNING',"
			       "'Limits':{'CPU':2,'Memory':16},'CreatedAt':'2026-03-14T15:01:07."
			       "22Z',"
			       "'StartedAt':'2026-03-14T15:01:08.5Z','Type':'NORMAL'," ENI_SHOWN
			       "},"
			       "{'DockerId':'5e0c-pause','Name':'~internal~ecs~pause',"
			       "'DockerName':'5e0c-pause','Image':'berth-pause','ImageID':''"
			       "," LABELS("",
					  "~internal~ecs~pause") "},"
								 "'DesiredStatus':'RESOURCES_"
								 "PROVISIONED',"
								 "'KnownStatus':'RESOURCES_"
								 "PROVISIONED','Limits':{'CPU':2,'"
								 "Memory':0},"
								 "'CreatedAt':'2026-03-14T15:00:58."
								 "01Z','StartedAt':'2026-03-14T15:"
								 "00:58.01Z',"
								 "'Type':'CNI_PAUSE'," ENI_SHOWN
								 "},"
								 "{'DockerId':'','Name':'late','"
								 "DockerName':'','Image':'late:2',"
								 "'ImageID':'sha256:0101','"
								 "DesiredStatus':'RUNNING','"
								 "KnownStatus':'PULLED',"
								 "'Limits':{'CPU':2,'Memory':256},'"
								 "Type':'NORMAL'}],"
								 "'ServiceName':'front','"
								 "FaultInjectionEnabled':true}");
}

/* tmds-52, tmds-63 for the zone that we know; PULLED is no status of a task here */
static void a_task_that_has_nothing_yet(void **state)
{
	_state_ struct task_state *task = host_task("");
	_cleanup_free_ char *text = NULL;

	task->known = TASK_STATUS_PULLED;
	task->containers[0].known = CONTAINER_STATUS_NONE;
	task->containers[0].created_at_ms = 0;
	text = task_text(task, true);
	assert_json(text, "{'Cluster':'orchard','TaskARN':'" ARN "','Family':'fruit-api',"
			  "'Revision':'12','DesiredStatus':'RUNNING','KnownStatus':'NONE',"
			  "'FaultInjectionEnabled':false}");
}

/* tmds-127: ports of the definition, and no pause container */
static void introspection_shows_a_task(void **state)
{
	_state_ struct task_state *task = state_of(
		"{'arn':'" ARN "','desiredStatus':'RUNNING','family':'fruit-api','version':'12',"
		"'networkMode':'awsvpc','elasticNetworkInterfaces':[" ENI "],"
		"'containers':[{'name':'web','image':'fruit:1','memory':16,'essential':true,"
		"'portMappings':[{'containerPort':8443,'protocol':'tcp'}]},"
		"{'name':'late','image':'late:2','essential':false}]}");
	_cleanup_free_ char *text = NULL;

	task->containers[1].known = CONTAINER_STATUS_PULLED;
	task->containers[1].created_at_ms = 0;
	task->network.status = NETWORK_READY;
	task->network.created_at_ms = 1;
	text = introspected(task);
	assert_json(text, "{'Arn':'" ARN "','DesiredStatus':'RUNNING','KnownStatus':'RUNNING',"
			  "'Family':'fruit-api','Version':'12','Containers':["
			  "{'DockerId':'5e0c-web-1',"
			  "'DockerName':'ecs-fruit-api-12-web-8ab3c1f0d2e446b78100','Name':'web',"
			  "'Image':'fruit:1','ImageID':'','CreatedAt':'2026-03-14T15:01:07.22Z',"
			  "'StartedAt':'2026-03-14T15:01:08.5Z',"
			  "'Ports':[{'ContainerPort':8443,'Protocol':'tcp','HostPort':8443}],"
			  "'Networks':[{'NetworkMode':'awsvpc','IPv4Addresses':['10.31.4.77']}]}"
			  "]}");
}

/* tmds-126 */
static void a_desired_status_that_contradicts_is_left_out(void **state)
{
	static const struct {
		enum task_status known, desired;
		const char *expected;
	} cases[] = {
		{ TASK_STATUS_STOPPED, TASK_STATUS_RUNNING, "'KnownStatus':'STOPPED'" },
		{ TASK_STATUS_RUNNING, TASK_STATUS_NONE, "'KnownStatus':'RUNNING'" },
		{ TASK_STATUS_PULLED, TASK_STATUS_RUNNING,
		  "'DesiredStatus':'RUNNING','KnownStatus':'PENDING'" },
		{ TASK_STATUS_RUNNING, TASK_STATUS_STOPPED,
		  "'DesiredStatus':'STOPPED','KnownStatus':'RUNNING'" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_state_ struct task_state *task = host_task("");
		_cleanup_free_ char *text = NULL;
		_cleanup_free_ char *expected =
			xasprintf("{'Arn':'" ARN "',%s,'Family':'fruit-api','Version':'12',"
				  "'Containers':[]}",
				  cases[i].expected);

		task->known = cases[i].known;
		task->desired = cases[i].desired;
		task->containers[0].known = CONTAINER_STATUS_PULLED;
		text = introspected(task);
		assert_json(text, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_has_all_its_keys_in_order),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(interfaces_with_ipv6),
		cmocka_unit_test(ports_are_told_for_each_family_that_they_are_bound_in),
		cmocka_unit_test(a_task_says_where_its_instance_is),
		cmocka_unit_test(a_task_lists_what_is_there_and_what_has_its_image),
		cmocka_unit_test(a_task_that_has_nothing_yet),
		cmocka_unit_test(introspection_shows_a_task),
		cmocka_unit_test(a_desired_status_that_contradicts_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
