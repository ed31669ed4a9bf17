/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net-T68: results that nobody thought of, written in each version and read again. What a version
 * can say comes back as it was; what it cannot is absent, not something else. Of 0.2.0, which is
 * refused (see test_protocol.c), there is nothing to convert.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "cni-plugins/result.h"

enum { RESULTS = 2000 };

static unsigned seed;

static unsigned below(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536 % n;
}

static char *text_or_none(const char *what)
{
	static const char *const odd[] = { "", " ", "\"", "\\", "/", "\xc3\xa4", "\n", "a:b" };

	if (below(3) == 0)
		return NULL;
	return below(4) == 0 ? xasprintf("%s%s", what, odd[below(8)])
			     : xasprintf("%s%u", what, below(1000));
}

static struct ip_prefix prefix(void)
{
	struct ip_prefix made = { .address.family = below(2) ? AF_INET : AF_INET6 };
	unsigned bytes = made.address.family == AF_INET ? 4 : 16;

	for (unsigned i = 0; i < bytes; i++)
		made.address.bytes[i] = (uint8_t)below(256);
	/* An IPv4 address in IPv6's clothes is another text. */
	if (bytes == 16)
		made.address.bytes[0] = 0xfd;
	made.length = (uint8_t)below(bytes * 8 + 1);
	return made;
}

static int64_t number_or_none(unsigned below_this)
{
	return below(2) ? CNI_ABSENT : (int64_t)below(below_this);
}

static void add_interfaces(struct cni_result *result)
{
	for (unsigned n = below(4); n > 0; n--) {
		char *mac = below(2) ? xasprintf("02:00:00:00:%02x:%02x", below(256), below(256))
				     : NULL;
		char *sandbox = text_or_none("/run/netns/"), *name = xasprintf("eth%u", below(100));
		int at = cni_result_add_interface(result, name, mac, sandbox, below(2) * 1500);

		result->interfaces[at].socket_path = text_or_none("/run/socket");
		result->interfaces[at].pci_id = text_or_none("0000:00:1f.");
		free(mac);
		free(sandbox);
		free(name);
	}
}

static void add_routes(struct cni_result *result)
{
	for (unsigned n = below(4); n > 0; n--) {
		const struct ip_prefix to = prefix(), gateway = prefix();
		int at = cni_result_add_route(result, &to, below(2) ? &gateway.address : NULL);
		struct cni_route *route = &result->routes[at];

		route->mtu = number_or_none(65536);
		route->advmss = number_or_none(65536);
		route->priority = number_or_none(65536);
		route->table = number_or_none(65536);
		route->scope = number_or_none(256);
	}
}

static void add_texts(struct str_list *list, const char *what)
{
	for (unsigned n = below(3); n > 0; n--) {
		char *text = xasprintf("%s%u", what, below(1000));

		str_list_add(list, text);
		free(text);
	}
}

static void fill(struct cni_result *result)
{
	add_interfaces(result);
	for (unsigned n = below(5); n > 0; n--) {
		const struct ip_prefix address = prefix(), gateway = prefix();

		cni_result_add_ip(result, &address, below(2) ? &gateway.address : NULL,
				  result->interface_count && below(2)
					  ? (int)below((unsigned)result->interface_count)
					  : CNI_ABSENT);
	}
	add_routes(result);
	add_texts(&result->dns.nameservers, "10.0.0.");
	add_texts(&result->dns.search, "search");
	add_texts(&result->dns.options, "ndots:");
	result->dns.domain = text_or_none("domain");
}

static void read_again(const char *text, enum cni_version version, struct cni_result *ret)
{
	json_t *json = json_loads(text, 0, NULL);
	const struct json_at at = json_root(json);
	struct error err = ERROR_INIT;

	assert_non_null(json);
	if (cni_result_parse(&at, version, ret, &err) < 0)
		fail_msg("%s: %s", err.text, text);
	json_decref(json);
}

