/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/number.h"
#include "base/str.h"
#include "simulation.h"

#define EVENTS_AT_ONCE 100000
#define HISTORY_LINES  60 /* are shown of a history that failed */

struct sim *sim_world;

/* ---- one history ---- */

/* Ended by itself: told to, or because it could not go on. Its supervisor starts it again. */
static void agent_ended(struct sim *sim)
{
	int exit_code = sim->agent->exit_code;

	if (exit_code == ECS_EXIT_TERMINAL)
		sim_fail(sim, "the agent has given up");
	sim->stopped = false;
	agent_die(sim);
}

static void happen(struct sim *sim, struct sim_event *event)
{
	bool for_agent = event->generation != 0;

	if (for_agent && event->generation != sim->generation)
		return;
	event->happen(sim, event);
	/* A turn of the loop may hold several events. */
	if (sim->loop && (sim_next_ms(sim) > sim->now_ms || sim_chance(sim, 70)))
		sim_loop_turn(sim);
	if (sim->dead) {
		agent_die(sim);
		faults_after_death(sim);
	} else if (sim->stopped && sim->agent) {
		agent_ended(sim);
	}
	if (for_agent)
		check_step(sim);
}

void sim_finish(struct sim *sim)
{
	struct sim_event event;

	sim->calm = true;
	sim->dead = true;
	if (sim->agent)
		agent_free(sim->agent);
	sim->agent = NULL;
	sockets_free(sim);
	while (sim_next(sim, &event))
		sim_event_clear(&event);
	disk_free(sim);
	tasks_free(sim);
	free(sim->events);
}

static bool run(struct sim *sim)
{
	struct sim_event event;

	sim_world = sim;
	sim->random = sim->seed * UINT64_C(0x2545F4914F6CDD1D) + 1;
	sim->disk_random = sim->seed;
	sim->end_ms = STORM_MS + (sim_chance(sim, 40) ? QUIET_MS : 0);
	sim->cpu_units = HOST_CPU_UNITS;
	sim->memory_mib = HOST_MEMORY_MIB;
	tasks_invent(sim);
	faults_invent(sim);
	if (sim->end_ms > STORM_MS)
		sim_schedule(sim, sim->end_ms - 1, check_quiet);
	sim_schedule(sim, 0, agent_start_event);
	sim_schedule(sim, sim_between(sim, 0, 2000), control_deliver);
	while (!sim->failed && sim_next(sim, &event)) {
		if (event.time_ms > sim->end_ms + SETTLED_MS) {
			sim_event_clear(&event);
			break;
		}
		if (event.time_ms > sim->now_ms)
			sim->events_now = 0;
		sim->now_ms = event.time_ms;
		if (++sim->events_now > EVENTS_AT_ONCE)
			sim_fail(sim, "time does not go on");
		happen(sim, &event);
		sim_event_clear(&event);
		if (sim->calm && sim->now_ms > sim->end_ms + 2000 && check_is_settled(sim))
			break;
	}
	if (!sim->failed)
		check_end(sim);
	sim_finish(sim);
	return !sim->failed;
}

/* ---- many of them ---- */

struct totals {
	int64_t histories, failures;
	uint64_t steps, reports, payloads, deaths;
};

struct options {
	int64_t seeds, first, minutes, jobs, failures;
	bool trace, memory;
};

static int64_t real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The last of what happened, as it happens again, and how to see all of it. */
static void tell_history(uint64_t seed)
{
	struct sim sim = { .seed = seed };
	char *text = NULL;
	size_t size = 0, from;

	sim.trace = open_memstream(&text, &size);
	if (sim.trace) {
		run(&sim);
		fclose(sim.trace);
		from = size;
		for (int lines = 0; from > 0; from--)
			if (text[from - 1] == '\n' && lines++ == HISTORY_LINES)
				break;
		fprintf(stderr, "%s%s", from > 0 ? "     ...\n" : "", text + from);
		free(text);
	}
	fprintf(stderr, "replay: berth-simulation --seed %llu --seeds 1 --trace\n",
		(unsigned long long)seed);
}

/* Every `jobs`th seed, from the `job`th on. */
static struct totals run_some(const struct options *options, int64_t job, int64_t end_ms)
{
	struct totals totals = { 0 };

	for (int64_t i = job; i < options->seeds && totals.failures < options->failures;
	     i += options->jobs) {
		struct sim sim = { .seed = (uint64_t)(options->first + i),
				   .trace = options->trace ? stdout : NULL };

		if (end_ms > 0 && real_ms() >= end_ms)
			break;
		if (!run(&sim)) {
			totals.failures++;
			tell_history(sim.seed);
		}
		totals.histories++;
		totals.steps += sim.steps;
		totals.reports += sim.reports;
		totals.payloads += sim.payloads;
		totals.deaths += sim.generations > 0 ? sim.generations - 1 : 0;
	}
	return totals;
}

