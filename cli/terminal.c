/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"

size_t terminal_width(int fd)
{
	struct winsize size = { 0 };

	return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool terminal_colours(int fd)
{
	return isatty(fd) && str_is_empty(getenv("NO_COLOR")) && !str_eq(getenv("TERM"), "dumb");
}
