/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/scheduler/scheduler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An ACTIVE, connected instance with 2048 CPU units and 3900 MiB. */
static struct scheduler_instance instance(const char *arn)
{
	return (struct scheduler_instance){
		.arn = arn,
		.active = true,
		.agent_connected = true,
		.cpu_total = 2048,
		.memory_total = 3900,
		.cpu_remaining = 2048,
		.memory_remaining = 3900,
		.enis_remaining = 10,
	};
}

static struct scheduler_request request(size_t count)
{
	return (struct scheduler_request){
		.count = count, .cpu = 128, .memory = 128, .group = "family:web", .seed = 7
	};
}

static const struct scheduler_attribute zone_a[] = { { "ecs.availability-zone", "a" },
						     { "stack", "prod" } };
static const struct scheduler_attribute zone_b[] = { { "ecs.availability-zone", "b" } };

static void place(const struct scheduler_instance *instances, size_t count,
		  const struct scheduler_request *wanted, struct scheduler_result *result)
{
	struct error err = ERROR_INIT;

	if (scheduler_place(instances, count, wanted, result, &err) < 0)
		fail_msg("%s", err.text);
}

struct refusal {
	const char *name;
	struct scheduler_instance instance;
	struct scheduler_request request;
	const char *reason; /* NULL: it fits */
};

/* api-79 api-80 api-84 api-85 api-91: the reason for each thing that an instance lacks. */
static void each_lack_has_its_reason(void **state)
{
	static const uint16_t port_80[] = { 80 };
	static const char *const zone_c[] = { "c" };
	static const struct scheduler_attribute gpu[] = { { "gpu", NULL } };
	static const struct scheduler_attribute stack_dev[] = { { "stack", "dev" } };
	static const struct scheduler_attribute stack_any[] = { { "stack", NULL } };
	struct refusal table[20];
	size_t n = 0;

#define CASE(text, why)                                                                            \
	table[n] = (struct refusal){ text, instance("i1"), request(1), why };                      \
	table[n].instance.attributes = zone_a;                                                     \
	table[n].instance.attribute_count = COUNT(zone_a);                                         \
	table[n].instance.zone = "a";                                                              \
	n++
#define I table[n - 1].instance
#define R table[n - 1].request
	CASE("all is well", NULL);
	CASE("exactly the rest", NULL);
	R.cpu = 2048;
	R.memory = 3900;
	CASE("one unit too many", "RESOURCE:CPU");
	R.cpu = 2049;
	CASE("one MiB too many", "RESOURCE:MEMORY");
	R.memory = 3901;
	CASE("TCP port held", "RESOURCE:PORTS");
	R.tcp = I.tcp_used = (struct scheduler_ports){ port_80, 1 };
	CASE("UDP port held", "RESOURCE:PORTS_UDP");
	R.udp = I.udp_used = (struct scheduler_ports){ port_80, 1 };
	CASE("the same number of the other protocol", NULL);
	R.tcp = I.udp_used = (struct scheduler_ports){ port_80, 1 };
	CASE("no interface left", "RESOURCE:ENI");
	R.needs_eni = true;
	R.addresses_left = 5;
	I.enis_remaining = 0;
	CASE("no address left", "RESOURCE:ENI");
	R.needs_eni = true;
	CASE("no GPU", "RESOURCE:GPU");
	R.gpus = 1;
	CASE("agent away", "AGENT");
	I.agent_connected = false;
	CASE("zone of no subnet", "LOCATION");
	R.zones = zone_c;
	R.zone_count = 1;
	CASE("attribute missing", "ATTRIBUTE");
	R.required = gpu;
	R.required_count = 1;
	CASE("attribute with another value", "ATTRIBUTE");
	R.required = stack_dev;
	R.required_count = 1;
	CASE("attribute there, any value", NULL);
	R.required = stack_any;
	R.required_count = 1;
	CASE("external wanted", "ATTRIBUTE");
	R.external = true;
	CASE("agent before attribute before resources", "AGENT");
	I.agent_connected = false;
	R.cpu = 9999;
	R.required = gpu;
	R.required_count = 1;
	CASE("ports before cpu before memory", "RESOURCE:PORTS");
	R.cpu = R.memory = 9999;
	R.tcp = I.tcp_used = (struct scheduler_ports){ port_80, 1 };
	CASE("needs nothing of an overcommitted host", NULL);
	I.cpu_remaining = -10;
	R.cpu = 0;
#undef I
#undef R
	for (size_t i = 0; i < n; i++) {
		struct scheduler_result result;
		const char *checked = scheduler_check(&table[i].instance, 0, &table[i].request);

		print_message("%s\n", table[i].name);
		place(&table[i].instance, 1, &table[i].request, &result);
		if (table[i].reason) {
			assert_int_equal(result.placement_count, 0);
			assert_int_equal(result.failure_count, 1);
			assert_string_equal(result.failures[0].reason, table[i].reason);
			assert_string_equal(checked, table[i].reason);
		} else {
			assert_int_equal(result.placement_count, 1);
			assert_int_equal(result.failure_count, 0);
			assert_null(checked);
		}
		scheduler_result_free(&result);
	}
}

