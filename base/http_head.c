/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/str.h"

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_value_char(char c)
{
	return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7F);
}

/* Empty lines that some clients send after a body. */
static size_t leading_lines(const char *data, size_t size)
{
	size_t at = 0;

	while (at + 1 < size && at < 4 && data[at] == '\r' && data[at + 1] == '\n')
		at += 2;
	return at;
}

long http_head_size(const char *data, size_t size)
{
	size_t line = 0; /* bytes of the present line */

	for (size_t i = leading_lines(data, size); i < size; i++) {
		if (data[i] == '\0')
			return -EBADMSG;
		if (data[i] != '\n') {
			line++;
			continue;
		}
		if (line == 0 || data[i - 1] != '\r')
			return -EBADMSG;
		if (line == 1)
			return (long)i + 1;
		line = 0;
	}
	return 0;
}

/* A line without its end; moves *data behind it. */
static size_t take_line(const char **data, const char *end, const char **ret_line)
{
	const char *feed = memchr(*data, '\n', (size_t)(end - *data));

	*ret_line = *data;
	*data = feed + 1;
	return (size_t)(feed - *ret_line) - 1;
}

static int parse_fields(const char *data, const char *end, struct http_head *head)
{
	const char *line;
	size_t size;

	while ((size = take_line(&data, end, &line)) > 0) {
		const char *colon = memchr(line, ':', size);
		const char *value, *value_end = line + size;

		if (!colon || colon == line || head->headers.count == HTTP_MAX_HEADERS)
			return -EBADMSG;
		for (const char *c = line; c < colon; c++)
			if (!is_token_char(*c))
				return -EBADMSG;
		for (value = colon + 1; value < value_end; value++)
			if (!is_value_char(*value))
				return -EBADMSG;
		value = colon + 1;
		while (value < value_end && (*value == ' ' || *value == '\t'))
			value++;
		while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
			value_end--;
		header_list_add_n(&head->headers, line, (size_t)(colon - line), value,
				  (size_t)(value_end - value));
	}
	return 0;
}

static int parse_version(const char *text, size_t size, int *ret_minor)
{
	if (size != 8 || memcmp(text, "HTTP/", 5) != 0)
		return -EBADMSG;
	if (memcmp(text + 5, "1.", 2) != 0 || (text[7] != '0' && text[7] != '1'))
		return -EPROTONOSUPPORT;
	*ret_minor = text[7] - '0';
	return 0;
}

/* "GET /path?query HTTP/1.1" */
static int parse_request_line(const char *line, size_t size, struct http_head *head)
{
	const char *space = memchr(line, ' ', size);
	const char *target = space ? space + 1 : NULL;
	const char *second = target ? memchr(target, ' ', (size_t)(line + size - target)) : NULL;
	const char *question;

	if (!second || space == line || space - line > 16 || target[0] != '/')
		return -EBADMSG;
	for (const char *c = line; c < space; c++)
		if (!is_token_char(*c))
			return -EBADMSG;
	for (const char *c = target; c < second; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7F || *c == '#')
			return -EBADMSG;
	question = memchr(target, '?', (size_t)(second - target));
	head->method = xstrndup(line, (size_t)(space - line));
	head->path = xstrndup(target, (size_t)((question ? question : second) - target));
	head->query =
		question ? xstrndup(question + 1, (size_t)(second - question - 1)) : xstrdup("");
	return parse_version(second + 1, (size_t)(line + size - second - 1), &head->minor);
}

/* "HTTP/1.1 101 Switching Protocols" */
static int parse_status_line(const char *line, size_t size, struct http_head *head)
{
	_cleanup_free_ char *digits = NULL;
	int64_t status;

	if (size < 12 || line[8] != ' ' || (size > 12 && line[12] != ' '))
		return -EBADMSG;
	digits = xstrndup(line + 9, 3);
	if (number_parse_i64(digits, 100, 999, &status, NULL) < 0)
		return -EBADMSG;
	head->status = (int)status;
	return parse_version(line, 8, &head->minor);
}

static int parse(const char *data, size_t size, bool is_request, struct http_head *ret)
{
	_cleanup_http_head_ struct http_head head = { .method = NULL };
	const char *end = data + size;
	const char *line;
	size_t line_size;
	int result;

	data += leading_lines(data, size);
	line_size = take_line(&data, end, &line);
	result = is_request ? parse_request_line(line, line_size, &head)
			    : parse_status_line(line, line_size, &head);
	if (result == 0)
		result = parse_fields(data, end, &head);
	if (result < 0)
		return result;
	*ret = head;
	head = (struct http_head){ .method = NULL };
	return 0;
}

int http_head_parse_request(const char *data, size_t size, struct http_head *ret)
{
	return parse(data, size, true, ret);
}

int http_head_parse_response(const char *data, size_t size, struct http_head *ret)
{
	return parse(data, size, false, ret);
}

void http_head_free(struct http_head *head)
{
	free(head->method);
	free(head->path);
	free(head->query);
	header_list_free(&head->headers);
	*head = (struct http_head){ .method = NULL };
}

const char *http_head_field(const struct http_head *head, const char *name)
{
	return header_find(head->headers.items, head->headers.count, name);
}

