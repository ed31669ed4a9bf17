/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/strbuf.h"

struct place {
	struct loop *loop;
	struct process *process;
	struct process_result result; /* with copies of the texts */
	struct strbuf lines;
	struct error check;
	int ended;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_ok(loop_new(&place->loop, why));
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	loop_free(place->loop);
	strbuf_free(&place->lines);
	free((char *)place->result.out);
	free((char *)place->result.errors);
	free(place);
	/* nobody is left to be reaped */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return 0;
}

static void on_end(void *data, const struct process_result *result)
{
	struct place *place = data;

	place->ended++;
	place->result = *result;
	place->result.out = xmemdup(result->out, result->out_size + 1);
	place->result.errors = xmemdup(result->errors, result->errors_size + 1);
	process_result_check(result, "try it", &place->check);
}

static void run(struct place *place, const struct process_spec *spec)
{
	assert_ok(process_run(place->loop, spec, on_end, place, &place->process, why));
	loop_run(place->loop);
}

#define SH(script)                                                                                 \
	.argv = (const char *const[])                                                              \
	{                                                                                          \
		"/bin/sh", "-c", script, NULL                                                      \
	}

static void output_and_exit_code_are_told(void **state)
{
	struct place *place = *state;

	run(place, &(struct process_spec){ SH("printf out; printf 'a\\nwhy not\\n' >&2; exit 7") });
	assert_int_equal(place->ended, 1);
	assert_int_equal(place->result.exit_code, 7);
	assert_int_equal(place->result.signal, 0);
	assert_string_equal(place->result.out, "out");
	assert_string_equal(place->result.errors, "a\nwhy not\n");
	assert_int_equal(place->check.code, EIO);
	assert_string_equal(place->check.text, "try it: exit status 7: why not");
}

static void success_is_no_error(void **state)
{
	struct place *place = *state;

	run(place, &(struct process_spec){ .argv = (const char *const[]){ "true", NULL } });
	assert_int_equal(place->result.exit_code, 0);
	assert_int_equal(place->check.code, 0);
}

static void a_signal_is_told(void **state)
{
	struct place *place = *state;

	run(place, &(struct process_spec){ SH("kill -TERM $$") });
	assert_int_equal(place->result.exit_code, -1);
	assert_int_equal(place->result.signal, SIGTERM);
	assert_string_equal(place->check.text, "try it: ended by signal 15 (Terminated)");
}

static void input_is_given_whole(void **state)
{
	struct place *place = *state;
	size_t size = 300 * 1000;
	char *input = xmalloc(size);

	memset(input, 'i', size);
	run(place, &(struct process_spec){
			   .argv = (const char *const[]){ "cat", "/dev/stdin", NULL },
			   .stdin_data = input,
			   .stdin_size = size,
			   .output_limit = size,
		   });
	assert_int_equal(place->result.out_size, size);
	assert_false(place->result.out_cut);
	assert_memory_equal(place->result.out, input, size);
	free(input);
}

static void a_child_that_does_not_read_its_input_still_ends(void **state)
{
	struct place *place = *state;
	char *input = xcalloc(1, 1 << 20);

	run(place, &(struct process_spec){
			   .argv = (const char *const[]){ "true", NULL },
			   .stdin_data = input,
			   .stdin_size = 1 << 20,
		   });
	assert_int_equal(place->result.exit_code, 0);
	free(input);
}

static void without_input_there_is_an_end_of_file(void **state)
{
	struct place *place = *state;

	run(place, &(struct process_spec){ .argv = (const char *const[]){ "cat", NULL } });
	assert_int_equal(place->result.exit_code, 0);
	assert_int_equal(place->result.out_size, 0);
}

static void output_is_bounded_but_read_to_its_end(void **state)
{
	struct place *place = *state;

	run(place, &(struct process_spec){ SH("head -c 1000000 /dev/zero; echo end >&2"),
					   .output_limit = 1000 });
	assert_int_equal(place->result.exit_code, 0);
	assert_int_equal(place->result.out_size, 1000);
	assert_true(place->result.out_cut);
	assert_false(place->result.errors_cut);
	assert_string_equal(place->result.errors, "end\n");
}

