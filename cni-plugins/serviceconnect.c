/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/serviceconnect.h"

#include "base/cleanup.h"
#include "cni-plugins/config.h"
#include "netns/namespace.h"
#include "netns/nft_batch.h"

struct work {
	const struct service_redirect *redirect; /* NULL on DEL: it cannot be read */
	const char *owner;
};

static int add_here(void *data, struct error *err)
{
	const struct work *work = data;

	return service_redirect_add(work->redirect, work->owner, err);
}

static int check_here(void *data, struct error *err)
{
	const struct work *work = data;

	return service_redirect_check(work->redirect, work->owner, err);
}

static int remove_here(void *data, struct error *err)
{
	const struct work *work = data;

	return service_redirect_remove(work->redirect, work->owner, err);
}

static int run_here(const struct cni_request *request, const struct service_redirect *redirect,
		    int (*here)(void *data, struct error *err), struct cni_error *err)
{
	_cleanup_free_ char *owner = cni_owner(request);
	struct work work = { .redirect = redirect, .owner = owner };
	struct error why;

	return netns_run(request->netns_fd, here, &work, &why) < 0
		       ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why)
		       : 0;
}

static int run_configured(const struct cni_request *request,
			  int (*here)(void *data, struct error *err), struct cni_error *err)
{
	struct serviceconnect_config config;
	int r = serviceconnect_config_read(request, &config, err);

	if (r == 0)
		r = run_here(request, &config.redirect, here, err);
	serviceconnect_config_free(&config);
	return r;
}

static int serviceconnect_add(const struct cni_request *request, struct cni_result *ret,
			      struct cni_error *err)
{
	(void)ret; /* It is the previous one, as it was. */
	return run_configured(request, add_here, err);
}

static int serviceconnect_check(const struct cni_request *request, struct cni_error *err)
{
	return run_configured(request, check_here, err);
}

static int serviceconnect_del(const struct cni_request *request, struct cni_error *err)
{
	struct serviceconnect_config config;
	bool leave = false;
	int r;

	/* The rules went with the namespace, or are about to. */
	(void)cni_config_leave_to_netns(&request->config, &leave, NULL);
	if (request->netns_fd < 0 || leave)
		return 0;
	r = serviceconnect_config_read(request, &config, NULL);
	r = run_here(request, r == 0 ? &config.redirect : NULL, remove_here, err);
	serviceconnect_config_free(&config);
	return r;
}

static int serviceconnect_status(const struct cni_request *request, struct cni_error *err)
{
	struct error why;

	(void)request;
	return nft_probe(&why) < 0 ? cni_fail_with(err, CNI_NOT_AVAILABLE, &why) : 0;
}

const struct cni_plugin serviceconnect_plugin = {
	.name = "ecs-serviceconnect",
	.about = "leads TCP of a container through the relay of Service Connect",
	.wants_netns = true,
	.add = serviceconnect_add,
	.del = serviceconnect_del,
	.check = serviceconnect_check,
	.status = serviceconnect_status,
};
