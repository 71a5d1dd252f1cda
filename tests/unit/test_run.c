/*
 * test_run.c -- the git command line, alone, in numbers, hanging and killed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include "repo/run.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#define ARGV(...) (const char *const[]){ __VA_ARGS__, NULL }

static int64_t ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void release(struct run *r)
{
	bytes_release(&r->out);
	bytes_release(&r->err);
}

static void output_errors_and_status_come_back(void **state)
{
	struct run r = { .argv = ARGV("sh", "-c", "cat; echo bad >&2; exit 7"), .in = "mail", .inlen = 4, .cwd = "/" };
	struct err err;

	(void)state;
	assert_int_equal(run_all(&r, 1, &err), 0);
	assert_int_equal(r.status, 7);
	assert_string_equal(r.out.buf, "mail");
	assert_string_equal(r.err.buf, "bad\n");
	release(&r);
}

static void large_input_that_is_echoed_does_not_deadlock(void **state)
{
	size_t len = 3 << 20;
	char *in = malloc(len);
	struct run r = { .argv = ARGV("cat"), .in = in, .inlen = len };
	struct run deaf = { .argv = ARGV("true"), .in = in, .inlen = len };
	struct err err;

	(void)state;
	memset(in, 'x', len);
	assert_int_equal(run_all(&r, 1, &err), 0);
	assert_int_equal(r.out.len, len);
	assert_memory_equal(r.out.buf, in, len);
	assert_int_equal(run_all(&deaf, 1, &err), 0);
	assert_int_equal(deaf.status, 0);
	release(&r);
	release(&deaf);
	free(in);
}

static void one_that_hangs_delays_no_other_and_dies_with_its_children(void **state)
{
	char cmd[PATH_MAX + 100];
	struct run r[3];
	struct err err;
	int64_t t = ms();
	char why[100];

	(void)state;
	snprintf(cmd, sizeof(cmd), "sleep 60 & echo $! > '%s/pid'; wait", box);
	r[0] = (struct run){ .argv = ARGV("sh", "-c", cmd), .timeout = 1 };
	r[1] = (struct run){ .argv = ARGV("echo", "quick"), .timeout = 1 };
	r[2] = (struct run){ .argv = ARGV("/no/such/program") };
	assert_int_equal(run_all(r, 3, &err), 0);
	assert_in_range(ms() - t, 900, 5000);
	assert_int_equal(r[0].status, -2);
	assert_string_equal(run_reason(why, sizeof(why), &r[0]), "no answer for 1 s");
	assert_int_equal(r[1].status, 0);
	assert_string_equal(r[1].out.buf, "quick\n");
	assert_int_equal(r[2].status, -1);
	assert_non_null(strstr(r[2].err.buf, "/no/such/program"));
	/* Adopted by a pid 1 that may not reap: a zombie is as good as gone. */
	assert_string_equal(box_out("sleep 0.1; p=$(cat pid); [ -d /proc/$p ] && sed -n 's/^State:.\\([A-Z]\\).*/\\1/p' /proc/$p/status | grep -v Z"), "");
	for (int i = 0; i < 3; i++)
		release(&r[i]);
}

static void progress_keeps_a_slow_peer_alive(void **state)
{
	struct run r = { .argv = ARGV("sh", "-c", "for i in 1 2 3 4; do sleep 0.5; echo $i >&2; done"), .timeout = 1 };
	struct err err;

	(void)state;
	assert_int_equal(run_all(&r, 1, &err), 0);
	assert_int_equal(r.status, 0);
	release(&r);
}

static void a_helper_that_deaf_to_term_is_killed(void **state)
{
	struct run r = { .argv = ARGV("sh", "-c", "trap '' TERM; while :; do sleep 0.2; done"), .timeout = 1 };
	struct err err;
	int64_t t = ms();

	(void)state;
	assert_int_equal(run_all(&r, 1, &err), 0);
	assert_int_equal(r.status, -2);
	assert_in_range(ms() - t, 2500, 6000);
	release(&r);
}

static void a_background_process_that_keeps_the_pipe_is_not_waited_for(void **state)
{
	struct run r = { .argv = ARGV("sh", "-c", "sleep 20 & echo $!") };
	struct err err;
	int64_t t = ms();

	(void)state;
	assert_int_equal(run_all(&r, 1, &err), 0);
	assert_int_equal(r.status, 0);
	assert_true(ms() - t < 3000);
	box_sh("kill %d", atoi(r.out.buf));
	release(&r);
}

