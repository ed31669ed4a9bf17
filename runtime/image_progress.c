/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "runtime/image_parse.h"

/* Without "\x1b[...m" and carriage returns. */
static char *plain_text(const char *line)
{
	char *out = xmalloc(strlen(line) + 1), *to = out;

	while (*line) {
		if (line[0] == '\x1b' && line[1] == '[') {
			line += 2;
			line += strspn(line, "0123456789;");
			if (*line)
				line++;
		} else if (*line == '\r') {
			line++;
		} else {
			*to++ = *line++;
		}
	}
	*to = '\0';
	return out;
}

int64_t image_bytes_parse(const char **at)
{
	static const char units[] = "KMGT";
	char *end;
	double number;
	const char *unit;

	*at += strspn(*at, " ");
	if (**at < '0' || **at > '9')
		return -1;
	number = strtod(*at, &end);
	if (end == *at || number < 0 || number > 1e15)
		return -1;
	*at = end + strspn(end, " ");
	unit = **at ? strchr(units, **at) : NULL;
	if (unit) {
		for (long i = 0; i <= unit - units; i++)
			number *= 1024;
		(*at)++;
	}
	*at += strspn(*at, "iB");
	return number > 1e18 ? -1 : (int64_t)number;
}

static const char *state_of(const char *line)
{
	if (strstr(line, " downloading"))
		return "downloading";
	if (strstr(line, "resolving"))
		return "resolving";
	return NULL;
}

bool image_progress_line(struct image_progress_parser *parser, const char *line)
{
	_cleanup_free_ char *text = plain_text(line);
	const char *at, *state;
	bool moved;

	if (str_starts_with(text, "elapsed:")) {
		/* The end of a frame; its own text changes all the time. */
		moved = parser->frame_hash != parser->last_hash;
		parser->last_hash = parser->frame_hash;
		parser->progress.bytes_done = parser->bytes_done;
		parser->progress.bytes_total = parser->bytes_total;
		parser->frame_hash = 0;
		parser->bytes_done = parser->bytes_total = 0;
		return moved;
	}
	if (str_starts_with(text, "unpacking")) {
		parser->progress.state = "unpacking";
		return true;
	}
	if (str_starts_with(text, "done:")) {
		parser->progress.state = "done";
		return true;
	}
	if (!strchr(text, ':'))
		return false;
	parser->frame_hash = hash64_text(parser->frame_hash, text);
	state = state_of(text);
	if (state)
		parser->progress.state = state;
	/* "layer-sha256:...: downloading |+++---| 42.0 MiB/150.0 MiB" */
	at = strrchr(text, '|');
	if (at && str_starts_with(text, "layer-")) {
		int64_t done, total;

		at++;
		done = image_bytes_parse(&at);
		if (done < 0 || *at != '/')
			return false;
		at++;
		total = image_bytes_parse(&at);
		if (total < done)
			return false;
		parser->bytes_done += done;
		parser->bytes_total += total;
	}
	return false;
}
