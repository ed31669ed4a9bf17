/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_UNIT_CONTROL_SERVICES_FIXTURE_H
#define BERTH_TESTS_UNIT_CONTROL_SERVICES_FIXTURE_H

#include "base/loop.h"
#include "control-plane/services/report.h"
#include "control-plane/services/run.h"
#include "control-plane/services/services.h"
#include "control-plane/store/store.h"

/* A store in memory with the cluster "c", and instances and definitions as a test adds them. No
 * loop turns by itself. */
struct fixture {
	struct loop *loop;
	struct store *store;
	struct services *services;
	struct services_config config;
	int told; /* calls of task_changed */
	char last_told[256];
};

/* Two instances, and two definitions. */
#define ID1 "11111111111111111111111111111111"
#define ID2 "22222222222222222222222222222222"

#define WEB "{'containerDefinitions':[{'name':'web','image':'busybox','cpu':128,'memory':128}]}"
#define VPC                                                                                        \
	"{'networkMode':'awsvpc','containerDefinitions':[{'name':'web','image':'busybox',"         \
	"'cpu':10,'memory':20,'portMappings':[{'containerPort':80,'hostPort':80}]}]}"

#define CLUSTER_ARN "arn:aws:ecs:us-west-2:000000000000:cluster/c"

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Throws the service away and makes it anew from the store, as a restart does. */
void fixture_restart(struct fixture *fixture);
/* Lets the turn of the loop end: what is written late is written, agents are told. */
void fixture_turn(struct fixture *fixture);

/* An instance with 2048 CPU units and 3900 MiB, connected. `id` has 32 characters. The ARN is
 * static. */
const char *fixture_instance(struct fixture *fixture, const char *id);
/* Registers a revision; the document is JSON with ' for ". */
int64_t fixture_definition(struct fixture *fixture, const char *family, const char *document);

/* Runs `count` tasks of the newest revision and launches them. `subnet` NULL: not awsvpc. Clears
 * with run_result_clear. */
int fixture_run(struct fixture *fixture, const char *family, size_t count, const char *subnet,
		const char *overrides, struct run_result *ret_result, struct error *err);
/* The one task of such a run. */
struct task *fixture_task(struct fixture *fixture, const char *family, const char *subnet,
			  const char *overrides);

/* ' to ". The caller frees. */
char *quoted(const char *text);

/* Fails the test with the error's text. */
void fixture_must(int r, const struct error *err);
/* What the task's agent says of it. */
void fixture_submit(struct fixture *fixture, struct task *task, struct report report);
void fixture_submit_state(struct fixture *fixture, struct task *task, const char *status);
struct report_container fixture_exited(const char *name, int code);

#endif