/* Soon; a zombie that its new parent has not reaped yet is gone too. */
static bool is_gone(int pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/stat", pid);

	for (int i = 0; i < 6000; i++) {
		_cleanup_free_ char *stat = NULL;

		if (file_read(AT_FDCWD, path, 4096, &stat, NULL, NULL) < 0 || strstr(stat, ") Z "))
			return true;
		usleep(10000);
	}
	return false;
}

static void the_deadline_kills_the_group_and_reaps(void **state)
{
	struct place *place = *state;

	/* A busy machine may not come to the words in time. */
	for (int64_t timeout_ms = 300; timeout_ms < 60000; timeout_ms *= 4) {
		run(place,
		    &(struct process_spec){ SH("sleep 100 & echo $!; echo slow >&2; sleep 100"),
					    .timeout_ms = timeout_ms });
		assert_true(place->result.timed_out);
		assert_int_equal(place->result.signal, SIGKILL);
		assert_true(place->result.duration_ms < 90 * 1000);
		if (place->result.errors_size > 0)
			break;
	}
	assert_contains(place->check.text, "its time was over: slow");
	assert_int_equal(place->check.code, ETIMEDOUT);
	assert_true(is_gone(atoi(place->result.out)));
}

/* A daemon that a child leaves behind keeps its output open: that must not hold the answer. */
static void output_that_a_grandchild_holds_open_is_not_waited_for(void **state)
{
	struct place *place = *state;

	run(place, &(struct process_spec){ SH("setsid sleep 90 & echo $!"), .timeout_ms = 100000 });
	assert_int_equal(place->result.exit_code, 0);
	assert_true(place->result.duration_ms < 60000);
	assert_false(place->result.timed_out);
	assert_true(atoi(place->result.out) > 0);
	kill((pid_t)atoi(place->result.out), SIGKILL);
}

static void nothing_is_inherited(void **state)
{
	struct place *place = *state;
	int leak = open("/dev/null", O_RDONLY);

	assert_int_equal(setenv("SECRET", "x", 1), 0);
	run(place, &(struct process_spec){
			   .argv = (const char *const[]){ "/usr/bin/env", NULL },
			   .env = (const char *const[]){ "A=1", "B=2", NULL },
		   });
	assert_string_equal(place->result.out, "A=1\nB=2\n");
	close(leak);
}

static void descriptors_are_handed_by_number(void **state)
{
	struct place *place = *state;
	char template[] = "/tmp/berth-unit-fd-XXXXXX";
	int one = mkostemp(template, O_CLOEXEC);
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct process_fd fds[] = { { .from = one, .to = 4 }, { .from = other, .to = 3 } };

	assert_true(one >= 0);
	unlink(template);
	run(place, &(struct process_spec){ SH("echo four >&4; cat <&3; ls /proc/self/fd | wc -l"),
					   .fds = fds, .fd_count = 2 });
	assert_int_equal(place->result.exit_code, 0);
	assert_int_equal(lseek(one, 0, SEEK_END), 5);
	/* 0 1 2 3 4, and the directory that ls reads */
	assert_int_equal(atoi(place->result.out), 6);
	close(one);
	close(other);
}

static void lines_are_given_as_they_come(void *data, bool is_stderr, const char *line)
{
	struct place *place = data;

	strbuf_appendf(&place->lines, "%s%s;", is_stderr ? "E:" : "", line);
}

static void whole_lines_are_reported(void **state)
{
	struct place *place = *state;

	run(place, &(struct process_spec){ SH("printf '10%%\\r20%%\\r\\n\\ndone'"),
					   .on_line = lines_are_given_as_they_come });
	assert_string_equal(place->lines.data, "10%;20%;done;");
	strbuf_reset(&place->lines);
	free((char *)place->result.out);
	free((char *)place->result.errors);
	run(place, &(struct process_spec){ SH("echo bad >&2; head -c 9000 /dev/zero | tr '\\0' x"),
					   .on_line = lines_are_given_as_they_come });
	assert_int_equal(place->lines.length, strlen("E:bad;") + 4096 + 1);
}

static void cancel_on_line(void *data, bool is_stderr, const char *line)
{
	struct place *place = data;

	strbuf_append(&place->lines, line);
	process_cancel(place->process);
}

