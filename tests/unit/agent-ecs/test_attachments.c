/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/attachments.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_control_plane.h"

#define MAC     "0a:00:00:00:00:01"
#define FAILURE "{\"__type\":\"InvalidParameterException\"}"

struct fixture {
	struct fake fake;
	struct attachments *attachments;
	int saved, sent, forgotten, save_result;
};

static int save(void *data, const struct attachment *attachment)
{
	struct fixture *f = data;

	f->saved++;
	f->sent += attachment->sent;
	assert_string_equal(attachment->mac, MAC);
	return f->save_result;
}

static void forget(void *data, const char *attachment_arn)
{
	struct fixture *f = data;

	f->forgotten++;
	assert_string_equal(attachment_arn, "arn:a");
}

static void set_up_at(struct fixture *f, char *driver, char *scale)
{
	memset(f, 0, sizeof(*f));
	fake_start(&f->fake, (char *[]){ scale, driver, NULL });
	f->attachments = attachments_new(
		f->fake.loop, f->fake.client, f->fake.config, &f->fake.instance,
		&(struct attachments_keeper){ .save = save, .forget = forget, .data = f });
}

static void set_up(struct fixture *f, char *driver)
{
	set_up_at(f, driver, "BERTH_TIME_SCALE=1000");
}

static void tear_down(struct fixture *f)
{
	attachments_free(f->attachments);
	fake_stop(&f->fake);
}

static int announce(struct fixture *f, const char *task_arn, int64_t wait_ms)
{
	const struct eni_spec eni = { .attachment_arn = "arn:a",
				      .ec2_id = "eni-1",
				      .mac_address = MAC };

	return attachments_add(f->attachments,
			       &(struct acs_attach_interfaces){ .message_id = "m",
								.task_arn = task_arn,
								.wait_timeout_ms = wait_ms,
								.enis = &eni,
								.eni_count = 1 });
}

static bool is_sent(void *data)
{
	return ((struct fixture *)data)->sent > 0;
}

static bool is_forgotten(void *data)
{
	return ((struct fixture *)data)->forgotten > 0;
}

#define DEVICE "BERTH_ENI_DRIVER=eni"
#define VETH   "BERTH_ENI_DRIVER=veth"

/* acs-M23, acs-M24: as for the calls. */
static void an_interface_is_reported_once_when_its_device_is_there(void **state)
{
	struct fixture f;

	set_up(&f, DEVICE);
	announce(&f, "arn:t1", 60000);
	announce(&f, "arn:t1", 60000);
	attachments_link_appeared(f.attachments, "0a:00:00:00:00:02");
	fake_run_for(&f.fake, 20);
	assert_int_equal(f.fake.request_count, 0);
	attachments_link_appeared(f.attachments, "0A:00:00:00:00:01");
	attachments_link_appeared(f.attachments, MAC);
	fake_run_until(&f.fake, is_sent, &f);
	announce(&f, "arn:t1", 60000);
	attachments_link_appeared(f.attachments, MAC);
	fake_run_for(&f.fake, 20);
	assert_int_equal(f.fake.request_count, 1);
	assert_string_equal(fake_nth(&f.fake, "SubmitTaskStateChange", 0)->body,
			    "{\"attachments\":[{\"attachmentArn\":\"arn:a\",\"status\":"
			    "\"ATTACHED\"}],\"cluster\":\"demo\","
			    "\"task\":\"arn:t1\"}");
	tear_down(&f);
}

static void with_the_veth_driver_it_is_there_at_once(void **state)
{
	struct fixture f;

	set_up(&f, VETH);
	announce(&f, "arn:t1", 60000);
	fake_run_until(&f.fake, is_sent, &f);
	assert_int_equal(f.saved, 2);
	assert_int_equal(fake_count(&f.fake, "SubmitTaskStateChange"), 1);
	tear_down(&f);
}

/* acs-M27 for the call */
static void an_interface_of_the_instance_has_a_call_of_its_own(void **state)
{
	struct fixture f;

	set_up(&f, DEVICE);
	announce(&f, NULL, 60000);
	attachments_link_appeared(f.attachments, MAC);
	fake_run_until(&f.fake, is_sent, &f);
	assert_string_equal(fake_nth(&f.fake, "SubmitAttachmentStateChanges", 0)->body,
			    "{\"attachments\":[{\"attachmentArn\":\"arn:a\",\"status\":"
			    "\"ATTACHED\"}],\"cluster\":"
			    "\"demo\"}");
	tear_down(&f);
}

/* acs-M25 */
static void one_that_comes_too_late_is_not_reported(void **state)
{
	struct fixture f;

	set_up(&f, DEVICE);
	announce(&f, "arn:t1", 30);
	fake_run_until(&f.fake, is_forgotten, &f);
	assert_int_equal(attachments_count(f.attachments), 0);
	attachments_link_appeared(f.attachments, MAC);
	fake_run_for(&f.fake, 20);
	assert_int_equal(f.fake.request_count, 0);
	tear_down(&f);
}

