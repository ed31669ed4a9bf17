/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_COMMAND_H
#define BERTH_CLI_COMMAND_H

/* Each takes its own arguments (argv[0] is its name) and returns the exit code of berth. */

#define EXIT_DONE   0
#define EXIT_FAILED 1
#define EXIT_USAGE  2

int command_ps(int argc, char **argv);
int command_why(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_doctor(int argc, char **argv);

#endif
