/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/sts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/strbuf.h"

#define API_VERSION "2011-06-15"
#define TEXT_MAX    8192
#define DEPTH_MAX   16

static void add_param(struct strbuf *out, const char *name, const char *value)
{
	if (str_is_empty(value))
		return;
	strbuf_appendf(out, "&%s=", name);
	strbuf_append_urlencoded(out, value);
}

static char *begin(struct strbuf *out, const char *action, const struct sts_role *role,
		   const char *token)
{
	strbuf_appendf(out, "Action=%s&Version=" API_VERSION, action);
	add_param(out, "RoleArn", role->arn);
	add_param(out, "RoleSessionName", role->session_name);
	add_param(out, "ExternalId", role->external_id);
	add_param(out, "WebIdentityToken", token);
	if (role->duration_s > 0)
		strbuf_appendf(out, "&DurationSeconds=%lld", (long long)role->duration_s);
	return strbuf_take(out);
}

char *sts_assume_role(const struct sts_role *role)
{
	struct strbuf out = STRBUF_INIT;

	return begin(&out, "AssumeRole", role, NULL);
}

char *sts_assume_role_with_web_identity(const struct sts_role *role, const char *token)
{
	struct strbuf out = STRBUF_INIT;
	struct sts_role known = *role;

	/* A token says itself whose it is. */
	known.external_id = NULL;
	return begin(&out, "AssumeRoleWithWebIdentity", &known, token);
}

/* The texts of the elements that are looked for, wherever they stand: their names occur once. */
struct reading {
	const char *const *names;
	char **texts; /* of each name */
	size_t count;
	size_t within; /* the one whose text is coming; count: none */
	struct strbuf text;
	int depth;
	XML_Parser parser;
};

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *reading = data;

	(void)attributes;
	if (++reading->depth > DEPTH_MAX) {
		XML_StopParser(reading->parser, XML_FALSE);
		return;
	}
	strbuf_reset(&reading->text);
	for (reading->within = 0; reading->within < reading->count; reading->within++)
		if (strcmp(name, reading->names[reading->within]) == 0)
			break;
}

static void XMLCALL on_text(void *data, const XML_Char *text, int size)
{
	struct reading *reading = data;

	if (reading->within < reading->count && reading->text.length + (size_t)size <= TEXT_MAX)
		strbuf_append_n(&reading->text, text, (size_t)size);
}

static void XMLCALL on_end(void *data, const XML_Char *name)
{
	struct reading *reading = data;

	(void)name;
	reading->depth--;
	if (reading->within < reading->count && !reading->texts[reading->within])
		reading->texts[reading->within] = xstrdup(strbuf_text(&reading->text));
	reading->within = reading->count;
}

/* Entities of a document type's own are how XML explodes: there is no such thing here. */
static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *system,
			       const XML_Char *public, int has_internal)
{
	struct reading *reading = data;

	(void)name;
	(void)system;
	(void)public;
	(void)has_internal;
	XML_StopParser(reading->parser, XML_FALSE);
}

static bool read_texts(const char *xml, size_t size, const char *const *names, char **texts,
		       size_t count)
{
	struct reading reading = { .names = names,
				   .texts = texts,
				   .count = count,
				   .within = count,
				   .text = STRBUF_INIT,
				   .parser = XML_ParserCreate(NULL) };
	bool whole;

	XML_SetUserData(reading.parser, &reading);
	XML_SetElementHandler(reading.parser, on_start, on_end);
	XML_SetCharacterDataHandler(reading.parser, on_text);
	XML_SetStartDoctypeDeclHandler(reading.parser, on_doctype);
	whole = XML_Parse(reading.parser, xml, (int)size, XML_TRUE) == XML_STATUS_OK;
	XML_ParserFree(reading.parser);
	secret_free(strbuf_take(&reading.text));
	return whole;
}

int sts_read_keys(const char *xml, size_t size, struct credential_set *ret, struct error *err)
{
	static const char *const names[] = { "AccessKeyId", "SecretAccessKey", "SessionToken",
					     "Expiration" };
	char *texts[4] = { 0 };
	struct credential_set set;
	bool whole = read_texts(xml, size, names, texts, 4);
	int result = 0;

	set = (struct credential_set){ texts[0], texts[1], texts[2], 0 };
	if (!whole || !credential_set_is_whole(&set) || str_is_empty(set.token))
		result = error_say(err, EINVAL, "the answer has no keys");
	else if (str_is_empty(texts[3]))
		result = error_say(err, EINVAL, "the answer does not say when its keys expire");
	else
		result = parse_iso8601(texts[3], &set.expires_ms, err);
	free(texts[3]);
	if (result < 0) {
		credential_set_free(&set);
		return result;
	}
	*ret = set;
	return 0;
}

int sts_read_failure(int status, const char *xml, size_t size, struct error *err)
{
	static const char *const names[] = { "Code", "Message" };
	char *texts[2] = { 0 };

	read_texts(xml, size, names, texts, 2);
	if (str_is_empty(texts[0]))
		error_say(err, EACCES, "HTTP %d", status);
	else
		error_say(err, EACCES, "HTTP %d: %.64s: %.512s", status, texts[0],
			  texts[1] ? texts[1] : "");
	free(texts[0]);
	free(texts[1]);
	return -EACCES;
}
