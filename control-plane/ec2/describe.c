/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/ec2/describe.h"

#include <stdlib.h>

#include "base/alloc.h"

/* True: shown unless a filter or the page says no. */
static bool is_named(struct ec2_selection *selection, const char *id)
{
	bool named = selection->ids.count == 0;

	for (size_t i = 0; i < selection->ids.count; i++)
		if (str_eq(selection->ids.items[i], id))
			named = selection->seen[i] = true;
	return named;
}

int ec2_show(struct ec2_call *call, struct ec2_selection *selection, const char *id,
	     ec2_writer *write, const void *row)
{
	struct ec2_facts facts = { 0 };
	size_t before = call->out.length;
	int r;

	if (!is_named(selection, id))
		return 0;
	/* Written, and taken back: what is written is what filters see. */
	xml_open(&call->out, "item");
	r = write(call, row, &facts);
	xml_close(&call->out, "item");
	if (r < 0 || !ec2_filters_match(&selection->filters, &facts) || !ec2_page_take(call))
		strbuf_truncate(&call->out, before);
	ec2_facts_clear(&facts);
	return r;
}

int ec2_show_new(struct ec2_call *call, const char *element, ec2_writer *write, const void *row)
{
	struct ec2_facts facts = { 0 };
	int r;

	xml_open(&call->out, element);
	r = write(call, row, &facts);
	xml_close(&call->out, element);
	ec2_facts_clear(&facts);
	return r;
}

static int check_seen(struct ec2_call *call, const struct ec2_description *description,
		      const struct ec2_selection *selection)
{
	for (size_t i = 0; i < selection->ids.count; i++)
		if (!selection->seen[i])
			return ec2_error(call, description->missing_code, description->missing_text,
					 selection->ids.items[i]);
	return 0;
}

static int show_selected(struct ec2_call *call, const struct ec2_description *description,
			 struct ec2_selection *selection)
{
	int r = ec2_filters_read(call, description->filters, &selection->filters);

	if (r < 0)
		return r;
	if (description->id_param)
		ec2_param_list(call, description->id_param, &selection->ids);
	selection->seen = xcalloc(selection->ids.count + 1, sizeof(*selection->seen));
	xml_open(&call->out, description->set);
	r = description->show_all(call, selection);
	xml_close(&call->out, description->set);
	return r < 0 ? r : check_seen(call, description, selection);
}

int ec2_describe(struct ec2_call *call, const struct ec2_description *description)
{
	struct ec2_selection selection = { .ids = STR_LIST_INIT };
	int r = ec2_page_read(call);

	if (r < 0)
		return r;
	r = show_selected(call, description, &selection);
	ec2_page_end(call);
	ec2_filters_clear(&selection.filters);
	str_list_free(&selection.ids);
	free(selection.seen);
	return r;
}
