/* SPDX-License-Identifier: Apache-2.0 */
/* berth-init: prepares the host, supervises the agent, cleans up. Called by berth.service. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "base/version.h"
#include "init/host.h"
#include "init/settings.h"
#include "init/supervise.h"

#define EXIT_USAGE  1
#define EXIT_FAILED 255

static void usage(FILE *out)
{
	fputs("usage: berth-init ACTION\n"
	      "\n"
	      "  pre-start   prepare the host: directories, sysctls, the rules for the metadata "
	      "endpoint and\n"
	      "              against introspection from other hosts; may be repeated\n"
	      "  start       run berth-agent and start it again when it fails; SIGTERM ends both, "
	      "never\n"
	      "              a container\n"
	      "  post-stop   take the rules and sysctls back\n"
	      "  version     print the version\n"
	      "  help        print this\n"
	      "\n"
	      "Settings come from the environment: ECS_DATADIR, BERTH_RUN_DIR, BERTH_AGENT (its "
	      "path),\n"
	      "BERTH_METADATA_PORT, BERTH_INTROSPECTION_PORT, ECS_SKIP_LOCALHOST_TRAFFIC_FILTER,\n"
	      "ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS, ECS_LOGLEVEL.\n"
	      "\n"
	      "Exit codes: 0 done; 1 unknown action; 5 the agent ended, and starting it again "
	      "cannot help;\n"
	      "255 failed.\n",
	      out);
}

static const char *from_environment(const char *name)
{
	return getenv(name);
}

/* berth-agent beside us. */
static char *agent_path(const struct init_settings *settings)
{
	char self[4096];
	ssize_t length;
	char *slash;

	if (!str_is_empty(settings->agent))
		return xstrdup(settings->agent);
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length <= 0)
		return xstrdup("/usr/sbin/berth-agent");
	self[length] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	return xasprintf("%s/berth-agent", self);
}

static int fail(const char *what, const struct error *err)
{
	log_critical(what, "error", err->text);
	return EXIT_FAILED;
}

static void open_log(void)
{
	struct log_config log = { .level = LOG_INFO,
				  .format = LOG_FORMAT_LOGFMT,
				  .console_fd = STDERR_FILENO };
	const char *level = getenv("ECS_LOGLEVEL");

	if (!str_is_empty(level) && !log_level_parse(level, &log.level))
		log.level = LOG_INFO;
	log.file_level = log.level;
	log_open(&log, NULL);
}

int main(int argc, char **argv)
{
	const char *action = argc == 2 ? argv[1] : "";
	struct init_settings settings;
	struct error err = ERROR_INIT;
	_cleanup_free_ char *agent = NULL;

	if (str_eq(action, "version") || str_eq(action, "--version")) {
		printf("berth-init %s (%s)\n", berth_version(), berth_commit());
		return 0;
	}
	if (str_eq(action, "help") || str_eq(action, "--help") || str_eq(action, "-h")) {
		usage(stdout);
		return 0;
	}
	open_log();
	if (init_settings_read(from_environment, &settings, &err) < 0)
		return fail("a setting is wrong", &err);
	if (str_eq(action, "pre-start"))
		return host_prepare(&settings, &err) < 0 ? fail("the host cannot be prepared", &err)
							 : 0;
	if (str_eq(action, "post-stop"))
		return host_restore(&settings, &err) < 0 ? fail("the host cannot be restored", &err)
							 : 0;
	if (str_eq(action, "start")) {
		agent = agent_path(&settings);
		return supervise(agent);
	}
	usage(stderr);
	return EXIT_USAGE;
}
