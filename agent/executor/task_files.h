/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_TASK_FILES_H
#define BERTH_AGENT_EXECUTOR_TASK_FILES_H

#include "agent/engine/state.h"
#include "base/error.h"
#include "wire/task.h"

/*
 * The files by which containers resolve names: <directory>/hosts, hostname, resolv.conf. With
 * awsvpc they are the task's, made of its interface; otherwise each container has its own, with its
 * extra hosts and name servers over the host's.
 */

/* The host name of a container: its own, the interface's, the host's in mode host, else the
 * beginning of the task id. The caller frees it. */
char *task_hostname(const struct task_spec *task, const struct container_spec *container);

/* Pure: the texts. The caller frees. `container` NULL: those of the whole task (awsvpc).
 * `own_lines`: of the container's own address; NULL: it has none. */
char *task_hosts_text(const struct task_spec *task, const struct container_spec *container,
		      const char *hostname, const char *own_lines);
/* Lines for a container of a bridge task, and for those that it links to, by their alias and name.
 */
char *task_bridge_hosts(const struct task_state *task, size_t index, const char *hostname);
/* `host_text`: the host's own resolv.conf, for what the task says nothing of. */
char *task_resolv_text(const struct task_spec *task, const struct container_spec *container,
		       const char *host_text);

/* Makes the directory (0755) and writes all three. */
int task_files_write(const char *directory, const struct task_spec *task,
		     const struct container_spec *container, const char *own_lines,
		     struct error *err);

#endif
