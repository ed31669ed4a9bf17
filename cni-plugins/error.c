/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/strbuf.h"

int cni_fail(struct cni_error *err, int code, const char *format, ...)
{
	struct error text = ERROR_INIT;
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	error_vsay(&text, EIO, format, args);
	va_end(args);
	*err = (struct cni_error){ .code = code };
	snprintf(err->text, sizeof(err->text), "%s", text.text);
	return -1;
}

int cni_fail_with(struct cni_error *err, int code, const struct error *cause)
{
	return cni_fail(err, code, "%s", cause->text);
}

void cni_error_prefix(struct cni_error *err, const char *format, ...)
{
	struct error text = ERROR_INIT, prefix = ERROR_INIT;
	va_list args;

	if (!err || err->code == CNI_OK)
		return;
	va_start(args, format);
	error_vsay(&prefix, EIO, format, args);
	va_end(args);
	error_say(&text, EIO, "%s: %s", prefix.text, err->text);
	snprintf(err->text, sizeof(err->text), "%s", text.text);
}

char *cni_error_dump(const struct cni_error *err, const char *cni_version)
{
	struct strbuf json = STRBUF_INIT;

	strbuf_append(&json, "{\"cniVersion\":");
	strbuf_append_json(&json, cni_version);
	strbuf_appendf(&json, ",\"code\":%d,\"msg\":", err->code);
	strbuf_append_json(&json, err->text);
	if (err->details[0]) {
		strbuf_append(&json, ",\"details\":");
		strbuf_append_json(&json, err->details);
	}
	strbuf_append(&json, "}");
	return strbuf_take(&json);
}
