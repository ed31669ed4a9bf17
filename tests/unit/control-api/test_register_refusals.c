/* SPDX-License-Identifier: Apache-2.0 */
/* Every refusal of RegisterTaskDefinition, with its text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fixture.h"

#define CLIENT "ClientException"

struct refusal {
	const char *input;
	const char *message;
};

static void expect(struct fixture *fixture, const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		call_refused(fixture, "RegisterTaskDefinition", refusals[i].input, CLIENT,
			     refusals[i].message);
}

#define EXPECT(fixture, refusals)                                                                  \
	expect(fixture, refusals, sizeof(refusals) / sizeof((refusals)[0]))

/* One container of 128 MiB with more members; then members of the task. */
#define WEB(more)       "{'name':'web','image':'busybox','memory':128" more "}"
#define TASK(more, one) "{'family':'web'" more ",'containerDefinitions':[" one "]}"
#define AWSVPC          ",'networkMode':'awsvpc'"
#define FARGATE         AWSVPC ",'requiresCompatibilities':['FARGATE'],'cpu':'256','memory':'512'"
#define ROLE            ",'executionRoleArn':'arn:aws:iam::123456789012:role/x'"

static void family_and_containers(void **state)
{
	_cleanup_free_ char *long_name = xmalloc(257);
	_cleanup_free_ char *long_family = NULL;
	static const struct refusal refusals[] = {
		{ "{}", "Family can not be blank." },
		{ "{'family':' '}", "Family can not be blank." },
		{ "{'family':'a b'}", "Family contains invalid characters when it should only "
				      "contain up to 255 alphanumeric, hyphen, underscore "
				      "characters." },
		{ "{'family':'web'}", "Container list cannot be empty." },
		{ "{'family':'web','containerDefinitions':[]}", "Container list cannot be empty." },
		/* api-39 */
		{ TASK("", "{'name':'web','memory':128}"),
		  "Container.image should not be null or empty." },
		{ TASK("", "{'name':'web','image':'a b','memory':128}"),
		  "Container.image 'a b' is not a valid image reference: up to 255 characters "
		  "without spaces are allowed." },
		{ TASK("", "{'image':'busybox','memory':128}"),
		  "Container.name should not be null or empty." },
		{ TASK("", "{'name':'a/b','image':'busybox','memory':128}"),
		  "Container.name contains invalid characters: 'a/b'. Up to 255 letters, numbers, "
		  "hyphens and underscores are allowed." },
		{ TASK("", WEB("") "," WEB("")), "Container.name contains duplicate value 'web'." },
		{ TASK("", WEB(",'essential':false")),
		  "All containers must not be non-essential: at least one container of a task "
		  "definition must be essential." },
		{ TASK(",'networkMode':'Bridge'", WEB("")),
		  "networkMode should be one of [bridge,host,awsvpc,none]" },
		{ TASK(",'pidMode':'x'", WEB("")), "pidMode should be one of [host,task]" },
		{ TASK(",'ipcMode':'x'", WEB("")), "ipcMode should be one of [host,task,none]" },
		{ TASK(",'requiresCompatibilities':['LAMBDA']", WEB("")),
		  "requiresCompatibilities should be one of "
		  "[EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]" },
		{ TASK(",'taskRoleArn':'arn:aws:iam::1:user/x'", WEB("")), "Role is not valid" },
		{ TASK(",'ephemeralStorage':{'sizeInGiB':20}", WEB("")),
		  "Invalid 'ephemeralStorage' setting for task: sizeInGiB must be between 21 and "
		  "200." },
		{ TASK(",'runtimePlatform':{'cpuArchitecture':'SPARC'}", WEB("")),
		  "cpuArchitecture should be one of [X86_64,ARM64]" },
	};

	EXPECT(*state, refusals);
	/* Tags have errors of their own type. */
	call_refused(*state, "RegisterTaskDefinition",
		     TASK(",'tags':[{'key':'aws:x','value':'1'}]", WEB("")),
		     "InvalidParameterException",
		     "Tag keys that start with 'aws:' are reserved: 'aws:x'");

	memset(long_name, 'a', 256);
	long_name[256] = '\0';
	long_family = xasprintf("{'family':'%s'}", long_name);
	call_refused(*state, "RegisterTaskDefinition", long_family, CLIENT,
		     "Family contains invalid characters when it should only contain up to 255 "
		     "alphanumeric, hyphen, underscore characters.");
}

