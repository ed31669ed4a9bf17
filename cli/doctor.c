/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/checks.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/plugins.h"
#include "cli/run.h"
#include "cli/settings.h"
#include "cli/terminal.h"

static void usage(FILE *out)
{
	fputs("usage: berth doctor [OPTION]...\n"
	      "\n"
	      "Checks the agent of this host and all that it needs; says what to do about each "
	      "part "
	      "that\n"
	      "fails. Run it as root.\n"
	      "\n"
	      "      --json         print the result as JSON\n"
	      "      --url URL      of the agent's introspection API\n"
	      "      --config FILE  read settings from FILE instead of " CLI_CONFIG_FILE "\n"
	      "  -h, --help         print this, and end\n"
	      "\n"
	      "Exit codes: 0 all is well; 1 a part fails; 2 wrong usage.\n",
	      out);
}

static void check_agent(struct checks *checks, const char *url)
{
	_cleanup_free_ char *body = NULL;
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	struct error err = ERROR_INIT;
	const char *arn = NULL, *version = "", *cluster = "";
	size_t size;
	int r = api_get(url, "/v1/metadata", &body, &size, &err);

	if (r == 0)
		r = json_parse(body, size, NULL, &value, &err);
	if (r == 0) {
		root = json_root(value);
		r = json_expect_object(&root, &err);
	}
	if (r == 0)
		r = json_get_string(&root, "Version", JSON_NULLABLE, &version, &err);
	if (r == 0)
		r = json_get_string(&root, "Cluster", JSON_NULLABLE, &cluster, &err);
	if (r == 0)
		r = json_get_string(&root, "ContainerInstanceArn", JSON_NULLABLE, &arn, &err);
	if (r < 0) {
		checks_add(checks, "agent", CHECK_FAILED, xstrdup(err.text),
			   "start it: systemctl start berth; it says why it ends: journalctl -u "
			   "berth");
		checks_add(checks, "registration", CHECK_SKIPPED, xstrdup("not known"),
			   "the agent does not answer");
		return;
	}
	checks_add(checks, "agent", CHECK_OK, xasprintf("%s answers at %s", version, url), "");
	if (str_is_empty(arn))
		checks_add(checks, "registration", CHECK_FAILED,
			   xasprintf("the agent is not registered with cluster \"%s\"", cluster),
			   "see ECS_BACKEND_HOST, the credentials and journalctl -u berth");
	else
		checks_add(checks, "registration", CHECK_OK, xstrdup(arn), "");
}

/* ctr waits long for a socket that nobody listens on, and then does not say so. */
static int connect_to(const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(err, errno, "open a socket");
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ENAMETOOLONG, "connect to %s", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, errno, "connect to %s", path);
	return 0;
}

static void check_containerd(struct checks *checks, const struct cli_settings *settings)
{
	const char *argv[] = { settings->ctr, "--address", settings->containerd_address, "version",
			       NULL };
	struct error err = ERROR_INIT;

	if (geteuid() != 0) {
		checks_add(checks, "containerd", CHECK_SKIPPED,
			   xstrdup(settings->containerd_address),
			   "its socket is open to root only: run this as root");
		return;
	}
	if (connect_to(settings->containerd_address, &err) < 0 || run_program(argv, NULL, &err) < 0)
		checks_add(checks, "containerd", CHECK_FAILED, xstrdup(err.text),
			   "install containerd and start it: systemctl start containerd; "
			   "BERTH_CONTAINERD_ADDRESS names another socket, BERTH_CTR another ctr");
	else
		checks_add(checks, "containerd", CHECK_OK,
			   xasprintf("answers at %s", settings->containerd_address), "");
}

static void check_runtime(struct checks *checks, const struct cli_settings *settings)
{
	const char *argv[] = { settings->runtime, "--version", NULL };
	_cleanup_free_ char *version = NULL;
	struct error err = ERROR_INIT;

	if (run_program(argv, &version, &err) < 0) {
		checks_add(checks, "runtime", CHECK_FAILED, xstrdup(err.text),
			   "install runc, or set BERTH_RUNTIME to another OCI runtime");
		return;
	}
	version[strcspn(version, "\n")] = '\0';
	checks_add(checks, "runtime", CHECK_OK, TAKE(version), "");
}

static void find_missing(const struct str_list *names, const char *path, struct str_list *ret)
{
	_cleanup_str_list_ struct str_list directories = STR_LIST_INIT;

	str_list_split(&directories, path, ':', false);
	for (size_t i = 0; i < names->count; i++) {
		bool found = false;

		for (size_t j = 0; j < directories.count; j++) {
			_cleanup_free_ char *file =
				xasprintf("%s/%s", directories.items[j], names->items[i]);

			found |= access(file, X_OK) == 0;
		}
		if (!found)
			str_list_add(ret, names->items[i]);
	}
}

/* Those of the names, in a path of directories. */
static void check_files(struct checks *checks, const char *name, const struct str_list *names,
			const char *path, const char *more, const char *advice)
{
	_cleanup_str_list_ struct str_list missing = STR_LIST_INIT;
	_cleanup_free_ char *text = NULL;

	find_missing(names, path, &missing);
	text = str_list_join(&missing, ", ");
	if (missing.count > 0)
		checks_add(checks, name, CHECK_FAILED,
			   xasprintf("not in %s, or not executable: %s", path, text), advice);
	else
		checks_add(checks, name, CHECK_OK, xasprintf("all in %s%s", path, more), "");
}

