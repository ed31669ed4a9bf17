/* SPDX-License-Identifier: Apache-2.0 */
/* Writing XML: elements and text, nothing else. Names are the caller's own; text is escaped. */
#ifndef BERTH_BASE_XML_H
#define BERTH_BASE_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

void xml_open(struct strbuf *out, const char *name);
void xml_close(struct strbuf *out, const char *name);

/* <name>text</name>; nothing when the text is NULL. What XML cannot hold becomes U+FFFD. */
void xml_text(struct strbuf *out, const char *name, const char *text);
void xml_i64(struct strbuf *out, const char *name, int64_t number);
void xml_bool(struct strbuf *out, const char *name, bool value);

#endif
