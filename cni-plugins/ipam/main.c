/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/ipam.h"

int main(int argc, char **argv)
{
	return cni_main(&ipam_plugin, argc, argv);
}
