/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests with real containers share. They need root and an OCI runtime, and are skipped
 * without. */
#ifndef BERTH_TESTS_UNIT_RUNTIME_LIVE_H
#define BERTH_TESTS_UNIT_RUNTIME_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/str.h"
#include "runtime/bundle.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"
#include "runtime/container_record.h"

/* Ends the program with 77 and the reason unless we are root and all programs (NULL-terminated) are
 * there. */
void live_need(const char *const *programs);

/* A new directory below /tmp; the caller frees the name. */
char *live_directory(void);
/* Unmounts nothing: what is still mounted below makes it fail, and the test with it. */
void live_remove_directory(const char *dir);

/* A layer with a static busybox, /etc/passwd and /etc/group. */
void live_make_layer(const char *dir);

/* Turns the loop until *flag, at most 20 seconds; fails the test then. */
void live_wait(struct loop *loop, const bool *flag);
void live_wait_count(struct loop *loop, const int *counter, int wanted);

/* A host with one OCI runtime, for one group of tests. */
struct live {
	struct loop *loop;
	struct cgroup_host cgroups;
	struct container_runtime *runtime;
	const char *runtime_path;
	char *dir;
	struct str_list layers;
	char *cgroup_top; /* "/berth-test-..." */
	unsigned counter;
};

void live_set_up(struct live *live, const char *runtime_path);
/* Also proves that nothing is left: mounts, cgroups, state of the runtime, monitors. */
void live_tear_down(struct live *live);
/* The agent ends and comes back: another runtime object on the same directories. */
void live_restart(struct live *live);

/* One container of the test. */
struct live_container {
	struct live *live;
	char *id, *bundle, *state, *log, *cgroup;
	struct container_config config;
	pid_t pid;
	bool created, started, exited, deleted;
	int exits, create_result, start_result;
	struct container_exit exit;
	struct error err;
};

/* Prepared, not created: change `config` before live_create(). */
void live_container_init(struct live *live, struct live_container *container,
			 const char *const *args);
/* Bundle and create; asserts success unless `may_fail`. */
void live_create(struct live_container *container, bool may_fail);
void live_start(struct live_container *container);
void live_wait_exit(struct live_container *container);
void live_run(struct live_container *container);
/* The json-file log's "log" members of one stream ("stdout") one after the other; the caller frees.
 */
char *live_log(const struct live_container *container, const char *stream);
void live_delete(struct live_container *container);

/* What its monitor has written of it. */
struct container_state_record live_state(const struct live_container *container);

struct CMUnitTest;
/* Runs the tests with each OCI runtime of this host, as a program's exit code; skips without any.
 */
int live_with_each_runtime(struct live *live, const struct CMUnitTest *tests, size_t count);

#endif
