/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one record per line, on the console and, if wanted, in a file that rotates.
 *
 *	log_info("task started", "task", task->id, "containers", LOG_NUM(n), NULL);
 *	level=info time=2026-01-02T03:04:05Z msg="task started" task="f00" containers=2
 *module=task.c
 *
 * Before log_open() records of level info and above go to stderr as logfmt. Never put a secret in a
 *record.
 */
#ifndef BERTH_BASE_LOG_H
#define BERTH_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
	LOG_CRITICAL,
	LOG_NONE, /* as a threshold: nothing */
};

enum log_format {
	LOG_FORMAT_LOGFMT,
	LOG_FORMAT_JSON,
};

enum log_rotation {
	LOG_ROTATE_SIZE,   /* F -> F.<n>, larger n is newer, when F has reached max_file_size */
	LOG_ROTATE_HOURLY, /* F -> F.YYYY-MM-DD-HH (local time) on the first record of another hour
			    */
	LOG_ROTATE_NEVER,
};

struct log_config {
	enum log_level level;      /* of the console */
	enum log_level file_level; /* of the file */
	enum log_format format;    /* of both */
	int console_fd;            /* 1 or 2; -1: no console */
	const char *file;          /* NULL or "": no file; directories are made */
	enum log_rotation rotation;
	int64_t max_file_size; /* bytes; 0: 5,000,000 */
	int max_roll_count;    /* rotated files kept; <= 0: all */
};

/* May be called again; on failure the log goes on as it was. */
int log_open(const struct log_config *config, struct error *err);
/* Closes the file; records go to stderr again. */
void log_close(void);

/* "debug info warn error crit none", any case; also "critical", "warning". False: unknown. */
bool log_level_parse(const char *name, enum log_level *ret);
/* As rendered in records: "critical" for LOG_CRITICAL. */
const char *log_level_name(enum log_level level);
/* Whether a record of this level would go anywhere: to skip costly preparation. */
bool log_wants(enum log_level level);

/* Pairs of key and value (strings), then NULL. A NULL value is written as null. */
void log_write(enum log_level level, const char *module, const char *message, ...)
	__attribute__((sentinel));

/* The final NULL may be written or left out. */
#define log_debug(...)    log_write(LOG_DEBUG, __FILE_NAME__, __VA_ARGS__, NULL)
#define log_info(...)     log_write(LOG_INFO, __FILE_NAME__, __VA_ARGS__, NULL)
#define log_warn(...)     log_write(LOG_WARN, __FILE_NAME__, __VA_ARGS__, NULL)
#define log_error(...)    log_write(LOG_ERROR, __FILE_NAME__, __VA_ARGS__, NULL)
#define log_critical(...) log_write(LOG_CRITICAL, __FILE_NAME__, __VA_ARGS__, NULL)

#define LOG_NUM_SIZE 24
/* A number as a value: written bare, not quoted. Only as an argument of the macros above. */
#define LOG_NUM(number) log_num((char[LOG_NUM_SIZE]){ 0 }, (int64_t)(number))
#define LOG_BOOL(value) ((value) ? "\001true" : "\001false")
const char *log_num(char out[LOG_NUM_SIZE], int64_t number);

#endif
