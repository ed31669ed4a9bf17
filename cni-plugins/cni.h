/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_CNI_H
#define BERTH_CNI_PLUGINS_CNI_H

#include "base/json.h"
#include "cni-plugins/error.h"
#include "cni-plugins/result.h"
#include "cni-plugins/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * The CNI protocol, the plugin's side: environment and stdin in, one JSON object on stdout, exit
 * code. A plugin is a table of functions; everything that the protocol demands of every plugin is
 * done here, in the order of the reference skeleton, so that callers see the same codes and
 * messages.
 */

enum cni_command {
	CNI_COMMAND_ADD,
	CNI_COMMAND_DEL,
	CNI_COMMAND_CHECK,
	CNI_COMMAND_GC,
	CNI_COMMAND_STATUS,
	CNI_COMMAND_VERSION,
};

struct cni_attachment_id {
	const char *container_id;
	const char *ifname;
};

struct cni_request {
	enum cni_command command;
	enum cni_version version; /* of the configuration */
	const char *container_id; /* "" when the command has none, like those below */
	const char *netns;        /* path; may be empty or missing on DEL */
	const char *ifname;
	const char *path;    /* CNI_PATH */
	const char *args;    /* CNI_ARGS */
	const char *network; /* the configuration's name */
	int netns_fd; /* ADD, CHECK: open. DEL: -1 when the namespace is gone or was never one. */
	struct json_at config;   /* the whole configuration, an object */
	const char *config_text; /* as read from stdin, for delegates */
	size_t config_size;
	const struct cni_result *previous;     /* NULL when there is no prevResult */
	const struct cni_attachment_id *valid; /* GC: the attachments to keep */
	size_t valid_count;
};

/* GC: whether the attachment is listed as one to keep. */
bool cni_is_valid_attachment(const struct cni_request *request, const char *container_id,
			     const char *ifname);

/* Whether the command wants all that the configuration must have: ADD and CHECK. The others take
 * what there is. */
bool cni_wants_whole(const struct cni_request *request);

/* CHECK: an error where there is no prevResult. */
int cni_need_previous(const struct cni_request *request, struct cni_error *err);

/* The configuration's "dns", where the result has none yet. */
int cni_take_dns(const struct cni_request *request, struct cni_result *result,
		 struct cni_error *err);

/* "<container>:<interface>:<network>", by which a plugin knows what it made; the caller frees. */
char *cni_owner(const struct cni_request *request);

struct cni_plugin {
	const char *name;                /* "ecs-eni" */
	const char *about;               /* one line for a person who runs it by hand */
	const char *const *capabilities; /* for --capabilities; NULL-terminated; NULL: says none */
	bool wants_netns; /* false: an IPAM plugin, which never touches the namespace */
	/* All but `add` and `del` may be NULL: nothing to do, success. Return 0, or -1 with the
	 * error filled. */
	int (*add)(const struct cni_request *request, struct cni_result *ret,
		   struct cni_error *err);
	int (*del)(const struct cni_request *request, struct cni_error *err);
	int (*check)(const struct cni_request *request, struct cni_error *err);
	int (*gc)(const struct cni_request *request, struct cni_error *err);
	int (*status)(const struct cni_request *request, struct cni_error *err);
};

/* What a call sees of the world: replaced in tests. */
struct cni_world {
	const char *(*get_env)(void *data, const char *name); /* NULL when unset */
	void *data;
	int in;      /* stdin */
	FILE *out;   /* one JSON object or nothing, ever */
	FILE *about; /* stderr */
};

/* Answers one call and returns the exit code. argv as of main: --version and --capabilities (also
 * with one dash). */
int cni_main(const struct cni_plugin *plugin, int argc, char **argv);
int cni_run(const struct cni_plugin *plugin, const struct cni_world *world, int argc, char **argv);

/* Bytes of configuration that are read from stdin at most. */
#define CNI_CONFIG_LIMIT ((size_t)1024 * 1024)

#endif
