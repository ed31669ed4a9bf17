/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance C16 of the plugins that take no address from a pool: a hundred namespaces at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "live.h"

enum { WORKERS = 4, EACH = 25 };

struct worker {
	const char *program;
	const char *format; /* a configuration; takes a number of the attachment, thrice */
	pthread_barrier_t *barrier;
	unsigned number;
	int failures;
};

/* Its answer's message when it fails; NULL. The caller frees. */
static char *execute(const char *program, const char *format, unsigned number, const char *command,
		     const struct task *task)
{
	char head[160];
	char *body = xasprintf(format, number, number, number), *config, *message = NULL;
	struct run run;

	snprintf(head, sizeof(head), "{\"cniVersion\":\"1.1.0\",\"name\":\"many\",\"type\":\"%s\"",
		 program);
	config = xasprintf("%s%s}", head, body);
	run = run_of(command, task, config);
	run.program = program;
	run_execute(&run);
	if (run.status != 0)
		message = xstrdup(run.out ? run.out : "");
	run_free(&run);
	free(config);
	free(body);
	return message;
}

static void must(struct worker *worker, const char *command, const struct task *task, unsigned n)
{
	char *message = execute(worker->program, worker->format, worker->number * EACH + n + 1,
				command, task);

	if (message) {
		print_message("%s of %s by %s: %s\n", command, task->id, worker->program, message);
		worker->failures++;
	}
	free(message);
}

static void *work(void *data)
{
	struct worker *worker = data;
	struct task tasks[EACH];

	for (unsigned n = 0; n < EACH; n++) {
		char id[32];

		snprintf(id, sizeof(id), "m%u-%u", worker->number, n);
		tasks[n] = task_new(id);
		must(worker, "ADD", &tasks[n], n);
	}
	pthread_barrier_wait(worker->barrier);
	for (unsigned n = 0; n < EACH; n++) {
		must(worker, "DEL", &tasks[n], n);
		task_free(&tasks[n]);
	}
	return NULL;
}

static void a_hundred(const char *program, const char *format)
{
	struct worker workers[WORKERS];
	pthread_t threads[WORKERS];
	pthread_barrier_t barrier;
	struct task first = task_new("first");
	struct census before, after;
	char *message = execute(program, format, 1, "ADD", &first);

	if (message && strstr(message, "this kernel has no")) {
		print_message("skipped: not on this kernel: %s\n", message);
		free(message);
		task_free(&first);
		return;
	}
	if (message)
		fail_msg("%s", message);
	assert_null(execute(program, format, 1, "DEL", &first));
	task_free(&first);
	before = census_of(-1);
	pthread_barrier_init(&barrier, NULL, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ program, format, &barrier, i, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].failures, 0);
	}
	pthread_barrier_destroy(&barrier);
	after = census_of(-1);
	census_assert_equal(&before, &after);
}

static void a_hundred_branches(void **state)
{
	(void)state;
	a_hundred("ecs-branch-eni",
		  ",\"trunkName\":\"up0\",\"branchVlanID\":\"%u\",\"interfaceType\":\"vlan\","
		  "\"branchMACAddress\":\"02:1f:00:00:01:%02x\",\"ipAddresses\":"
		  "[\"10.79.0.%u/24\"]");
}

static void a_hundred_tunnels(void **state)
{
	(void)state;
	a_hundred("ecs-tunnel",
		  ",\"destinationIPAddress\":\"192.168.88.2\",\"vni\":\"%x\",\"destinationPort\":"
		  "\"6081\",\"interfaceType\":\"geneve\",\"primary\":true,\"ipAddresses\":"
		  "[\"10.79.%u.5/24\"],\"gatewayIPAddress\":\"10.79.%u.1\"");
}

static void a_hundred_proxies(void **state)
{
	(void)state;
	a_hundred("aws-appmesh", ",\"ignoredUID\":\"%u\",\"proxyEgressPort\":\"%u\","
				 "\"egressIgnoredPorts\":[\"%u\"]");
}

static void a_hundred_relays(void **state)
{
	(void)state;
	a_hundred("ecs-serviceconnect",
		  ",\"ingressConfig\":[{\"listenerPort\":%u,\"interceptPort\":1%u},"
		  "{\"listenerPort\":2%u}],\"enableIPv4\":true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_branches),
		cmocka_unit_test(a_hundred_tunnels),
		cmocka_unit_test(a_hundred_proxies),
		cmocka_unit_test(a_hundred_relays),
	};
	int failed;

	live_enter("ecs-eni");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
