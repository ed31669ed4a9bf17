/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TEST_FAKE_CONTROL_PLANE_H
#define BERTH_TEST_FAKE_CONTROL_PLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "agent/ecs/client.h"
#include "agent/ecs/credentials.h"
#include "agent/ecs/instance.h"
#include "base/loop.h"
#include "base/web.h"

/*
 * A control plane on loopback that does what a test tells it, and remembers what it was asked. It
 * serves the API and both kinds of session on one port, and lives on the same loop as what it
 * tests. Every signature is verified.
 */

#define FAKE_KEY         "AKIDEXAMPLE"
#define FAKE_SECRET      "secret"
#define FAKE_TOKEN       "token"
#define FAKE_DEADLINE_MS 60000

struct fake_request {
	char *operation;
	char *body;
	char *user_agent;
	char *attempt; /* Amz-Sdk-Request */
	int64_t at_ms; /* monotonic */
};

struct fake_upgrade {
	char *path;
	char *query;
	int64_t at_ms;
	bool signed_well;
	struct ws *ws; /* NULL: refused, or gone */
	bool closed;
	int64_t closed_at_ms;
	struct ws_close close; /* reason is not kept */
	char close_reason[128];
	char **messages;
	int64_t *message_at_ms;
	size_t message_count;
	struct fake *fake;
};

struct fake_answer;

struct fake {
	struct loop *loop;
	struct web *web;
	struct web_listener *listener;
	struct http_client *http;
	struct agent_config *config;
	struct aws_credentials *credentials;
	struct ecs_client *client;
	struct ecs_instance instance;
	uint16_t port;

	struct fake_request *requests[512];
	size_t request_count;
	size_t badly_signed;
	int64_t ahead_ms; /* its clock, which it tells; what is signed by another is refused */
	size_t refused_for_time;
	struct fake_answer *answers; /* to come, of all operations */
	bool stalled;                /* requests are not answered */
	struct web_request *waiting[64];
	size_t waiting_count;

	struct fake_upgrade *upgrades[128];
	size_t upgrade_count;
	int refuse_status; /* 0: upgrades are accepted */
	const char *refuse_body;
	int refuse_times;
	void (*on_open)(struct fake *fake, struct fake_upgrade *upgrade); /* may be NULL */
	void *data;
};

/* `settings`: more of "NAME=value", NULL-terminated, or NULL. */
void fake_start(struct fake *fake, char *const *settings);
void fake_stop(struct fake *fake);

/* The next call of `operation` is answered so; calls without a scripted answer get 200 {}. */
void fake_answer(struct fake *fake, const char *operation, int status, const char *body);
void fake_answer_with_header(struct fake *fake, const char *operation, int status, const char *body,
			     const char *error_type);
/* Breaks the connection instead of answering. */
void fake_answer_nothing(struct fake *fake, const char *operation);
/* Endpoints of both sessions are this fake itself, with `path` behind the port. */
void fake_answer_endpoints(struct fake *fake, const char *path);

size_t fake_count(const struct fake *fake, const char *operation);
const struct fake_request *fake_nth(const struct fake *fake, const char *operation, size_t n);

/* Runs the loop until done(data), or fails the test after the deadline. */
void fake_run_until(struct fake *fake, bool (*done)(void *data), void *data);
/* Runs the loop for so long, to see that something does not happen. */
void fake_run_for(struct fake *fake, int64_t ms);
void fake_run_until_count(struct fake *fake, const char *operation, size_t count);
void fake_run_until_upgrades(struct fake *fake, size_t count);
void fake_run_until_messages(struct fake *fake, const struct fake_upgrade *upgrade, size_t count);
void fake_run_until_closed(struct fake *fake, const struct fake_upgrade *upgrade);

void fake_send(struct fake_upgrade *upgrade, const char *text);

#endif
