/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/pending_acks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_copy_of_a_message_is_acknowledged_once(void **state)
{
	struct pending_acks acks = { 0 };
	struct pending_ack *ack;

	pending_acks_add(&acks, "m1", "c1", "i1");
	pending_acks_add(&acks, "m2", "c2", NULL);
	pending_acks_add(&acks, "m1", "c3", "i3");

	ack = pending_acks_take(&acks, "m1");
	assert_string_equal(ack->cluster, "c1");
	pending_ack_free(ack);
	ack = pending_acks_take(&acks, "m1");
	assert_string_equal(ack->cluster, "c3");
	pending_ack_free(ack);
	assert_null(pending_acks_take(&acks, "m1"));
	ack = pending_acks_take(&acks, "m2");
	assert_null(ack->container_instance);
	pending_ack_free(ack);
	assert_int_equal(acks.count, 0);

	/* The ends are right after all was taken. */
	pending_acks_add(&acks, "m3", "c", "i");
	pending_acks_add(&acks, "m4", "c", "i");
	pending_ack_free(pending_acks_take(&acks, "m4"));
	pending_acks_add(&acks, "m5", "c", "i");
	pending_ack_free(pending_acks_take(&acks, "m5"));
	pending_acks_clear(&acks);
	assert_null(pending_acks_take(&acks, "m3"));
}

static void role_comes_before_execution_role(void **state)
{
	struct role_credentials role = { .id = "r", .expiration = "e1" };
	struct role_credentials execution = { .id = "x", .expiration = "e2" };
	struct acs_task tasks[] = {
		{ .credentials = { .role = NULL, .execution = NULL } },
		{ .credentials = { .role = &role, .execution = &execution } },
	};
	struct acs_payload payload = { .message_id = "m",
				       .cluster_arn = "c",
				       .container_instance_arn = "i",
				       .tasks = tasks,
				       .task_count = 2 };
	struct pending_acks acks = { 0 };
	struct pending_ack *ack;

	pending_acks_add_payload(&acks, &payload);
	ack = pending_acks_take(&acks, "m");
	assert_int_equal(ack->credentials_count, 2);
	assert_string_equal(ack->credentials[0].id, "r");
	assert_string_equal(ack->credentials[0].expiration, "e1");
	assert_string_equal(ack->credentials[1].id, "x");
	pending_ack_free(ack);
}

static void at_the_bound_the_oldest_goes(void **state)
{
	struct pending_acks acks = { 0 };
	struct pending_ack *ack;
	char id[16];

	for (int i = 0; i <= PENDING_ACKS_MAX; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		pending_acks_add(&acks, id, "c", "i");
	}
	assert_int_equal(acks.count, PENDING_ACKS_MAX);
	assert_null(pending_acks_take(&acks, "m0"));
	ack = pending_acks_take(&acks, "m1");
	assert_non_null(ack);
	pending_ack_free(ack);
	pending_acks_clear(&acks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_copy_of_a_message_is_acknowledged_once),
		cmocka_unit_test(role_comes_before_execution_role),
		cmocka_unit_test(at_the_bound_the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
