/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/eni.h"

#include "cni-plugins/delegate.h"
#include "cni-plugins/host_end.h"

static int attach(const struct cni_request *request, void *data, struct cni_result *ret,
		  struct cni_error *err)
{
	struct eni_config *config = data;

	return config->driver == ENI_DRIVER_VETH ? eni_veth_add(request, config, ret, err)
						 : eni_move_add(request, config, ret, err);
}

static int eni_add(const struct cni_request *request, struct cni_result *ret, struct cni_error *err)
{
	struct eni_config config;

	if (eni_config_read(request, &config, err) < 0 || cni_take_dns(request, ret, err) < 0)
		return -1;
	if (!config.ipam_type)
		return attach(request, &config, ret, err);
	return task_config_lease(&config.task, request, config.ipam_type, attach, &config, ret,
				 err);
}

/* Everything is tried; the first failure is told. The delegate is called even when the namespace is
 * gone. */
static int eni_del(const struct cni_request *request, struct cni_error *err)
{
	struct eni_config config;
	int r;

	if (eni_config_read(request, &config, err) < 0)
		return -1;
	r = config.driver == ENI_DRIVER_VETH ? eni_veth_del(request, &config, err)
					     : eni_move_del(request, &config, err);
	return cni_with_ipam(request, config.ipam_type, "DEL", r, err);
}

static int eni_check(const struct cni_request *request, struct cni_error *err)
{
	struct eni_config config;

	if (eni_config_read(request, &config, err) < 0 || cni_need_previous(request, err) < 0)
		return -1;
	if (config.ipam_type) {
		if (cni_ipam_call(request, config.ipam_type, "CHECK", err) < 0 ||
		    task_config_take_previous(&config.task, request, err) < 0)
			return -1;
	}
	return config.driver == ENI_DRIVER_VETH ? eni_veth_check(request, &config, err)
						: eni_move_check(request, &config, err);
}

static int eni_gc(const struct cni_request *request, struct cni_error *err)
{
	struct eni_config config;
	int r = 0;

	if (eni_config_read(request, &config, err) < 0)
		return -1;
	/* A device that was moved belongs to the machine; it comes back by itself. */
	if (config.driver == ENI_DRIVER_VETH)
		r = host_end_collect(request, err);
	return cni_with_ipam(request, config.ipam_type, "GC", r, err);
}

static int eni_status(const struct cni_request *request, struct cni_error *err)
{
	struct eni_config config;

	if (eni_config_read(request, &config, err) < 0)
		return -1;
	return config.ipam_type ? cni_ipam_call(request, config.ipam_type, "STATUS", err) : 0;
}

static const char *const capabilities[] = { "awsvpc-network-mode", NULL };

const struct cni_plugin eni_plugin = {
	.name = "ecs-eni",
	.about = "gives a task's namespace its elastic network interface",
	.capabilities = capabilities,
	.wants_netns = true,
	.add = eni_add,
	.del = eni_del,
	.check = eni_check,
	.gc = eni_gc,
	.status = eni_status,
};
