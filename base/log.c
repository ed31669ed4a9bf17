/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log_file.h"
#include "base/str.h"
#include "base/strbuf.h"

#define MAX_FIELDS 32

struct field {
	const char *key;
	const char *value;
};

/* The one global of the house. */
static struct {
	enum log_level level;
	enum log_level file_level;
	enum log_format format;
	int console_fd;
	struct log_file *file;
} logger = {
	.level = LOG_INFO,
	.file_level = LOG_NONE,
	.format = LOG_FORMAT_LOGFMT,
	.console_fd = STDERR_FILENO,
};

bool log_level_parse(const char *name, enum log_level *ret)
{
	static const struct {
		const char *name;
		enum log_level level;
	} names[] = {
		{ "debug", LOG_DEBUG },  { "info", LOG_INFO },         { "warn", LOG_WARN },
		{ "warning", LOG_WARN }, { "error", LOG_ERROR },       { "crit", LOG_CRITICAL },
		{ "none", LOG_NONE },    { "critical", LOG_CRITICAL },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_eq_nocase(name, names[i].name)) {
			*ret = names[i].level;
			return true;
		}
	}
	return false;
}

const char *log_level_name(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG:
		return "debug";
	case LOG_INFO:
		return "info";
	case LOG_WARN:
		return "warn";
	case LOG_ERROR:
		return "error";
	case LOG_CRITICAL:
		return "critical";
	case LOG_NONE:
		return "none";
	}
	return "unknown";
}

int log_open(const struct log_config *config, struct error *err)
{
	struct log_file *file = NULL;
	int result;

	if (!str_is_empty(config->file)) {
		result = log_file_open(config, &file, err);
		if (result < 0)
			return result;
	}
	log_file_close(logger.file);
	logger.file = file;
	logger.level = config->level;
	logger.file_level = file ? config->file_level : LOG_NONE;
	logger.format = config->format;
	logger.console_fd = config->console_fd;
	return 0;
}

void log_close(void)
{
	log_file_close(logger.file);
	logger.file = NULL;
	logger.file_level = LOG_NONE;
	logger.console_fd = STDERR_FILENO;
}

bool log_wants(enum log_level level)
{
	return level != LOG_NONE &&
	       ((logger.console_fd >= 0 && level >= logger.level) || level >= logger.file_level);
}

const char *log_num(char out[LOG_NUM_SIZE], int64_t number)
{
	snprintf(out, LOG_NUM_SIZE, "\x01%lld", (long long)number);
	return out;
}

/* What LOG_NUM and LOG_BOOL made: a mark, then a JSON literal; NULL: an ordinary text. */
static const char *bare_value(const char *value)
{
	const char *rest = value + 1;

	if (*value != '\x01')
		return NULL;
	if (str_eq(rest, "true") || str_eq(rest, "false"))
		return rest;
	/* checked: a text from outside that begins with the mark is not written bare */
	return *rest && strspn(rest, "-0123456789") == strlen(rest) ? rest : NULL;
}

/* Quoted with C-like escapes: one record stays on one line, and a terminal is not commanded. */
static void append_quoted(struct strbuf *sb, const char *text)
{
	strbuf_append_char(sb, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		switch (c) {
		case '"':
			strbuf_append(sb, "\\\"");
			break;
		case '\\':
			strbuf_append(sb, "\\\\");
			break;
		case '\n':
			strbuf_append(sb, "\\n");
			break;
		case '\r':
			strbuf_append(sb, "\\r");
			break;
		case '\t':
			strbuf_append(sb, "\\t");
			break;
		default:
			if (c < 0x20 || c == 0x7F)
				strbuf_appendf(sb, "\\x%02x", c);
			else
				strbuf_append_char(sb, (char)c);
		}
	}
	strbuf_append_char(sb, '"');
}

static void append_logfmt(struct strbuf *sb, enum log_level level, const char *time,
			  const char *module, const char *message, const struct field *fields,
			  size_t count)
{
	strbuf_appendf(sb, "level=%s time=%s msg=", log_level_name(level), time);
	append_quoted(sb, message);
	for (size_t i = 0; i < count; i++) {
		const char *bare = fields[i].value ? bare_value(fields[i].value) : "null";

		strbuf_appendf(sb, " %s=", fields[i].key);
		if (bare)
			strbuf_append(sb, bare);
		else
			append_quoted(sb, fields[i].value);
	}
	/* as the reference: the module is told where nothing else is */
	if (count == 0)
		strbuf_appendf(sb, " module=%s", module);
	strbuf_append_char(sb, '\n');
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct field *)a)->key, ((const struct field *)b)->key);
}

static void append_json_record(struct strbuf *sb, enum log_level level, const char *time,
			       const char *module, const char *message, struct field *fields,
			       size_t count)
{
	strbuf_appendf(sb, "{\"level\":\"%s\",\"time\":\"%s\",\"msg\":", log_level_name(level),
		       time);
	strbuf_append_json(sb, message);
	if (count == 0) {
		strbuf_append(sb, ",\"module\":");
		strbuf_append_json(sb, module);
	}
	qsort(fields, count, sizeof(*fields), by_key);
	for (size_t i = 0; i < count; i++) {
		const char *bare = fields[i].value ? bare_value(fields[i].value) : "null";

		strbuf_append_char(sb, ',');
		strbuf_append_json(sb, fields[i].key);
		strbuf_append_char(sb, ':');
		if (bare)
			strbuf_append(sb, bare);
		else
			strbuf_append_json(sb, fields[i].value);
	}
	strbuf_append(sb, "}\n");
}

void log_write(enum log_level level, const char *module, const char *message, ...)
{
	_cleanup_strbuf_ struct strbuf record = STRBUF_INIT;
	struct field fields[MAX_FIELDS];
	char time[CLOCK_ISO8601_SIZE];
	size_t count = 0;
	const char *key;
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, message);
	while (count < MAX_FIELDS && (key = va_arg(args, const char *))) {
		fields[count].key = key;
		fields[count++].value = va_arg(args, const char *);
	}
	va_end(args);

	format_iso8601(clock_wall_ms(), time);
	if (logger.format == LOG_FORMAT_JSON)
		append_json_record(&record, level, time, module, message, fields, count);
	else
		append_logfmt(&record, level, time, module, message, fields, count);

	/* A console or disk that is full loses records; it must not stop the work. */
	if (logger.console_fd >= 0 && level >= logger.level)
		(void)file_write_all(logger.console_fd, record.data, record.length);
	if (level >= logger.file_level)
		log_file_write(logger.file, record.data, record.length);
}