/* api-40 */
static void eleven_containers_are_too_many(void **state)
{
	_cleanup_strbuf_ struct strbuf input = STRBUF_INIT;

	strbuf_append(&input, "{'family':'web','containerDefinitions':[");
	for (int i = 0; i < 11; i++)
		strbuf_appendf(&input, "%s{'name':'c%d','image':'busybox','memory':10}",
			       i > 0 ? "," : "", i);
	strbuf_append(&input, "]}");
	call_refused(*state, "RegisterTaskDefinition", strbuf_text(&input), CLIENT,
		     "Too many containers.");
}

static void a_definition_has_at_most_64_kib(void **state)
{
	_cleanup_strbuf_ struct strbuf input = STRBUF_INIT;

	strbuf_append(&input, "{'family':'web','containerDefinitions':[{'name':'web','image':'b',"
			      "'memory':10,'command':['");
	for (int i = 0; i < 65536; i++)
		strbuf_append_char(&input, 'x');
	strbuf_append(&input, "']}]}");
	call_refused(*state, "RegisterTaskDefinition", strbuf_text(&input), CLIENT,
		     "Actual length: '65631'. Max allowed length is '65536' bytes.");
}

static void sizes(void **state)
{
	static const struct refusal refusals[] = {
		/* api-33 */
		{ TASK("", "{'name':'web','image':'busybox'}"),
		  "Invalid setting for container 'web'. At least one of 'memory' or "
		  "'memoryReservation' must be specified." },
		/* api-35 */
		{ TASK(",'memory':'256'", "{'name':'web','image':'busybox','memory':512}"),
		  "The 'memory' setting for container 'web' is greater than for the task." },
		/* api-36 */
		{ TASK(",'cpu':'256','memory':'512'",
		       WEB(",'cpu':200") ",{'name':'b','image':'busybox','memory':64,'cpu':100}"),
		  "The sum of all container 'cpu' values cannot be greater than the value of the "
		  "task 'cpu'." },
		{ TASK(",'memory':'200'", WEB("") ",{'name':'b','image':'busybox','memory':128}"),
		  "The sum of all container memory reservations cannot be greater than the value "
		  "of the task 'memory'." },
		{ TASK("", "{'name':'web','image':'busybox','memory':64,'memoryReservation':65}"),
		  "Invalid setting for container 'web'. 'memoryReservation' must not be greater "
		  "than 'memory'." },
		{ TASK("", "{'name':'web','image':'busybox','memory':5}"),
		  "Invalid setting for container 'web'. 'memory' must be at least 6 MiB." },
		{ TASK("", WEB(",'cpu':-1")), "Invalid 'cpu' setting for container 'web'." },
		/* api-38 */
		{ TASK(",'cpu':''", WEB("")), "Invalid 'cpu' setting for task." },
		{ TASK(",'cpu':'many'", WEB("")), "Invalid 'cpu' setting for task." },
		{ TASK(",'cpu':'1 GB'", WEB("")), "Invalid 'cpu' setting for task." },
		{ TASK(",'cpu':' vCPU'", WEB("")), "Invalid 'cpu' setting for task." },
		{ TASK(",'cpu':'127'", WEB("")),
		  "Invalid 'cpu' setting for task. For more information, see the Troubleshooting "
		  "section of the Amazon ECS Developer Guide." },
		{ TASK(",'cpu':'196609'", WEB("")),
		  "Invalid 'cpu' setting for task. For more information, see the Troubleshooting "
		  "section of the Amazon ECS Developer Guide." },
		{ TASK(",'memory':'x'", WEB("")), "Invalid 'memory' setting for task." },
		{ TASK(",'memory':'1 vCPU'", WEB("")), "Invalid 'memory' setting for task." },
	};

	EXPECT(*state, refusals);
}

