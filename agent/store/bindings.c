/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/bindings.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/str.h"
#include "base/strbuf.h"

char *bindings_encode(const struct connection_state *connection)
{
	struct strbuf text = STRBUF_INIT;

	if (connection->binding_count == 0)
		return NULL;
	for (size_t i = 0; i < connection->binding_count; i++) {
		const struct port_binding *binding = &connection->bindings[i];

		strbuf_appendf(&text, "%s%s %u %u %u %d", i ? ";" : "",
			       transport_protocol_name(binding->protocol), binding->host_port,
			       binding->container_port, binding->count, binding->is_range);
	}
	return strbuf_take(&text);
}

static int decode_one(const char *text, struct port_binding *ret)
{
	static const uint64_t least[] = { 0, 0, 1, 0 };
	static const uint64_t most[] = { UINT16_MAX, UINT16_MAX, UINT16_MAX, 1 };
	_cleanup_str_list_ struct str_list words = STR_LIST_INIT;
	uint64_t numbers[4];

	str_list_split(&words, text, ' ', true);
	if (words.count != 5)
		return -EINVAL;
	for (size_t i = 0; i < 4; i++)
		if (number_parse_u64(words.items[i + 1], least[i], most[i], &numbers[i], NULL) < 0)
			return -EINVAL;
	*ret = (struct port_binding){ .host_port = (uint16_t)numbers[0],
				      .container_port = (uint16_t)numbers[1],
				      .count = (uint16_t)numbers[2],
				      .is_range = numbers[3] };
	if (str_eq(words.items[0], transport_protocol_name(TRANSPORT_TCP)))
		ret->protocol = TRANSPORT_TCP;
	else if (str_eq(words.items[0], transport_protocol_name(TRANSPORT_UDP)))
		ret->protocol = TRANSPORT_UDP;
	else
		return -EINVAL;
	return 0;
}

int bindings_decode(const char *text, struct connection_state *connection, struct error *err)
{
	_cleanup_free_ struct port_binding *bindings = NULL;
	_cleanup_str_list_ struct str_list items = STR_LIST_INIT;

	if (!text)
		return 0;
	str_list_split(&items, text, ';', true);
	bindings = xcalloc(items.count + 1, sizeof(*bindings));
	for (size_t i = 0; i < items.count; i++)
		if (decode_one(items.items[i], &bindings[i]) < 0)
			return error_say(err, EINVAL, "unreadable published ports \"%.64s\"",
					 items.items[i]);
	connection_set_bindings(connection, bindings, items.count);
	return 0;
}
