/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "runtime/image_parse.h"

/* A basic string of TOML. */
static int append_toml(struct strbuf *sb, const char *text, const char *what, struct error *err)
{
	strbuf_append_char(sb, '"');
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return error_say(err, EINVAL, "%s: control characters are not possible",
					 what);
		if (*c == '"' || *c == '\\')
			strbuf_append_char(sb, '\\');
		strbuf_append_char(sb, *c);
	}
	strbuf_append_char(sb, '"');
	return 0;
}

int image_hosts_toml(const char *server, const struct registry_options *options, char **ret,
		     struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	int result;

	strbuf_append(&sb, "server = ");
	result = append_toml(&sb, server, "registry address", err);
	if (result < 0)
		return result;
	strbuf_append(&sb, "\n[host.");
	append_toml(&sb, server, "registry address", err);
	strbuf_append(&sb, "]\n  capabilities = [\"pull\", \"resolve\"]\n");
	if (options->ca_file) {
		if (options->ca_file[0] != '/')
			return error_say(err, EINVAL, "CA file %s: give its absolute path",
					 options->ca_file);
		strbuf_append(&sb, "  ca = ");
		result = append_toml(&sb, options->ca_file, "CA file", err);
		if (result < 0)
			return result;
		strbuf_append_char(&sb, '\n');
	}
	if (options->user) {
		_cleanup_free_ char *pair = NULL;
		_cleanup_free_ char *encoded = NULL;

		if (strchr(options->user, ':'))
			return error_say(err, EINVAL,
					 "registry user: a colon is not possible in it");
		pair = xasprintf("%s:%s", options->user,
				 options->password ? options->password : "");
		encoded = base64_encode(pair, strlen(pair));
		strbuf_appendf(&sb, "  [host.");
		append_toml(&sb, server, "registry address", err);
		strbuf_appendf(&sb, ".header]\n    Authorization = \"Basic %s\"\n", encoded);
		explicit_bzero(pair, strlen(pair));
		explicit_bzero(encoded, strlen(encoded));
	}
	*ret = strbuf_take(&sb);
	return 0;
}
