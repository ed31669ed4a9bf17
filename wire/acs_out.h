/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ACS_OUT_H
#define BERTH_WIRE_ACS_OUT_H

#include "wire/acs.h"
#include "wire/writer.h"

/* An envelope on its way: members of "message" are written between begin and end. */
struct acs_out {
	struct writer writer;
};

struct acs_out acs_out_begin(struct strbuf *buffer, enum acs_type type);
/* The whole envelope, taken out of the buffer. */
char *acs_out_end(struct acs_out *out);

void write_task_identifier(struct writer *writer, const struct acs_task_identifier *task);

#endif
