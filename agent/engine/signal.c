/* SPDX-License-Identifier: Apache-2.0 */
/* Stop signals as images and task definitions name them. */
#include <signal.h>
#include <stdlib.h>
#include <strings.h>

#include "agent/engine/internal.h"
#include "base/number.h"
#include "base/str.h"

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "BUS", SIGBUS },       { "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },  { "CONT", SIGCONT }, { "FPE", SIGFPE },       { "HUP", SIGHUP },
	{ "ILL", SIGILL },   { "INT", SIGINT },   { "IO", SIGIO },         { "IOT", SIGABRT },
	{ "KILL", SIGKILL }, { "PIPE", SIGPIPE }, { "POLL", SIGIO },       { "PROF", SIGPROF },
	{ "PWR", SIGPWR },   { "QUIT", SIGQUIT }, { "SEGV", SIGSEGV },     { "STKFLT", SIGSTKFLT },
	{ "STOP", SIGSTOP }, { "SYS", SIGSYS },   { "TERM", SIGTERM },     { "TRAP", SIGTRAP },
	{ "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU },     { "URG", SIGURG },
	{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "VTALRM", SIGVTALRM }, { "WINCH", SIGWINCH },
	{ "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
};

/* "RTMIN+n" and "RTMAX-n": the kernel's numbers, 34 and 64, as container images mean them. */
static int real_time(const char *text)
{
	int64_t offset = 0;
	bool max = str_starts_with_nocase(text, "RTMAX");

	if (!max && !str_starts_with_nocase(text, "RTMIN"))
		return 0;
	text += 5;
	if (*text &&
	    (*text != (max ? '-' : '+') || number_parse_i64(text + 1, 0, 30, &offset, NULL) < 0))
		return 0;
	return max ? 64 - (int)offset : 34 + (int)offset;
}

int signal_parse(const char *text)
{
	int64_t number;

	if (str_is_empty(text))
		return 0;
	if (number_parse_i64(text, 1, 64, &number, NULL) == 0)
		return (int)number;
	if (str_starts_with_nocase(text, "SIG"))
		text += 3;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (str_eq_nocase(text, signals[i].name))
			return signals[i].number;
	return real_time(text);
}