static void ports(void **state)
{
	static const struct refusal refusals[] = {
		/* api-44 */
		{ TASK("", WEB(",'portMappings':[{'hostPort':80}]")),
		  "Invalid 'containerPort' setting for container 'web'." },
		{ TASK("", WEB(",'portMappings':[{'containerPort':65536}]")),
		  "Invalid 'containerPort' setting for container 'web'." },
		{ TASK("", WEB(",'portMappings':[{'containerPort':80,'hostPort':65536}]")),
		  "Invalid 'hostPort' setting for container 'web'." },
		/* api-43 */
		{ TASK(AWSVPC, WEB(",'portMappings':[{'containerPort':80,'hostPort':81}]")),
		  "When networkMode=awsvpc, the host ports and container ports in port mappings "
		  "must match." },
		{ TASK(",'networkMode':'host'",
		       WEB(",'portMappings':[{'containerPort':80,'hostPort':81}]")),
		  "When networkMode=host, the host ports and container ports in port mappings must "
		  "match." },
		{ TASK(",'networkMode':'none'", WEB(",'portMappings':[{'containerPort':80}]")),
		  "Port mappings are not supported when networkMode=none." },
		/* api-45 */
		{ TASK("", WEB(",'portMappings':[{'containerPort':80,'hostPort':3000}"
			       "]") ",{'name':'b','image':'busybox','memory':10,'"
				    "portMappings':"
				    "[{'containerPort':81,'hostPort':3000,'protocol':'"
				    "tcp'}]}"),
		  "TCP host port '3000' is mapped multiple times in task." },
		{ TASK("",
		       WEB(",'portMappings':[{'containerPort':80,'hostPort':53,'protocol':'udp'}"
			   ",{'containerPort':81,'hostPort':53,'protocol':'udp'}]")),
		  "UDP host port '53' is mapped multiple times in task." },
		{ TASK(AWSVPC,
		       WEB(",'portMappings':[{'containerPort':80}]") ",{'name':'b','image':'"
								     "busybox','memory':10,'"
								     "portMappings':"
								     "[{'containerPort':80}]}"),
		  "TCP host port '80' is mapped multiple times in task." },
		{ TASK("", WEB(",'portMappings':[{'containerPort':80,'protocol':'sctp'}]")),
		  "protocol should be one of [tcp,udp]" },
		{ TASK("", WEB(",'portMappings':[{'containerPort':80,'appProtocol':'ftp'}]")),
		  "appProtocol should be one of [http,http2,grpc]" },
		{ TASK("", WEB(",'portMappings':[{'containerPort':80,'name':'-x'}]")),
		  "Container 'web': port name '-x' is invalid: up to 64 lower-case letters, "
		  "numbers, hyphens and underscores are allowed, and it can not start with a "
		  "hyphen." },
		{ TASK("", WEB(",'portMappings':[{'containerPort':80,'name':'x'},"
			       "{'containerPort':81,'name':'x'}]")),
		  "Port mapping name 'x' is used multiple times in task." },
		{ TASK("", WEB(",'portMappings':[{'containerPortRange':'90-80'}]")),
		  "Invalid 'containerPortRange' setting for container 'web': '90-80' is not a "
		  "range "
		  "such as 8000-8010." },
		{ TASK("", WEB(",'portMappings':[{'containerPortRange':'80-90','hostPort':80}]")),
		  "Container 'web': containerPort and hostPort can not be specified together with "
		  "containerPortRange." },
		{ TASK(",'networkMode':'host'",
		       WEB(",'portMappings':[{'containerPortRange':'8-9'}]")),
		  "Container 'web': containerPortRange is not supported when networkMode=host." },
		{ TASK("", WEB(",'portMappings':[{'containerPortRange':'80-90'},"
			       "{'containerPortRange':'85-95'}]")),
		  "TCP port range '85-95' overlaps with another port mapping in task." },
	};

	EXPECT(*state, refusals);
}

