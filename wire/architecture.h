/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ARCHITECTURE_H
#define BERTH_WIRE_ARCHITECTURE_H

/*
 * The value of an instance's attribute ecs.cpu-architecture, as agents send it: "x86_64", "i386",
 * otherwise the name that Go has ("arm64"). `machine` is uname(2)'s name of it; one that has no
 * other name is returned as it is.
 */
const char *ecs_architecture(const char *machine);

/* Of the machine that this program runs on. The caller frees. */
char *ecs_architecture_of_host(void);

#endif