static void only_the_end_of_endless_errors_is_kept(void **state)
{
	struct run r = { .argv = ARGV("sh", "-c", "yes remote: | head -c 3000000 >&2; echo the reason >&2; exit 1") };
	struct err err;
	char why[100];

	(void)state;
	assert_int_equal(run_all(&r, 1, &err), 0);
	assert_true(r.err.len < 300000);
	assert_string_equal(run_reason(why, sizeof(why), &r), "the reason");
	release(&r);
}

static void nothing_to_start_is_an_error(void **state)
{
	struct run r = { .argv = ARGV("/no/such/program") };
	struct err err;

	(void)state;
	assert_int_equal(run_all(&r, 1, &err), ERR_FAIL);
	assert_string_equal(err.msg, "cannot run '/no/such/program': No such file or directory");
	release(&r);
	assert_int_equal(run_all(NULL, 0, &err), 0);
}

static void hook_variables_do_not_reach_a_clean_child(void **state)
{
	struct run r = { .argv = ARGV("sh", "-c", "echo \"$GIT_DIR,$GIT_QUARANTINE_PATH,$FOO,$GIT_SSH_COMMAND\""), .env = ARGV("FOO=bar"), .clean_env = true };
	struct run same = { .argv = r.argv, .env = ARGV("FOO=baz") };
	struct err err;

	(void)state;
	setenv("GIT_DIR", ".", 1);
	setenv("GIT_QUARANTINE_PATH", "/q", 1);
	setenv("GIT_SSH_COMMAND", "myssh", 1);
	setenv("FOO", "old", 1);
	assert_int_equal(run_all(&r, 1, &err), 0);
	assert_string_equal(r.out.buf, ",,bar,myssh\n");
	assert_int_equal(run_all(&same, 1, &err), 0);
	assert_string_equal(same.out.buf, ".,/q,baz,myssh\n");
	unsetenv("GIT_DIR");
	unsetenv("GIT_QUARANTINE_PATH");
	unsetenv("GIT_SSH_COMMAND");
	release(&r);
	release(&same);
}

static void it_works_with_the_standard_streams_closed(void **state)
{
	struct run r = { .argv = ARGV("sh", "-c", "cat; echo e >&2"), .in = "in", .inlen = 2 };
	struct err err;
	int keep[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		keep[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		close(i);
	}
	assert_int_equal(run_all(&r, 1, &err), 0);
	for (int i = 0; i < 3; i++) {
		dup2(keep[i], i);
		close(keep[i]);
	}
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out.buf, "in");
	assert_string_equal(r.err.buf, "e\n");
	release(&r);
}

static void reason_is(const char *text, int status, const char *want)
{
	struct run r = { .status = status };
	char why[80];

	bytes_addstr(&r.err, text);
	assert_string_equal(run_reason(why, sizeof(why), &r), want);
	release(&r);
}

static void the_reason_is_the_line_that_says_most(void **state)
{
	(void)state;
	reason_is("ssh: connect to host mx2 port 22: Connection refused\nfatal: Could not read from remote repository.\n\n"
		  "Please make sure you have the correct access rights\nand the repository exists.\n", 128, "Connection refused");
	reason_is("fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.\n", 128,
		  "'/x' does not appear to be a git repository");
	reason_is("remote: Counting objects: 100% (5/5), done.\rReceiving objects: 10% (1/10)\rfatal: bad object\n", 128, "bad object");
	reason_is("Receiving objects:  10% (1/10)\rfatal: early EOF\n", 128, "early EOF");
	reason_is("", 141, "killed by signal 13");
	reason_is("", 3, "exit status 3");
	reason_is("error: \x1b[31mred\x7f\n", 1, "?[31mred?");
	reason_is("fatal: \n\n", 1, "fatal:");
}

static void git_runs_in_our_repository_whatever_the_hook_says(void **state)
{
	struct bytes out = { 0 };
	struct err err;

	(void)state;
	must("git init -q --bare a.git; git init -q --bare b.git; git -C a.git config maildir.name a; git -C b.git config maildir.name b");
	setenv("GIT_DIR", box_path("b.git"), 1);
	assert_int_equal(run_git(box_path("a.git"), ARGV("git", "config", "maildir.name"), &out, &err), 0);
	assert_string_equal(out.buf, "a\n");
	assert_int_equal(run_git(box_path("a.git"), ARGV("git", "rev-parse", "--verify", "nothing"), &out, &err), ERR_FAIL);
	assert_string_equal(err.msg, "'git rev-parse' failed: Needed a single revision");
	unsetenv("GIT_DIR");
	assert_int_equal(run_check_git(&err), 0);
	bytes_release(&out);
}

