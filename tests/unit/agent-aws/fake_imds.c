/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_imds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"

#define DEADLINE_MS 60000

static void forget_stalled(void *data, struct web_request *request)
{
	struct fake_imds *fake = data;

	for (size_t i = 0; i < fake->stalled_count; i++)
		if (fake->stalled[i] == request)
			fake->stalled[i] = fake->stalled[--fake->stalled_count];
}

static void stall(struct fake_imds *fake, struct web_request *request)
{
	assert_true(fake->stalled_count < sizeof(fake->stalled) / sizeof(fake->stalled[0]));
	fake->stalled[fake->stalled_count++] = request;
	web_request_on_cancel(request, forget_stalled, fake);
}

static void give_token(struct fake_imds *fake, struct web_request *request)
{
	const char *ttl = web_request_header(request, "x-aws-ec2-metadata-token-ttl-seconds");
	char text[16];
	struct header header = { "X-aws-ec2-metadata-token-ttl-seconds", text };

	fake->token_requests++;
	snprintf(fake->token_ttl_asked, sizeof(fake->token_ttl_asked), "%s", ttl ? ttl : "");
	snprintf(text, sizeof(text), "%d", fake->token_ttl ? fake->token_ttl : 300);
	if (fake->token_status < 0)
		stall(fake, request);
	else if (fake->token_status)
		web_respond_text(request, fake->token_status, "text/plain", "no");
	else
		web_respond(request, 200, "text/plain", FAKE_IMDS_TOKEN, strlen(FAKE_IMDS_TOKEN),
			    &header, 1);
}

static const struct fake_imds_file *find(struct fake_imds *fake, const char *path)
{
	for (size_t i = 0; fake->files && fake->files[i].path; i++) {
		const struct fake_imds_file *file = &fake->files[i];

		if (strcmp(file->path, path) != 0 || (file->times && fake->used[i] >= file->times))
			continue;
		fake->used[i]++;
		return file;
	}
	return NULL;
}

static void on_request(void *data, struct web_request *request)
{
	struct fake_imds *fake = data;
	const char *token = web_request_header(request, "x-aws-ec2-metadata-token");
	const struct fake_imds_file *file;

	if (str_eq(web_request_method(request), "PUT")) {
		assert_string_equal(web_request_path(request), "/latest/api/token");
		give_token(fake, request);
		return;
	}
	*(token ? &fake->with_token : &fake->without_token) += 1;
	if (token)
		assert_string_equal(token, FAKE_IMDS_TOKEN);
	if ((token && fake->token_expired) || (!token && fake->token_required)) {
		fake->token_expired = false;
		web_respond_text(request, 401, "text/plain", "");
		return;
	}
	file = find(fake, web_request_path(request));
	if (file && file->status == 0)
		stall(fake, request);
	else
		web_respond_text(request, file ? file->status : 404, "text/plain",
				 file ? file->body : "");
}

void fake_imds_start(struct fake_imds *fake, bool v1_disabled)
{
	const struct web_listener_config listen = { .address = "127.0.0.1",
						    .on_request = on_request,
						    .data = fake };
	struct imds_config config = { .endpoint = fake->endpoint,
				      .v1_disabled = v1_disabled,
				      .time_scale = 100 };

	fake->is_guest = fake->loop != NULL;
	if (!fake->is_guest) {
		assert_int_equal(loop_new(&fake->loop, NULL), 0);
		assert_int_equal(web_new(fake->loop, NULL, &fake->web, NULL), 0);
	}
	assert_int_equal(web_listen(fake->web, &listen, &fake->listener, NULL), 0);
	snprintf(fake->endpoint, sizeof(fake->endpoint), "http://127.0.0.1:%u/",
		 web_listener_port(fake->listener));
	assert_int_equal(imds_new(fake->loop, &config, &fake->imds, NULL), 0);
}

void fake_imds_stop(struct fake_imds *fake)
{
	imds_free(fake->imds);
	if (fake->listener)
		web_listener_free(fake->listener);
	if (!fake->is_guest) {
		web_free(fake->web);
		loop_free(fake->loop);
	}
	memset(fake, 0, sizeof(*fake));
}

void fake_imds_keep(void *data, const struct imds_answer *answer)
{
	struct fake_imds_got *got = data;

	got->times++;
	got->error = answer->error;
	got->status = answer->status;
	assert_int_equal(strlen(answer->body), answer->size);
	snprintf(got->body, sizeof(got->body), "%s", answer->body);
	snprintf(got->text, sizeof(got->text), "%s", answer->err.text);
}

void fake_imds_run_until(struct fake_imds *fake, bool (*done)(void *data), void *data)
{
	int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;

	while (!done(data)) {
		assert_true(clock_monotonic_ms() < until_ms);
		loop_run_once(fake->loop, true);
	}
}

static bool has_come(void *data)
{
	return ((struct fake_imds_got *)data)->times > 0;
}

struct fake_imds_got fake_imds_ask(struct fake_imds *fake, const char *path)
{
	struct fake_imds_got got = { 0 };

	imds_get(fake->imds, path, fake_imds_keep, &got, NULL);
	assert_int_equal(got.times, 0);
	fake_imds_run_until(fake, has_come, &got);
	assert_int_equal(got.times, 1);
	return got;
}
