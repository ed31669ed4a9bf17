/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "base/process.h"

#define TIMEOUT_MS 10000

struct running {
	struct loop *loop;
	const char *program;
	char *output;
	int r;
	struct error err;
};

static void ended(void *data, const struct process_result *result)
{
	struct running *running = data;

	running->r = process_result_check(result, running->program, &running->err);
	running->output = xstrdup(result->out);
	loop_stop(running->loop);
}

int run_program(const char *const *argv, char **ret_output, struct error *err)
{
	_cleanup_loop_ struct loop *loop = NULL;
	struct running running = { .program = argv[0] };
	const struct process_spec spec = { .argv = argv,
					   .env = (const char *const *)environ,
					   .timeout_ms = TIMEOUT_MS };
	int r = loop_new(&loop, err);

	running.loop = loop;
	if (r == 0)
		r = process_run(loop, &spec, ended, &running, NULL, err);
	if (r < 0)
		return r;
	loop_run(loop);
	if (running.r < 0 && err)
		*err = running.err;
	if (running.r == 0 && ret_output)
		*ret_output = TAKE(running.output);
	free(running.output);
	return running.r;
}
