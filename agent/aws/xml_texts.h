/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_XML_TEXTS_H
#define BERTH_AGENT_AWS_XML_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Reading the XML that AWS's query APIs (STS, EC2) answer with: elements and their texts, nothing
 * else. At most 16 levels deep, a text of at most 8 KiB (what does not fit is left out), no
 * document types.
 */

/* An element has ended. `text` is its own, "" when it holds other elements; it is wiped after. */
typedef void xml_texts_callback(void *data, const char *name, const char *text);

/* -EINVAL: it is no such document. What came before was told all the same. */
int xml_texts_each(const char *xml, size_t size, xml_texts_callback *callback, void *data);

/* The text of the first element of each name, wherever it stands; texts[i] stays NULL without one.
 * The caller frees them, also on failure. */
int xml_texts_find(const char *xml, size_t size, const char *const *names, char **texts,
		   size_t count);

/* What an error answer says: "HTTP 403: AccessDenied: ...". Never fails; returns -EACCES. The name
 * of the error goes to `ret_name` too, when that is not NULL. */
int xml_texts_failure(int status, const char *xml, size_t size, char **ret_name, struct error *err);

#endif
