/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_TERMINAL_H
#define BERTH_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Columns of the terminal behind fd; 0: none, or it does not say. */
size_t terminal_width(int fd);
/* Whether colours are welcome: a terminal that is not "dumb", and no NO_COLOR. */
bool terminal_colours(int fd);

#endif