static void a_cancelled_process_is_killed_and_never_reported(void **state)
{
	struct place *place = *state;

	assert_ok(process_run(place->loop, &(struct process_spec){ SH("sleep 100") }, on_end, place,
			      &place->process, why));
	process_cancel(place->process);
	loop_run(place->loop);
	run(place, &(struct process_spec){ SH("echo one; echo two; sleep 100"),
					   .on_line = cancel_on_line });
	assert_int_equal(place->ended, 0);
	assert_string_equal(place->lines.data, "one");
}

static void freeing_the_loop_kills_what_runs(void **state)
{
	struct place *place = *state;

	assert_ok(process_run(place->loop, &(struct process_spec){ SH("sleep 100") }, on_end, place,
			      &place->process, why));
	loop_free(place->loop);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(place->ended, 0);
	assert_ok(loop_new(&place->loop, why));
}

static void what_cannot_be_executed_is_told_at_once(void **state)
{
	const struct {
		const char *const *argv;
		const char *cwd;
		int code;
		const char *says;
	} cases[] = {
		{ (const char *const[]){ "/no/such/program", NULL }, NULL, ENOENT,
		  "execute /no/such/program: No such file" },
		{ (const char *const[]){ "no-such-name-in-path", NULL }, NULL, ENOENT, "execute" },
		{ (const char *const[]){ "/etc/passwd", NULL }, NULL, EACCES, "Permission denied" },
		{ (const char *const[]){ "true", NULL }, "/no/such/place", ENOENT, "execute true" },
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process_spec spec = { .argv = cases[i].argv, .cwd = cases[i].cwd };
		struct error err = ERROR_INIT;

		assert_int_equal(process_run(place->loop, &spec, on_end, place, NULL, &err),
				 -cases[i].code);
		assert_contains(err.text, cases[i].says);
	}
	loop_run(place->loop);
	assert_int_equal(place->ended, 0);
}

static void session_directory_and_signal(void **state)
{
	struct place *place = *state;

	assert_ok(process_run(place->loop,
			      &(struct process_spec){ SH("pwd; trap '' HUP; kill -HUP $$; "
							 "cut -d' ' -f6 /proc/$$/stat; echo $$"),
						      .cwd = "/usr", .new_session = true },
			      on_end, place, &place->process, why));
	assert_true(process_pid(place->process) > 1);
	loop_run(place->loop);
	assert_int_equal(strncmp(place->result.out, "/usr\n", 5), 0);
	assert_int_equal(atoi(place->result.out + 5), atoi(strchr(place->result.out + 5, '\n')));

	free((char *)place->result.out);
	free((char *)place->result.errors);
	assert_ok(process_run(place->loop, &(struct process_spec){ SH("sleep 100") }, on_end, place,
			      &place->process, why));
	process_signal(place->process, SIGTERM);
	loop_run(place->loop);
	assert_int_equal(place->result.signal, SIGTERM);
}

static void output_can_be_thrown_away(void **state)
{
	struct place *place = *state;

	run(place, &(struct process_spec){ SH("echo x; echo y >&2"), .discard_output = true });
	assert_int_equal(place->result.exit_code, 0);
	assert_int_equal(place->result.out_size + place->result.errors_size, 0);
}

int main(void)
{
#define on_a_loop(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		on_a_loop(output_and_exit_code_are_told),
		on_a_loop(success_is_no_error),
		on_a_loop(a_signal_is_told),
		on_a_loop(input_is_given_whole),
		on_a_loop(a_child_that_does_not_read_its_input_still_ends),
		on_a_loop(without_input_there_is_an_end_of_file),
		on_a_loop(output_is_bounded_but_read_to_its_end),
		on_a_loop(the_deadline_kills_the_group_and_reaps),
		on_a_loop(output_that_a_grandchild_holds_open_is_not_waited_for),
		on_a_loop(nothing_is_inherited),
		on_a_loop(descriptors_are_handed_by_number),
		on_a_loop(whole_lines_are_reported),
		on_a_loop(a_cancelled_process_is_killed_and_never_reported),
		on_a_loop(freeing_the_loop_kills_what_runs),
		on_a_loop(what_cannot_be_executed_is_told_at_once),
		on_a_loop(session_directory_and_signal),
		on_a_loop(output_can_be_thrown_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
