/* SPDX-License-Identifier: Apache-2.0 */
#include "quoted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"

char *quoted(const char *text)
{
	char *copy = xstrdup(text);

	for (char *at = copy; *at; at++) {
		if (*at == '\'')
			*at = '"';
		else if (*at == '`')
			*at = '\'';
	}
	return copy;
}

static char *task_text(const char *members)
{
	_cleanup_free_ char *text =
		xasprintf("{'arn':'" TASK_ARN "'%s%s}", members[0] ? "," : "", members);

	return quoted(text);
}

struct task_spec *task_with(const char *members)
{
	_cleanup_free_ char *text = task_text(members);
	struct task_spec *task = NULL;
	struct error err = ERROR_INIT;

	if (task_spec_decode_text(text, strlen(text), &task, &err) < 0)
		fail_msg("%s was refused: %s", text, err.text);
	return task;
}

const char *task_error(const char *members)
{
	static struct error err;
	_cleanup_free_ char *text = task_text(members);
	struct task_spec *task = NULL;

	error_clear(&err);
	if (task_spec_decode_text(text, strlen(text), &task, &err) == 0)
		fail_msg("%s was accepted", text);
	assert_null(task);
	assert_int_not_equal(err.code, 0);
	return err.text;
}

static char *container_members(const char *members)
{
	return xasprintf("'containers':[{'name':'app'%s%s}]", members[0] ? "," : "", members);
}

struct task_spec *task_with_container(const char *members)
{
	_cleanup_free_ char *text = container_members(members);

	return task_with(text);
}

const char *container_error(const char *members)
{
	_cleanup_free_ char *text = container_members(members);

	return task_error(text);
}

int decode_acs(const char *text, struct acs_message **ret, struct error *err)
{
	_cleanup_free_ char *json = quoted(text);

	return acs_decode(json, strlen(json), ret, err);
}

int decode_tcs(const char *text, struct tcs_message **ret, struct error *err)
{
	_cleanup_free_ char *json = quoted(text);

	return tcs_decode(json, strlen(json), ret, err);
}
