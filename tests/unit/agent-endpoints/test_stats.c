/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's statistics document. */
#include "fixture.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1773501631) * SECOND)

static char *stats_text(const struct document_reading *reading, struct document_previous *previous)
{
	struct strbuf out = STRBUF_INIT;

	document_stats(reading, previous, &out);
	return strbuf_take(&out);
}

static void add_entry(struct stats_block_list *list, const char *operation, uint64_t value)
{
	struct stats_block_entry *entry = &list->entries[list->count++];

	entry->major = 259;
	strcpy(entry->operation, operation);
	entry->value = value;
	list->present = true;
}

/* Of tmds-73 the lists: those that are not there are null, those without entries stay []. */
static void all_keys_in_order(void **state)
{
	_cleanup_free_ struct container_stats *stats = xcalloc(1, sizeof(*stats));
	_cleanup_free_ struct document_previous *previous = xcalloc(1, sizeof(*previous));
	_cleanup_free_ char *first = NULL;
	_cleanup_free_ char *second = NULL;
	const struct document_reading reading = {
		.stats = stats,
		.host_cpu_ns = UINT64_C(18446744073709551615),
		.online_cpus = 4,
		.runtime_id = "5e0c-web-1",
		.name = "/ecs-web",
	};

	stats->read_ns = START + 408112907;
	stats->cpu_total_ns = 300;
	stats->cpu_user_ns = 200;
	stats->cpu_system_ns = 100;
	stats->cpu_per_cpu_ns[0] = 299;
	stats->cpu_per_cpu_ns[1] = 1;
	stats->cpu_per_cpu_count = 2;
	stats->throttling_periods = 310;
	stats->throttled_periods = 4;
	stats->throttled_time_ns = 9;
	stats->memory_usage = 101376000;
	stats->memory_max_usage = 101376001;
	stats->memory_limit = 536870912;
	strcpy(stats->memory_stats[0].name, "slab");
	strcpy(stats->memory_stats[1].name, "anon");
	stats->memory_stats[1].value = 7;
	stats->memory_stats_count = 2;
	stats->pids_current = 14;
	add_entry(&stats->io_service_bytes, "Read", 8605696);
	stats->io_serviced.present = true;

	first = stats_text(&reading, previous);
#define BEFORE(preread)                                                                            \
	"'preread':'" preread "','pids_stats':{'current':14},'blkio_stats':{"                      \
	"'io_service_bytes_recursive':[{'major':259,'minor':0,'op':'Read','value':8605696}],"      \
	"'io_serviced_recursive':[],'io_queue_recursive':null,'io_service_time_recursive':null,"   \
	"'io_wait_time_recursive':null,'io_merged_recursive':null,'io_time_recursive':null,"       \
	"'sectors_recursive':null},'num_procs':0,'storage_stats':{},"                              \
	"'cpu_stats':" CPU
#define CPU                                                                                        \
	"{'cpu_usage':{'total_usage':300,'percpu_usage':[299,1],'usage_in_kernelmode':100,"        \
	"'usage_in_usermode':200},'system_cpu_usage':18446744073709551615,'online_cpus':4,"        \
	"'throttling_data':{'periods':310,'throttled_periods':4,'throttled_time':9}}"
#define AFTER                                                                                      \
	",'memory_stats':{'usage':101376000,'max_usage':101376001,'stats':{'anon':7,'slab':0},"    \
	"'limit':536870912},'name':'/ecs-web','id':'5e0c-web-1'}"
	assert_json(
		first,
		"{'read':'2026-03-14T15:20:31.408112907Z'," BEFORE(
			"0001-01-01T00:00:00Z") ",'precpu_stats':{'cpu_usage':{'total_usage':0,'"
						"usage_in_kernelmode':0,"
						"'usage_in_usermode':0},'throttling_data':{'"
						"periods':0,"
						"'throttled_periods':0,'throttled_time':0}}" AFTER);
	stats->read_ns = START + SECOND;
	second = stats_text(&reading, previous);
	assert_json(second, "{'read':'2026-03-14T15:20:32Z'," BEFORE(
				    "2026-03-14T15:20:31.408112907Z") ",'precpu_stats':" CPU AFTER);
}

