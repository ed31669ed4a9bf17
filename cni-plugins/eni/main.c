/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/eni.h"

int main(int argc, char **argv)
{
	return cni_main(&eni_plugin, argc, argv);
}