bool http_head_has_token(const struct http_head *head, const char *name, const char *token)
{
	size_t length = strlen(token);

	for (size_t i = 0; i < head->headers.count; i++) {
		const char *at = head->headers.items[i].value;

		if (!str_eq_nocase(head->headers.items[i].name, name))
			continue;
		while (*at) {
			size_t size;

			at += strspn(at, " \t,");
			size = strcspn(at, " \t,");
			if (size == length && str_starts_with_nocase(at, token))
				return true;
			at += size;
		}
	}
	return false;
}

static size_t count_fields(const struct http_head *head, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < head->headers.count; i++)
		count += str_eq_nocase(head->headers.items[i].name, name);
	return count;
}

int http_head_body(const struct http_head *head, enum http_body_kind *ret_kind,
		   uint64_t *ret_length)
{
	size_t codings = count_fields(head, "Transfer-Encoding");
	size_t lengths = count_fields(head, "Content-Length");

	*ret_length = 0;
	if (codings > 0) {
		if (codings > 1 || lengths > 0 || head->minor == 0)
			return -EBADMSG;
		if (!str_eq_nocase(http_head_field(head, "Transfer-Encoding"), "chunked"))
			return -ENOTSUP;
		*ret_kind = HTTP_BODY_CHUNKED;
		return 0;
	}
	if (lengths > 0) {
		if (lengths > 1 || number_parse_u64(http_head_field(head, "Content-Length"), 0,
						    INT64_MAX, ret_length, NULL) < 0)
			return -EBADMSG;
		*ret_kind = *ret_length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
		return 0;
	}
	*ret_kind = head->method || head->status < 200 || head->status == 204 || head->status == 304
			    ? HTTP_BODY_NONE
			    : HTTP_BODY_TO_END;
	return 0;
}

enum {
	CHUNK_SIZE,      /* hex digits */
	CHUNK_EXTENSION, /* after ; to the end of the line, which is not kept */
	CHUNK_SIZE_END,  /* the line feed after the size */
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER, /* lines to the empty one, which are not kept */
	TRAILER_LF,
};

#define MAX_CHUNK_LINE 256
#define MAX_TRAILER    4096

/* A byte of the line with the size. `line` counts its bytes, so that it has digits and an end. */
static int feed_size(struct http_chunks *chunks, char c, size_t limit, const struct strbuf *body)
{
	if (++chunks->line > MAX_CHUNK_LINE)
		return -EBADMSG;
	if (chunks->state == CHUNK_SIZE && hex_digit_value(c) >= 0) {
		if (chunks->left > UINT64_MAX >> 4)
			return -EFBIG;
		chunks->left = chunks->left << 4 | (unsigned)hex_digit_value(c);
		return chunks->left > limit - body->length ? -EFBIG : 0;
	}
	if (chunks->line == 1)
		return -EBADMSG;
	if (c == '\r')
		chunks->state = CHUNK_SIZE_END;
	else if (chunks->state == CHUNK_SIZE && (c == ';' || c == ' ' || c == '\t'))
		chunks->state = CHUNK_EXTENSION;
	else if (chunks->state == CHUNK_SIZE || !is_value_char(c))
		return -EBADMSG;
	return 0;
}

/* A byte of the lines after the last chunk. `left` counts all, `line` those of the line. 1: the
 * end. */
static int feed_trailer(struct http_chunks *chunks, char c)
{
	if (++chunks->left > MAX_TRAILER)
		return -EBADMSG;
	if (chunks->state == TRAILER_LF) {
		if (c != '\n')
			return -EBADMSG;
		if (chunks->line == 0)
			return 1;
		chunks->line = 0;
		chunks->state = TRAILER;
	} else if (c == '\r') {
		chunks->state = TRAILER_LF;
	} else if (is_value_char(c)) {
		chunks->line++;
	} else {
		return -EBADMSG;
	}
	return 0;
}

static int feed_byte(struct http_chunks *chunks, char c, size_t limit, const struct strbuf *body)
{
	switch (chunks->state) {
	case CHUNK_SIZE:
	case CHUNK_EXTENSION:
		return feed_size(chunks, c, limit, body);
	case CHUNK_SIZE_END:
		if (c != '\n')
			return -EBADMSG;
		chunks->state = chunks->left > 0 ? CHUNK_DATA : TRAILER;
		chunks->line = 0;
		return 0;
	case CHUNK_DATA_CR:
		chunks->state = CHUNK_DATA_LF;
		return c == '\r' ? 0 : -EBADMSG;
	case CHUNK_DATA_LF:
		chunks->state = CHUNK_SIZE;
		return c == '\n' ? 0 : -EBADMSG;
	default:
		return feed_trailer(chunks, c);
	}
}

int http_chunks_feed(struct http_chunks *chunks, const char *data, size_t size, size_t limit,
		     struct strbuf *body, size_t *ret_used)
{
	size_t used = 0;
	int result = 0;

	while (used < size && result == 0) {
		if (chunks->state == CHUNK_DATA) {
			size_t part = size - used < chunks->left ? size - used : chunks->left;

			strbuf_append_n(body, data + used, part);
			used += part;
			chunks->left -= part;
			if (chunks->left == 0)
				chunks->state = CHUNK_DATA_CR;
		} else {
			result = feed_byte(chunks, data[used++], limit, body);
		}
	}
	*ret_used = used;
	return result;
}

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 411, "Length Required" },
		{ 413, "Payload Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Status";
}