static void names_on_the_network(void **state)
{
	static const struct refusal refusals[] = {
		/* api-47 */
		{ TASK(AWSVPC, WEB(",'links':['b']") ",{'name':'b','image':'busybox','memory':9}"),
		  "Links are not supported when networkMode=awsvpc." },
		{ TASK("", WEB(",'links':['nobody:x']")),
		  "Container 'web': link 'nobody:x' does not name another container of the task "
		  "definition." },
		/* api-48 */
		{ TASK(AWSVPC, WEB(",'hostname':'h'")),
		  "hostname is not supported on container when networkMode=awsvpc." },
		{ TASK(AWSVPC, WEB(",'dnsServers':['10.0.0.2']")),
		  "dnsServers is not supported on container when networkMode=awsvpc." },
		{ TASK(AWSVPC, WEB(",'extraHosts':[{'hostname':'a','ipAddress':'10.0.0.1'}]")),
		  "extraHosts is not supported on container when networkMode=awsvpc." },
		{ TASK("", WEB(",'extraHosts':[{'hostname':'a'}]")),
		  "Container 'web': hostname and ipAddress of extraHosts can not be blank." },
		{ TASK(",'proxyConfiguration':{'containerName':'web'}", WEB("")),
		  "proxyConfiguration is only supported when networkMode=awsvpc." },
		{ TASK(AWSVPC ",'proxyConfiguration':{'containerName':'envoy'}", WEB("")),
		  "proxyConfiguration names container 'envoy', which the task definition does not "
		  "have." },
	};

	EXPECT(*state, refusals);
}

static void volumes_and_mounts(void **state)
{
	static const struct refusal refusals[] = {
		/* api-49 */
		{ TASK("", WEB(",'mountPoints':[{'sourceVolume':'v','containerPath':'/v'}]")),
		  "Unknown volume 'v'." },
		{ TASK(",'volumes':[{'name':'v'}]", WEB(",'mountPoints':[{'sourceVolume':'v'}]")),
		  "Container 'web': containerPath of the mount point for volume 'v' should not be "
		  "null or empty." },
		{ TASK("", WEB(",'volumesFrom':[{'sourceContainer':'b'}]")),
		  "Container 'web': volumesFrom names container 'b', which is not another "
		  "container of the task definition." },
		{ TASK(",'volumes':[{}]", WEB("")), "Volume.name should not be null or empty." },
		{ TASK(",'volumes':[{'name':'a b'}]", WEB("")),
		  "Volume name 'a b' contains invalid characters: up to 255 letters, numbers, "
		  "hyphens and underscores are allowed." },
		{ TASK(",'volumes':[{'name':'v'},{'name':'v'}]", WEB("")),
		  "Volume.name contains duplicate value 'v'." },
		{ TASK(",'volumes':[{'name':'v','host':{'sourcePath':''}}]", WEB("")),
		  "host.sourcePath should not be blank." },
		{ TASK(",'volumes':[{'name':'v','host':{},'dockerVolumeConfiguration':{}}]",
		       WEB("")),
		  "Volume 'v' can have only one of host, dockerVolumeConfiguration, "
		  "efsVolumeConfiguration, fsxWindowsFileServerVolumeConfiguration and "
		  "configuredAtLaunch." },
		{ TASK(",'volumes':[{'name':'v','dockerVolumeConfiguration':{'scope':'x'}}]",
		       WEB("")),
		  "dockerVolumeConfiguration.scope should be one of [task,shared]" },
		{ TASK(",'volumes':[{'name':'v','dockerVolumeConfiguration':{'scope':'task',"
		       "'autoprovision':true}}]",
		       WEB("")),
		  "Volume 'v': autoprovision is only supported with scope 'shared'." },
		{ TASK(",'volumes':[{'name':'v','efsVolumeConfiguration':{}}]", WEB("")),
		  "Volume 'v': efsVolumeConfiguration.fileSystemId can not be blank." },
		{ TASK(",'volumes':[{'name':'v','efsVolumeConfiguration':{'fileSystemId':'fs-1',"
		       "'authorizationConfig':{'iam':'ENABLED'}}}]",
		       WEB("")),
		  "Volume 'v': transitEncryption must be ENABLED when an access point or IAM "
		  "authorization is used." },
		{ TASK(",'volumes':[{'name':'v','efsVolumeConfiguration':{'fileSystemId':'fs-1',"
		       "'transitEncryption':'ENABLED','rootDirectory':'/x',"
		       "'authorizationConfig':{'accessPointId':'fsap-1'}}}]",
		       WEB("")),
		  "Volume 'v': rootDirectory must be omitted or '/' when an access point is "
		  "used." },
		{ TASK(",'volumes':[{'name':'a','configuredAtLaunch':true},"
		       "{'name':'b','configuredAtLaunch':true}]",
		       WEB("")),
		  "Only one volume of a task definition can be configuredAtLaunch." },
	};

	EXPECT(*state, refusals);
}

