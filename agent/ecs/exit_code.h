/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_EXIT_CODE_H
#define BERTH_AGENT_ECS_EXIT_CODE_H

/* Exit codes of the agent: what its supervisor does next. */
enum ecs_exit {
	ECS_EXIT_OK = 0,       /* stop, and stay stopped */
	ECS_EXIT_ERROR = 1,    /* start again, with back-off */
	ECS_EXIT_TERMINAL = 5, /* stay stopped: starting again cannot help */
	ECS_EXIT_UPDATE = 42
};

#endif
