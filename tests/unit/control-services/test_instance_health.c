/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent publishes of its host, as healthStatus shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "control-plane/services/report.h"
#include "control-plane/store/container_instances.h"
#include "fixture.h"
#include "wire/tcs.h"

static void read_row(struct fixture *fixture, struct container_instance_row *row)
{
	struct error err = ERROR_INIT;

	container_instance_row_clear(row);
	fixture_must(container_instance_get(fixture->store, "c", ID1, row, &err), &err);
}

static void publish(struct fixture *fixture, const char *host,
		    const struct tcs_instance_check *checks, size_t count)
{
	const struct tcs_instance_status status = { .checks = checks, .check_count = count };

	services_report_instance_status(fixture->services, host, &status);
}

static void the_worst_check_is_the_status_of_all(void **state)
{
	static const struct {
		const char *runtime, *accelerator, *overall;
	} table[] = {
		{ "OK", "OK", "OK" },
		{ "OK", "INITIALIZING", "INITIALIZING" },
		{ "INSUFFICIENT_DATA", "INITIALIZING", "INSUFFICIENT_DATA" },
		{ "IMPAIRED", "INSUFFICIENT_DATA", "IMPAIRED" },
		{ "OK", "IMPAIRED", "IMPAIRED" },
		{ "SPLENDID", "OK", "INSUFFICIENT_DATA" }, /* a status that nobody knows */
	};
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct tcs_instance_check checks[] = {
			{ .type = "ContainerRuntime", .status = table[i].runtime },
			{ .type = "ACCELERATED_COMPUTE", .status = table[i].accelerator },
		};

		publish(fixture, host, checks, 2);
		read_row(fixture, &row);
		assert_string_equal(row.health_status, table[i].overall);
	}
}

static void a_check_is_shown_under_the_names_of_the_api(void **state)
{
	static const struct tcs_instance_check checks[] = {
		{ .type = "Agent", .status = "IMPAIRED" },
		{ .type = "EBSDaemon", .status = "INITIALIZING" },
		{ .type = "ContainerRuntime", .status = "OK" },
		{ .type = "ContainerRuntime",
		  .status = "IMPAIRED",
		  .status_reason = "no answer",
		  .has_last_updated = true,
		  .last_updated_ms = 1700000000500,
		  .has_last_status_change = true,
		  .last_status_change_ms = 1600000000000 },
	};
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	_cleanup_free_ char *expected =
		quoted("[{'lastStatusChange':1600000000,'lastUpdated':1700000000.5,"
		       "'status':'IMPAIRED','statusReason':'no answer','type':'CONTAINER_RUNTIME'},"
		       "{'status':'INITIALIZING','type':'DAEMON'}]");
	struct fixture *fixture = *state;

	publish(fixture, fixture_instance(fixture, ID1), checks, 4);
	read_row(fixture, &row);
	assert_string_equal(row.health_status, "IMPAIRED");
	assert_string_equal(row.health_details, expected);
}

/* A reason comes from outside: what is kept of it has a bound. */
static void a_long_reason_is_cut(void **state)
{
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	_cleanup_free_ char *reason = xcalloc(1, 100001);
	struct fixture *fixture = *state;
	struct tcs_instance_check check = { .type = "ContainerRuntime",
					    .status = "IMPAIRED",
					    .status_reason = reason };

	memset(reason, 'x', 100000);
	publish(fixture, fixture_instance(fixture, ID1), &check, 1);
	read_row(fixture, &row);
	assert_in_range(strlen(row.health_details), 1024, 1200);
}

static void the_version_counts_changes_of_the_status(void **state)
{
	struct tcs_instance_check check = { .type = "ContainerRuntime",
					    .status = "OK",
					    .has_last_updated = true,
					    .last_updated_ms = 1000 };
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);
	int64_t before;

	read_row(fixture, &row);
	assert_null(row.health_status);
	before = row.version;
	publish(fixture, host, &check, 1);
	read_row(fixture, &row);
	assert_int_equal(row.version, before + 1);
	check.last_updated_ms = 2000;
	publish(fixture, host, &check, 1);
	read_row(fixture, &row);
	assert_int_equal(row.version, before + 1);
	assert_non_null(strstr(row.health_details, "\"lastUpdated\":2"));
	check.status = "IMPAIRED";
	publish(fixture, host, &check, 1);
	read_row(fixture, &row);
	assert_int_equal(row.version, before + 2);
}

static void what_shows_nothing_changes_nothing(void **state)
{
	static const struct tcs_instance_check unknown = { .type = "Moon", .status = "IMPAIRED" };
	static const struct tcs_instance_check good = { .type = "ContainerRuntime",
							.status = "OK" };
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	struct fixture *fixture = *state;
	const char *host = fixture_instance(fixture, ID1);

	publish(fixture, host, &good, 1);
	publish(fixture, host, &unknown, 1);
	publish(fixture, host, NULL, 0);
	publish(fixture, "arn:aws:ecs:us-west-2:000000000000:container-instance/c/" ID2, &unknown,
		1);
	read_row(fixture, &row);
	assert_string_equal(row.health_status, "OK");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_worst_check_is_the_status_of_all),
		TEST(a_check_is_shown_under_the_names_of_the_api),
		TEST(a_long_reason_is_cut),
		TEST(the_version_counts_changes_of_the_status),
		TEST(what_shows_nothing_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
