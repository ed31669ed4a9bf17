/* SPDX-License-Identifier: Apache-2.0 */
/* A TCS session: takes what the agent publishes and acknowledges each request. */
#include "wire/tcs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sigv4.h"
#include "control-plane/services/report.h"
#include "control-plane/sessions/private.h"

#define SILENCE_MAX 10 /* heartbeat intervals; agents publish three times in two of them */

static void send_text(struct session *session, char *text)
{
	int r = ws_send(session->ws, text, strlen(text));

	if (r < 0)
		log_warn("a telemetry answer could not be sent", "instance", session->instance_arn,
			 "error", strerror(-r));
	free(text);
}

/* Headers of a frame, kept for the length of one verification. */
struct frame_headers {
	const struct tcs_frame *frame;
	char *values[16];
	size_t count;
};

static const char *header_of(void *data, const char *name)
{
	struct frame_headers *headers = data;
	char *value;

	if (headers->count == sizeof(headers->values) / sizeof(headers->values[0]))
		return NULL;
	value = tcs_frame_header(headers->frame, name);
	if (value)
		headers->values[headers->count++] = value;
	return value;
}

static int check_signature(struct session *session, const struct tcs_frame *frame,
			   struct error *err)
{
	struct frame_headers headers = { .frame = frame };
	const struct sigv4_incoming incoming = {
		.method = "GET",
		.path = session->path,
		.query = session->query,
		.header = header_of,
		.header_data = &headers,
		.payload = frame->body,
		.payload_size = frame->body_size,
		.service = "ecs",
		.wall_ms = clock_wall_ms(),
	};
	int r;

	/* TLS has proved who it is */
	if (!session->sessions->access_key || session->identity)
		return 0;
	r = sigv4_verify(&incoming, sessions_secret_of, session->sessions, err);
	for (size_t i = 0; i < headers.count; i++)
		free(headers.values[i]);
	return r;
}

static void take(struct session *session, const struct tcs_message *message)
{
	struct services *services = session->sessions->services;

	switch (message->type) {
	case TCS_PUBLISH_METRICS:
		services_report_metrics(services, session->instance_arn, &message->metrics);
		send_text(session, tcs_encode_text(TCS_ACK_METRICS, "OK"));
		break;
	case TCS_PUBLISH_HEALTH:
		services_report_health(services, session->instance_arn, &message->health);
		send_text(session, tcs_encode_text(TCS_ACK_HEALTH, "OK"));
		break;
	case TCS_PUBLISH_INSTANCE_STATUS:
		services_report_instance_status(services, session->instance_arn,
						&message->instance_status);
		send_text(session, tcs_encode_text(TCS_ACK_INSTANCE_STATUS, "OK"));
		break;
	case TCS_START_SESSION:
		break;
	default:
		log_warn("an agent sends what only a control plane sends", "instance",
			 session->instance_arn, "type", tcs_type_name(message->type));
		break;
	}
}

static void refuse(struct session *session, const struct error *err)
{
	log_warn("a telemetry message is refused", "instance", session->instance_arn, "error",
		 err->text);
	send_text(session, tcs_encode_text(TCS_BAD_REQUEST_EXCEPTION, err->text));
}

void tcs_message(struct session *session, const char *text, size_t size)
{
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message = NULL;
	struct error err = ERROR_INIT;
	struct tcs_frame frame;

	session->silent = 0;
	if (tcs_frame_split(text, size, &frame, &err) < 0 ||
	    check_signature(session, &frame, &err) < 0 ||
	    tcs_decode(frame.body, frame.body_size, &message, &err) < 0) {
		refuse(session, &err);
		return;
	}
	take(session, message);
}

void tcs_heartbeat(struct session *session)
{
	if (++session->silent > SILENCE_MAX) {
		log_warn("an agent publishes nothing", "instance", session->instance_arn);
		session_close(session, 1008, "nothing was published for too long");
		return;
	}
	send_text(session, tcs_encode_heartbeat(true));
}
