/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/task_tunnel.h"

int main(int argc, char **argv)
{
	return cni_main(&task_tunnel_plugin, argc, argv);
}
