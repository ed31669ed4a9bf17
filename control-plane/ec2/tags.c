/* SPDX-License-Identifier: Apache-2.0 */
/* CreateTags, DeleteTags, DescribeTags, and the tags of everything else. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "control-plane/ec2/describe.h"
#include "control-plane/ec2/find.h"
#include "control-plane/store/tags.h"

enum { TAGS_MAX = 50, KEY_MAX = 127, VALUE_MAX = 255 };

static int write_tag(struct ec2_call *call, const char *id, const char *key, const char *value)
{
	struct error err = ERROR_INIT;

	if (strlen(key) > KEY_MAX || strlen(value) > VALUE_MAX)
		return ec2_error(call, EC2_INVALID,
				 "Tag %.32s: a key has at most %d characters, a value %d", key,
				 KEY_MAX, VALUE_MAX);
	if (str_starts_with_nocase(key, "aws:"))
		return ec2_error(call, EC2_INVALID, "Tag keys starting with 'aws:' are reserved");
	if (tags_put(call->store, id, key, value, &err) < 0)
		return ec2_server_error(call, &err);
	return 0;
}

static int check_count(struct ec2_call *call, const char *id)
{
	_cleanup_(tag_list_clear) struct tag_list tags = { 0 };
	struct error err = ERROR_INIT;

	if (tags_get(call->store, id, &tags, &err) < 0)
		return ec2_server_error(call, &err);
	if (tags.count > TAGS_MAX)
		return ec2_error(call, "TagLimitExceeded",
				 "The maximum number of Tags for a resource has been reached.");
	return 0;
}

int ec2_tags_write(struct ec2_call *call, const char *prefix, const char *id)
{
	_cleanup_free_ char *list = xasprintf("%sTag", prefix);
	int r = 0;

	for (size_t i = 1; r == 0 && ec2_param_item(call, list, i); i++) {
		const char *key = ec2_paramf(call, "%s.%zu.Key", list, i);
		const char *value = ec2_paramf(call, "%s.%zu.Value", list, i);

		if (!key)
			return ec2_error(call, EC2_MISSING, "Tag %zu has no key", i);
		r = write_tag(call, id, key, value ? value : "");
	}
	return r < 0 ? r : check_count(call, id);
}

int ec2_tags_of_new(struct ec2_call *call, const char *type, const char *id)
{
	int r = 0;

	for (size_t i = 1; r == 0 && ec2_param_item(call, "TagSpecification", i); i++) {
		_cleanup_free_ char *prefix = xasprintf("TagSpecification.%zu.", i);
		const char *of = ec2_paramf(call, "%sResourceType", prefix);

		if (!str_eq(of, type))
			return ec2_error(call, EC2_INVALID,
					 "'%s' is not a valid taggable resource type for this "
					 "operation: it makes a %s",
					 of ? of : "", type);
		r = ec2_tags_write(call, prefix, id);
	}
	return r;
}

int ec2_tags_read(struct ec2_call *call, const char *id, struct strbuf *out,
		  struct ec2_facts *facts)
{
	_cleanup_(tag_list_clear) struct tag_list tags = { 0 };
	struct error err = ERROR_INIT;

	if (tags_get(call->store, id, &tags, &err) < 0)
		return ec2_server_error(call, &err);
	xml_open(out, "tagSet");
	for (size_t i = 0; i < tags.count; i++) {
		_cleanup_free_ char *name = xasprintf("tag:%s", tags.items[i].key);

		xml_open(out, "item");
		xml_text(out, "key", tags.items[i].key);
		xml_text(out, "value", tags.items[i].value);
		xml_close(out, "item");
		if (!facts)
			continue;
		ec2_fact(facts, name, tags.items[i].value);
		ec2_fact(facts, "tag-key", tags.items[i].key);
	}
	xml_close(out, "tagSet");
	return 0;
}

int ec2_tags_forget(struct ec2_call *call, const char *id)
{
	struct error err = ERROR_INIT;

	return tags_delete_all(call->store, id, &err) < 0 ? ec2_server_error(call, &err) : 0;
}

/* What can have tags, and is there. */
static int check_resource(struct ec2_call *call, const char *id)
{
	_cleanup_(vpc_list_clear) struct vpc_list vpcs = { 0 };
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list subnets = { 0 };
	_cleanup_(security_group_list_clear) struct security_group_list groups = { 0 };

	if (str_starts_with(id, "vpc-"))
		return ec2_find_vpc(call, id, &vpcs);
	if (str_starts_with(id, "subnet-"))
		return ec2_find_subnet(call, id, &subnets);
	if (str_starts_with(id, "sg-"))
		return ec2_find_group(call, id, &groups);
	return ec2_error(call, "InvalidID",
			 "The ID '%s' is not valid: VPCs, subnets and security groups have tags",
			 id);
}

