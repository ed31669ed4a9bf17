/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/bridge.h"

int main(int argc, char **argv)
{
	return cni_main(&bridge_plugin, argc, argv);
}
