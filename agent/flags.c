/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flags.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

enum kind {
	KIND_ACTION,  /* no value */
	KIND_SETTING, /* no value: the setting is true, or what `value` says */
	KIND_FILE,
	KIND_JSON,
	KIND_LEVEL, /* -loglevel and its two halves */
};

struct flag {
	const char *name;
	bool two_dashes; /* with one, as with the reference agent, it is a mistake */
	enum kind kind;
	enum flags_action action;
	const char *setting, *value;
};

static const struct flag flag_table[] = {
	{ "config", false, KIND_FILE, FLAGS_RUN, NULL, NULL },
	{ "c", false, KIND_FILE, FLAGS_RUN, NULL, NULL },
	{ "check-config", false, KIND_ACTION, FLAGS_CHECK_CONFIG, NULL, NULL },
	{ "json", false, KIND_JSON, FLAGS_RUN, NULL, NULL },
	{ "print-config-reference", false, KIND_ACTION, FLAGS_PRINT_REFERENCE, NULL, NULL },
	{ "help", true, KIND_ACTION, FLAGS_PRINT_HELP, NULL, NULL },
	{ "version", false, KIND_ACTION, FLAGS_PRINT_VERSION, NULL, NULL },
	{ "v", false, KIND_ACTION, FLAGS_PRINT_VERSION, NULL, NULL },
	{ "healthcheck", false, KIND_ACTION, FLAGS_HEALTHCHECK, NULL, NULL },
	{ "license", false, KIND_ACTION, FLAGS_PRINT_LICENSE, NULL, NULL },
	{ "ecs-attributes", false, KIND_ACTION, FLAGS_PRINT_ATTRIBUTES, NULL, NULL },
	{ "loglevel", false, KIND_LEVEL, FLAGS_RUN, NULL, NULL },
	{ "loglevel-driver", false, KIND_LEVEL, FLAGS_RUN, "ECS_LOGLEVEL", NULL },
	{ "loglevel-on-instance", false, KIND_LEVEL, FLAGS_RUN, "ECS_LOGLEVEL_ON_INSTANCE", NULL },
	{ "k", false, KIND_SETTING, FLAGS_RUN, "ECS_ACCEPT_INSECURE_CERTS", "true" },
	{ "blackhole-ec2-metadata", false, KIND_SETTING, FLAGS_RUN, "BERTH_INSTANCE_METADATA",
	  "never" },
};

void flags_print_usage(FILE *out)
{
	fputs("usage: berth-agent [OPTION]...\n"
	      "\n"
	      "Runs containers on this host on behalf of an ECS control plane. Settings come from "
	      "the\n"
	      "environment, from /etc/ecs/ecs.config and from /etc/ecs/ecs.config.json;\n"
	      "docs/configuration.md lists them.\n"
	      "\n"
	      "  -c, --config FILE           read FILE instead (\"\": none)\n"
	      "      --check-config          print the effective configuration, and all mistakes, "
	      "and end\n"
	      "      --json                  print it for programs\n"
	      "      --print-config-reference  print every setting as Markdown, and end\n"
	      "      --healthcheck           ask the agent that runs whether it is well, print "
	      "what "
	      "is not,\n"
	      "                              and end with 0 or 1\n"
	      "      --ecs-attributes        print what this host offers to the scheduler, and "
	      "end\n"
	      "      --loglevel LEVEL        level of what is logged, whatever the settings say\n"
	      "      --loglevel-driver LEVEL, --loglevel-on-instance LEVEL\n"
	      "                              the same for standard error, for the log file\n"
	      "  -k                          do not verify the control plane's certificate\n"
	      "      --blackhole-ec2-metadata  do not ask the instance metadata service\n"
	      "      --license               print the licence, and end\n"
	      "  -v, --version               print the version, and end\n"
	      "      --help                  print this, and end\n"
	      "\n"
	      "One dash is as good as two. SIGHUP has the settings read again.\n"
	      "\n"
	      "Exit codes: 0 told to stop; 1 failed, starting again may help; 5 failed, starting "
	      "again will\n"
	      "not help (a wrong option, a registration that is refused). Containers run on in any "
	      "case.\n",
	      out);
}

