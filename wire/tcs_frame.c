/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "wire/tcs.h"

#define EMPTY_LINE "\r\n\r\n"

static const char *end_of_line(const char *at, const char *end)
{
	return memmem(at, (size_t)(end - at), "\r\n", 2);
}

/* "Name: value" lines, each ended by \r\n. */
static int check_headers(const char *headers, size_t size, struct error *err)
{
	const char *end = headers + size;

	for (const char *at = headers; at < end;) {
		const char *line_end = end_of_line(at, end);
		const char *colon = memchr(at, ':', (size_t)(line_end - at));

		if (!colon || colon == at)
			return error_say(err, EBADMSG, "the header line \"%.*s\" has no name",
					 (int)(line_end - at < 60 ? line_end - at : 60), at);
		at = line_end + 2;
	}
	return 0;
}

int tcs_frame_split(const char *text, size_t size, struct tcs_frame *ret, struct error *err)
{
	struct tcs_frame frame;
	const char *empty;
	int result;

	if (size > TCS_MESSAGE_LIMIT)
		return error_say(err, EBADMSG, "the frame has %zu bytes, at most %zu are taken",
				 size, TCS_MESSAGE_LIMIT);
	empty = memmem(text, size, EMPTY_LINE, strlen(EMPTY_LINE));
	if (!empty)
		return error_say(err, EBADMSG,
				 "the frame has no header block: there is no empty line in it");
	frame.headers = text;
	frame.headers_size = (size_t)(empty - text) + 2;
	frame.body = empty + strlen(EMPTY_LINE);
	frame.body_size = size - (size_t)(frame.body - text);
	result = check_headers(frame.headers, frame.headers_size, err);
	if (result == 0)
		*ret = frame;
	return result;
}

char *tcs_frame_header(const struct tcs_frame *frame, const char *name)
{
	const char *end = frame->headers + frame->headers_size;
	size_t length = strlen(name);

	for (const char *at = frame->headers; at < end;) {
		const char *line_end = end_of_line(at, end);

		if ((size_t)(line_end - at) > length && at[length] == ':' &&
		    strncasecmp(at, name, length) == 0) {
			at += length + 1;
			while (at < line_end && (*at == ' ' || *at == '\t'))
				at++;
			return xstrndup(at, (size_t)(line_end - at));
		}
		at = line_end + 2;
	}
	return NULL;
}
