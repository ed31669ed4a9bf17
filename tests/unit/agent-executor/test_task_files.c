/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/task_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"

#define ENI                                                                                        \
	"\"elasticNetworkInterfaces\":[{\"attachmentArn\":\"a\",\"ec2Id\":\"eni-1\","              \
	"\"macAddress\":"                                                                          \
	"\"0a:00:00:00:00:01\",\"ipv4Addresses\":[{\"privateAddress\":\"10.0.0.7\",\"primary\":"   \
	"true}],"                                                                                  \
	"\"subnetGatewayIpv4Address\":\"10.0.0.1/"                                                 \
	"24\",\"domainNameServers\":[\"10.0.0.2\"],\"domainName\":"                                \
	"[\"vpc.internal\"],\"privateDnsName\":\"ip-10-0-0-7.vpc.internal\"}]"

#define LONG_DOMAIN "a-department-with-a-long-name.of-a-company-with-a-longer-one.example.internal"

static struct task_spec *task(const char *members, const char *container)
{
	struct task_spec *spec = NULL;
	struct error err;
	char json[4096];

	snprintf(json, sizeof(json),
		 "{\"arn\":\"arn:aws:ecs:r:1:task/c/"
		 "0123456789abcdef\",\"desiredStatus\":\"RUNNING\",%s,\"containers\":[{"
		 "\"name\":\"app\",\"image\":\"i\"%s}]}",
		 members, container);
	if (task_spec_decode_text(json, strlen(json), &spec, &err) < 0)
		fail_msg("%s", err.text);
	return spec;
}

static void awsvpc_files_are_made_of_the_interface(void **state)
{
	struct task_spec *spec = task("\"networkMode\":\"awsvpc\"," ENI, "");
	_cleanup_free_ char *hostname = task_hostname(spec, NULL);
	_cleanup_free_ char *hosts = task_hosts_text(spec, NULL, hostname, NULL);
	_cleanup_free_ char *resolv = task_resolv_text(spec, NULL, "nameserver 9.9.9.9\n");

	assert_string_equal(hostname, "ip-10-0-0-7.vpc.internal");
	assert_non_null(strstr(hosts, "127.0.0.1\tlocalhost\n"));
	assert_non_null(strstr(hosts, "10.0.0.7\tip-10-0-0-7.vpc.internal\n"));
	assert_string_equal(resolv, "nameserver 10.0.0.2\nsearch vpc.internal\n");
	task_spec_unref(spec);
}

static void without_an_interface_the_host_s_servers_count(void **state)
{
	struct task_spec *spec = task("\"networkMode\":\"none\"", "");
	_cleanup_free_ char *hostname = task_hostname(spec, &spec->containers[0]);
	_cleanup_free_ char *resolv =
		task_resolv_text(spec, &spec->containers[0], "nameserver 9.9.9.9\nsearch x\n");

	assert_string_equal(hostname, "0123456789ab");
	assert_string_equal(resolv, "nameserver 9.9.9.9\nsearch x\n");
	task_spec_unref(spec);
}

static void a_definition_adds_hosts_and_replaces_servers(void **state)
{
	struct task_spec *spec = task(
		"\"networkMode\":\"host\"",
		",\"dockerConfig\":{\"config\":\"{\\\"Hostname\\\":\\\"mine\\\"}\",\"hostConfig\":"
		"\"{\\\"Dns\\\":[\\\"1.1.1.1\\\"],\\\"ExtraHosts\\\":[\\\"db:10.1.1.1\\\","
		"\\\"six:fd00::1\\\"]}\"}");
	_cleanup_free_ char *hostname = task_hostname(spec, &spec->containers[0]);
	_cleanup_free_ char *hosts = task_hosts_text(spec, &spec->containers[0], hostname, NULL);
	_cleanup_free_ char *resolv =
		task_resolv_text(spec, &spec->containers[0], "nameserver 9.9.9.9\n");

	assert_string_equal(hostname, "mine");
	assert_non_null(strstr(hosts, "10.1.1.1\tdb\n"));
	assert_non_null(strstr(hosts, "fd00::1\tsix\n"));
	assert_string_equal(resolv, "nameserver 1.1.1.1\n");
	task_spec_unref(spec);
}

