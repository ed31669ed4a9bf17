/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/attachments.h"

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
	int saved, sent, forgotten;
};

static void save(void *data, const struct attachment *attachment)
{
	struct fixture *f = data;

	f->saved++;
	f->sent += attachment->sent;
	assert_string_equal(attachment->mac, MAC);
}

static void forget(void *data, const char *attachment_arn)
{
	struct fixture *f = data;

	f->forgotten++;
	assert_string_equal(attachment_arn, "arn:a");
}

static void set_up(struct fixture *f, char *driver)
{
	memset(f, 0, sizeof(*f));
	fake_start(&f->fake, (char *[]){ "BERTH_TIME_SCALE=1000", driver, NULL });
	f->attachments = attachments_new(
		f->fake.loop, f->fake.client, f->fake.config, &f->fake.instance,
		&(struct attachments_keeper){ .save = save, .forget = forget, .data = f });
}

static void tear_down(struct fixture *f)
{
	attachments_free(f->attachments);
	fake_stop(&f->fake);
}

static void announce(struct fixture *f, const char *task_arn, int64_t wait_ms)
{
	const struct eni_spec eni = { .attachment_arn = "arn:a",
				      .ec2_id = "eni-1",
				      .mac_address = MAC };

	attachments_add(f->attachments, &(struct acs_attach_interfaces){ .message_id = "m",
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interface_is_reported_once_when_its_device_is_there),
		cmocka_unit_test(with_the_veth_driver_it_is_there_at_once),
		cmocka_unit_test(an_interface_of_the_instance_has_a_call_of_its_own),
		cmocka_unit_test(one_that_comes_too_late_is_not_reported),
		cmocka_unit_test(a_refused_report_is_repeated_until_it_expires),
		cmocka_unit_test(those_of_a_task_go_with_it),
		cmocka_unit_test(saved_ones_come_back_unless_they_have_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