/* api-81: two instances, static port: two are placed, the third fails on both. */
static void a_static_port_is_taken_once_on_each_instance(void **state)
{
	static const uint16_t port_80[] = { 80 };
	struct scheduler_instance instances[] = { instance("i1"), instance("i2") };
	struct scheduler_request wanted = request(3);
	struct scheduler_result result;

	wanted.tcp = (struct scheduler_ports){ port_80, 1 };
	place(instances, 2, &wanted, &result);
	assert_int_equal(result.placement_count, 2);
	assert_int_not_equal(result.placements[0], result.placements[1]);
	assert_int_equal(result.failure_count, 2);
	assert_string_equal(result.failures[0].reason, "RESOURCE:PORTS");
	assert_string_equal(result.failures[1].reason, "RESOURCE:PORTS");
	scheduler_result_free(&result);
}

/* api-79: what one task takes is gone for the next of the same call. */
static void resources_are_taken_within_one_call(void **state)
{
	struct scheduler_instance one = instance("i1");
	struct scheduler_request wanted = request(10);
	struct scheduler_result result;

	wanted.cpu = 1024;
	place(&one, 1, &wanted, &result);
	assert_int_equal(result.placement_count, 2);
	assert_int_equal(result.failure_count, 1);
	assert_string_equal(result.failures[0].reason, "RESOURCE:CPU");
	scheduler_result_free(&result);

	wanted = request(10);
	wanted.needs_eni = true;
	wanted.addresses_left = 3;
	place(&one, 1, &wanted, &result);
	assert_int_equal(result.placement_count, 3);
	assert_string_equal(result.failures[0].reason, "RESOURCE:ENI");
	scheduler_result_free(&result);
}

static void draining_and_inactive_instances_are_no_candidates(void **state)
{
	struct scheduler_instance instances[] = { instance("i1"), instance("i2") };
	struct scheduler_request wanted = request(2);
	struct scheduler_result result;

	instances[0].active = false;
	place(instances, 2, &wanted, &result);
	assert_int_equal(result.placement_count, 2);
	assert_int_equal(result.placements[0], 1);
	assert_int_equal(result.placements[1], 1);
	scheduler_result_free(&result);
	/* StartTask may use a DRAINING one, not an INACTIVE one. */
	assert_null(scheduler_check(&instances[0], 0, &wanted));
	instances[0].inactive = true;
	assert_string_equal(scheduler_check(&instances[0], 0, &wanted), "INACTIVE");
}

/* StartTask on one instance twice: what the first task takes is not there for the second. */
static void a_task_started_before_takes_its_share(void **state)
{
	static const uint16_t port_80[] = { 80 };
	static const struct {
		const char *name;
		struct scheduler_request request;
		const char *second, *third;
	} table[] = {
		{ "a static TCP port",
		  { .tcp = { port_80, 1 } },
		  "RESOURCE:PORTS",
		  "RESOURCE:PORTS" },
		{ "a static UDP port",
		  { .udp = { port_80, 1 } },
		  "RESOURCE:PORTS_UDP",
		  "RESOURCE:PORTS_UDP" },
		{ "CPU", { .cpu = 1000 }, NULL, "RESOURCE:CPU" },
		{ "memory", { .memory = 1950 }, NULL, "RESOURCE:MEMORY" },
		{ "an interface",
		  { .needs_eni = true, .addresses_left = 9 },
		  NULL,
		  "RESOURCE:ENI" },
		{ "a GPU", { .gpus = 1 }, NULL, "RESOURCE:GPU" },
		{ "nothing", { .cpu = 0 }, NULL, NULL },
	};
	struct scheduler_instance one = instance("i1");

	one.enis_remaining = 2;
	one.gpus_remaining = 2;
	for (size_t i = 0; i < COUNT(table); i++) {
		const char *const reasons[] = { NULL, table[i].second, table[i].third };

		print_message("%s\n", table[i].name);
		for (size_t taken = 0; taken < COUNT(reasons); taken++) {
			const char *reason = scheduler_check(&one, taken, &table[i].request);

			if (reasons[taken])
				assert_string_equal(reason, reasons[taken]);
			else
				assert_null(reason);
		}
	}
}

