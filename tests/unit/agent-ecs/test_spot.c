/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/spot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_control_plane.h"
#include "fake_imds.h"

#define ACTION  "/latest/meta-data/spot/instance-action"
#define DRAIN   "UpdateContainerInstancesState"
#define REFUSED "{\"__type\":\"InvalidParameterException\",\"message\":\"not now\"}"

static struct spot_watch *watch(struct fake *fake, struct fake_imds *imds)
{
	fake_start(fake, (char *[]){ "BERTH_TIME_SCALE=1000", NULL });
	imds->loop = fake->loop;
	imds->web = fake->web;
	fake_imds_start(imds, false);
	return spot_watch_new(&(struct spot_config){ .loop = fake->loop,
						     .imds = imds->imds,
						     .client = fake->client,
						     .instance = &fake->instance,
						     .interval_ms = 20 });
}

static void unwatch(struct fake *fake, struct fake_imds *imds, struct spot_watch *spot)
{
	spot_watch_free(spot);
	fake_imds_stop(imds);
	fake_stop(fake);
}

/* cfg-R34: what is no notice is passed over; a refused call is made again; then nothing is asked
 * any more. */
static void a_notice_drains_the_instance(void **state)
{
	static const struct fake_imds_file files[] = {
		{ ACTION, 404, "", 2 },
		{ ACTION, 200, "{\"action\":\"foo\",\"time\":\"2026-01-02T03:04:05Z\"}", 2 },
		{ ACTION, 200, "no JSON", 1 },
		{ ACTION, 200, "{\"Action\":\"terminate\",\"Time\":\"2026-01-02T03:04:05Z\"}", 0 },
		{ NULL, 0, NULL, 0 },
	};
	struct fake_imds imds = { .files = files };
	struct fake fake;
	struct spot_watch *spot = watch(&fake, &imds);

	fake_answer(&fake, DRAIN, 400, REFUSED);
	fake_answer(&fake, DRAIN, 400, REFUSED);
	fake_answer(&fake, DRAIN, 200,
		    "{\"containerInstances\":[],\"failures\":[{\"reason\":\"MISSING\"}]}");
	fake_run_until_count(&fake, DRAIN, 3);
	assert_string_equal(fake_nth(&fake, DRAIN, 0)->body,
			    "{\"cluster\":\"demo\",\"containerInstances\":["
			    "\"arn:aws:ecs:us-west-2:1:container-instance/demo/"
			    "0f9d\"],\"status\":\"DRAINING\"}");
	assert_int_equal(imds.used[0], 2);
	assert_int_equal(imds.used[1], 2);
	assert_int_equal(imds.used[3], 3);
	fake_run_for(&fake, 200);
	assert_int_equal(fake_count(&fake, DRAIN), 3);
	assert_int_equal(imds.used[3], 3);
	unwatch(&fake, &imds, spot);
}

static void every_kind_of_notice_counts(void **state)
{
	static const char *const notices[] = { "{\"action\":\"stop\"}",
					       "{\"action\":\"hibernate\"}" };

	for (size_t i = 0; i < 2; i++) {
		const struct fake_imds_file files[] = { { ACTION, 200, notices[i], 0 },
							{ NULL, 0, NULL, 0 } };
		struct fake_imds imds = { .files = files };
		struct fake fake;
		struct spot_watch *spot = watch(&fake, &imds);

		fake_run_until_count(&fake, DRAIN, 1);
		unwatch(&fake, &imds, spot);
	}
}

static void without_a_notice_nothing_is_called(void **state)
{
	struct fake_imds imds = { 0 };
	struct fake fake;
	struct spot_watch *spot = watch(&fake, &imds);

	fake_run_for(&fake, 200);
	assert_int_equal(fake.request_count, 0);
	assert_true(imds.with_token >= 2); /* it was asked, again and again */
	assert_int_equal(imds.token_requests, 1);
	unwatch(&fake, &imds, spot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_notice_drains_the_instance),
		cmocka_unit_test(every_kind_of_notice_counts),
		cmocka_unit_test(without_a_notice_nothing_is_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
