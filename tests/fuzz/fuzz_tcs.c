/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of agents with their header block, and envelopes without; what was read can be written and
 * read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/tcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_requests(struct tcs_requests *requests, size_t task_count)
{
	size_t seen = 0;

	for (size_t i = 0; i < requests->count; i++) {
		struct tcs_message *message = NULL;

		if (tcs_decode(requests->items[i], strlen(requests->items[i]), &message, NULL) < 0)
			abort();
		seen += message->type == TCS_PUBLISH_METRICS ? message->metrics.task_count
							     : message->health.task_count;
		tcs_message_free(message);
	}
	/* A task whose service part was split appears more than once. */
	if (seen < task_count)
		abort();
	tcs_requests_clear(requests);
}

static void try(const char *text, size_t size)
{
	struct tcs_message *message = NULL;
	struct tcs_requests requests;

	if (tcs_decode(text, size, &message, NULL) < 0)
		return;
	if (message->type == TCS_PUBLISH_METRICS && !message->metrics.idle) {
		tcs_encode_metrics(&message->metrics, message->metrics.timestamp_ms, &requests);
		check_requests(&requests, message->metrics.task_count);
	}
	if (message->type == TCS_PUBLISH_HEALTH) {
		tcs_encode_health(&message->health, message->health.timestamp_ms, &requests);
		check_requests(&requests, message->health.task_count);
	}
	if (message->type == TCS_PUBLISH_INSTANCE_STATUS)
		free(tcs_encode_instance_status(&message->instance_status,
						message->instance_status.timestamp_ms));
	tcs_message_free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcs_frame frame;

	if (tcs_frame_split((const char *)data, size, &frame, NULL) == 0) {
		if (frame.headers_size + 2 + frame.body_size != size)
			abort();
		free(tcs_frame_header(&frame, "Authorization"));
		free(tcs_frame_header(&frame, "X-Amz-Date"));
		try(frame.body, frame.body_size);
	}
	try((const char *)data, size);
	return 0;
}