/* api-87 */
static void distinct_instance_counts_the_group(void **state)
{
	static const char *const groups[] = { "family:web" };
	static const char *const others[] = { "family:db", "family:db" };
	const struct scheduler_constraint distinct = { .type = SCHEDULER_DISTINCT_INSTANCE };
	struct scheduler_instance instances[] = { instance("i1"), instance("i2") };
	struct scheduler_request wanted = request(3);
	struct scheduler_result result;

	wanted.constraints = &distinct;
	wanted.constraint_count = 1;
	place(instances, 2, &wanted, &result);
	assert_int_equal(result.placement_count, 2);
	assert_int_equal(result.failure_count, 2);
	assert_string_equal(result.failures[0].reason,
			    "DistinctInstance placement constraint unsatisfied.");
	scheduler_result_free(&result);

	instances[0].task_groups = groups;
	instances[0].task_count = 1;
	instances[1].task_groups = others;
	instances[1].task_count = 2;
	place(instances, 2, &wanted, &result);
	assert_int_equal(result.placement_count, 1);
	assert_int_equal(result.placements[0], 1);
	scheduler_result_free(&result);
}

/* api-86 */
static void member_of_is_asked_of_each_instance(void **state)
{
	const struct scheduler_constraint prod = { SCHEDULER_MEMBER_OF, "attribute:stack == prod" };
	const struct scheduler_constraint none = { SCHEDULER_MEMBER_OF, "attribute:x == y" };
	const struct scheduler_constraint broken = { SCHEDULER_MEMBER_OF, "attribute:x ==" };
	struct scheduler_instance instances[] = { instance("i1"), instance("i2") };
	struct scheduler_request wanted = request(1);
	struct scheduler_result result;
	struct error err = ERROR_INIT;

	instances[1].attributes = zone_a;
	instances[1].attribute_count = COUNT(zone_a);
	wanted.constraint_count = 1;
	wanted.constraints = &prod;
	place(instances, 2, &wanted, &result);
	assert_int_equal(result.placement_count, 1);
	assert_int_equal(result.placements[0], 1);
	scheduler_result_free(&result);

	wanted.constraints = &none;
	place(instances, 2, &wanted, &result);
	assert_int_equal(result.placement_count, 0);
	assert_string_equal(result.failures[1].reason,
			    "MemberOf placement constraint unsatisfied.");
	scheduler_result_free(&result);

	wanted.constraints = &broken;
	assert_int_equal(scheduler_place(instances, 2, &wanted, &result, &err), -EINVAL);
	assert_non_null(strstr(err.text, "Invalid expression"));
}

/* Two zones with two instances each. */
static void make_four(struct scheduler_instance four[4])
{
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "a1", "a2", "b1", "b2" };

		four[i] = instance(names[i]);
		four[i].attributes = i < 2 ? zone_a : zone_b;
		four[i].attribute_count = 1;
	}
}

static void count_placements(const struct scheduler_result *result, size_t counts[4])
{
	memset(counts, 0, 4 * sizeof(*counts));
	for (size_t i = 0; i < result->placement_count; i++)
		counts[result->placements[i]]++;
}

/* api-110: two in each zone, both on one instance of it; for every seed. */
static void spread_over_zones_then_binpack(void **state)
{
	static const struct scheduler_strategy strategies[] = {
		{ SCHEDULER_SPREAD, "attribute:ecs.availability-zone" },
		{ SCHEDULER_BINPACK, "memory" },
	};
	struct scheduler_instance four[4];
	struct scheduler_request wanted = request(4);
	struct scheduler_result result;
	size_t counts[4];

	make_four(four);
	wanted.strategies = strategies;
	wanted.strategy_count = 2;
	for (wanted.seed = 0; wanted.seed < 100; wanted.seed++) {
		place(four, 4, &wanted, &result);
		count_placements(&result, counts);
		assert_int_equal(counts[0] + counts[1], 2);
		assert_int_equal(counts[2] + counts[3], 2);
		assert_true(counts[0] == 0 || counts[0] == 2);
		assert_true(counts[2] == 0 || counts[2] == 2);
		scheduler_result_free(&result);
	}
}

