/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that is built again for each commit. */
#include "base/version.h"

const char *berth_version(void)
{
	return BERTH_VERSION;
}

const char *berth_commit(void)
{
	return BERTH_COMMIT;
}