static const struct flag *find(const char *name, size_t length, bool long_form)
{
	for (size_t i = 0; i < sizeof(flag_table) / sizeof(flag_table[0]); i++) {
		const struct flag *flag = &flag_table[i];

		if (strlen(flag->name) == length && strncmp(flag->name, name, length) == 0 &&
		    (long_form || !flag->two_dashes))
			return flag;
	}
	return NULL;
}

static bool takes_value(const struct flag *flag)
{
	return flag->kind == KIND_FILE || flag->kind == KIND_LEVEL;
}

/* Of an option that takes none: "-k=false" is as good as no -k. */
static int switch_parse(const char *option, const char *value, bool *ret, struct error *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	*ret = !value;
	for (size_t i = 0; value && i < sizeof(yes) / sizeof(yes[0]); i++) {
		*ret |= str_eq(value, yes[i]);
		if (*ret || str_eq(value, no[i]))
			return 0;
	}
	return value ? error_say(err, EINVAL, "%s: give true or false", option) : 0;
}

struct levels {
	const char *both, *driver, *on_instance;
};

static void keep_level(const struct flag *flag, const char *value, struct levels *levels)
{
	if (!flag->setting)
		levels->both = value;
	else if (str_eq(flag->setting, "ECS_LOGLEVEL"))
		levels->driver = value;
	else
		levels->on_instance = value;
}

static void apply(const struct flag *flag, const char *value, struct flags *flags,
		  struct levels *levels)
{
	switch (flag->kind) {
	case KIND_ACTION:
		if (flag->action < flags->action)
			flags->action = flag->action;
		return;
	case KIND_SETTING:
		config_map_set(&flags->settings, flag->setting, flag->value);
		return;
	case KIND_FILE:
		flags->config_file = value;
		return;
	case KIND_JSON:
		flags->json = true;
		return;
	case KIND_LEVEL:
		keep_level(flag, value, levels);
		return;
	}
}

static int parse_one(int argc, char *const *argv, int *at, struct flags *flags,
		     struct levels *levels, struct error *err)
{
	const char *option = argv[*at];
	bool long_form = str_starts_with(option, "--");
	const char *name = option + (long_form ? 2 : 1);
	size_t length = strcspn(name, "=");
	const struct flag *flag = find(name, length, long_form);
	const char *value = name[length] ? name + length + 1 : NULL;
	bool on = true;
	int r = 0;

	if (*option != '-' || length == 0)
		return error_say(err, EINVAL, "%s: no arguments are taken", option);
	if (!flag)
		return error_say(err, EINVAL, "%s: there is no such option", option);
	if (takes_value(flag) && !value) {
		if (++*at == argc)
			return error_say(err, EINVAL, "%s: its value is missing", option);
		value = argv[*at];
	} else if (!takes_value(flag)) {
		r = switch_parse(option, value, &on, err);
	}
	if (r == 0 && on)
		apply(flag, value, flags, levels);
	return r;
}

int flags_parse(int argc, char *const *argv, struct flags *ret, struct error *err)
{
	struct flags flags = { .action = FLAGS_RUN };
	struct levels levels = { 0 };
	int r = 0;

	for (int i = 1; i < argc && r == 0; i++)
		r = parse_one(argc, argv, &i, &flags, &levels, err);
	if (r < 0) {
		flags_free(&flags);
		return r;
	}
	if (levels.both)
		levels.driver = levels.on_instance = levels.both;
	if (levels.driver)
		config_map_set(&flags.settings, "ECS_LOGLEVEL", levels.driver);
	if (levels.on_instance)
		config_map_set(&flags.settings, "ECS_LOGLEVEL_ON_INSTANCE", levels.on_instance);
	*ret = flags;
	return 0;
}

void flags_free(struct flags *flags)
{
	config_map_free(&flags->settings);
}