static void a_search_list_of_one_s_own_keeps_the_host_s_servers(void **state)
{
	struct task_spec *spec =
		task("\"networkMode\":\"host\"",
		     ",\"dockerConfig\":{\"hostConfig\":\"{\\\"DnsSearch\\\":[\\\"a.b\\\"]}\"}");
	_cleanup_free_ char *resolv = task_resolv_text(spec, &spec->containers[0],
						       "# comment\nnameserver 9.9.9.9\nsearch x\n");

	assert_string_equal(resolv, "search a.b\nnameserver 9.9.9.9\n");
	task_spec_unref(spec);
}

/* A container has its own address, and finds those that it links to by alias and name. */
static void links_are_hosts(void **state)
{
	struct task_spec *spec = NULL;
	struct error err;
	const char *json =
		"{\"arn\":\"arn:aws:ecs:r:1:task/c/"
		"0123456789abcdef\",\"desiredStatus\":\"RUNNING\","
		"\"networkMode\":\"bridge\",\"containers\":["
		"{\"name\":\"app\",\"image\":\"i\",\"links\":[\"db:store\",\"cache\",\"gone\"]},"
		"{\"name\":\"db\",\"image\":\"i\"},{\"name\":\"cache\",\"image\":\"i\"},"
		"{\"name\":\"gone\",\"image\":\"i\"}]}";

	assert_int_equal(task_spec_decode_text(json, strlen(json), &spec, &err), 0);
	_cleanup_(task_state_free_cleanup) struct task_state *task = task_state_new(spec);

	task->containers[0].connection.address = strdup("172.29.0.2");
	task->containers[1].connection.address = strdup("172.29.0.3");
	task->containers[2].connection.address = strdup("172.29.0.4");
	_cleanup_free_ char *lines = task_bridge_hosts(task, 0, "web");
	_cleanup_free_ char *hosts = task_hosts_text(spec, &spec->containers[0], "web", lines);

	assert_string_equal(lines, "172.29.0.2\tweb\n172.29.0.3\tstore db\n172.29.0.4\tcache\n");
	assert_non_null(strstr(hosts, lines));
	assert_null(strstr(hosts, "127.0.1.1"));
	task_spec_unref(spec);
}

static char *file_of(const char *directory, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, name);
	char *text = NULL;

	assert_int_equal(file_read(AT_FDCWD, path, 65536, &text, NULL, NULL), 0);
	unlink(path);
	return text;
}

