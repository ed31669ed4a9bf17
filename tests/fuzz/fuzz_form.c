/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that clients post as forms. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/form.h"
#include "base/strbuf.h"
#include "base/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be written, without a character that ends the text early. */
static void check_value(const char *value)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	const char *text;
	size_t length;

	xml_text(&out, "v", value);
	text = strbuf_text(&out);
	length = strlen(text);
	if (length < 7 || strcmp(text + length - 4, "</v>") != 0)
		abort();
	if (strcspn(text + 3, "<") != length - 7 || strlen(value) > length)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct form_limits limits = { .size = 4096, .params = 64 };
	_cleanup_(form_free_cleanup) struct form *form = NULL;
	struct error err = ERROR_INIT;
	const char *name;
	size_t asked = 0;
	int r = form_parse((const char *)data, size, &limits, &form, &err);

	if ((r == 0) != (form != NULL) || (r < 0) != (err.text[0] != '\0'))
		abort();
	if (!form)
		return 0;
	/* Each parameter is found by its name, once. */
	while ((name = form_unasked(form))) {
		const char *value = form_get(form, name);

		if (!value || !form_has_prefix(form, name))
			abort();
		check_value(value);
		asked++;
	}
	if (asked != form_count(form) || asked > limits.params)
		abort();
	return 0;
}
