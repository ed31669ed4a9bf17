/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"

#define GAP  2
#define BOLD "\033[1m"
#define OFF  "\033[0m"

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Characters, each taken as one column wide. */
static size_t width_of(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += !is_continuation(*text);
	return count;
}

void table_add(struct table *table, const char *const *cells)
{
	for (size_t i = 0; i < table->columns; i++) {
		char *cell = xstrdup(cells[i]);

		for (char *c = cell; *c; c++) {
			if ((unsigned char)*c < 0x20 || *c == 0x7f)
				*c = '?';
		}
		str_list_add_owned(&table->cells, cell);
	}
}

static void append_line(struct strbuf *out, const char *line, size_t width, bool bold)
{
	size_t length = strlen(line), columns = 0, end = 0;

	while (length > 0 && line[length - 1] == ' ')
		length--;
	while (end < length && (width == 0 || columns < width || is_continuation(line[end]))) {
		columns += !is_continuation(line[end]);
		end++;
	}
	if (bold)
		strbuf_append(out, BOLD);
	strbuf_append_n(out, line, end);
	if (bold)
		strbuf_append(out, OFF);
	strbuf_append_char(out, '\n');
}

static void append_row(const struct table *table, const size_t *widths, const char *const *cells,
		       size_t width, bool bold, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	for (size_t i = 0; i < table->columns; i++) {
		strbuf_append(&line, cells[i]);
		for (size_t n = width_of(cells[i]); n < widths[i] + GAP; n++)
			strbuf_append_char(&line, ' ');
	}
	append_line(out, strbuf_text(&line), width, bold);
}

char *table_text(const struct table *table, size_t width, bool bold)
{
	struct strbuf out = STRBUF_INIT;
	size_t widths[TABLE_COLUMNS_MAX];

	for (size_t i = 0; i < table->columns; i++) {
		widths[i] = width_of(table->headers[i]);
		for (size_t n = i; n < table->cells.count; n += table->columns) {
			size_t wide = width_of(table->cells.items[n]);

			widths[i] = wide > widths[i] ? wide : widths[i];
		}
	}
	append_row(table, widths, table->headers, width, bold, &out);
	for (size_t n = 0; n < table->cells.count; n += table->columns)
		append_row(table, widths, (const char *const *)table->cells.items + n, width, false,
			   &out);
	return strbuf_take(&out);
}

void table_free(struct table *table)
{
	str_list_free(&table->cells);
}

char *age_text(int64_t ms)
{
	long long seconds = ms > 0 ? ms / 1000 : 0;

	if (seconds < 60)
		return xasprintf("%llds", seconds);
	if (seconds < 3600)
		return xasprintf("%lldm", seconds / 60);
	if (seconds < 86400)
		return xasprintf("%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
	return xasprintf("%lldd%02lldh", seconds / 86400, seconds / 3600 % 24);
}