static const char *networks_of(const char *text)
{
	const char *id = strstr(text, "\"id\":\"x\"");

	assert_non_null(id);
	return id + strlen("\"id\":\"x\"");
}

#define INTERFACE(name, rx, tx)                                                                    \
	"'" name "':{'rx_bytes':" rx ",'rx_packets':3,'rx_errors':0,'rx_dropped':0,'tx_bytes':" tx \
	",'tx_packets':0,'tx_errors':0,'tx_dropped':5}"

/* tmds-67, tmds-68, tmds-70 */
static void rates_come_with_the_second_reading_and_stay(void **state)
{
	_cleanup_free_ struct container_stats *stats = xcalloc(1, sizeof(*stats));
	_cleanup_free_ struct document_previous *previous = xcalloc(1, sizeof(*previous));
	struct network_stats network = { .read_ns = START, .count = 3 };
	struct document_reading reading = { .stats = stats, .runtime_id = "x" };
	static const struct {
		int64_t at_ns;
		uint64_t rx, tx;
		const char *expected;
	} steps[] = {
		{ START, 1000, 100,
		  ",'networks':{" INTERFACE("eth0", "1000", "100") "," INTERFACE("eth1", "5",
										 "5") "}}" },
		{ START + 2 * SECOND, 2000, 600,
		  ",'networks':{" INTERFACE("eth0", "2000", "600") "," INTERFACE(
			  "eth1", "5", "5") "},'network_rate_stats':{'rx_bytes_per_sec':500,"
					    "'tx_bytes_per_sec':250}}" },
		/* no time has passed */
		{ START + 2 * SECOND, 9000, 9000,
		  ",'networks':{" INTERFACE("eth0", "9000", "9000") "," INTERFACE(
			  "eth1", "5", "5") "},'network_rate_stats':{'rx_bytes_per_sec':500,"
					    "'tx_bytes_per_sec':250}}" },
		/* and the rate goes on from where it was */
		{ START + 3 * SECOND, 9000, 9000,
		  ",'networks':{" INTERFACE("eth0", "9000", "9000") "," INTERFACE(
			  "eth1", "5", "5") "},'network_rate_stats':{'rx_bytes_per_sec':7000,"
					    "'tx_bytes_per_sec':8400}}" },
		/* counters of another interface */
		{ START + 4 * SECOND, 10, 10,
		  ",'networks':{" INTERFACE("eth0", "10", "10") "," INTERFACE(
			  "eth1", "5", "5") "},'network_rate_stats':{'rx_bytes_per_sec':7000,"
					    "'tx_bytes_per_sec':8400}}" },
		{ START + 5 * SECOND, 10, 14,
		  ",'networks':{" INTERFACE("eth0", "10", "14") "," INTERFACE(
			  "eth1", "5", "5") "},'network_rate_stats':{'rx_bytes_per_sec':0,"
					    "'tx_bytes_per_sec':4}}" },
	};

	strcpy(network.interfaces[0].name, "tunl0");
	strcpy(network.interfaces[1].name, "eth1");
	strcpy(network.interfaces[2].name, "eth0");
	network.interfaces[1].rx_bytes = network.interfaces[1].tx_bytes = 5;
	for (int i = 1; i < 3; i++) {
		network.interfaces[i].rx_packets = 3;
		network.interfaces[i].tx_dropped = 5;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		_cleanup_free_ char *text = NULL;

		network.read_ns = steps[i].at_ns;
		network.interfaces[2].rx_bytes = steps[i].rx;
		network.interfaces[2].tx_bytes = steps[i].tx;
		reading.network = &network;
		text = stats_text(&reading, previous);
		assert_json(networks_of(text), steps[i].expected);
	}
	reading.network = NULL;
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ char *text = stats_text(&reading, previous);

		assert_json(networks_of(text), "}");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_keys_in_order),
		cmocka_unit_test(rates_come_with_the_second_reading_and_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
