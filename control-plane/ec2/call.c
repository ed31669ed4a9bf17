/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/ec2/call.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/number.h"

enum { PAGE_MIN = 5, PAGE_MAX = 1000 };

int ec2_error(struct ec2_call *call, const char *code, const char *format, ...)
{
	va_list args;

	free(call->error_message);
	va_start(args, format);
	call->error_message = xvasprintf(format, args);
	va_end(args);
	call->error_code = code;
	return -EINVAL;
}

int ec2_server_error(struct ec2_call *call, const struct error *err)
{
	log_error("EC2 call failed inside", "action", call->action, "request", call->request_id,
		  "error", err->text);
	ec2_error(call, EC2_INTERNAL, "%s failed inside the control plane: %s", call->action,
		  err->text);
	return -EIO;
}

const char *ec2_param(struct ec2_call *call, const char *name)
{
	const char *value = form_get(call->form, name);

	return str_is_empty(value) ? NULL : value;
}

const char *ec2_paramf(struct ec2_call *call, const char *format, ...)
{
	_cleanup_free_ char *name = NULL;
	va_list args;

	va_start(args, format);
	name = xvasprintf(format, args);
	va_end(args);
	return ec2_param(call, name);
}

int ec2_param_required(struct ec2_call *call, const char *name, const char **ret_value)
{
	const char *value = ec2_param(call, name);

	if (!value)
		return ec2_error(call, EC2_MISSING, "The request must contain the parameter %s",
				 name);
	*ret_value = value;
	return 0;
}

int ec2_param_bool(struct ec2_call *call, const char *name, bool *ret_value)
{
	const char *value = ec2_param(call, name);

	if (value && !str_eq_nocase(value, "true") && !str_eq_nocase(value, "false"))
		return ec2_error(call, EC2_INVALID,
				 "Invalid value '%s' for %s: it must be true or false", value,
				 name);
	*ret_value = value && str_eq_nocase(value, "true");
	return 0;
}

void ec2_param_list(struct ec2_call *call, const char *name, struct str_list *ret_list)
{
	const char *value;

	for (size_t i = 1; (value = ec2_paramf(call, "%s.%zu", name, i)); i++)
		str_list_add(ret_list, value);
}

bool ec2_param_item(struct ec2_call *call, const char *prefix, size_t index)
{
	_cleanup_free_ char *name = xasprintf("%s.%zu.", prefix, index);

	return form_has_prefix(call->form, name);
}

int ec2_page_read(struct ec2_call *call)
{
	const char *max = ec2_param(call, "MaxResults");
	const char *token = ec2_param(call, "NextToken");
	int64_t number = PAGE_MAX;

	if (max && number_parse_i64(max, PAGE_MIN, PAGE_MAX, &number, NULL) < 0)
		return ec2_error(call, EC2_INVALID,
				 "Value ( %s ) for parameter maxResults is invalid. Expecting a "
				 "value from %d to %d.",
				 max, PAGE_MIN, PAGE_MAX);
	call->page = (struct ec2_page){ .max = (size_t)number };
	if (!token)
		return 0;
	if (number_parse_i64(token, 1, INT32_MAX, &number, NULL) < 0)
		return ec2_error(call, "InvalidPaginationToken", "The token '%s' is invalid",
				 token);
	call->page.skip = (size_t)number;
	return 0;
}

bool ec2_page_take(struct ec2_call *call)
{
	struct ec2_page *page = &call->page;
	size_t index = page->seen++;

	return index >= page->skip && index - page->skip < page->max;
}

void ec2_page_end(struct ec2_call *call)
{
	const struct ec2_page *page = &call->page;

	if (page->seen > page->skip + page->max)
		xml_i64(&call->out, "nextToken", (int64_t)(page->skip + page->max));
}

const char *ec2_account(const struct ec2_call *call)
{
	return store_scope(call->store)->account;
}

char *ec2_arn(const struct ec2_call *call, const char *type, const char *id)
{
	return xasprintf("arn:aws:ec2:%s:%s:%s/%s", store_scope(call->store)->region,
			 ec2_account(call), type, id);
}

void ec2_return_true(struct ec2_call *call)
{
	xml_bool(&call->out, "return", true);
}
