/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/xml_texts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "agent/aws/credential_set.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/strbuf.h"

#define TEXT_MAX  8192
#define DEPTH_MAX 16

struct reading {
	xml_texts_callback *callback;
	void *data;
	struct strbuf text;
	int depth;
	bool is_leaf; /* no other element has begun within the one that began last */
	XML_Parser parser;
};

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *reading = data;

	(void)name;
	(void)attributes;
	if (++reading->depth > DEPTH_MAX) {
		XML_StopParser(reading->parser, XML_FALSE);
		return;
	}
	reading->is_leaf = true;
	strbuf_reset(&reading->text);
}

static void XMLCALL on_text(void *data, const XML_Char *text, int size)
{
	struct reading *reading = data;

	if (reading->is_leaf && reading->text.length + (size_t)size <= TEXT_MAX)
		strbuf_append_n(&reading->text, text, (size_t)size);
}

static void XMLCALL on_end(void *data, const XML_Char *name)
{
	struct reading *reading = data;

	reading->depth--;
	reading->callback(reading->data, name, reading->is_leaf ? strbuf_text(&reading->text) : "");
	reading->is_leaf = false;
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

int xml_texts_each(const char *xml, size_t size, xml_texts_callback *callback, void *data)
{
	struct reading reading = { .callback = callback, .data = data, .text = STRBUF_INIT };
	bool whole;

	if (size > INT_MAX)
		return -EINVAL;
	reading.parser = XML_ParserCreate(NULL);
	XML_SetUserData(reading.parser, &reading);
	XML_SetElementHandler(reading.parser, on_start, on_end);
	XML_SetCharacterDataHandler(reading.parser, on_text);
	XML_SetStartDoctypeDeclHandler(reading.parser, on_doctype);
	whole = XML_Parse(reading.parser, xml, (int)size, XML_TRUE) == XML_STATUS_OK;
	XML_ParserFree(reading.parser);
	secret_free(strbuf_take(&reading.text));
	return whole ? 0 : -EINVAL;
}

struct finding {
	const char *const *names;
	char **texts;
	size_t count;
};

static void find(void *data, const char *name, const char *text)
{
	const struct finding *finding = data;

	for (size_t i = 0; i < finding->count; i++)
		if (strcmp(name, finding->names[i]) == 0 && !finding->texts[i])
			finding->texts[i] = xstrdup(text);
}

int xml_texts_find(const char *xml, size_t size, const char *const *names, char **texts,
		   size_t count)
{
	struct finding finding = { names, texts, count };

	return xml_texts_each(xml, size, find, &finding);
}

int xml_texts_failure(int status, const char *xml, size_t size, char **ret_name, struct error *err)
{
	static const char *const names[] = { "Code", "Message" };
	char *texts[2] = { 0 };

	xml_texts_find(xml, size, names, texts, 2);
	if (str_is_empty(texts[0]))
		error_say(err, EACCES, "HTTP %d", status);
	else
		error_say(err, EACCES, "HTTP %d: %.64s: %.512s", status, texts[0],
			  texts[1] ? texts[1] : "");
	if (ret_name)
		*ret_name = TAKE(texts[0]);
	free(texts[0]);
	free(texts[1]);
	return -EACCES;
}