static bool has_tag(const struct tag_list *tags, const char *key, const char *value)
{
	for (size_t i = 0; i < tags->count; i++)
		if (str_eq(tags->items[i].key, key) && str_eq(tags->items[i].value, value))
			return true;
	return false;
}

/* One without a value goes whatever it is, one with a value (which may be empty) only with it. */
static int delete_tags_of(struct ec2_call *call, const char *id)
{
	_cleanup_(tag_list_clear) struct tag_list tags = { 0 };
	struct error err = ERROR_INIT;

	if (!ec2_param_item(call, "Tag", 1))
		return ec2_tags_forget(call, id);
	if (tags_get(call->store, id, &tags, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 1; ec2_param_item(call, "Tag", i); i++) {
		const char *key = ec2_paramf(call, "Tag.%zu.Key", i);
		_cleanup_free_ char *value_name = xasprintf("Tag.%zu.Value", i);
		const char *value = form_get(call->form, value_name);

		if (!key)
			return ec2_error(call, EC2_MISSING, "Tag %zu has no key", i);
		if ((!value || has_tag(&tags, key, value)) &&
		    tags_delete(call->store, id, key, &err) < 0)
			return ec2_server_error(call, &err);
	}
	return 0;
}

static int change_tags(struct ec2_call *call, bool create)
{
	_cleanup_str_list_ struct str_list ids = STR_LIST_INIT;
	int r = 0;

	ec2_param_list(call, "ResourceId", &ids);
	if (ids.count == 0 || (create && !ec2_param_item(call, "Tag", 1)))
		return ec2_error(call, EC2_MISSING,
				 "The request must contain the parameters resourceIdSet and "
				 "tagSet");
	for (size_t i = 0; r == 0 && i < ids.count; i++) {
		r = check_resource(call, ids.items[i]);
		if (r == 0)
			r = create ? ec2_tags_write(call, "", ids.items[i])
				   : delete_tags_of(call, ids.items[i]);
	}
	ec2_return_true(call);
	return r;
}

static int create_tags(struct ec2_call *call)
{
	return change_tags(call, true);
}

static int delete_tags(struct ec2_call *call)
{
	return change_tags(call, false);
}

/* --- DescribeTags */

struct tag_row {
	const char *type;
	const char *id;
	const struct tag *tag;
};

static int write_described(struct ec2_call *call, const void *data, struct ec2_facts *facts)
{
	const struct tag_row *row = data;

	xml_text(&call->out, "resourceId", row->id);
	xml_text(&call->out, "resourceType", row->type);
	xml_text(&call->out, "key", row->tag->key);
	xml_text(&call->out, "value", row->tag->value);
	ec2_fact(facts, "resource-id", row->id);
	ec2_fact(facts, "resource-type", row->type);
	ec2_fact(facts, "key", row->tag->key);
	ec2_fact(facts, "value", row->tag->value);
	return 0;
}

static int show_tags_of(struct ec2_call *call, const char *type, const char *id,
			struct ec2_selection *selection)
{
	_cleanup_(tag_list_clear) struct tag_list tags = { 0 };
	struct error err = ERROR_INIT;
	int r = 0;

	if (tags_get(call->store, id, &tags, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; r == 0 && i < tags.count; i++) {
		const struct tag_row row = { type, id, &tags.items[i] };

		r = ec2_show(call, selection, id, write_described, &row);
	}
	return r;
}

static int show_all(struct ec2_call *call, struct ec2_selection *selection)
{
	_cleanup_(vpc_list_clear) struct vpc_list vpcs = { 0 };
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list subnets = { 0 };
	_cleanup_(security_group_list_clear) struct security_group_list groups = { 0 };
	struct error err = ERROR_INIT;
	int r = 0;

	if (vpc_find(call->store, NULL, &vpcs, &err) < 0 ||
	    vpc_subnet_find(call->store, NULL, &subnets, &err) < 0 ||
	    security_group_find(call->store, NULL, &groups, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; r == 0 && i < vpcs.count; i++)
		r = show_tags_of(call, "vpc", vpcs.items[i].id, selection);
	for (size_t i = 0; r == 0 && i < subnets.count; i++)
		r = show_tags_of(call, "subnet", subnets.items[i].id, selection);
	for (size_t i = 0; r == 0 && i < groups.count; i++)
		r = show_tags_of(call, "security-group", groups.items[i].id, selection);
	return r;
}

static int describe_tags(struct ec2_call *call)
{
	static const char *const known[] = { "resource-id", "resource-type", "key", "value", NULL };
	static const struct ec2_description description = {
		.set = "tagSet",
		.filters = known,
		.show_all = show_all,
	};

	return ec2_describe(call, &description);
}

const struct ec2_action ec2_tag_actions[] = {
	{ "CreateTags", create_tags, true },
	{ "DeleteTags", delete_tags, true },
	{ "DescribeTags", describe_tags, false },
	{ 0 },
};
