/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_CONFIG_SETTINGS_H
#define BERTH_AGENT_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "base/error.h"
#include "base/strbuf.h"

/* The table of settings and the parsers of their values: private to agent/config. */

enum setting_type {
	SETTING_STRING,     /* as given */
	SETTING_TRIMMED,    /* without blanks around it */
	SETTING_BOOL,       /* 1 t T TRUE true True 0 f F FALSE false False */
	SETTING_DURATION,   /* 1h30m, 500ms; kept as milliseconds */
	SETTING_INTEGER,    /* within min..max */
	SETTING_NUMBER,     /* within min..max, may have a fraction */
	SETTING_CHOICE,     /* one of `choices`; the value is its index */
	SETTING_PORTS,      /* JSON array of 0..65535 */
	SETTING_NAMES,      /* JSON array of strings, each one of `choices` when there are any */
	SETTING_MAP,        /* JSON object of strings */
	SETTING_COMMA_LIST, /* a,b,c */
	SETTING_RATE,       /* "steady,burst", both above 0; two neighbouring int64_t */
	SETTING_PORT_RANGE, /* "49153-65535"; two neighbouring int64_t; "": both 0 */
};

/* What happens to a value that is well-formed but too small. */
enum setting_below { BELOW_IS_BAD, BELOW_IS_MINIMUM, BELOW_IS_DEFAULT };

struct setting {
	const char *group;      /* heading in the reference */
	const char *name;       /* environment variable */
	const char *other_name; /* read when `name` is absent, or NULL */
	enum setting_type type;
	size_t offset;        /* in struct agent_config */
	const char *fallback; /* the default, as it would be written; "" = unset */
	int64_t min,
		max; /* SETTING_INTEGER, SETTING_NUMBER; SETTING_DURATION in ms, max 0 = none */
	enum setting_below below;
	const char *const *choices;
	bool any_case; /* of a choice */
	bool fatal;    /* a bad value stops the agent instead of giving way to the default */
	bool required;
	bool secret;
	const char *used_by;
	const char *doc; /* sentences */
};

extern const struct setting config_settings[];
extern const size_t config_setting_count;

const struct setting *config_setting_find(const char *name);

/*
 * Reads `text` into the setting's place in `config`, which must hold nothing yet. Errors say what
 * was given (unless it is secret) and what is allowed; the place is then untouched. *ret_note (may
 * be NULL) is set to a sentence when the value was moved to a bound; the caller frees it.
 */
int config_value_parse(const struct setting *setting, const char *text, struct agent_config *config,
		       char **ret_note, struct error *err);

/* What may be given, in words: "one of default, always, once, prefer-cached". */
void config_value_allowed(const struct setting *setting, struct strbuf *out);

/* The value as it would be written. */
void config_value_format(const struct setting *setting, const struct agent_config *config,
			 struct strbuf *out);
extern const char *const config_origin_names[]; /* by the numbers in agent_config.origins */
void config_value_free(const struct setting *setting, struct agent_config *config);

/* Go's duration syntax, to nanoseconds. -EINVAL, -ERANGE. */
int config_duration_parse(const char *text, int64_t *ret_ns, struct error *err);

/*
 * Env-file syntax, as systemd's EnvironmentFile=: NAME=value on a line, blanks around both dropped,
 * comments after # or ; at the start of a line, a value may stand in '...' or "..." (where \" and
 * \\ are escapes). What cannot be read is told in `warnings` with its line.
 */
void config_file_parse(const char *text, const char *file, struct config_map *ret,
		       struct str_list *warnings);

const char *config_map_get(const struct config_map *map, const char *name);
void config_map_set(struct config_map *map, const char *name, const char *value);
void config_map_free(struct config_map *map);

#endif
