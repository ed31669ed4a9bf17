/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/ipam.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cni-plugins/ipam_config.h"
#include "cni-plugins/ipam_store.h"

#define LOCK_TIMEOUT_MS 5000

static int open_store(const struct cni_request *request, const struct ipam_config *config,
		      struct ipam_store **ret, struct cni_error *err)
{
	struct error why;
	int r = ipam_store_open(config->directory, request->network, LOCK_TIMEOUT_MS, ret, &why);

	if (r == -ETIMEDOUT)
		return cni_fail_with(err, CNI_TRY_AGAIN_LATER, &why);
	if (r < 0)
		return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	return 0;
}

static int take_family(struct ipam_store *store, const struct ipam_family *family,
		       const struct ipam_owner *owner, struct cni_result *result, struct error *err)
{
	struct ip_prefix address = family->subnet;
	char text[IP_TEXT_SIZE];
	int r;

	if (ipam_store_is_leased(store, &family->gateway))
		return error_say(err, EADDRINUSE, "ip of gateway has already been used: %s",
				 ip_format(&family->gateway, text));
	if (family->address.address.family) {
		/* The length of a given address is the one that came with it. */
		address = family->address;
		r = ipam_store_take(store, &address.address, owner, err);
	} else {
		r = ipam_store_allocate(store, &family->subnet, &family->gateway, owner,
					&address.address, err);
	}
	if (r < 0)
		return r;
	cni_result_add_ip(result, &address, &family->gateway, CNI_ABSENT);
	for (size_t i = 0; i < family->route_count; i++) {
		int index = cni_result_add_route(result, &family->routes[i].destination,
						 &family->routes[i].gateway);

		result->routes[index] = family->routes[i];
	}
	return 0;
}

static int take_all(const struct cni_request *request, const struct ipam_config *config,
		    struct ipam_store *store, struct cni_result *result, struct cni_error *err)
{
	const struct ipam_owner owner = {
		.id = config->id,
		.container_id = request->container_id,
		.ifname = request->ifname,
	};
	struct ip_address taken[2];
	size_t taken_count = 0;
	struct error why;

	for (size_t i = 0; i < 2; i++) {
		if (!config->families[i].present)
			continue;
		if (take_family(store, &config->families[i], &owner, result, &why) < 0) {
			/* Only what this call took: the owner may hold an older lease. */
			for (size_t j = 0; j < taken_count; j++)
				(void)ipam_store_release_address(store, &taken[j], NULL);
			return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
		}
		taken[taken_count++] = result->ips[result->ip_count - 1].address.address;
	}
	return 0;
}

static int ipam_add(const struct cni_request *request, struct cni_result *ret,
		    struct cni_error *err)
{
	struct ipam_config config;
	struct ipam_store *store = NULL;
	int r = ipam_config_read(request, true, &config, err);

	if (r == 0)
		r = cni_take_dns(request, ret, err);
	if (r == 0)
		r = open_store(request, &config, &store, err);
	if (r == 0)
		r = take_all(request, &config, store, ret, err);
	ipam_store_close(store);
	ipam_config_free(&config);
	return r;
}

static int ipam_del(const struct cni_request *request, struct cni_error *err)
{
	struct ipam_config config;
	struct ipam_store *store = NULL;
	struct error why;
	int r = ipam_config_read(request, false, &config, err);

	if (r == 0)
		r = open_store(request, &config, &store, err);
	/* That nothing was leased is what a DEL wants. */
	if (r == 0 && ipam_store_release(store, config.id, NULL, &why) < 0)
		r = cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	ipam_store_close(store);
	ipam_config_free(&config);
	return r;
}

/* The lease is the one that the ADD answered, where that is known. */
static int check_lease(const struct cni_request *request, const struct ip_address *address,
		       struct cni_error *err)
{
	const struct cni_result *previous = request->previous;
	char text[IP_TEXT_SIZE];

	for (size_t i = 0; previous && i < previous->ip_count; i++)
		if (ip_equal(&previous->ips[i].address.address, address))
			return 0;
	if (!previous || previous->ip_count == 0)
		return 0;
	return cni_fail(err, CNI_PLUGIN_FAILED,
			"the lease is of %s, which is not in prevResult: the address there is "
			"leased no more",
			ip_format(address, text));
}

static int ipam_check(const struct cni_request *request, struct cni_error *err)
{
	struct ipam_config config;
	struct ipam_store *store = NULL;
	int r = ipam_config_read(request, true, &config, err);

	if (r == 0)
		r = open_store(request, &config, &store, err);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		struct ip_address address;
		struct error why;

		if (!config.families[i].present)
			continue;
		r = ipam_store_find(store, config.id, i == 0 ? AF_INET : AF_INET6, &address, &why);
		r = r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why)
			  : check_lease(request, &address, err);
	}
	ipam_store_close(store);
	ipam_config_free(&config);
	return r;
}

static bool is_valid(void *data, const struct ipam_lease *lease)
{
	const struct cni_request *request = data;

	return cni_is_valid_attachment(request, lease->container_id, lease->ifname);
}

static int ipam_gc(const struct cni_request *request, struct cni_error *err)
{
	struct ipam_config config;
	struct ipam_store *store = NULL;
	struct error why;
	int r = ipam_config_read(request, false, &config, err);

	if (r == 0)
		r = open_store(request, &config, &store, err);
	if (r == 0 && ipam_store_collect(store, is_valid, (void *)request, NULL, &why) < 0)
		r = cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	ipam_store_close(store);
	ipam_config_free(&config);
	return r;
}

static int ipam_status(const struct cni_request *request, struct cni_error *err)
{
	struct ipam_config config;
	struct ipam_store *store = NULL;
	int r = ipam_config_read(request, true, &config, err);

	if (r == 0 && open_store(request, &config, &store, err) < 0) {
		if (err)
			err->code = CNI_NOT_AVAILABLE;
		r = -1;
	}
	for (size_t i = 0; r == 0 && i < 2; i++) {
		const struct ipam_family *family = &config.families[i];
		struct ip_address address;
		struct error why;

		if (family->present && !family->address.address.family &&
		    ipam_store_find_free(store, &family->subnet, &family->gateway, &address, &why) <
			    0)
			r = cni_fail_with(err, CNI_NOT_AVAILABLE, &why);
	}
	ipam_store_close(store);
	ipam_config_free(&config);
	return r;
}

static const char *const capabilities[] = { "awsvpc-network-mode", NULL };

const struct cni_plugin ipam_plugin = {
	.name = "ecs-ipam",
	.about = "leases the addresses of a subnet",
	.capabilities = capabilities,
	.wants_netns = false,
	.add = ipam_add,
	.del = ipam_del,
	.check = ipam_check,
	.gc = ipam_gc,
	.status = ipam_status,
};