/* The shape that a version demands. */
static void expect_shape(const char *text, enum cni_version version)
{
	json_t *json = json_loads(text, 0, NULL);
	const json_t *item;
	size_t i;

	assert_string_equal(json_string_value(json_object_get(json, "cniVersion")),
			    cni_version_text(version));
	assert_true(json_is_object(json_object_get(json, "dns")));
	json_array_foreach (json_object_get(json, "ips"), i, item) {
		const char *address = json_string_value(json_object_get(item, "address"));
		const char *family = json_string_value(json_object_get(item, "version"));

		if (version < CNI_VERSION_1_0_0)
			assert_string_equal(family, strchr(address, ':') ? "6" : "4");
		else
			assert_null(family);
	}
	json_array_foreach (json_object_get(json, "interfaces"), i, item) {
		if (version == CNI_VERSION_1_1_0)
			continue;
		assert_null(json_object_get(item, "mtu"));
		assert_null(json_object_get(item, "socketPath"));
		assert_null(json_object_get(item, "pciID"));
	}
	json_array_foreach (json_object_get(json, "routes"), i, item)
		assert_true(version == CNI_VERSION_1_1_0 ||
			    json_object_size(item) == 1 + !!json_object_get(item, "gw"));
	json_decref(json);
}

static void expect_text(const char *read, const char *written)
{
	assert_int_equal(read == NULL, written == NULL);
	if (written)
		assert_string_equal(read, written);
}

/* In 1.1.0 everything can be said. */
static void expect_same(const struct cni_result *read, const struct cni_result *written)
{
	assert_int_equal(read->interface_count, written->interface_count);
	assert_int_equal(read->ip_count, written->ip_count);
	assert_int_equal(read->route_count, written->route_count);
	for (size_t i = 0; i < read->interface_count; i++) {
		expect_text(read->interfaces[i].name, written->interfaces[i].name);
		expect_text(read->interfaces[i].mac, written->interfaces[i].mac);
		expect_text(read->interfaces[i].sandbox, written->interfaces[i].sandbox);
		expect_text(read->interfaces[i].socket_path, written->interfaces[i].socket_path);
		expect_text(read->interfaces[i].pci_id, written->interfaces[i].pci_id);
		assert_int_equal(read->interfaces[i].mtu, written->interfaces[i].mtu);
	}
	for (size_t i = 0; i < read->ip_count; i++) {
		assert_true(ip_prefix_equal(&read->ips[i].address, &written->ips[i].address));
		assert_true(ip_equal(&read->ips[i].gateway, &written->ips[i].gateway));
		assert_int_equal(read->ips[i].interface, written->ips[i].interface);
	}
	for (size_t i = 0; i < read->route_count; i++) {
		const struct cni_route *a = &read->routes[i], *b = &written->routes[i];

		assert_true(ip_prefix_equal(&a->destination, &b->destination));
		assert_true(ip_equal(&a->gateway, &b->gateway));
		assert_true(a->mtu == b->mtu && a->advmss == b->advmss && a->scope == b->scope);
		assert_true(a->priority == b->priority && a->table == b->table);
	}
	expect_text(read->dns.domain, written->dns.domain);
	assert_int_equal(read->dns.nameservers.count, written->dns.nameservers.count);
	assert_int_equal(read->dns.search.count, written->dns.search.count);
	assert_int_equal(read->dns.options.count, written->dns.options.count);
}

/* Through `version` and back: whatever is said in `version` is the same before and after, and again
 * in any older one. */
static void round_trip(const struct cni_result *result, enum cni_version version)
{
	char *text = cni_result_dump(result, version);
	struct cni_result read = CNI_RESULT_INIT;

	expect_shape(text, version);
	read_again(text, CNI_VERSION_0_3_0, &read); /* its own cniVersion counts */
	if (version == CNI_VERSION_1_1_0)
		expect_same(&read, result);
	for (enum cni_version to = CNI_VERSION_0_3_0; to <= version; to++) {
		char *straight = cni_result_dump(result, to), *around = cni_result_dump(&read, to);

		assert_string_equal(around, straight);
		free(straight);
		free(around);
	}
	/* Up again: nothing was made up. */
	if (version < CNI_VERSION_1_1_0) {
		char *up = cni_result_dump(&read, CNI_VERSION_1_1_0), *down;
		struct cni_result again = CNI_RESULT_INIT;

		read_again(up, CNI_VERSION_1_1_0, &again);
		down = cni_result_dump(&again, version);
		assert_string_equal(down, text);
		free(up);
		free(down);
		cni_result_free(&again);
	}
	cni_result_free(&read);
	free(text);
}

static void results_come_through_every_version(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RESULTS; i++) {
		struct cni_result result = CNI_RESULT_INIT;

		seed = i;
		fill(&result);
		for (enum cni_version version = CNI_VERSION_0_3_0; version <= CNI_VERSION_LATEST;
		     version++)
			round_trip(&result, version);
		cni_result_free(&result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_come_through_every_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
