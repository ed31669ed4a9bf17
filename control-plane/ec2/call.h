/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_EC2_CALL_H
#define BERTH_CONTROL_EC2_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/form.h"
#include "base/str.h"
#include "base/xml.h"
#include "control-plane/ec2/ec2.h"

/* What every action uses. */

#define EC2_INVALID          "InvalidParameterValue"
#define EC2_MISSING          "MissingParameter"
#define EC2_VPC_NOT_FOUND    "InvalidVpcID.NotFound"
#define EC2_SUBNET_NOT_FOUND "InvalidSubnetID.NotFound"
#define EC2_GROUP_NOT_FOUND  "InvalidGroup.NotFound"
#define EC2_DEPENDENCY       "DependencyViolation"
#define EC2_BLOCK_IN_USE     "InvalidCidrBlock.InUse"
#define EC2_COMBINATION      "InvalidParameterCombination"
#define EC2_NOT_PERMITTED    "OperationNotPermitted"
#define EC2_INTERNAL         "InternalError"
#define EC2_DRY_RUN          "DryRunOperation"

/* MaxResults and NextToken. */
struct ec2_page {
	size_t skip; /* seen on the pages before */
	size_t max;
	size_t seen;
};

struct ec2_call {
	const struct ec2 *ec2;
	struct store *store;
	struct form *form;
	struct strbuf out; /* members of the answer */
	struct ec2_page page;
	const char *action;
	char request_id[37];
	const char *error_code; /* when the call failed */
	char *error_message;
};

/* Returns 0 with the answer written to call->out, or a negative number after ec2_error(). */
typedef int ec2_handler(struct ec2_call *call);

struct ec2_action {
	const char *name; /* NULL ends a table */
	ec2_handler *handler;
	/* One store transaction, rolled back when it fails; pools and agents follow it. */
	bool changes;
};

/* One table per file, gathered in dispatch.c. */
extern const struct ec2_action ec2_vpc_actions[];
extern const struct ec2_action ec2_subnet_actions[];
extern const struct ec2_action ec2_association_actions[];
extern const struct ec2_action ec2_group_actions[];
extern const struct ec2_action ec2_rule_actions[];
extern const struct ec2_action ec2_interface_actions[];
extern const struct ec2_action ec2_tag_actions[];

/* Records the error that the client sees. Returns -EINVAL. */
int ec2_error(struct ec2_call *call, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Logs what failed inside; the client is told so. Returns -EIO. */
int ec2_server_error(struct ec2_call *call, const struct error *err);

/* ---- parameters; NULL when absent or empty ---- */

const char *ec2_param(struct ec2_call *call, const char *name);
const char *ec2_paramf(struct ec2_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* MissingParameter when absent. */
int ec2_param_required(struct ec2_call *call, const char *name, const char **ret_value);
/* false when absent; InvalidParameterValue when it is neither true nor false. */
int ec2_param_bool(struct ec2_call *call, const char *name, bool *ret_value);
/* <name>.1, <name>.2, ...; borrowed strings are copied. */
void ec2_param_list(struct ec2_call *call, const char *name, struct str_list *ret_list);
/* Is there an item `<prefix>.<index>`, of whatever members? */
bool ec2_param_item(struct ec2_call *call, const char *prefix, size_t index);

/* ---- what a resource shows, for filters ---- */

struct ec2_fact {
	char *name;
	char *value;
};

struct ec2_facts {
	struct ec2_fact *items;
	size_t count;
};

/* A NULL value is no fact. Several of one name are alternatives. */
void ec2_fact(struct ec2_facts *facts, const char *name, const char *value);
void ec2_facts_clear(struct ec2_facts *facts);

struct ec2_filter {
	char *name;
	struct str_list values; /* with * and ? */
};

struct ec2_filters {
	struct ec2_filter *items;
	size_t count;
};

/* Filter.N of the call; a name that is not in `known` (NULL-terminated) and no tag is refused. */
int ec2_filters_read(struct ec2_call *call, const char *const *known,
		     struct ec2_filters *ret_filters);
void ec2_filters_clear(struct ec2_filters *filters);
/* Every filter has a value that one of the facts of its name is. */
bool ec2_filters_match(const struct ec2_filters *filters, const struct ec2_facts *facts);

/* ---- pages ---- */

int ec2_page_read(struct ec2_call *call);
/* The next thing that was found: is it on this page? */
bool ec2_page_take(struct ec2_call *call);
/* nextToken, when there was more. */
void ec2_page_end(struct ec2_call *call);

/* ---- tags ---- */

/* Tag.N.Key and .Value below `prefix` ("" or "TagSpecification.1."), written to the resource. */
int ec2_tags_write(struct ec2_call *call, const char *prefix, const char *id);
/* TagSpecification of a call that makes such a resource ("vpc"). */
int ec2_tags_of_new(struct ec2_call *call, const char *type, const char *id);
/* <tagSet> of the resource, and its tags as facts (facts may be NULL). */
int ec2_tags_read(struct ec2_call *call, const char *id, struct strbuf *out,
		  struct ec2_facts *facts);
int ec2_tags_forget(struct ec2_call *call, const char *id);

/* ---- answers ---- */

const char *ec2_account(const struct ec2_call *call);
/* arn:aws:ec2:<region>:<account>:<type>/<id>; allocated. */
char *ec2_arn(const struct ec2_call *call, const char *type, const char *id);
void ec2_return_true(struct ec2_call *call);

#endif
