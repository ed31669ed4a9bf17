/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/portmap.h"

int main(int argc, char **argv)
{
	return cni_main(&portmap_plugin, argc, argv);
}
