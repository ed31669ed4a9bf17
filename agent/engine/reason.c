/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that a person reads behind a STOPPED. */
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

/* What helps to understand a refusal, put in front of the registry's text. */
static const struct {
	const char *begin, *end; /* both in the text, in this order; end NULL: none */
	const char *hint;
} hints[] = {
	{ "denied: User: ", " is not authorized to perform: ecr:BatchGetImage on resource",
	  "The task can’t pull the image. Check that the role has the permissions to pull images "
	  "from the registry. " },
	{ "denied: requested access to the resource is denied", NULL,
	  "The task can’t pull the image. Check whether the image exists. " },
	{ "request canceled while waiting for connection", NULL,
	  "The task can’t pull the image. Check your network configuration. " },
	/* These are not the reference's: its engine words them otherwise. */
	{ "401 Unauthorized", NULL,
	  "The task can’t pull the image. Check the credentials for this registry in "
	  "ECS_ENGINE_AUTH_DATA. " },
	{ ": not found", NULL,
	  "The task can’t pull the image. Check whether the image and its tag exist. " },
	{ "connection refused", NULL,
	  "The task can’t pull the image. Check that the registry runs and can be reached. " },
	{ "no such host", NULL,
	  "The task can’t pull the image. Check the registry’s name and your network "
	  "configuration. " },
};

static const char *hint_for(const char *name, const char *text)
{
	if (!str_eq(name, "CannotPullContainerError") &&
	    !str_eq(name, "CannotPullImageManifestError") &&
	    !str_eq(name, "CannotPullECRContainerError"))
		return "";
	for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
		const char *begin = strstr(text, hints[i].begin);

		if (!begin)
			continue;
		/* Something stands between the two parts. */
		if (!hints[i].end || (begin[strlen(hints[i].begin)] &&
				      strstr(begin + strlen(hints[i].begin) + 1, hints[i].end)))
			return hints[i].hint;
	}
	return "";
}

char *reason_cut(const char *text)
{
	size_t length = strlen(text);

	if (length >= REASON_SIZE) {
		length = REASON_SIZE - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
			length--;
	}
	return xstrndup(text, length);
}

char *reason_make(const char *name, const char *text)
{
	if (str_is_empty(name))
		name = "UnknownError";
	if (!text)
		text = "";
	char *whole = xasprintf("%s: %s%s", name, hint_for(name, text), text);
	char *cut = reason_cut(whole);

	free(whole);
	return cut;
}
