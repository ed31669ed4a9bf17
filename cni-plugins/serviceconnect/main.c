/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/serviceconnect.h"

int main(int argc, char **argv)
{
	return cni_main(&serviceconnect_plugin, argc, argv);
}
