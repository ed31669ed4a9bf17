/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast what comes over the wire is read: messages and bytes a second of our decoders, and how
 * much longer they take than the parser of JSON alone, which is the floor, in the same run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "wire/acs.h"
#include "wire/tcs.h"

#define SECOND_NS 1000000000
#define ARN       "arn:aws:ecs:us-west-2:111122223333"

typedef int decode(const char *text, size_t size);

static int decode_acs(const char *text, size_t size)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;

	return acs_decode(text, size, &message, NULL);
}

static int decode_tcs(const char *text, size_t size)
{
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message = NULL;

	return tcs_decode(text, size, &message, NULL);
}

static int decode_json(const char *text, size_t size)
{
	_cleanup_json_ json_t *value = NULL;

	return json_parse(text, size, &(struct json_limits){ .size = ACS_MESSAGE_LIMIT }, &value,
			  NULL);
}

static int64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Nanoseconds of the CPU for one message: half a second long. */
static double measure(decode *one, const char *text, size_t size)
{
	int64_t since = cpu_ns(), spent;
	uint64_t count = 0;

	do {
		for (int i = 0; i < 16; i++) {
			if (one(text, size) < 0) {
				fprintf(stderr, "bench-decode: a message was refused\n");
				exit(1);
			}
			count++;
		}
		spent = cpu_ns() - since;
	} while (spent < SECOND_NS / 2);
	return (double)spent / (double)count;
}

static void print(const char *name, decode *one, const char *text)
{
	size_t size = strlen(text);
	double own = measure(one, text, size), floor = measure(decode_json, text, size);

	printf("%-28s %8zu %12.0f %9.1f %9.2f\n", name, size, SECOND_NS / own,
	       (double)size * 1000 / own, own / floor);
}

/* As a control plane sends them: a container with what most have. */
static void append_task(struct strbuf *out, int number)
{
	strbuf_appendf(
		out,
		"{\"arn\":\"" ARN ":task/demo/%032x\",\"family\":\"web\",\"version\":\"7\","
		"\"desiredStatus\":\"RUNNING\",\"networkMode\":\"bridge\",\"cpu\":0.5,"
		"\"memory\":512,\"volumes\":[{\"name\":\"scratch\",\"host\":{}}],"
		"\"containers\":[{\"name\":\"app\",\"image\":\"registry.example:5000/web:1\","
		"\"cpu\":256,\"memory\":256,\"essential\":true,\"overrides\":\"{}\","
		"\"environment\":{\"LEVEL\":\"info\",\"PORT\":\"80\",\"REGION\":\"eu\"},"
		"\"portMappings\":[{\"containerPort\":80,\"hostPort\":0,"
		"\"protocol\":\"tcp\"}],\"mountPoints\":[{\"sourceVolume\":\"scratch\","
		"\"containerPath\":\"/tmp/s\"}],\"stopTimeout\":20,\"dockerConfig\":{"
		"\"version\":\"1.25\",\"config\":\"{}\",\"hostConfig\":"
		"\"{\\\"NetworkMode\\\":\\\"bridge\\\",\\\"Ulimits\\\":[{\\\"Name\\\":"
		"\\\"nofile\\\",\\\"Soft\\\":1024,\\\"Hard\\\":4096}],\\\"LogConfig\\\":"
		"{\\\"Type\\\":\\\"json-file\\\"}}\"}}]}",
		(unsigned int)number);
}

static void print_payload(const char *name, int tasks)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_append(&text,
		      "{\"type\":\"PayloadMessage\",\"message\":{\"messageId\":\"m\","
		      "\"clusterArn\":\"" ARN ":cluster/demo\",\"containerInstanceArn\":\"" ARN
		      ":container-instance/demo/0f9d\",\"seqNum\":42,\"tasks\":[");
	for (int i = 0; i < tasks; i++) {
		strbuf_append(&text, i ? "," : "");
		append_task(&text, i);
	}
	strbuf_append(&text, "]}}");
	print(name, decode_acs, strbuf_text(&text));
}

static void append_set(struct strbuf *out, const char *name)
{
	strbuf_appendf(out, "\"%s\":{\"max\":12.5,\"min\":0.25,\"sampleCount\":20,\"sum\":101.75}",
		       name);
}

/* What one agent with ten tasks sends every 20 seconds. */
static void print_metrics(void)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_append(&text, "{\"type\":\"PublishMetricsRequest\",\"message\":{\"metadata\":{"
			     "\"cluster\":\"demo\",\"containerInstance\":\"" ARN
			     ":container-instance/demo/0f9d\",\"fin\":true,\"idle\":false,"
			     "\"messageId\":\"m\"},\"taskMetrics\":[");
	for (int i = 0; i < 10; i++) {
		strbuf_appendf(&text,
			       "%s{\"taskArn\":\"" ARN ":task/demo/%032x\","
			       "\"taskDefinitionFamily\":\"web\",\"taskDefinitionVersion\":\"7\","
			       "\"containerMetrics\":[{\"containerName\":\"app\",",
			       i ? "," : "", (unsigned int)i);
		append_set(&text, "cpuStatsSet");
		strbuf_append(&text, ",");
		append_set(&text, "memoryStatsSet");
		strbuf_append(&text, "}]}");
	}
	strbuf_append(&text, "],\"timestamp\":1700000000.123}}");
	print("10 tasks' metrics (TCS)", decode_tcs, strbuf_text(&text));
}

int main(void)
{
	printf("%-28s %8s %12s %9s %9s\n", "message", "bytes", "messages/s", "MB/s", "of JSON's");
	print("heartbeat (ACS)", decode_acs,
	      "{\"type\":\"HeartbeatMessage\",\"message\":{\"healthy\":true,\"messageId\":\"m\"}}");
	print_payload("payload of 1 task (ACS)", 1);
	print_payload("payload of 10 tasks (ACS)", 10);
	print_payload("payload of 1000 tasks (ACS)", 1000);
	print_metrics();
	return 0;
}
