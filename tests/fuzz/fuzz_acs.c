/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a control plane, or whoever stands in for one, may send over ACS; and the body of a
 * refused handshake. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/acs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_payload(const struct acs_payload *payload)
{
	size_t refused = 0;

	for (size_t i = 0; i < payload->task_count; i++) {
		const struct acs_task *task = &payload->tasks[i];

		if (!task->spec == !task->error)
			abort(); /* either a task or why not */
		if (task->spec && (!task->arn || strcmp(task->arn, task->spec->arn) != 0))
			abort();
		refused += task->spec == NULL;
	}
	if (refused != payload->refused_count || !payload->message_id)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acs_message *message = NULL;
	struct error err = ERROR_INIT;
	enum acs_type type;
	char *text = NULL;
	int result = acs_decode((const char *)data, size, &message, &err);

	if ((result == 0) != (message != NULL) || (result < 0) != (err.text[0] != '\0'))
		abort();
	if (message && message->type == ACS_PAYLOAD)
		check_payload(&message->payload);
	acs_message_free(message);
	if (acs_decode_refusal((const char *)data, size, &type, &text, NULL) == 0 && !text)
		abort();
	free(text);
	return 0;
}
