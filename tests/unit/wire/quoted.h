/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_WIRE_QUOTED_H
#define BERTH_TESTS_WIRE_QUOTED_H

#include "wire/acs.h"
#include "wire/task.h"
#include "wire/tcs.h"

/* JSON that is readable in C: ' stands for ", and ` for '. The caller frees. */
char *quoted(const char *text);

/* A task with `members` beside its ARN ("'cpu':1" or ""), decoded; fails the test when it is
 * refused. */
struct task_spec *task_with(const char *members);
/* A task with one container that has `members` beside its name "app". */
struct task_spec *task_with_container(const char *members);
/* The error of a task that must be refused. Static. */
const char *task_error(const char *members);
const char *container_error(const char *members);

int decode_acs(const char *text, struct acs_message **ret, struct error *err);
int decode_tcs(const char *text, struct tcs_message **ret, struct error *err);

#define TASK_ARN "arn:aws:ecs:eu-west-1:123456789012:task/demo/5b1c"

#endif