static void dependencies(void **state)
{
	static const struct refusal refusals[] = {
		/* api-51 */
		{ TASK("", WEB(",'dependsOn':[{'containerName':'b','condition':'SUCCESS'"
			       "}]") ",{'name':'b','image':'busybox','memory':10}"),
		  "A dependency container with SUCCESS or COMPLETE condition cannot be an "
		  "essential container" },
		{ TASK("", WEB(",'dependsOn':[{'containerName':'b','condition':'COMPLETE'}"
			       "]") ",{'name':'b','image':'busybox','memory':10}"),
		  "A dependency container with SUCCESS or COMPLETE condition cannot be an "
		  "essential container" },
		/* api-52 */
		{ TASK("", WEB(",'dependsOn':[{'containerName':'b','condition':'HEALTHY'"
			       "}]") ",{'name':'b','image':'busybox','memory':10}"),
		  "Container 'web' waits until container 'b' is HEALTHY, but that one has "
		  "no "
		  "health check." },
		{ TASK("", WEB(",'dependsOn':[{'containerName':'b','condition':'START'}]")),
		  "Container 'web' depends on container 'b', which is not another "
		  "container of the "
		  "task definition." },
		{ TASK("", WEB(",'dependsOn':[{'containerName':'web','condition':'START'}]")),
		  "Container 'web' depends on container 'web', which is not another "
		  "container of "
		  "the task definition." },
		{ TASK("", WEB(",'dependsOn':[{'containerName':'b','condition':'DONE'}"
			       "]") ",{'name':'b','image':'busybox','memory':10}"),
		  "dependsOn.condition should be one of [START,COMPLETE,SUCCESS,HEALTHY]" },
		/* api-53 */
		{ TASK("", WEB(",'dependsOn':[{'containerName':'b','condition':'START'}"
			       "]") ",{'name':'b','image':'busybox','memory':10,"
				    "'dependsOn':[{'containerName':'web','condition':'"
				    "START'}]}"),
		  "Circular dependency between containers: web, b." },
		{ TASK("", WEB(",'links':['b']") ",{'name':'b','image':'busybox','memory':10,"
						 "'volumesFrom':[{'sourceContainer':'web'}]}"),
		  "Circular dependency between containers: web, b." },
	};

	EXPECT(*state, refusals);
}

