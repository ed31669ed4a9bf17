/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_EC2_TAGS_H
#define BERTH_AGENT_AWS_EC2_TAGS_H

#include <stddef.h>

#include "base/error.h"

/* The tags of an instance of EC2, by DescribeTags: a form goes out, XML comes back. Nothing is sent
 * here. */

#define EC2_CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define EC2_TAGS_MAX     50 /* of a resource, and of one answer */

struct ec2_tags {
	struct ec2_tag {
		char *key, *value;
	} * items;
	size_t count;
};

/* The body of the request; the caller frees it. */
char *ec2_tags_request(const char *instance_id);

/* Without those that AWS keeps for itself: key or value begins with "aws:". -EINVAL: the answer
 * cannot be read; *ret is then empty. */
int ec2_tags_read(const char *xml, size_t size, struct ec2_tags *ret, struct error *err);
void ec2_tags_copy(const struct ec2_tags *tags, struct ec2_tags *ret);
void ec2_tags_free(struct ec2_tags *tags);

#endif
