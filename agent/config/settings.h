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
	const char *json;       /* field of the JSON file, or NULL: it cannot be set there */
	const char *json_other; /* of a SETTING_RATE: the second half; else an old name */
	enum setting_type type;
	size_t offset;        /* in struct agent_config */
	const char *fallback; /* the default, as it would be written; "" = unset */
	int64_t min,
		max; /* SETTING_INTEGER, SETTING_NUMBER; SETTING_DURATION in ms, max 0 = none */
	enum setting_below below;
	const char *const *choices;
	bool any_case; /* of a choice */
	bool plain; /* SETTING_BOOL: false is as good as not set, so that it beats no true below */
	bool empty_counts; /* set to nothing in the environment is not the same as not set */
	bool json_any;     /* in the JSON file it is a value of any type, taken as its text */
	bool json_strict;  /* there, what is not allowed or too small is a mistake */
	bool reloads;      /* takes effect at SIGHUP */
	bool fatal;        /* a bad value stops the agent instead of giving way to the default */
	bool required;
	bool secret;
	const char *used_by;
	const char *doc; /* sentences */
};

size_t config_setting_count(void);
const struct setting *config_setting_at(size_t index); /* in the order of the reference */
const struct setting *config_setting_find(const char *name);

/* A name of the reference agent that is accepted and means nothing here. */
struct ignored_setting {
	const char *name; /* environment variable, or NULL: only a field of the JSON file */
	const char *json; /* field of the JSON file, or NULL */
	const char *why;  /* a sentence; NULL: another program of the house reads it */
};

extern const struct ignored_setting config_ignored_settings[];
extern const size_t config_ignored_setting_count;

const struct ignored_setting *config_ignored_setting_find(const char *name);

/* Where a value comes from; a higher one goes before a lower one. */
enum config_origin {
	ORIGIN_DEFAULT,
	ORIGIN_INSTANCE_METADATA,
	ORIGIN_USER_DATA,
	ORIGIN_JSON_FILE,
	ORIGIN_VENDOR_FILE,
	ORIGIN_FILE,
	ORIGIN_ENVIRONMENT,
	ORIGIN_FLAG,
};

#define ORIGIN_COUNT (ORIGIN_FLAG + 1)

/* The texts of all sources above the defaults, by the names of environment variables. */
struct config_layers {
	char *const *environment;
	struct config_map texts[ORIGIN_COUNT]; /* that of the environment is unused */
};

/*
 * Goes down through the sources: the next below `*origin` that has a text for the setting, or NULL
 * and ORIGIN_DEFAULT. Begin with ORIGIN_COUNT. The environment and its files are one: the uppermost
 * of them that has a text hides the others, whatever the text is worth.
 */
const char *config_layers_next(const struct config_layers *layers, const struct setting *setting,
			       unsigned *origin);
void config_layers_free(struct config_layers *layers);

/*
 * The JSON file: fields of an object into texts, by the names of environment variables. A field
 * that is not known is told in `warnings`; one of the wrong type in `mistakes` (may be the same
 * list). `where` names the file in sentences. -EINVAL when it is no JSON object.
 */
int config_json_read(const char *text, size_t size, const char *where, struct config_map *ret,
		     struct str_list *mistakes, struct str_list *warnings, struct str_list *ignored,
		     struct error *err);

/* The same for the object ECSAgentConfiguration of EC2 user data. User data may be anything: what
 * is no JSON, or has no such object, is none. */
void config_user_data_read(const char *text, size_t size, struct config_map *ret,
			   struct str_list *warnings, struct str_list *ignored);

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
void config_value_free(const struct setting *setting, struct agent_config *config);

/* What gives way to the source below: as in the reference, an empty list, a duration of 0 and the
 * like cannot be configured. `text` is what the value in its place was read from. */
bool config_value_is_absent(const struct setting *setting, const char *text,
			    const struct agent_config *config);
/* "environment", "/etc/ecs/ecs.config", ...: valid as long as `config`. */
const char *config_origin_name(const struct agent_config *config, unsigned origin);
/* The same value: secrets are compared too. */
bool config_value_equal(const struct setting *setting, const struct agent_config *a,
			const struct agent_config *b);
void config_value_swap(const struct setting *setting, struct agent_config *a,
		       struct agent_config *b);

/* Values that are wrong together, into the report; metrics are polled within bounds. */
void config_check(struct agent_config *config, struct config_report *report);

/* Go's duration syntax, to nanoseconds. -EINVAL, -ERANGE. */
int config_duration_parse(const char *text, int64_t *ret_ns, struct error *err);

/*
 * Env-file syntax, as systemd's EnvironmentFile=: NAME=value on a line, blanks around both dropped,
 * comments after # or ; at the start of a line, a value may stand in '...' or "..." (where \" and
 * \\ are escapes). What cannot be read is told in `warnings` with its line.
 */
void config_file_parse(const char *text, const char *file, struct config_map *ret,
		       struct str_list *warnings);

#endif
