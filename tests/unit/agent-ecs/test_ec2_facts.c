/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/ec2_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/ecs/cloud_init.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "fake_imds.h"

#define META "/latest/meta-data/"
#define MAC  "02:00:00:00:00:07"
#define NET  META "network/interfaces/macs/" MAC "/"

#define ID                                                                                         \
	{                                                                                          \
		META "instance-id", 200, "i-07", 0                                                 \
	}
#define ADDR                                                                                       \
	{                                                                                          \
		META "mac", 200, MAC, 0                                                            \
	}
#define VPC                                                                                        \
	{                                                                                          \
		NET "vpc-id", 200, "vpc-1", 0                                                      \
	}
#define SUBNET                                                                                     \
	{                                                                                          \
		NET "subnet-id", 200, "subnet-1", 0                                                \
	}
#define ZONE                                                                                       \
	{                                                                                          \
		META "placement/availability-zone-id", 200, "usw2-az1", 0                          \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, 0, NULL, 0                                                                   \
	}

struct got {
	int times;
	enum ecs_exit exit_code;
	struct ec2_facts facts;
	char text[1024];
};

static void keep(void *data, enum ecs_exit exit_code, struct ec2_facts *facts,
		 const struct error *err)
{
	struct got *got = data;

	got->times++;
	got->exit_code = exit_code;
	got->facts = *facts;
	*facts = (struct ec2_facts){ 0 };
	snprintf(got->text, sizeof(got->text), "%s", err ? err->text : "");
}

static bool has_come(void *data)
{
	return ((struct got *)data)->times > 0;
}

#define FAST "AWS_REGION=us-west-2", "BERTH_TIME_SCALE=1000"
static char *plain[] = { FAST, NULL };

static struct got find_out(struct fake_imds *fake, char *const *settings, const char *known_id,
			   const char *cloud_init_result)
{
	struct agent_config *config = NULL;
	struct ec2_facts_config facts = { .instance_id = known_id,
					  .cloud_init_result = cloud_init_result };
	struct got got = { 0 };

	assert_int_equal(config_load(settings, NULL, &config, NULL, NULL), 0);
	fake_imds_start(fake, false);
	facts.loop = fake->loop;
	facts.imds = fake->imds;
	facts.config = config;
	ec2_facts_get(&facts, keep, &got);
	assert_int_equal(got.times, 0);
	fake_imds_run_until(fake, has_come, &got);
	assert_int_equal(got.times, 1);
	config_free(config);
	return got;
}

static void end(struct fake_imds *fake, struct got *got)
{
	ec2_facts_free(&got->facts);
	fake_imds_stop(fake);
}

static void an_instance_knows_where_it_is(void **state)
{
	static const struct fake_imds_file files[] = {
		ID,   ADDR,
		VPC,  SUBNET,
		ZONE, { META "outpost-arn", 200, "arn:aws:outposts:us-west-2:1:outpost/op-1", 0 },
		END,
	};
	struct fake_imds fake = { .files = files, .token_required = true };
	struct got got = find_out(&fake, plain, NULL, "/nonexistent");

	assert_int_equal(got.exit_code, ECS_EXIT_OK);
	assert_string_equal(got.facts.instance_id, "i-07");
	assert_string_equal(got.facts.mac, MAC);
	assert_string_equal(got.facts.vpc_id, "vpc-1");
	assert_string_equal(got.facts.subnet_id, "subnet-1");
	assert_string_equal(got.facts.zone_id, "usw2-az1");
	assert_string_equal(got.facts.outpost_arn, "arn:aws:outposts:us-west-2:1:outpost/op-1");
	assert_int_equal(fake.token_requests, 1);
	end(&fake, &got);
}

static void it_goes_on_without_id_zone_and_outpost(void **state)
{
	/* What is more than a word is no id. */
	static const struct fake_imds_file files[] = {
		{ META "instance-id", 200, "two words", 0 }, ADDR, VPC, SUBNET, END,
	};
	struct fake_imds fake = { .files = files };
	struct got got = find_out(&fake, plain, NULL, "/nonexistent");

	assert_int_equal(got.exit_code, ECS_EXIT_OK);
	assert_null(got.facts.instance_id);
	assert_null(got.facts.zone_id);
	assert_null(got.facts.outpost_arn);
	assert_string_equal(got.facts.subnet_id, "subnet-1");
	end(&fake, &got);
}

