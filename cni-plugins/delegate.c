/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/delegate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cni-plugins/exec.h"
#include "cni-plugins/ipam.h"

int cni_ipam_type(const struct cni_request *request, const char **ret, struct cni_error *err)
{
	struct json_at ipam;
	struct error why;
	const char *type = NULL;

	if (json_get_object(&request->config, "ipam", JSON_NULLABLE, &ipam, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	if (json_present(&ipam) && json_get_string(&ipam, "type", JSON_NULLABLE, &type, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	if (type && strchr(type, '/'))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"ipam.type: \"%.64s\" is a path, and must be a plugin's name",
				type);
	*ret = type && *type ? type : NULL;
	return 0;
}

int cni_find_plugin(const char *name, const char *path, char **ret, struct error *err)
{
	_cleanup_str_list_ struct str_list places = STR_LIST_INIT;

	if (strchr(name, '/') || str_is_empty(name) || str_eq(name, ".") || str_eq(name, "..")) {
		error_say(err, EINVAL, "plugin \"%.64s\": this is no plugin's name", name);
		return -EINVAL;
	}
	str_list_split(&places, path, ':', false);
	for (size_t i = 0; i < places.count; i++) {
		_cleanup_free_ char *file = xasprintf("%s/%s", places.items[i], name);
		struct stat info;

		if (stat(file, &info) < 0 || !S_ISREG(info.st_mode))
			continue;
		if (access(file, X_OK) < 0) {
			error_set(err, EACCES, "plugin %s cannot be executed", file);
			return -EACCES;
		}
		*ret = TAKE(file);
		return 0;
	}
	error_say(err, ENOENT, "plugin %s is in none of the directories %s", name, path);
	return -ENOENT;
}

/* Whether the program found is the ecs-ipam that came with us: then its code is ours, and need not
 * be started. */
static bool is_our_ipam(const char *type, const char *file)
{
	struct stat ours, theirs;
	char self[4096];
	ssize_t length;
	char *slash;
	_cleanup_free_ char *beside = NULL;

	if (!str_eq(type, ipam_plugin.name))
		return false;
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		return false;
	self[length] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	*slash = '\0';
	beside = xasprintf("%s/%s", self, ipam_plugin.name);
	return stat(beside, &ours) == 0 && stat(file, &theirs) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* A plugin that failed says why on stdout; when it does not, we say what we saw. */
static int read_failure(const char *file, const struct exec_answer *answer, struct cni_error *err)
{
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	const char *text = NULL, *details = NULL;
	int64_t code = CNI_INTERNAL;

	if (answer->size == 0)
		return cni_fail(err, CNI_INTERNAL, "%s failed with no error message: %d", file,
				answer->exit_code);
	if (json_parse(answer->output, answer->size, NULL, &value, NULL) < 0)
		return cni_fail(err, CNI_INTERNAL,
				"%s failed but its message is no JSON: \"%.256s\"", file,
				answer->output);
	root = json_root(value);
	if (json_expect_object(&root, NULL) < 0 ||
	    json_get_string(&root, "msg", JSON_REQUIRED, &text, NULL) < 0 ||
	    json_get_i64(&root, "code", 0, 1, INT32_MAX, &code, NULL) < 0)
		return cni_fail(err, CNI_INTERNAL, "%s failed but its message is no CNI error: %s",
				file, answer->output);
	cni_fail(err, (int)code, "%s", text);
	if (json_get_string(&root, "details", JSON_NULLABLE, &details, NULL) == 0 && details)
		snprintf(err->details, sizeof(err->details), "%s", details);
	return -1;
}

static int run(const struct cni_request *request, const char *file, const char *command,
	       struct exec_answer *answer, struct cni_error *err)
{
	struct error why;

	if (exec_plugin(file, command, request->config_text, request->config_size, answer, &why) <
	    0)
		return cni_fail_with(err, CNI_INTERNAL, &why);
	return answer->exit_code == 0 ? 0 : read_failure(file, answer, err);
}

static int read_result(const struct cni_request *request, const char *file,
		       const struct exec_answer *answer, struct cni_result *ret,
		       struct cni_error *err)
{
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	struct error why;

	if (json_parse(answer->output, answer->size, NULL, &value, &why) < 0)
		return cni_fail(err, CNI_DECODE_FAILURE, "the result of %s is no JSON: %s", file,
				why.text);
	root = json_root(value);
	if (cni_result_parse(&root, request->version, ret, &why) < 0)
		return cni_fail(err, CNI_DECODE_FAILURE, "the result of %s: %s", file, why.text);
	return 0;
}

static int find(const struct cni_request *request, const char *type, char **ret,
		struct cni_error *err)
{
	struct error why;

	if (cni_find_plugin(type, request->path, ret, &why) == 0)
		return 0;
	cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	return -1;
}

int cni_ipam_add(const struct cni_request *request, const char *type, struct cni_result *ret,
		 struct cni_error *err)
{
	_cleanup_free_ char *file = NULL;
	struct exec_answer answer = { 0 };
	int r;

	if (find(request, type, &file, err) < 0)
		return -1;
	if (is_our_ipam(type, file)) {
		r = ipam_plugin.add(request, ret, err);
	} else {
		r = run(request, file, "ADD", &answer, err);
		if (r == 0)
			r = read_result(request, file, &answer, ret, err);
		free(answer.output);
	}
	if (r == 0 && ret->ip_count == 0)
		r = cni_fail(err, CNI_PLUGIN_FAILED, "IPAM plugin %s gave no address", type);
	return r;
}

int cni_ipam_call(const struct cni_request *request, const char *type, const char *command,
		  struct cni_error *err)
{
	_cleanup_free_ char *file = NULL;
	struct exec_answer answer = { 0 };
	int r;

	if (find(request, type, &file, err) < 0)
		return -1;
	if (is_our_ipam(type, file)) {
		int (*work)(const struct cni_request *request, struct cni_error *err) =
			str_eq(command, "DEL")     ? ipam_plugin.del
			: str_eq(command, "CHECK") ? ipam_plugin.check
			: str_eq(command, "GC")    ? ipam_plugin.gc
						   : ipam_plugin.status;

		return work ? work(request, err) : 0;
	}
	r = run(request, file, command, &answer, err);
	free(answer.output);
	return r;
}

int cni_with_ipam(const struct cni_request *request, const char *type, const char *command,
		  int result, struct cni_error *err)
{
	struct cni_error second = { 0 };
	int r = type ? cni_ipam_call(request, type, command, &second) : 0;

	if (result < 0 || r == 0)
		return result;
	*err = second;
	return -1;
}
