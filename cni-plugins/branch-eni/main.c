/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/branch.h"

int main(int argc, char **argv)
{
	return cni_main(&branch_plugin, argc, argv);
}
