/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/appmesh.h"

#include "base/cleanup.h"
#include "cni-plugins/config.h"
#include "netns/namespace.h"
#include "netns/nft_batch.h"

struct work {
	const struct proxy_redirect *redirect;
	const char *owner;
};

static int add_here(void *data, struct error *err)
{
	const struct work *work = data;

	return proxy_redirect_add(work->redirect, work->owner, err);
}

static int check_here(void *data, struct error *err)
{
	const struct work *work = data;

	return proxy_redirect_check(work->redirect, work->owner, err);
}

static int remove_here(void *data, struct error *err)
{
	const struct work *work = data;

	return proxy_redirect_remove(work->owner, err);
}

static int run_configured(const struct cni_request *request,
			  int (*here)(void *data, struct error *err), struct cni_error *err)
{
	_cleanup_free_ char *owner = cni_owner(request);
	struct appmesh_config config;
	struct work work = { .redirect = &config.redirect, .owner = owner };
	struct error why;
	int r = appmesh_config_read(request, &config, err);

	if (r == 0 && netns_run(request->netns_fd, here, &work, &why) < 0)
		r = cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	appmesh_config_free(&config);
	return r;
}

static int appmesh_add(const struct cni_request *request, struct cni_result *ret,
		       struct cni_error *err)
{
	(void)ret; /* It is the previous one, as it was. */
	return run_configured(request, add_here, err);
}

static int appmesh_check(const struct cni_request *request, struct cni_error *err)
{
	return run_configured(request, check_here, err);
}

static int appmesh_del(const struct cni_request *request, struct cni_error *err)
{
	_cleanup_free_ char *owner = cni_owner(request);
	struct work work = { .owner = owner };
	bool leave = false;
	struct error why;

	/* The rules went with the namespace, or are about to. */
	(void)cni_config_leave_to_netns(&request->config, &leave, NULL);
	if (request->netns_fd < 0 || leave)
		return 0;
	return netns_run(request->netns_fd, remove_here, &work, &why) < 0
		       ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why)
		       : 0;
}

static int appmesh_status(const struct cni_request *request, struct cni_error *err)
{
	struct error why;

	(void)request;
	return nft_probe(&why) < 0 ? cni_fail_with(err, CNI_NOT_AVAILABLE, &why) : 0;
}

const struct cni_plugin appmesh_plugin = {
	.name = "aws-appmesh",
	.about = "leads TCP of a container through its proxy",
	.wants_netns = true,
	.add = appmesh_add,
	.del = appmesh_del,
	.check = appmesh_check,
	.status = appmesh_status,
};