/* net-T24: without servers the host's count; six are six, and a list is as long as it is. */
static void the_files_of_a_task_are_as_its_interface_says(void **state)
{
	static const struct {
		const char *servers, *domains, *resolv; /* resolv NULL: the host's */
	} cases[] = {
		{ "", "", NULL },
		{ "\"10.0.0.2\"", "", "nameserver 10.0.0.2\n" },
		{ "\"10.0.0.2\",\"10.0.0.3\",\"10.0.0.4\",\"10.0.0.5\",\"fd00::2\",\"fd00::3\"",
		  "\"" LONG_DOMAIN "\",\"" LONG_DOMAIN "\",\"" LONG_DOMAIN "\",\"" LONG_DOMAIN
		  "\",\"" LONG_DOMAIN "\",\"" LONG_DOMAIN "\",\"" LONG_DOMAIN "\"",
		  "nameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n"
		  "nameserver 10.0.0.5\nnameserver fd00::2\nnameserver fd00::3\n"
		  "search " LONG_DOMAIN " " LONG_DOMAIN " " LONG_DOMAIN " " LONG_DOMAIN
		  " " LONG_DOMAIN " " LONG_DOMAIN " " LONG_DOMAIN "\n" },
	};
	char directory[] = "/tmp/berth-task-files.XXXXXX";

	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *members = xasprintf(
			"\"networkMode\":\"awsvpc\",\"elasticNetworkInterfaces\":[{\"ec2Id\":"
			"\"eni-1\",\"macAddress\":\"0a:00:00:00:00:01\",\"ipv4Addresses\":[{"
			"\"privateAddress\":\"10.0.0.7\",\"primary\":true}],"
			"\"subnetGatewayIpv4Address\":\"10.0.0.1/24\",\"domainNameServers\":[%s],"
			"\"domainName\":[%s],\"privateDnsName\":\"ip-10-0-0-7.vpc.internal\"}]",
			cases[i].servers, cases[i].domains);
		struct task_spec *spec = task(members, "");
		_cleanup_free_ char *hosts_own = NULL, *hostname = NULL, *resolv = NULL,
				    *host_resolv = NULL;

		assert_int_equal(task_files_write(directory, spec, NULL, NULL, NULL), 0);
		hosts_own = file_of(directory, "hosts");
		hostname = file_of(directory, "hostname");
		resolv = file_of(directory, "resolv.conf");
		assert_string_equal(hosts_own, "127.0.0.1\tlocalhost\n"
					       "::1\tlocalhost ip6-localhost ip6-loopback\n"
					       "10.0.0.7\tip-10-0-0-7.vpc.internal\n");
		assert_string_equal(hostname, "ip-10-0-0-7.vpc.internal\n");
		if (!cases[i].resolv)
			(void)file_read(AT_FDCWD, "/etc/resolv.conf", 65536, &host_resolv, NULL,
					NULL);
		assert_string_equal(resolv, cases[i].resolv ? cases[i].resolv
					    : host_resolv   ? host_resolv
							    : "");
		task_spec_unref(spec);
	}
	assert_int_equal(rmdir(directory), 0);
}

/* Of the task's files, and of each container's. */
static void names_of_service_connect_are_hosts(void **state)
{
	static const char attached[] =
		",\"attachments\":[{\"attachmentType\":\"serviceconnectdetail\","
		"\"attachmentProperties\":[{\"name\":\"ContainerName\",\"value\":\"app\"},{"
		"\"name\":\"ServiceConnectConfig\",\"value\":\"{\\\"ingressConfig\\\":[{}],"
		"\\\"dnsConfig\\\":[{\\\"hostName\\\":\\\"db.test\\\",\\\"address\\\":"
		"\\\"127.255.0.1\\\"},{\\\"hostName\\\":\\\"db.test\\\",\\\"address\\\":"
		"\\\"fd00::1\\\"}]}\"}]}]";
	static const char *const modes[] = { "awsvpc", "bridge" };

	for (size_t i = 0; i < 2; i++) {
		char members[1500];
		struct task_spec *spec;

		snprintf(members, sizeof(members), "\"networkMode\":\"%s\"," ENI "%s", modes[i],
			 attached);
		spec = task(members, "");
		_cleanup_free_ char *hosts =
			task_hosts_text(spec, i ? &spec->containers[0] : NULL, "h", NULL);

		assert_non_null(strstr(hosts, "127.255.0.1\tdb.test\nfd00::1\tdb.test\n"));
		task_spec_unref(spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_of_a_task_are_as_its_interface_says),
		cmocka_unit_test(awsvpc_files_are_made_of_the_interface),
		cmocka_unit_test(without_an_interface_the_host_s_servers_count),
		cmocka_unit_test(a_definition_adds_hosts_and_replaces_servers),
		cmocka_unit_test(a_search_list_of_one_s_own_keeps_the_host_s_servers),
		cmocka_unit_test(links_are_hosts),
		cmocka_unit_test(names_of_service_connect_are_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