/* api-111: the instance with the least CPU left goes first, until it is full. */
static void binpack_fills_the_fullest_first(void **state)
{
	static const struct scheduler_strategy cpu = { SCHEDULER_BINPACK, "CPU" };
	struct scheduler_instance instances[] = { instance("i1"), instance("i2"), instance("i3") };
	struct scheduler_request wanted = request(4);
	struct scheduler_result result;

	instances[1].cpu_remaining = 300;
	wanted.strategies = &cpu;
	wanted.strategy_count = 1;
	place(instances, 3, &wanted, &result);
	assert_int_equal(result.placement_count, 4);
	assert_int_equal(result.placements[0], 1);
	assert_int_equal(result.placements[1], 1);
	assert_int_not_equal(result.placements[2], 1);
	assert_int_equal(result.placements[3], result.placements[2]);
	scheduler_result_free(&result);
}

/* api-112: without a strategy tasks are spread over the zones, and over the instances of each. */
static void the_default_spreads(void **state)
{
	struct scheduler_instance four[4];
	struct scheduler_request wanted = request(4);
	struct scheduler_result result;
	size_t counts[4];

	make_four(four);
	for (wanted.seed = 0; wanted.seed < 100; wanted.seed++) {
		place(four, 4, &wanted, &result);
		count_placements(&result, counts);
		for (int i = 0; i < 4; i++)
			assert_int_equal(counts[i], 1);
		scheduler_result_free(&result);
	}
}

static void random_uses_every_instance(void **state)
{
	static const struct scheduler_strategy any = { SCHEDULER_RANDOM, NULL };
	struct scheduler_instance four[4];
	struct scheduler_request wanted = request(1);
	struct scheduler_result result;
	size_t seen[4] = { 0 };

	make_four(four);
	wanted.strategies = &any;
	wanted.strategy_count = 1;
	for (wanted.seed = 0; wanted.seed < 400; wanted.seed++) {
		place(four, 4, &wanted, &result);
		seen[result.placements[0]]++;
		scheduler_result_free(&result);
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(seen[i], 50, 150);
}

/* api-113 */
static void strategies_with_a_wrong_field_are_refused(void **state)
{
	static const struct {
		struct scheduler_strategy strategy;
		bool good;
	} table[] = {
		{ { SCHEDULER_RANDOM, NULL }, true },
		{ { SCHEDULER_RANDOM, "" }, true },
		{ { SCHEDULER_RANDOM, "cpu" }, false },
		{ { SCHEDULER_BINPACK, "memory" }, true },
		{ { SCHEDULER_BINPACK, "MEMORY" }, true },
		{ { SCHEDULER_BINPACK, "disk" }, false },
		{ { SCHEDULER_BINPACK, NULL }, false },
		{ { SCHEDULER_SPREAD, "instanceId" }, true },
		{ { SCHEDULER_SPREAD, "host" }, true },
		{ { SCHEDULER_SPREAD, "attribute:stack" }, true },
		{ { SCHEDULER_SPREAD, "attribute:" }, false },
		{ { SCHEDULER_SPREAD, "zone" }, false },
	};
	struct scheduler_strategy six[6] = { 0 };
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(scheduler_check_strategies(&table[i].strategy, 1, &err),
				 table[i].good ? 0 : -EINVAL);
	assert_int_equal(scheduler_check_strategies(six, 6, &err), -EINVAL);
}

static void a_count_out_of_bounds_is_refused(void **state)
{
	struct scheduler_instance one = instance("i1");
	struct scheduler_request wanted = request(0);
	struct scheduler_result result;

	assert_int_equal(scheduler_place(&one, 1, &wanted, &result, NULL), -EINVAL);
	wanted.count = SCHEDULER_COUNT_MAX + 1;
	assert_int_equal(scheduler_place(&one, 1, &wanted, &result, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_lack_has_its_reason),
		cmocka_unit_test(a_static_port_is_taken_once_on_each_instance),
		cmocka_unit_test(resources_are_taken_within_one_call),
		cmocka_unit_test(draining_and_inactive_instances_are_no_candidates),
		cmocka_unit_test(a_task_started_before_takes_its_share),
		cmocka_unit_test(distinct_instance_counts_the_group),
		cmocka_unit_test(member_of_is_asked_of_each_instance),
		cmocka_unit_test(spread_over_zones_then_binpack),
		cmocka_unit_test(binpack_fills_the_fullest_first),
		cmocka_unit_test(the_default_spreads),
		cmocka_unit_test(random_uses_every_instance),
		cmocka_unit_test(strategies_with_a_wrong_field_are_refused),
		cmocka_unit_test(a_count_out_of_bounds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
