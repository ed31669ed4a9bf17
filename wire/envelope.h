/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ENVELOPE_H
#define BERTH_WIRE_ENVELOPE_H

#include "base/json.h"

/* {"type": ..., "message": ...}, in any case; what ACS and TCS have in common. */
struct envelope {
	json_t *root;     /* owned */
	const char *type; /* NULL: there is none */
	json_t *message;  /* owned; an object, {} for null; NULL: there is none */
};

#define ENVELOPE_INIT                                                                              \
	{                                                                                          \
		.root = NULL, .type = NULL, .message = NULL                                        \
	}

/* -EBADMSG: no JSON object, or `type` is no string, or `message` is no object. */
int envelope_parse(const char *text, size_t size, size_t limit, struct envelope *ret,
		   struct error *err);
void envelope_clear(struct envelope *envelope);
#define _cleanup_envelope_ __attribute__((cleanup(envelope_clear)))

#endif
