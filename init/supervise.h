/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_INIT_SUPERVISE_H
#define BERTH_INIT_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/error.h"

/* What the agent's end means. Pure. */
enum supervise_verdict {
	SUPERVISE_DONE,     /* 0: it was told to stop, and stays stopped */
	SUPERVISE_TERMINAL, /* 5: starting it again cannot help */
	SUPERVISE_AT_ONCE,  /* 42: it has made room for a new version */
	SUPERVISE_LATER,    /* anything else, also an end by a signal: after a back-off */
};
enum supervise_verdict supervise_judge(int wait_status);

/* 500 ms, doubling to 15 s. */
extern const struct backoff_policy supervise_backoff;

/*
 * Runs `program` again and again until it ends for good, or SIGTERM or SIGINT come: those are
 * passed on, and after ten seconds SIGKILL. The agent never outlives its supervisor; containers
 * outlive both. Returns the exit code of berth-init.
 */
int supervise(const char *program);

#endif
