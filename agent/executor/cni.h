/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_H
#define BERTH_AGENT_EXECUTOR_CNI_H

#include "base/error.h"
#include "base/loop.h"
#include "cni-plugins/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The CNI protocol, the runtime's side: runs the plugins of a conflist as processes, on the loop.
 *
 * Before the first plugin runs, the attachment and its configuration are written to the cache
 * directory; its result after the last one. So after a crash a DEL needs no more than the container
 * id and the interface name, and an ADD that was cut off is known as such and undone before it is
 * tried again.
 */
struct cni_runtime;
struct cni_operation;

struct cni_runtime_config {
	struct loop *loop;
	const char *plugin_path;     /* directories, separated by colons */
	const char *cache_directory; /* made when missing, 0700 */
	int64_t add_timeout_ms;      /* for all plugins of a list together; 0: 60 s */
	int64_t del_timeout_ms;      /* 0: 30 s */
	const char *const
		*environment; /* "K=V" for the plugins beside CNI_*, NULL-terminated; NULL: none */
};

int cni_runtime_new(const struct cni_runtime_config *config, struct cni_runtime **ret,
		    struct error *err);
/* Cancels what is under way (its callbacks are not called). */
void cni_runtime_free(struct cni_runtime *runtime);

struct cni_attachment {
	const char *container_id; /* the task id */
	const char *netns_path;   /* may be NULL on DEL, when the namespace is gone */
	const char *ifname;       /* "eth0" */
	const char *conflist; /* JSON: {"name","cniVersion","plugins":[...]}; DEL: NULL takes the
				 cached one */
	const char *args;     /* CNI_ARGS or NULL */
	bool keeps_record;    /* DEL: there is another one to come, which is to find it */
};

/*
 * Exactly one of both is given. `result` and `err` belong to the runtime. The error's text is a
 * sentence for the task's stopped reason: which plugin, what it said. Codes: -ENOENT no such
 * plugin, -ETIMEDOUT it hung and was killed, -EBADMSG it spoke no CNI, -EREMOTEIO it failed and
 * said why, -EBUSY another operation on this attachment.
 */
typedef void (*cni_done)(void *data, const struct cni_result *result, const struct error *err);

/*
 * Runs ADD of each plugin in order; `done` is called once, later, on the loop. When it was
 * completed before, in this very namespace and with this configuration, its answer is given again
 * and nothing runs; an ADD that was cut off is undone first. When a plugin fails, DEL of all of
 * them runs (in reverse, as far as it goes) before `done` hears of the failure: nothing is left to
 * be undone. *ret (may be NULL) is good until `done`.
 */
void cni_add(struct cni_runtime *runtime, const struct cni_attachment *attachment, cni_done done,
	     void *data, struct cni_operation **ret);

/*
 * Runs DEL of each plugin in reverse, all of them even if one fails; the first error is reported,
 * and the cached record stays then, so that it can be tried again. On success `done` gets what the
 * ADD had answered (empty when unknown): its interfaces without a sandbox are the host's ends. An
 * attachment that nobody knows is a success.
 *
 * The caller drops the namespace soon after: plugins that declare the capability "leaveToNetns" are
 * told so, and may leave to it what dies with it. links_wait_gone() of netns/link.h makes sure.
 */
void cni_del(struct cni_runtime *runtime, const struct cni_attachment *attachment, cni_done done,
	     void *data, struct cni_operation **ret);

/* Kills the running plugin; `done` is not called. The attachment is as a crash would have left it.
 */
void cni_cancel(struct cni_operation *operation);

/*
 * The result of an attachment that was completed, from the cache; *ret is fresh. -ENOENT: never
 * begun, or deleted; -EINPROGRESS: begun and not finished: cni_del() it, or cni_add() again.
 */
int cni_cached_result(struct cni_runtime *runtime, const char *container_id, const char *ifname,
		      struct cni_result *ret, struct error *err);

/* Every attachment in the cache: each(data, container_id, ifname, netns_path). For the sweep after
 * a restart. */
int cni_each_cached(struct cni_runtime *runtime,
		    void (*each)(void *data, const char *container_id, const char *ifname,
				 const char *netns_path),
		    void *data, struct error *err);

/*
 * The conflist of the network `name` in a directory of *.conflist, then *.conf and *.json
 * (wrapped), by name; with `name` NULL the first. The caller frees. -ENOENT.
 */
int cni_conflist_load(const char *directory, const char *name, char **ret, struct error *err);

#endif