static void health_checks_and_restarts(void **state)
{
	static const struct refusal refusals[] = {
		{ TASK("", WEB(",'healthCheck':{}")),
		  "Container 'web': healthCheck.command should not be null or empty." },
		/* api-55 */
		{ TASK("", WEB(",'healthCheck':{'command':['CMD','true'],'interval':1}")),
		  "Invalid 'healthCheck.interval' setting for container 'web': it must be between "
		  "5 "
		  "and 300." },
		{ TASK("", WEB(",'healthCheck':{'command':['CMD','true'],'timeout':61}")),
		  "Invalid 'healthCheck.timeout' setting for container 'web': it must be between 2 "
		  "and 60." },
		{ TASK("", WEB(",'healthCheck':{'command':['CMD','true'],'retries':0}")),
		  "Invalid 'healthCheck.retries' setting for container 'web': it must be between 1 "
		  "and 10." },
		{ TASK("", WEB(",'healthCheck':{'command':['CMD','true'],'startPeriod':301}")),
		  "Invalid 'healthCheck.startPeriod' setting for container 'web': it must be "
		  "between 0 and 300." },
		{ TASK("", WEB(",'restartPolicy':{}")),
		  "Container 'web': restartPolicy.enabled must be specified." },
		{ TASK("", WEB(",'restartPolicy':{'enabled':true,'restartAttemptPeriod':59}")),
		  "Invalid 'restartPolicy.restartAttemptPeriod' setting for container 'web': it "
		  "must be between 60 and 1800." },
		{ TASK("", WEB(",'stopTimeout':-1")),
		  "Invalid 'stopTimeout' setting for container 'web'." },
	};

	EXPECT(*state, refusals);
}

static void secrets_and_logs(void **state)
{
	static const char role[] = "When you are specifying container secrets, you must also "
				   "specify a value for 'executionRoleArn'.";
	const struct refusal refusals[] = {
		/* api-56 */
		{ TASK("", WEB(",'secrets':[{'name':'A','valueFrom':'p'}]")), role },
		{ TASK("", WEB(",'secrets':[]")), role },
		{ TASK(ROLE, WEB(",'secrets':[{'name':'A'}]")),
		  "Container 'web': name and valueFrom of a secret can not be blank." },
		{ TASK(ROLE, WEB(",'environment':[{'name':'A','value':'1'}],"
				 "'secrets':[{'name':'A','valueFrom':'p'}]")),
		  "The secret name must be unique and not shared with any new or existing "
		  "environment variables set on the container, such as 'A'." },
		{ TASK("", WEB(",'environment':[{'value':'1'}]")),
		  "Container 'web': the name of an environment variable can not be blank." },
		{ TASK("",
		       WEB(",'environmentFiles':[{'type':'s3','value':'arn:aws:s3:::b/x.txt'}]")),
		  "Container 'web': an environment file must be the ARN of an S3 object that ends "
		  "with .env." },
		{ TASK("", WEB(",'repositoryCredentials':{'credentialsParameter':'x'}")),
		  "Private repository authentication requires that the task definition specify a "
		  "value for executionRoleArn." },
		/* api-57 */
		{ TASK("", WEB(",'logConfiguration':{'logDriver':'awslogs'}")),
		  "Log driver awslogs requires options: awslogs-region, awslogs-group" },
		{ TASK("", WEB(",'logConfiguration':{'logDriver':'carrier-pigeon'}")),
		  "logDriver should be one of "
		  "[json-file,syslog,journald,gelf,fluentd,awslogs,splunk,awsfirelens]" },
		{ TASK("", WEB(",'logConfiguration':{'logDriver':'awsfirelens'}")),
		  "When a container uses the awsfirelens log driver, one container of the task "
		  "definition must have a firelensConfiguration." },
		{ TASK("", WEB(",'firelensConfiguration':{'type':'x'}")),
		  "firelensConfiguration.type should be one of [fluentd,fluentbit]" },
		{ TASK("",
		       WEB(",'firelensConfiguration':{'type':'fluentd'}") ",{'name':'b','image':'"
									  "busybox','memory':10,"
									  "'firelensConfiguration':"
									  "{'type':'fluentd'}}"),
		  "Only one container of a task definition can have a firelensConfiguration." },
		{ TASK("", WEB(",'logConfiguration':{'logDriver':'splunk','secretOptions':"
			       "[{'name':'a','valueFrom':'b'}]}")),
		  role },
	};

	EXPECT(*state, refusals);
}