static void what_comes_late_is_waited_for(void **state)
{
	static const struct fake_imds_file files[] = {
		{ META "instance-id", 404, "", 4 },
		{ META "instance-id", 200, "i-08", 0 },
		ADDR,
		VPC,
		SUBNET,
		{ META "placement/availability-zone-id", 404, "", 5 },
		ZONE,
		END,
	};
	struct fake_imds fake = { .files = files };
	struct got got = find_out(&fake, plain, NULL, "/nonexistent");

	assert_int_equal(got.exit_code, ECS_EXIT_OK);
	assert_string_equal(got.facts.instance_id, "i-08");
	assert_null(got.facts.zone_id); /* not asked a sixth time */
	end(&fake, &got);
}

static void an_id_that_is_known_is_not_asked_for(void **state)
{
	static const struct fake_imds_file files[] = { ID, ADDR, VPC, SUBNET, END };
	struct fake_imds fake = { .files = files };
	struct got got = find_out(&fake, plain, "i-known", "/nonexistent");

	assert_string_equal(got.facts.instance_id, "i-known");
	assert_int_equal(fake.used[0], 0);
	end(&fake, &got);
}

/* cfg-R19 for a VPC that is not there, and what the rest of the network gives. */
static void without_a_network_it_ends(void **state)
{
	static const struct fake_imds_file no_mac[] = { ID, VPC, SUBNET, END };
	static const struct fake_imds_file bad_mac[] = { ID,
							 { META "mac", 200, "../user-data", 0 },
							 END };
	static const struct fake_imds_file no_vpc[] = { ID, ADDR, SUBNET, END };
	static const struct fake_imds_file no_subnet[] = { ID, ADDR, VPC, END };
	static const struct {
		const struct fake_imds_file *files;
		enum ecs_exit exit_code;
		const char *text;
	} cases[] = {
		{ no_mac, ECS_EXIT_ERROR, META "mac: HTTP 404" },
		{ bad_mac, ECS_EXIT_ERROR, "the MAC address is none" },
		{ no_vpc, ECS_EXIT_TERMINAL, NET "vpc-id: HTTP 404" },
		{ no_subnet, ECS_EXIT_ERROR, NET "subnet-id: HTTP 404" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_imds fake = { .files = cases[i].files };
		struct got got = find_out(&fake, plain, NULL, "/nonexistent");

		assert_int_equal(got.exit_code, cases[i].exit_code);
		assert_non_null(strstr(got.text, cases[i].text));
		assert_non_null(strstr(got.text, "BERTH_INSTANCE_METADATA=never"));
		end(&fake, &got);
	}
}

static char *write_result(const char *text)
{
	char *path = xstrdup("/tmp/berth-cloud-init-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

/* cfg-R24 */
static void user_data_that_was_not_carried_out_ends_it(void **state)
{
#define NOTHING "{\"v1\":{\"datasource\":\"DataSourceNone\",\"errors\":[]}}"
	static const struct fake_imds_file with[] = {
		ID, ADDR, VPC, SUBNET, ZONE, { "/latest/user-data", 200, "#!/bin/sh", 0 }, END
	};
	static const struct fake_imds_file without[] = { ID, ADDR, VPC, SUBNET, ZONE, END };
	static const struct fake_imds_file empty[] = {
		ID, ADDR, VPC, SUBNET, ZONE, { "/latest/user-data", 200, "", 0 }, END
	};
	static const struct {
		const char *result;
		const struct fake_imds_file *files;
		enum ecs_exit exit_code;
	} cases[] = {
		{ NOTHING, with, ECS_EXIT_TERMINAL },
		{ NOTHING, without, ECS_EXIT_OK },
		{ NOTHING, empty, ECS_EXIT_OK },
		{ "{\"v1\":{\"datasource\":\"DataSourceEc2Local\"}}", with, ECS_EXIT_OK },
		{ "{\"v1\":{\"datasource\":7}}", with, ECS_EXIT_OK },
		{ "{\"v1\":[]}", with, ECS_EXIT_OK },
		{ "no JSON", with, ECS_EXIT_OK },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *result = write_result(cases[i].result);
		struct fake_imds fake = { .files = cases[i].files };
		struct got got = find_out(&fake, plain, NULL, result);

		assert_int_equal(got.exit_code, cases[i].exit_code);
		if (cases[i].exit_code != ECS_EXIT_OK) {
			assert_non_null(strstr(got.text, "cloud-init has not carried it out"));
			assert_null(got.facts.mac);
		}
		unlink(result);
		end(&fake, &got);
	}
}

#define STATE META "autoscaling/target-lifecycle-state"

/* cfg-R25 for the wait; that nothing is registered before is in the conformance tests. */
static void a_warm_pool_is_waited_out(void **state)
{
	static const struct fake_imds_file in_time[] = {
		ID,
		ADDR,
		VPC,
		SUBNET,
		ZONE,
		{ STATE, 404, "", 2 },
		{ STATE, 200, "", 1 },
		{ STATE, 200, "Warmed:Stopped", 3 },
		{ STATE, 503, "", 60 },
		{ STATE, 200, "InService", 0 },
		END,
	};
	static const struct fake_imds_file lost[] = {
		ID,
		ADDR,
		VPC,
		SUBNET,
		ZONE,
		{ STATE, 200, "Warmed:Stopped", 1 },
		{ STATE, 404, "", 0 },
		END,
	};
	static const struct fake_imds_file forbidden[] = {
		ID, ADDR, VPC, SUBNET, ZONE, { STATE, 403, "", 0 }, END,
	};
	static const struct fake_imds_file never[] = { ID,     ADDR, VPC,
						       SUBNET, ZONE, { STATE, 404, "", 0 },
						       END };
	static const struct {
		const struct fake_imds_file *files;
		enum ecs_exit exit_code;
		int used; /* of the last file: what it was asked again; 0: does not matter */
	} cases[] = {
		{ in_time, ECS_EXIT_OK, 1 },
		{ lost, ECS_EXIT_TERMINAL, 5 },
		{ forbidden, ECS_EXIT_TERMINAL, 5 },
		{ never, ECS_EXIT_TERMINAL, 120 * 5 },
	};
	char *settings[] = { "AWS_REGION=us-west-2", "BERTH_TIME_SCALE=1000000",
			     "ECS_WARM_POOLS_CHECK=true", NULL };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_imds fake = { .files = cases[i].files };
		struct got got = find_out(&fake, settings, NULL, "/nonexistent");
		size_t last = 0;

		while (cases[i].files[last + 1].path)
			last++;
		assert_int_equal(got.exit_code, cases[i].exit_code);
		assert_int_equal(fake.used[last], cases[i].used);
		if (got.exit_code != ECS_EXIT_OK)
			assert_non_null(
				strstr(got.text, "wait until this instance leaves its warm pool"));
		end(&fake, &got);
	}
}

static void a_warm_pool_does_not_matter_unless_it_is_asked_for(void **state)
{
	static const struct fake_imds_file files[] = {
		ID, ADDR, VPC, SUBNET, ZONE, { STATE, 200, "Warmed:Stopped", 0 }, END
	};
	struct fake_imds fake = { .files = files };
	struct got got = find_out(&fake, plain, NULL, "/nonexistent");

	assert_int_equal(got.exit_code, ECS_EXIT_OK);
	assert_int_equal(fake.used[5], 0);
	end(&fake, &got);
}

static void the_id_alone_is_waited_for(void **state)
{
	static const struct fake_imds_file files[] = { { META "instance-id", 404, "", 2 },
						       { META "instance-id", 200, "i-09\n", 1 },
						       END };
	struct fake_imds fake = { .files = files };
	struct agent_config *config = NULL;
	struct ec2_facts_config facts = { 0 };
	_cleanup_free_ char *id = NULL;
	_cleanup_free_ char *none = NULL;

	assert_int_equal(config_load(plain, NULL, &config, NULL, NULL), 0);
	fake_imds_start(&fake, false);
	facts.loop = fake.loop;
	facts.imds = fake.imds;
	facts.config = config;
	ec2_instance_id(&facts, &id);
	assert_string_equal(id, "i-09");
	ec2_instance_id(&facts, &none);
	assert_null(none);
	fake_imds_stop(&fake);
	config_free(config);
}

static void what_is_cancelled_never_answers(void **state)
{
	static const struct fake_imds_file files[] = { { META "instance-id", 0, "", 0 }, END };
	struct fake_imds fake = { .files = files };
	struct agent_config *config = NULL;
	struct got got = { 0 };
	struct ec2_facts_call *call;

	assert_int_equal(config_load(plain, NULL, &config, NULL, NULL), 0);
	fake_imds_start(&fake, false);
	call = ec2_facts_get(&(struct ec2_facts_config){ .loop = fake.loop,
							 .imds = fake.imds,
							 .config = config },
			     keep, &got);
	while (fake.stalled_count == 0)
		loop_run_once(fake.loop, true);
	ec2_facts_cancel(call);
	assert_int_equal(got.times, 0);
	fake_imds_stop(&fake);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_knows_where_it_is),
		cmocka_unit_test(it_goes_on_without_id_zone_and_outpost),
		cmocka_unit_test(what_comes_late_is_waited_for),
		cmocka_unit_test(an_id_that_is_known_is_not_asked_for),
		cmocka_unit_test(without_a_network_it_ends),
		cmocka_unit_test(user_data_that_was_not_carried_out_ends_it),
		cmocka_unit_test(a_warm_pool_is_waited_out),
		cmocka_unit_test(a_warm_pool_does_not_matter_unless_it_is_asked_for),
		cmocka_unit_test(the_id_alone_is_waited_for),
		cmocka_unit_test(what_is_cancelled_never_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
