/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/license.h"

/* The file itself, so that there is one text of it; the assembler is told where it is. */
__asm__(".pushsection .rodata\n"
	".type license_begins, @object\n"
	"license_begins:\n"
	".incbin \"LICENSE\"\n"
	".byte 0\n"
	".size license_begins, . - license_begins\n"
	".popsection\n");

extern const char license_begins[];

const char *license_text(void)
{
	return license_begins;
}