static void linux_settings(void **state)
{
	static const struct refusal refusals[] = {
		{ TASK("", WEB(",'ulimits':[{'name':'files','softLimit':1,'hardLimit':1}]")),
		  "ulimits.name should be one of [core,cpu,data,fsize,locks,memlock,msgqueue,nice,"
		  "nofile,nproc,rss,rtprio,rttime,sigpending,stack]" },
		{ TASK("", WEB(",'ulimits':[{'name':'nofile','softLimit':2,'hardLimit':1}]")),
		  "Container 'web': the softLimit of ulimit 'nofile' can not be greater than its "
		  "hardLimit." },
		{ TASK("", WEB(",'ulimits':[{'name':'nofile','softLimit':2}]")),
		  "Container 'web': ulimit 'nofile' needs softLimit and hardLimit." },
		{ TASK("", WEB(",'linuxParameters':{'swappiness':101}")),
		  "Invalid 'linuxParameters.swappiness' setting for container 'web': it must be "
		  "between 0 and 100." },
		{ TASK("", WEB(",'linuxParameters':{'tmpfs':[{'containerPath':'/t','size':0}]}")),
		  "Container 'web': a tmpfs needs a containerPath and a size greater than 0." },
		{ TASK("", WEB(",'linuxParameters':{'devices':[{'containerPath':'/dev/x'}]}")),
		  "Container 'web': hostPath of a device can not be blank." },
		{ TASK("", WEB(",'systemControls':[{'namespace':'kernel.panic','value':'1'}]")),
		  "Container 'web': systemControls namespace 'kernel.panic' is not supported: it "
		  "must be net.*, fs.mqueue.* or one of the kernel's IPC settings." },
		{ TASK(",'networkMode':'host'",
		       WEB(",'systemControls':[{'namespace':'net.core.somaxconn','value':'1'}]")),
		  "Container 'web': systemControls 'net.core.somaxconn' is not supported when "
		  "networkMode=host." },
		{ TASK("", WEB(",'resourceRequirements':[{'type':'GPU','value':'0'}]")),
		  "Container 'web': the value of resource requirement GPU must be a positive "
		  "integer." },
		{ TASK("", WEB(",'credentialSpecs':['a','b']")),
		  "credentialSpecs can have at most 1 items." },
		{ TASK("", WEB(",'versionConsistency':'maybe'")),
		  "versionConsistency should be one of [enabled,disabled]" },
	};
	struct fixture *fixture = *state;

	EXPECT(fixture, refusals);
	call_refused(fixture, "RegisterTaskDefinition",
		     TASK("", WEB(",'linuxParameters':{'capabilities':{'add':['CAP_X']}}")), CLIENT,
		     NULL);
}

static void constraints(void **state)
{
	static const struct refusal refusals[] = {
		/* api-61 */
		{ TASK(",'placementConstraints':[{'type':'distinctInstance'}]", WEB("")),
		  "constraint.type 'distinctInstance' is not supported." },
		{ TASK(",'placementConstraints':[{'type':'memberOf'}]", WEB("")),
		  "constraint.expression can not be blank." },
	};
	struct fixture *fixture = *state;

	EXPECT(fixture, refusals);
	call_refused(
		fixture, "RegisterTaskDefinition",
		TASK(",'placementConstraints':[{'type':'memberOf','expression':'attribute:('}]",
		     WEB("")),
		CLIENT, NULL);
}

