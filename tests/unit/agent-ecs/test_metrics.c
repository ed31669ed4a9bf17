/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND 1000000000LL
#define CPUS   4

/* A reading with everything in it: cgroup v2, inactive_file 1 MiB, a second
 * interface with rx 1. */
static const struct metrics_sample vector[] = {
	{ .time_ns = 0,
	  .cpu_total_ns = 1000000000,
	  .memory_usage_bytes = 104857600,
	  .memory_inactive_file_bytes = 1048576,
	  .has_storage = true,
	  .read_bytes = 4096,
	  .write_bytes = 8192,
	  .has_network = true,
	  .rx_bytes = 1000 + 1,
	  .tx_bytes = 500,
	  .has_restarts = true,
	  .restarts = 0 },
	{ .time_ns = 1 * SECOND,
	  .cpu_total_ns = 1500000001,
	  .memory_usage_bytes = 110100480,
	  .memory_inactive_file_bytes = 1048576,
	  .has_storage = true,
	  .read_bytes = 8192,
	  .write_bytes = 8192,
	  .has_network = true,
	  .rx_bytes = 3000 + 1,
	  .tx_bytes = 1500,
	  .has_restarts = true,
	  .restarts = 0 },
	{ .time_ns = 2 * SECOND,
	  .cpu_total_ns = 2500000001,
	  .memory_usage_bytes = 105906175,
	  .memory_inactive_file_bytes = 1048576,
	  .has_storage = true,
	  .read_bytes = 8192,
	  .write_bytes = 16384,
	  .has_network = true,
	  .rx_bytes = 3000 + 1,
	  .tx_bytes = 1600,
	  .has_restarts = true,
	  .restarts = 2 },
};

static struct metrics *fed(size_t count)
{
	struct metrics *metrics = metrics_new(CPUS);

	for (size_t i = 0; i < count; i++)
		metrics_add(metrics, &vector[i]);
	return metrics;
}

static void assert_doubles(const struct tcs_double_set *set, double max, double min, int64_t count,
			   double sum)
{
	assert_true(set->max == max);
	assert_true(set->min == min);
	assert_int_equal(set->sample_count, count);
	assert_true(set->sum == sum);
}

static void assert_counters(const struct tcs_ulong_set *set, int64_t max, int64_t min,
			    int64_t count, int64_t sum)
{
	assert_int_equal(set->max, max);
	assert_int_equal(set->min, min);
	assert_int_equal(set->sample_count, count);
	assert_int_equal(set->sum, sum);
	assert_int_equal(set->overflow_max, 0);
	assert_int_equal(set->overflow_sum, 0);
}

/* acs-T4 for the figures themselves. */
static void the_vector_gives_exactly_these_sets(void **state)
{
	struct metrics *metrics = fed(3);
	struct tcs_container_metric got = { 0 };

	assert_true(metrics_collect(metrics, &got));
	assert_doubles(&got.cpu, 25, 12.5, 2, 37.5);
	assert_doubles(&got.memory, 104, 99, 3, 302);
	assert_true(got.has_storage);
	assert_counters(&got.read_size_bytes, 8192, 4096, 3, 20480);
	assert_counters(&got.write_size_bytes, 16384, 8192, 3, 32768);
	assert_true(got.has_network && got.network.has_bytes && got.network.has_rates);
	assert_counters(&got.network.rx_bytes, 3001, 1001, 3, 7003);
	assert_counters(&got.network.tx_bytes, 1600, 500, 3, 3600);
	assert_doubles(&got.network.rx_bytes_per_second, 2000, 0, 2, 2000);
	assert_doubles(&got.network.tx_bytes_per_second, 1000, 100, 2, 1100);
	assert_true(got.has_restarts);
	assert_int_equal(got.restart_count, 2);
	metrics_free(metrics);
}

static void what_was_sent_is_not_sent_again(void **state)
{
	struct metrics *metrics = fed(3);
	struct metrics_sample next = vector[2];
	struct tcs_container_metric got = { 0 };

	metrics_mark_sent(metrics);
	assert_false(metrics_collect(metrics, &got));
	next.time_ns = 3 * SECOND;
	next.cpu_total_ns += 1000000000;
	next.restarts = 3;
	metrics_add(metrics, &next);
	assert_true(metrics_collect(metrics, &got));
	assert_int_equal(got.cpu.sample_count, 1);
	assert_int_equal(got.memory.sample_count, 1);
	assert_int_equal(got.read_size_bytes.sample_count, 1);
	assert_int_equal(got.network.rx_bytes.sample_count, 1);
	assert_int_equal(got.network.rx_bytes_per_second.sample_count, 1);
	assert_int_equal(got.restart_count, 1);
	metrics_free(metrics);
}

/* acs-T8 for the sets: one sample is nothing to report. */
static void one_sample_is_not_enough(void **state)
{
	struct metrics *metrics = fed(1);
	struct tcs_container_metric got = { 0 };

	assert_false(metrics_collect(metrics, &got));
	metrics_free(metrics);
}