static void a_refused_report_is_repeated_until_it_expires(void **state)
{
	struct fixture f;
	size_t count;

	/* The waits between them grow from 1 to 30 ms here. */
	set_up(&f, VETH);
	for (int i = 0; i < 400; i++)
		fake_answer(&f.fake, "SubmitTaskStateChange", 400, FAILURE);
	announce(&f, "arn:t1", 1500);
	fake_run_until_count(&f.fake, "SubmitTaskStateChange", 3);
	fake_run_until(&f.fake, is_forgotten, &f);
	count = f.fake.request_count;
	fake_run_for(&f.fake, 100);
	assert_int_equal(f.fake.request_count, count);
	assert_int_equal(f.sent, 0);
	tear_down(&f);
}

enum { WAITS = 5 };

/* Up to the sixth report, all of which fail: how long each was after the one before. */
static void start_failing(struct fixture *f, int64_t waited_ms[WAITS])
{
	static const struct {
		int status;
		const char *body;
	} failures[] = {
		{ 400, "{\"__type\":\"ThrottlingException\"}" },  { 500, "{}" }, { 503, "" },
		{ 429, "{\"__type\":\"RequestLimitExceeded\"}" }, { 502, "oh" },
	};

	set_up_at(f, DEVICE, "BERTH_TIME_SCALE=10");
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		fake_answer(&f->fake, "SubmitTaskStateChange", failures[i].status,
			    failures[i].body);
	for (int i = 0; i < 100; i++)
		fake_answer(&f->fake, "SubmitTaskStateChange", 500, "{}");
	announce(f, "arn:t1", 3000);
	attachments_link_appeared(f->attachments, MAC);
	fake_run_until_count(&f->fake, "SubmitTaskStateChange", WAITS + 1);
	for (size_t i = 0; i < WAITS; i++)
		waited_ms[i] = fake_nth(&f->fake, "SubmitTaskStateChange", i + 1)->at_ms -
			       fake_nth(&f->fake, "SubmitTaskStateChange", i)->at_ms;
}

/* 1, 1.3, 1.69, 2.2, 2.86 s, a tenth of it here, and a fifth longer at most. */
static bool are_growing(const int64_t waited_ms[WAITS])
{
	const double way_ms = 15; /* to and fro */
	double wait_ms = 100;

	for (size_t i = 0; i < WAITS; i++, wait_ms *= 1.3) {
		/* Of a busy machine it is late, but never early. */
		assert_true((double)waited_ms[i] >= wait_ms - 2);
		if ((double)waited_ms[i] > wait_ms * 1.2 + way_ms)
			return false;
	}
	return waited_ms[WAITS - 1] > 2 * waited_ms[0];
}

/* net-T10: whatever the failure is; one that has expired is not reported any more. A busy machine
 * is tried again. */
static void reports_that_fail_come_at_growing_intervals(void **state)
{
	struct fixture f;
	int64_t waited_ms[WAITS];
	size_t count;

	start_failing(&f, waited_ms);
	for (int attempt = 1; attempt < 10 && !are_growing(waited_ms); attempt++) {
		tear_down(&f);
		start_failing(&f, waited_ms);
	}
	assert_true(are_growing(waited_ms));
	fake_run_until(&f.fake, is_forgotten, &f);
	fake_answer(&f.fake, "SubmitTaskStateChange", 200, "{}");
	count = f.fake.request_count;
	fake_run_for(&f.fake, 500);
	assert_int_equal(f.fake.request_count, count);
	assert_int_equal(f.sent, 0);
	tear_down(&f);
}

/* The answer to the last report never comes: what was asked is given up. */
static void one_that_expires_while_it_is_reported_is_forgotten(void **state)
{
	struct fixture f;

	set_up(&f, VETH);
	f.fake.stalled = true;
	announce(&f, "arn:t1", 300);
	fake_run_until_count(&f.fake, "SubmitTaskStateChange", 1);
	fake_run_until(&f.fake, is_forgotten, &f);
	assert_int_equal(attachments_count(f.attachments), 0);
	assert_int_equal(f.sent, 0);
	tear_down(&f);
}