static void an_old_or_missing_git_is_named(void **state)
{
	char *path = strdup(getenv("PATH"));
	char dir[PATH_MAX + 100];
	struct err err;

	(void)state;
	must("mkdir old empty; printf '#!/bin/sh\\necho git version 2.20.1\\n' > old/git; chmod +x old/git");
	snprintf(dir, sizeof(dir), "%s", box_path("empty"));
	setenv("PATH", dir, 1);
	assert_int_equal(run_check_git(&err), ERR_ENV);
	assert_non_null(strstr(err.msg, "git does not run"));
	snprintf(dir, sizeof(dir), "%s:%s", box_path("old"), path);
	setenv("PATH", dir, 1);
	assert_int_equal(run_check_git(&err), ERR_ENV);
	assert_string_equal(err.msg, "git 2.20 is too old: 2.30 or newer is needed");
	setenv("PATH", path, 1);
	free(path);
}

static void a_detached_command_outlives_us_and_holds_no_lock(void **state)
{
	int fd = open(box_path("lock"), O_RDWR | O_CREAT, 0600), other; /* without O_CLOEXEC, as a careless library would */
	int64_t t = ms();
	struct err err;

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(run_detached(ARGV("sh", "-c", "echo $$ > pid; ls -l /proc/self/fd > fds; sleep 5"), box, &err), 0);
	assert_true(ms() - t < 2000);
	close(fd);
	other = open(box_path("lock"), O_RDWR);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
	must("for i in 1 2 3 4 5 6 7 8 9 10; do [ -s pid ] && [ -s fds ] && break; sleep 0.1; done");
	assert_string_equal(box_out("grep -c /dev/null fds"), "2"); /* its standard output is the file */
	assert_string_equal(box_out("grep -c lock fds"), "0");
	must("kill $(cat pid)");
	assert_int_equal(run_detached(ARGV("/no/such/program"), NULL, &err), ERR_NOTFOUND);
	assert_string_equal(err.msg, "cannot start '/no/such/program': No such file or directory");
	assert_int_equal(run_detached(ARGV("true"), "/no/such/dir", &err), ERR_NOTFOUND);
}

static void a_detached_command_can_be_given_a_lock(void **state)
{
	int fd = open(box_path("lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600), other;
	struct err err;

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(run_detached_with(ARGV("sh", "-c", "echo given >&3; ls -l /proc/self/fd > fds; echo $$ > pid; exec sleep 5"), box, fd, &err), 0);
	close(fd);
	must("for i in 1 2 3 4 5 6 7 8 9 10; do [ -s pid ] && break; sleep 0.1; done");
	assert_string_equal(box_out("cat lock"), "given");
	assert_string_equal(box_out("grep -c lock fds"), "1");
	other = open(box_path("lock"), O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	must("kill $(cat pid)");
	assert_int_equal(flock(other, LOCK_EX), 0);
	close(other);
}

static void end(int sig)
{
	run_end(sig);
	_exit(3);
}

static void who_is_ended_takes_along_what_it_runs(void **state)
{
	struct run r = { .argv = ARGV("sh", "-c", "echo $$ >pid.new; mv pid.new pid; sleep 1000; :") };
	pid_t pid, shell = 0;
	struct err err;
	int ws;

	(void)state;
	unlink("pid");
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGTERM, end);
		run_all(&r, 1, &err);
		_exit(4);
	}
	for (int i = 0; i < 1000 && access("pid", F_OK) < 0; i++)
		usleep(10000);
	FILE *f = fopen("pid", "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &shell), 1);
	fclose(f);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &ws, 0), pid);
	assert_true(WIFEXITED(ws) && WEXITSTATUS(ws) == 3);
	for (int i = 0; i < 1000 && kill(-shell, 0) == 0; i++)
		usleep(10000);
	assert_int_equal(kill(-shell, 0), -1);
	unlink("pid");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(output_errors_and_status_come_back),
		T(who_is_ended_takes_along_what_it_runs),
		T(large_input_that_is_echoed_does_not_deadlock),
		T(one_that_hangs_delays_no_other_and_dies_with_its_children),
		T(progress_keeps_a_slow_peer_alive),
		T(a_helper_that_deaf_to_term_is_killed),
		T(a_background_process_that_keeps_the_pipe_is_not_waited_for),
		T(only_the_end_of_endless_errors_is_kept),
		T(nothing_to_start_is_an_error),
		T(hook_variables_do_not_reach_a_clean_child),
		T(it_works_with_the_standard_streams_closed),
		T(the_reason_is_the_line_that_says_most),
		T(git_runs_in_our_repository_whatever_the_hook_says),
		T(an_old_or_missing_git_is_named),
		T(a_detached_command_outlives_us_and_holds_no_lock),
		T(a_detached_command_can_be_given_a_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
