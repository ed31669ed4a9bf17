/* SPDX-License-Identifier: Apache-2.0 */
#include "acs_place.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void on_payload(void *data, struct acs_payload *payload)
{
	struct acs_place *f = data;

	f->payloads++;
	f->tasks = payload->task_count;
	f->refused = payload->refused_count;
	snprintf(f->message_id, sizeof(f->message_id), "%s", payload->message_id);
	if (f->ack_at_once)
		acs_session_acknowledge(f->acs, payload->message_id);
}

static void on_manifest(void *data, const struct acs_manifest *manifest)
{
	struct acs_place *f = data;
	const char *const candidates[] = { "arn:t1", "arn:t2" };

	f->manifests++;
	acs_session_acknowledge(f->acs, manifest->message_id);
	if (manifest->task_count == 0)
		acs_session_stop_candidates(f->acs, manifest->message_id, manifest->cluster_arn,
					    candidates, 2);
}

static void on_verified(void *data, const struct acs_stop_verification *verification)
{
	struct acs_place *f = data;

	f->verified++;
	snprintf(f->message_id, sizeof(f->message_id), "%s", verification->message_id);
}

static int on_credentials(void *data, struct acs_credentials *credentials, struct error *err)
{
	struct acs_place *f = data;

	f->credentials++;
	role_credentials_free(TAKE(credentials->credentials));
	return f->credentials_result ? error_say(err, ENOENT, "no such task") : 0;
}

static int on_attach(void *data, const struct acs_attach_interfaces *attach)
{
	struct acs_place *f = data;

	f->attached += (int)attach->eni_count;
	return f->attach_result;
}

static void on_network(void *data, const struct acs_network *network)
{
	struct acs_place *f = data;

	f->networks++;
	snprintf(f->message_id, sizeof(f->message_id), "%s", network->message_id);
	if (f->ack_at_once)
		acs_session_acknowledge(f->acs, network->message_id);
}

static void on_heartbeat(void *data)
{
	((struct acs_place *)data)->heartbeats++;
}

static void on_inactive(void *data)
{
	((struct acs_place *)data)->inactive++;
}

static void on_connection(void *data, bool open)
{
	struct acs_place *f = data;

	f->opened += open;
	f->closed += !open;
}

void acs_set_up(struct acs_place *f, char *scale, const char *path)
{
	memset(f, 0, sizeof(*f));
	fake_start(&f->fake, (char *[]){ scale, NULL });
	fake_answer_endpoints(&f->fake, path);
	f->ack_at_once = true;
	f->handler = (struct acs_handler){ .payload = on_payload,
					   .manifest = on_manifest,
					   .stop_verified = on_verified,
					   .credentials = on_credentials,
					   .attach = on_attach,
					   .network = on_network,
					   .heartbeat = on_heartbeat,
					   .inactive = on_inactive,
					   .connection = on_connection,
					   .data = f };
	f->discover = discover_new(f->fake.loop, f->fake.client, f->fake.config, &f->fake.instance);
	f->acs = acs_session_new(&(struct acs_context){ .loop = f->fake.loop,
							.web = f->fake.web,
							.config = f->fake.config,
							.credentials = f->fake.credentials,
							.discover = f->discover,
							.instance = &f->fake.instance,
							.handler = &f->handler });
}

void acs_tear_down(struct acs_place *f)
{
	acs_session_free(f->acs);
	discover_free(f->discover);
	fake_stop(&f->fake);
}

static bool is_open(void *data)
{
	struct acs_place *f = data;

	return f->fake.upgrade_count > 0 && f->fake.upgrades[f->fake.upgrade_count - 1]->ws &&
	       acs_session_is_open(f->acs);
}

struct fake_upgrade *acs_connected(struct acs_place *f)
{
	fake_run_until(&f->fake, is_open, f);
	return f->fake.upgrades[f->fake.upgrade_count - 1];
}

struct fake_upgrade *acs_start(struct acs_place *f, char *scale)
{
	acs_set_up(f, scale, "");
	acs_session_start(f->acs);
	return acs_connected(f);
}

const char *acs_ask(struct acs_place *f, struct fake_upgrade *peer, const char *text)
{
	size_t before = peer->message_count;

	fake_send(peer, text);
	fake_run_until_messages(&f->fake, peer, before + 1);
	return peer->messages[before];
}

void acs_ask_in_vain(struct acs_place *f, struct fake_upgrade *peer, const char *text)
{
	fake_send(peer, text);
	assert_string_equal(
		acs_ask(f, peer,
			"{\"type\":\"HeartbeatMessage\",\"message\":{\"messageId\":\"after\"}}"),
		"{\"type\":\"HeartbeatAckRequest\",\"message\":{\"messageId\":\"after\"}}");
}