/* How long a new one waits for its second report, after another has failed eight times. */
static int64_t wait_of_a_new_one(void)
{
	const struct eni_spec eni = { .attachment_arn = "arn:a",
				      .ec2_id = "eni-1",
				      .mac_address = MAC };
	const struct acs_attach_interfaces other = { .message_id = "m",
						     .task_arn = "arn:t2",
						     .wait_timeout_ms = 60000,
						     .enis = &eni,
						     .eni_count = 1 };
	struct fixture f;
	int64_t waited_ms;

	set_up_at(&f, VETH, "BERTH_TIME_SCALE=20");
	for (int i = 0; i < 9; i++)
		fake_answer(&f.fake, "SubmitTaskStateChange", 500, "{}");
	announce(&f, "arn:t1", 60000);
	fake_run_until_count(&f.fake, "SubmitTaskStateChange", 8);
	attachments_forget_task(f.attachments, "arn:t1");
	attachments_add(f.attachments, &other);
	fake_run_until(&f.fake, is_sent, &f);
	assert_int_equal(fake_count(&f.fake, "SubmitTaskStateChange"), 10);
	waited_ms = fake_nth(&f.fake, "SubmitTaskStateChange", 9)->at_ms -
		    fake_nth(&f.fake, "SubmitTaskStateChange", 8)->at_ms;
	tear_down(&f);
	return waited_ms;
}

/* Each has waits of its own: this is 50 to 60 ms here, where a ninth failure of the other one would
 * be waited for 400. A busy machine is tried again. */
static void a_new_one_is_not_held_up_by_the_failures_of_another(void **state)
{
	int64_t waited_ms = wait_of_a_new_one();

	for (int attempt = 1; attempt < 5 && waited_ms > 300; attempt++)
		waited_ms = wait_of_a_new_one();
	assert_in_range(waited_ms, 50, 300);
}

/* Else a busy host would hold five minutes' worth of interfaces that are long gone. */
static void those_of_a_task_go_with_it(void **state)
{
	struct fixture f;

	set_up(&f, VETH);
	announce(&f, "arn:t1", 60000);
	fake_run_until(&f.fake, is_sent, &f);
	attachments_forget_task(f.attachments, "arn:t2");
	assert_int_equal(attachments_count(f.attachments), 1);
	attachments_forget_task(f.attachments, "arn:t1");
	assert_int_equal(attachments_count(f.attachments), 0);
	assert_int_equal(f.forgotten, 1);
	tear_down(&f);
}

static void saved_ones_come_back_unless_they_have_expired(void **state)
{
	struct attachment attachment = { .mac = MAC,
					 .attachment_arn = "arn:a",
					 .task_arn = "arn:t1" };
	struct fixture f;

	set_up(&f, DEVICE);
	attachment.expires_at_ms = clock_wall_ms() - 1;
	attachments_restore(f.attachments, &attachment);
	assert_int_equal(f.forgotten, 1);
	assert_int_equal(attachments_count(f.attachments), 0);

	attachment.expires_at_ms = clock_wall_ms() + 60000;
	attachments_restore(f.attachments, &attachment);
	attachments_restore(f.attachments, &attachment);
	assert_int_equal(attachments_count(f.attachments), 1);
	attachments_link_appeared(f.attachments, MAC);
	fake_run_until(&f.fake, is_sent, &f);
	tear_down(&f);

	/* One that was reported is not reported again. */
	set_up(&f, VETH);
	attachment.sent = true;
	attachments_restore(f.attachments, &attachment);
	fake_run_for(&f.fake, 20);
	assert_int_equal(f.fake.request_count, 0);
	tear_down(&f);
}

/* It is announced again, for it is not acknowledged: and then it is as the first time. */
static void an_interface_that_cannot_be_saved_is_not_known(void **state)
{
	struct fixture f;

	set_up(&f, VETH);
	f.save_result = -ENOSPC;
	assert_int_equal(announce(&f, "arn:t1", 60000), -ENOSPC);
	assert_int_equal(attachments_count(f.attachments), 0);
	fake_run_for(&f.fake, 20);
	assert_int_equal(f.fake.request_count, 0);
	f.save_result = 0;
	assert_int_equal(announce(&f, "arn:t1", 60000), 0);
	assert_int_equal(attachments_count(f.attachments), 1);
	/* A copy of what is saved needs no room. */
	f.save_result = -ENOSPC;
	assert_int_equal(announce(&f, "arn:t1", 60000), 0);
	fake_run_until(&f.fake, is_sent, &f);
	assert_int_equal(attachments_count(f.attachments), 1);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interface_is_reported_once_when_its_device_is_there),
		cmocka_unit_test(with_the_veth_driver_it_is_there_at_once),
		cmocka_unit_test(an_interface_of_the_instance_has_a_call_of_its_own),
		cmocka_unit_test(one_that_comes_too_late_is_not_reported),
		cmocka_unit_test(a_refused_report_is_repeated_until_it_expires),
		cmocka_unit_test(reports_that_fail_come_at_growing_intervals),
		cmocka_unit_test(one_that_expires_while_it_is_reported_is_forgotten),
		cmocka_unit_test(a_new_one_is_not_held_up_by_the_failures_of_another),
		cmocka_unit_test(those_of_a_task_go_with_it),
		cmocka_unit_test(saved_ones_come_back_unless_they_have_expired),
		cmocka_unit_test(an_interface_that_cannot_be_saved_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