static void check_programs(struct checks *checks, const struct cli_settings *settings)
{
	_cleanup_str_list_ struct str_list names = STR_LIST_INIT;

	str_list_add(&names, "berth-monitor");
	str_list_add(&names, "berth-pause");
	check_files(checks, "programs", &names, settings->libexec_dir, "",
		    "install Berth again, or set BERTH_LIBEXEC_DIR to where they are");
}

static void check_plugins(struct checks *checks, const struct cli_settings *settings)
{
	_cleanup_str_list_ struct str_list names = STR_LIST_INIT;
	_cleanup_free_ char *more = str_is_empty(settings->cni_config_dir)
					    ? xstrdup("")
					    : xasprintf("; those that %s names are not looked at",
							settings->cni_config_dir);

	plugins_needed(settings, &names);
	check_files(checks, "plugins", &names, settings->cni_plugins_path, more,
		    "install Berth again, or set ECS_CNI_PLUGINS_PATH to where they are");
}

static void check_cgroups(struct checks *checks)
{
	static const char *const controllers[] = { "cpu",     "cpuset", "devices",
						   "freezer", "memory", "pids" };
	_cleanup_str_list_ struct str_list missing = STR_LIST_INIT;
	_cleanup_free_ char *names = NULL;

	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
		checks_add(checks, "cgroups", CHECK_OK, xstrdup("version 2"), "");
		return;
	}
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		_cleanup_free_ char *path =
			xasprintf("/sys/fs/cgroup/%s/cgroup.procs", controllers[i]);

		if (access(path, F_OK) < 0)
			str_list_add(&missing, controllers[i]);
	}
	names = str_list_join(&missing, ", ");
	if (missing.count > 0)
		checks_add(checks, "cgroups", CHECK_FAILED,
			   xasprintf("not mounted below /sys/fs/cgroup: %s", names),
			   "mount them (systemd does), or boot with "
			   "systemd.unified_cgroup_hierarchy=1");
	else
		checks_add(checks, "cgroups", CHECK_OK, xstrdup("version 1"), "");
}

static void check_rules(struct checks *checks)
{
	static const char *const ip[] = { "nft", "list", "table", "ip", "berth-init", NULL };
	static const char *const inet[] = { "nft", "list", "table", "inet", "berth-init", NULL };
	struct error err = ERROR_INIT;
	int r;

	if (geteuid() != 0) {
		checks_add(checks, "rules", CHECK_SKIPPED, xstrdup("not known"),
			   "only root may list them: run this as root");
		return;
	}
	r = run_program(ip, NULL, &err);
	if (r == 0)
		r = run_program(inet, NULL, &err);
	if (r == -ENOENT)
		checks_add(checks, "rules", CHECK_SKIPPED, xstrdup(err.text),
			   "install nftables to have them checked");
	else if (r < 0)
		checks_add(checks, "rules", CHECK_FAILED,
			   xstrdup("the nftables tables \"ip berth-init\" and \"inet "
				   "berth-init\" are not there"),
			   "set them: berth-init pre-start (berth.service does so); without them "
			   "host-mode containers have no metadata endpoint");
	else
		checks_add(checks, "rules", CHECK_OK, xstrdup("the tables of berth-init are there"),
			   "");
}

static void check_disk(struct checks *checks, const char *data_dir)
{
	struct statvfs info;
	_cleanup_free_ char *size = NULL;
	_cleanup_free_ char *available = NULL;
	uint64_t bytes, left;

	if (statvfs(data_dir, &info) < 0) {
		checks_add(checks, "disk", CHECK_FAILED,
			   xasprintf("%s: %s", data_dir, strerror(errno)),
			   "berth-init pre-start makes it; ECS_DATADIR names another");
		return;
	}
	bytes = (uint64_t)info.f_blocks * info.f_frsize;
	left = (uint64_t)info.f_bavail * info.f_frsize;
	size = size_text(bytes);
	available = size_text(left);
	if (disk_has_room(bytes, left))
		checks_add(checks, "disk", CHECK_OK,
			   xasprintf("%s of %s free at %s", available, size, data_dir), "");
	else
		checks_add(checks, "disk", CHECK_FAILED,
			   xasprintf("only %s of %s free at %s", available, size, data_dir),
			   "make room: below 512 MiB or 5 % tasks may fail to start");
}

static void check_all(struct checks *checks, const struct cli_settings *settings, const char *url)
{
	check_agent(checks, url);
	check_containerd(checks, settings);
	check_runtime(checks, settings);
	check_programs(checks, settings);
	check_plugins(checks, settings);
	check_cgroups(checks);
	check_rules(checks);
	check_disk(checks, settings->data_dir);
}

int command_doctor(int argc, char **argv)
{
	_cleanup_cli_options_ struct cli_options options = { 0 };
	_cleanup_checks_ struct checks checks = { 0 };
	_cleanup_free_ char *text = NULL;
	int code = cli_options_read(argc, argv, "doctor", usage, false, &options);

	if (code != OPTIONS_GO_ON)
		return code;
	check_all(&checks, &options.settings, options.url);
	text = options.json ? checks_json(&checks)
			    : checks_text(&checks, terminal_colours(STDOUT_FILENO));
	printf(options.json ? "%s\n" : "%s", text);
	return checks_failed(&checks) ? EXIT_FAILED : EXIT_DONE;
}
