/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_TCS_OUT_H
#define BERTH_WIRE_TCS_OUT_H

#include "wire/tcs.h"
#include "wire/writer.h"

/* Takes `text` over. */
void tcs_requests_add(struct tcs_requests *requests, char *text);

/* {"type":<type>,"message":{ ...; what is open is closed by the end function, which takes the text.
 */
struct writer tcs_out_begin(struct strbuf *buffer, enum tcs_type type);
char *tcs_out_end(struct writer *writer);

/* {containerName: ..., cpuStatsSet: ..., ...} as an element. */
void write_container_metric(struct writer *writer, const struct tcs_container_metric *container);
void write_volume_metric(struct writer *writer, const struct tcs_volume_metric *volume);
void write_general_metrics(struct writer *writer, const struct tcs_general_metrics *metrics);

#endif