static void add(struct totals *sum, const struct totals *totals)
{
	sum->histories += totals->histories;
	sum->failures += totals->failures;
	sum->steps += totals->steps;
	sum->reports += totals->reports;
	sum->payloads += totals->payloads;
	sum->deaths += totals->deaths;
}

/* A process for each job: a history has no threads, and they share nothing. */
static int run_all(const struct options *options, int64_t end_ms, struct totals *ret)
{
	int pipes[2];
	int failed = 0;

	if (options->jobs == 1) {
		*ret = run_some(options, 0, end_ms);
		return 0;
	}
	if (pipe(pipes) < 0) {
		perror("pipe");
		return -1;
	}
	for (int64_t job = 0; job < options->jobs; job++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return -1;
		}
		if (pid == 0) {
			struct totals totals = run_some(options, job, end_ms);

			_exit(write(pipes[1], &totals, sizeof(totals)) == sizeof(totals) ? 0 : 1);
		}
	}
	close(pipes[1]);
	for (struct totals totals; read(pipes[0], &totals, sizeof(totals)) == sizeof(totals);)
		add(ret, &totals);
	close(pipes[0]);
	for (int status; wait(&status) > 0;)
		failed |= status;
	return failed ? -1 : 0;
}

static int usage(FILE *out)
{
	fprintf(out, "usage: berth-simulation [--seeds COUNT] [--seed FIRST] [--minutes M] [--jobs "
		     "N] [--failures F] [--trace]\n"
		     "       berth-simulation --memory\n"
		     "\n"
		     "Runs COUNT (1000) seeded histories beginning with seed FIRST (1), or as many "
		     "as M minutes hold,\n"
		     "in N processes (one for each CPU), each of which gives up at the Fth (5) "
		     "failure.\n"
		     "--trace prints each history. --memory prints what the agent takes for each "
		     "task.\n");
	return out == stdout ? 0 : 2;
}

static int read_options(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		int64_t *number = str_eq(argv[i], "--seeds")      ? &options->seeds
				  : str_eq(argv[i], "--seed")     ? &options->first
				  : str_eq(argv[i], "--minutes")  ? &options->minutes
				  : str_eq(argv[i], "--jobs")     ? &options->jobs
				  : str_eq(argv[i], "--failures") ? &options->failures
								  : NULL;

		if (str_eq(argv[i], "--help"))
			return usage(stdout) + 1;
		if (str_eq(argv[i], "--trace"))
			options->trace = true;
		else if (str_eq(argv[i], "--memory"))
			options->memory = true;
		else if (!number || i + 1 >= argc ||
			 number_parse_i64(argv[++i], 0, INT64_MAX / 2, number, NULL) < 0)
			return usage(stderr);
	}
	if (options->trace || options->jobs < 1)
		options->jobs = 1;
	if (options->minutes > 0 && options->seeds == 1000)
		options->seeds = INT64_MAX / 2;
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {
		.seeds = 1000, .failures = 5, .first = 1, .jobs = sysconf(_SC_NPROCESSORS_ONLN)
	};
	struct log_config log = { .level = LOG_NONE, .file_level = LOG_NONE, .console_fd = -1 };
	int64_t begin_ms = real_ms(), took_ms;
	struct totals totals = { 0 };
	struct error err = ERROR_INIT;
	int r = read_options(argc, argv, &options);

	if (r != 0)
		return r == 1 ? 0 : r;
	if (options.trace) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		log.level = LOG_INFO;
		log.console_fd = 1;
	}
	if (log_open(&log, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	disk_install();
	if (options.memory)
		return memory_measure();
	if (run_all(&options, options.minutes > 0 ? begin_ms + options.minutes * 60000 : 0,
		    &totals) < 0)
		return 1;
	took_ms = real_ms() - begin_ms;
	printf("%lld histories, %llu steps, %llu payloads, %llu reports, %llu deaths of the agent, "
	       "%lld failures; "
	       "%lld ms, %lld histories/s\n",
	       (long long)totals.histories, (unsigned long long)totals.steps,
	       (unsigned long long)totals.payloads, (unsigned long long)totals.reports,
	       (unsigned long long)totals.deaths, (long long)totals.failures, (long long)took_ms,
	       (long long)(totals.histories * 1000 / (took_ms ? took_ms : 1)));
	return totals.failures ? 1 : 0;
}
