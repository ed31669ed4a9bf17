/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_EC2_DESCRIBE_H
#define BERTH_CONTROL_EC2_DESCRIBE_H

#include "control-plane/ec2/call.h"

/* What all Describe... actions do: ids, filters, pages, one list of items. */

struct ec2_selection {
	struct ec2_filters filters;
	struct str_list ids; /* none: all */
	bool *seen;          /* of each id */
};

struct ec2_description {
	const char *set;            /* "vpcSet" */
	const char *id_param;       /* "VpcId"; NULL: there are no ids */
	const char *const *filters; /* names, NULL-terminated */
	const char *missing_code;   /* of an id that is not there */
	const char *missing_text;   /* with one %s */
	/* Calls ec2_show() for everything of the kind. */
	int (*show_all)(struct ec2_call *call, struct ec2_selection *selection);
};

int ec2_describe(struct ec2_call *call, const struct ec2_description *description);

/* Writes the members of one thing to call->out, and what filters ask of it to `facts`. */
typedef int ec2_writer(struct ec2_call *call, const void *row, struct ec2_facts *facts);

/* An <item>, if it is selected and on this page. */
int ec2_show(struct ec2_call *call, struct ec2_selection *selection, const char *id,
	     ec2_writer *write, const void *row);

/* Members without an item around them, for the answer of a Create... action. */
int ec2_show_new(struct ec2_call *call, const char *element, ec2_writer *write, const void *row);

#endif
