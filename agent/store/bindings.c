/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/bindings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/strbuf.h"

#define BINDINGS_MAX 65536

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

static int decode_one(const char *text, struct port_binding *ret, int *ret_length)
{
	unsigned host, container, count, range;
	char protocol[4];

	if (sscanf(text, "%3[a-z] %5u %5u %5u %1u%n", protocol, &host, &container, &count, &range,
		   ret_length) != 5 ||
	    host > UINT16_MAX || container > UINT16_MAX || count < 1 || count > UINT16_MAX ||
	    range > 1)
		return -EINVAL;
	*ret = (struct port_binding){ .host_port = (uint16_t)host,
				      .container_port = (uint16_t)container,
				      .count = (uint16_t)count,
				      .is_range = range };
	if (str_eq(protocol, transport_protocol_name(TRANSPORT_TCP)))
		ret->protocol = TRANSPORT_TCP;
	else if (str_eq(protocol, transport_protocol_name(TRANSPORT_UDP)))
		ret->protocol = TRANSPORT_UDP;
	else
		return -EINVAL;
	return 0;
}

int bindings_decode(const char *text, struct connection_state *connection, struct error *err)
{
	_cleanup_free_ struct port_binding *bindings = NULL;
	size_t count = 0;
	int length = 0;

	for (const char *at = text; at && *at; at += length + (at[length] == ';')) {
		bindings = xreallocarray(bindings, count + 1, sizeof(*bindings));
		if (count == BINDINGS_MAX || decode_one(at, &bindings[count++], &length) < 0 ||
		    (at[length] != ';' && at[length] != '\0'))
			return error_say(err, EINVAL, "unreadable published ports \"%.64s\"", at);
	}
	if (count > 0)
		connection_set_bindings(connection, bindings, count);
	return 0;
}
