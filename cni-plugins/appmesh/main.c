/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/appmesh.h"

int main(int argc, char **argv)
{
	return cni_main(&appmesh_plugin, argc, argv);
}