static void fargate(void **state)
{
	static const struct refusal refusals[] = {
		/* api-58: the quotation marks are curly */
		{ TASK(",'requiresCompatibilities':['FARGATE'],'cpu':'256','memory':'512'",
		       WEB("")),
		  "Fargate only supports network mode ‘awsvpc’." },
		/* api-59 */
		{ TASK(AWSVPC ",'requiresCompatibilities':['FARGATE'],'cpu':'256','memory':'4096'",
		       WEB("")),
		  "No Fargate configuration exists for given values." },
		{ TASK(AWSVPC ",'requiresCompatibilities':['FARGATE'],'cpu':'300','memory':'512'",
		       WEB("")),
		  "No Fargate configuration exists for given values." },
		/* api-60 */
		{ TASK(AWSVPC ",'requiresCompatibilities':['FARGATE']", WEB("")),
		  "Fargate requires that 'cpu' be defined at the task level." },
		{ TASK(AWSVPC ",'requiresCompatibilities':['FARGATE'],'cpu':'256'", WEB("")),
		  "Fargate requires that 'memory' be defined at the task level." },
		{ TASK(FARGATE ",'pidMode':'host'", WEB("")),
		  "Tasks using the Fargate launch type do not support pidMode 'host'. The "
		  "supported value for pidMode is 'task'." },
		{ TASK(FARGATE, "{'name':'web','memory':128,'image':"
				"'123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1'}"),
		  "Fargate requires task definition to have execution role ARN to support ECR "
		  "images." },
		{ TASK(FARGATE, WEB(",'logConfiguration':{'logDriver':'awslogs','options':"
				    "{'awslogs-region':'r','awslogs-group':'g'}}")),
		  "Fargate requires task definition to have execution role ARN to support log "
		  "driver awslogs." },
		{ TASK(FARGATE ROLE, WEB(",'logConfiguration':{'logDriver':'awslogs','options':"
					 "{'awslogs-region':'r','awslogs-group':'g'}}")),
		  "Log driver awslogs requires options: awslogs-stream-prefix" },
		{ TASK(FARGATE ",'volumes':[{'name':'v','host':{'sourcePath':'/x'}}]", WEB("")),
		  "Fargate compatible task definitions do not support sourcePath" },
		{ TASK(FARGATE, WEB(",'privileged':true")),
		  "Fargate compatible task definitions do not support privileged." },
		{ TASK(FARGATE, WEB(",'stopTimeout':121")),
		  "Invalid 'stopTimeout' setting for container 'web': it must be between 0 and "
		  "120." },
		{ TASK(AWSVPC ",'requiresCompatibilities':['EXTERNAL']", WEB("")),
		  "External instances do not support network mode 'awsvpc'." },
	};

	EXPECT(*state, refusals);
}

/* A wrong type is told before anything else is looked at, with its place. */
static void wrong_types(void **state)
{
	static const struct refusal refusals[] = {
		{ "{'family':7}", "family: must be a string, got a number" },
		{ "{'family':'a','containerDefinitions':{}}",
		  "containerDefinitions: must be a list" },
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		call_refused(*state, "RegisterTaskDefinition", refusals[i].input,
			     "SerializationException", refusals[i].message);
	call_refused(*state, "RegisterTaskDefinition", TASK("", "{'name':'a','cpu':'many'}"),
		     "SerializationException", NULL);
	call_refused(*state, "RegisterTaskDefinition", TASK("", "{'name':'a','cpu':1.5}"),
		     "SerializationException", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(family_and_containers),
		TEST(eleven_containers_are_too_many),
		TEST(a_definition_has_at_most_64_kib),
		TEST(sizes),
		TEST(ports),
		TEST(names_on_the_network),
		TEST(volumes_and_mounts),
		TEST(dependencies),
		TEST(health_checks_and_restarts),
		TEST(secrets_and_logs),
		TEST(linux_settings),
		TEST(constraints),
		TEST(fargate),
		TEST(wrong_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
