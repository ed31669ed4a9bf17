/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/architecture.h"

#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/str.h"

static const struct {
	const char *machine, *name;
} names[] = {
	{ "x86_64", "x86_64" }, { "i386", "i386" },  { "i586", "i386" },  { "i686", "i386" },
	{ "aarch64", "arm64" }, { "armv6l", "arm" }, { "armv7l", "arm" },
};

const char *ecs_architecture(const char *machine)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq(machine, names[i].machine))
			return names[i].name;
	return machine;
}

char *ecs_architecture_of_host(void)
{
	struct utsname host;

	return xstrdup(uname(&host) == 0 ? ecs_architecture(host.machine) : "unknown");
}