/* acs-T16 for the sets: without network counters there is no network set. */
static void what_a_sample_does_not_have_is_left_out(void **state)
{
	struct metrics *metrics = metrics_new(CPUS);
	struct tcs_container_metric got = { 0 };

	for (size_t i = 0; i < 2; i++) {
		struct metrics_sample sample = vector[i];

		sample.has_network = sample.has_storage = sample.has_restarts = false;
		metrics_add(metrics, &sample);
	}
	assert_true(metrics_collect(metrics, &got));
	assert_false(got.has_network);
	assert_false(got.has_storage);
	assert_false(got.has_restarts);
	metrics_free(metrics);
}

static void a_counter_that_goes_back_gives_no_figure(void **state)
{
	struct metrics *metrics = metrics_new(CPUS);
	struct tcs_container_metric got = { 0 };

	for (size_t i = 0; i < 3; i++) {
		struct metrics_sample next = vector[i];

		next.has_restarts = false;
		if (i == 2) {
			next.cpu_total_ns = 5;
			next.rx_bytes = 0;
		}
		metrics_add(metrics, &next);
	}
	assert_true(metrics_collect(metrics, &got));
	assert_doubles(&got.cpu, 12.5, 12.5, 1, 12.5);
	assert_doubles(&got.network.rx_bytes_per_second, 2000, 2000, 1, 2000);
	assert_int_equal(got.network.tx_bytes_per_second.sample_count, 2);
	metrics_free(metrics);
}

/* Each counter by itself: of what did not go back (the network of the task) nothing is added. */
static void with_a_restart_policy_the_counters_of_all_runs_are_one(void **state)
{
	struct metrics *metrics = fed(2);
	struct metrics_sample next = vector[1];
	struct tcs_container_metric got = { 0 };

	next.time_ns = 2 * SECOND;
	next.restarts = 1;
	next.cpu_total_ns = 400000000; /* of a new control group */
	next.read_bytes = 100;
	next.rx_bytes = 4001; /* of the same namespace */
	metrics_add(metrics, &next);
	next.time_ns = 3 * SECOND;
	next.restarts = 2;
	next.cpu_total_ns = 800000000;
	next.read_bytes = 50;
	metrics_add(metrics, &next);
	assert_true(metrics_collect(metrics, &got));
	/* 0.5 s, 0.4 s and 0.4 s of four CPUs in a second each */
	assert_doubles(&got.cpu, 12.5, 10, 3, 32.5);
	assert_counters(&got.read_size_bytes, 8192 + 100 + 50, 4096, 4,
			4096 + 8192 + (8192 + 100) + (8192 + 100 + 50));
	assert_counters(&got.network.rx_bytes, 4001, 1001, 4, 1001 + 3001 + 4001 + 4001);
	assert_int_equal(got.restart_count, 2);
	metrics_free(metrics);
}

static void a_time_that_stands_still_repeats_the_figures(void **state)
{
	struct metrics *metrics = fed(2);
	struct metrics_sample next = vector[2];
	struct tcs_container_metric got = { 0 };

	next.time_ns = vector[1].time_ns;
	metrics_add(metrics, &next);
	assert_true(metrics_collect(metrics, &got));
	assert_doubles(&got.cpu, 12.5, 12.5, 2, 25);
	assert_doubles(&got.network.rx_bytes_per_second, 2000, 2000, 2, 4000);
	metrics_free(metrics);
}

static void cache_larger_than_the_usage_is_not_taken_off(void **state)
{
	struct metrics *metrics = metrics_new(CPUS);
	struct tcs_container_metric got = { 0 };

	for (size_t i = 0; i < 2; i++) {
		struct metrics_sample sample = vector[i];

		sample.memory_usage_bytes = 2 * 1048576;
		sample.memory_inactive_file_bytes = 3 * 1048576;
		metrics_add(metrics, &sample);
	}
	assert_true(metrics_collect(metrics, &got));
	assert_doubles(&got.memory, 2, 2, 2, 4);
	metrics_free(metrics);
}

static void counters_beyond_63_bits_overflow_by_the_rules(void **state)
{
	struct metrics *metrics = metrics_new(CPUS);
	struct tcs_container_metric got = { 0 };

	for (size_t i = 0; i < 2; i++) {
		struct metrics_sample sample = vector[i];

		sample.read_bytes = UINT64_MAX - 1;
		metrics_add(metrics, &sample);
	}
	assert_true(metrics_collect(metrics, &got));
	assert_true(got.read_size_bytes.max == INT64_MAX);
	assert_true(got.read_size_bytes.overflow_max == (int64_t)((UINT64_MAX - 1) % INT64_MAX));
	assert_true(got.read_size_bytes.sum == INT64_MAX);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vector_gives_exactly_these_sets),
		cmocka_unit_test(what_was_sent_is_not_sent_again),
		cmocka_unit_test(one_sample_is_not_enough),
		cmocka_unit_test(what_a_sample_does_not_have_is_left_out),
		cmocka_unit_test(a_counter_that_goes_back_gives_no_figure),
		cmocka_unit_test(with_a_restart_policy_the_counters_of_all_runs_are_one),
		cmocka_unit_test(a_time_that_stands_still_repeats_the_figures),
		cmocka_unit_test(cache_larger_than_the_usage_is_not_taken_off),
		cmocka_unit_test(counters_beyond_63_bits_overflow_by_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
