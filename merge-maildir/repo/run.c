/*
 * run.c -- runs the git command line, alone or several at a time, with time limits.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "reason.h"

#define GIT_MIN_MAJOR 2
#define GIT_MIN_MINOR 30

/*
 * How often a child whose pipes stay open is asked whether it has ended: a process that it left behind (ssh's
 * ControlPersist) may hold them for hours.
 */
#define TICK_MS 100
/* What a child gets between SIGTERM, on which git removes its lock files, and SIGKILL. */
#define GRACE_MS 2000
#define ERR_KEEP (128 * 1024)

/*
 * What git sets for its hooks, or takes as the repository to work on: "git rev-parse --local-env-vars" without the
 * configuration given by "git -c", which is for us, too.
 */
static const char *const hook_env[] = {
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH",
	"GIT_COMMON_DIR", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_CONFIG", "GIT_IMPLICIT_WORK_TREE",
	"GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS", "GIT_INTERNAL_SUPER_PREFIX", "GIT_PROTOCOL", "GIT_PUSH_OPTION_COUNT",
	"GIT_REFLOG_ACTION", "GIT_DEFAULT_HASH",
	"GIT_MAILDIR_PEER", /* whose push the hook looks at; what it starts is our own work, also where that pushes to another repository of this host */
	NULL,
};

extern char **environ;

struct child {
	struct run *run;
	pid_t pid; /* 0: ended or not started */
	int out, err; /* our ends; -1: at end */
	int64_t deadline; /* INT64_MAX: none */
	bool timed_out, killed;
};

/* Those that run, for run_end(): process groups, and 0 where there is none. */
#define RUNNING_MOST 256
static volatile pid_t running[RUNNING_MOST];

static void note_running(pid_t is, pid_t becomes)
{
	for (size_t i = 0; i < RUNNING_MOST; i++)
		if (running[i] == is) {
			running[i] = becomes;
			break;
		}
}

void run_end(int sig)
{
	for (size_t i = 0; i < RUNNING_MOST; i++)
		if (running[i] > 0)
			kill(-running[i], sig);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool env_is(const char *entry, const char *name)
{
	size_t len = strcspn(name, "=");

	return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static bool env_in(const char *entry, const char *const *names)
{
	for (; names && *names; names++)
		if (env_is(entry, *names))
			return true;
	return false;
}

/* Our environment, less the hook variables if clean, with extra added: an array to free(); the strings are borrowed. */
static char **env_make(const char *const *extra, bool clean)
{
	size_t n = 0, add = 0, k = 0;
	char **env;

	while (environ && environ[n])
		n++;
	while (extra && extra[add])
		add++;
	env = mem_alloc((n + add + 1) * sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (!(clean && env_in(environ[i], hook_env)) && !env_in(environ[i], extra))
			env[k++] = environ[i];
	for (; extra && *extra; extra++)
		env[k++] = (char *)*extra;
	env[k] = NULL;
	return env;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Moves fd out of the way of the standard streams, which we may have been started without. */
static int above_std(int fd)
{
	int up;

	if (fd < 0 || fd > 2)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return up;
}

static int make_pipe(int *rd, int *wr)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	*rd = above_std(p[0]);
	*wr = above_std(p[1]);
	if (*rd < 0 || *wr < 0 || fcntl(*rd, F_SETFL, O_NONBLOCK) < 0) {
		close_fd(rd);
		close_fd(wr);
		return -1;
	}
	return 0;
}

/* Input lies in memory already: as a file it needs no writing while we read, and a child that does not want it costs no SIGPIPE. */
static int open_input(const void *in, size_t len)
{
	const char *p = in;
	int fd;

	if (!in)
		return above_std(open("/dev/null", O_RDONLY | O_CLOEXEC));
	fd = above_std(memfd_create("input", MFD_CLOEXEC));
	while (fd >= 0 && len) {
		ssize_t k = write(fd, p, len);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			close_fd(&fd);
			break;
		}
		p += k;
		len -= (size_t)k;
	}
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0)
		close_fd(&fd);
	return fd;
}

/* posix_spawn: forking a process that holds a store of a million messages would copy its page tables first. */
static int spawn(struct child *c, int in, int out, int err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, dfl, all, before;
	char **env = env_make(c->run->env, c->run->clean_env);
	int rc;

	sigemptyset(&none);
	sigemptyset(&dfl);
	sigaddset(&dfl, SIGPIPE);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	if (err >= 0)
		posix_spawn_file_actions_adddup2(&fa, err, 2);
	if (c->run->cwd)
		posix_spawn_file_actions_addchdir_np(&fa, c->run->cwd);
	if (!c->run->pass_err)
		flags |= POSIX_SPAWN_SETPGROUP;
	posix_spawnattr_setflags(&at, flags);
	posix_spawnattr_setpgroup(&at, 0);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &dfl);
	/* Whoever ends us meanwhile ends it, too. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = posix_spawnp(&c->pid, c->run->argv[0], &fa, &at, (char *const *)c->run->argv, env);
	if (rc)
		c->pid = 0;
	else if (!c->run->pass_err)
		note_running(0, c->pid);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	free(env);
	return rc;
}

static void alive(struct child *c)
{
	if (!c->timed_out)
		c->deadline = c->run->timeout > 0 && !c->run->pass_err ? now_ms() + c->run->timeout * 1000LL : INT64_MAX;
}

static int start(struct child *c, struct run *run)
{
	int in, out = -1, err = -1, rc = 0;

	*c = (struct child){ .run = run, .out = -1, .err = -1 };
	run->status = -1;
	in = open_input(run->in, run->inlen);
	if (in < 0 || make_pipe(&c->out, &out) < 0 || (!run->pass_err && make_pipe(&c->err, &err) < 0))
		rc = errno;
	if (!rc)
		rc = spawn(c, in, out, err);
	close_fd(&in);
	close_fd(&out);
	close_fd(&err);
	if (rc) {
		close_fd(&c->out);
		close_fd(&c->err);
		bytes_addf(&run->err, "cannot run '%s': %s\n", run->argv[0], strerror(rc));
		return -1;
	}
	alive(c);
	return 0;
}

/* Reads what is there. At the end of the stream the descriptor is closed. */
static void drain(struct child *c, int *fd, struct bytes *to)
{
	char buf[16384];

	while (*fd >= 0) {
		ssize_t k = read(*fd, buf, sizeof(buf));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN)
			return;
		if (k <= 0) {
			close_fd(fd);
			return;
		}
		alive(c);
		bytes_add(to, buf, (size_t)k);
		if (to == &c->run->err && to->len > 2 * ERR_KEEP) {
			memmove(to->buf, to->buf + to->len - ERR_KEEP, ERR_KEEP + 1);
			to->len = ERR_KEEP;
		}
	}
}

/* True when the child has ended; then all that it wrote has been read. */
static bool reap(struct child *c)
{
	pid_t got;
	int ws;

	do {
		got = waitpid(c->pid, &ws, WNOHANG);
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		return false;
	drain(c, &c->out, &c->run->out);
	drain(c, &c->err, &c->run->err);
	close_fd(&c->out);
	close_fd(&c->err);
	note_running(c->pid, 0);
	c->pid = 0;
	if (c->timed_out)
		c->run->status = -2;
	else if (got < 0) /* SIGCHLD is ignored in our caller: nobody knows how it ended */
		c->run->status = 128;
	else
		c->run->status = WIFEXITED(ws) ? WEXITSTATUS(ws) : 128 + WTERMSIG(ws);
	return true;
}

static void enforce(struct child *c, int64_t now)
{
	if (now < c->deadline || c->killed)
		return;
	kill(-c->pid, c->timed_out ? SIGKILL : SIGTERM);
	c->killed = c->timed_out;
	c->timed_out = true;
	c->deadline = now + GRACE_MS;
}

/* Waits for bytes from any of them, or until it is time to look. */
static void wait_some(struct child *cs, size_t n, struct pollfd *pfd, long *idle_ms)
{
	size_t k = 0, j = 0;
	bool closed = false; /* one has closed its streams, so it will end within the millisecond */

	for (size_t i = 0; i < n; i++) {
		if (!cs[i].pid)
			continue;
		closed |= cs[i].out < 0 && cs[i].err < 0;
		pfd[k++] = (struct pollfd){ .fd = cs[i].out, .events = POLLIN };
		pfd[k++] = (struct pollfd){ .fd = cs[i].err, .events = POLLIN };
	}
	*idle_ms = closed ? (*idle_ms < TICK_MS ? *idle_ms * 2 : TICK_MS) : 1;
	if (poll(pfd, k, closed ? (int)(*idle_ms / 2) : TICK_MS) <= 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!cs[i].pid)
			continue;
		if (pfd[j++].revents)
			drain(&cs[i], &cs[i].out, &cs[i].run->out);
		if (pfd[j++].revents)
			drain(&cs[i], &cs[i].err, &cs[i].run->err);
	}
}

int run_all(struct run *runs, size_t n, struct err *err)
{
	struct child *cs = mem_zalloc((n + 1) * sizeof(*cs));
	struct pollfd *pfd = mem_alloc((2 * n + 1) * sizeof(*pfd));
	size_t left = 0, started;
	long idle_ms = 1;

	for (size_t i = 0; i < n; i++)
		left += start(&cs[i], &runs[i]) == 0;
	started = left;
	while (left) {
		wait_some(cs, n, pfd, &idle_ms);
		for (size_t i = 0; i < n; i++) {
			if (!cs[i].pid)
				continue;
			if (reap(&cs[i]))
				left--;
			else
				enforce(&cs[i], now_ms());
		}
	}
	free(pfd);
	free(cs);
	if (n && !started)
		return err_set(err, ERR_FAIL, "%.*s", (int)strcspn(runs[0].err.buf, "\n"), runs[0].err.buf);
	return 0;
}

char *run_reason(char *out, size_t size, const struct run *run)
{
	if (run->status == -2)
		snprintf(out, size, "no answer for %d s", run->timeout);
	else if (*reason_of(out, size, &run->err))
		return out;
	else if (run->status > 128)
		snprintf(out, size, "killed by signal %d", run->status - 128);
	else
		snprintf(out, size, "exit status %d", run->status);
	return out;
}

int run_git(const char *gitdir, const char *const *argv, struct bytes *out, struct err *err)
{
	static const char *const env[] = { "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", NULL };
	struct run run = { .env = env, .clean_env = true };
	struct bytes opt = { 0 };
	const char **v;
	char why[512];
	size_t n = 0;
	int rc;

	while (argv[n])
		n++;
	v = mem_alloc((n + 2) * sizeof(*v));
	v[0] = argv[0];
	if (gitdir)
		bytes_addf(&opt, "--git-dir=%s", gitdir);
	v[1] = opt.buf;
	memcpy(v + (gitdir ? 2 : 1), argv + 1, n * sizeof(*v));
	run.argv = v;
	rc = run_all(&run, 1, err);
	if (!rc && run.status != 0)
		rc = err_set(err, ERR_FAIL, "'%s %s' failed: %s", argv[0], n > 1 ? argv[1] : "", run_reason(why, sizeof(why), &run));
	else if (!rc && out)
		bytes_add(out, run.out.buf ? run.out.buf : "", run.out.len);
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&opt);
	free(v);
	return rc;
}

/* In the grandchild: never returns. Only async-signal-safe calls, because the caller may have threads. */
static _Noreturn void become(const char *const *argv, char **env, const char *cwd, int with, int report)
{
	sigset_t none;
	int null, e;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (cwd && chdir(cwd) < 0)
		goto fail;
	/* Out of the way of the numbers that are given out here. */
	if ((e = fcntl(report, F_DUPFD_CLOEXEC, RUN_FD + 2)) < 0)
		goto fail;
	report = e;
	if (with >= 0 && (with = fcntl(with, F_DUPFD_CLOEXEC, RUN_FD + 2)) < 0)
		goto fail;
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		goto fail;
	/* A lock of ours that it kept would be held until it ends, and a pusher waits as long as a pipe of git's stays open. */
	if (with < 0)
		close(RUN_FD);
	else if (dup2(with, RUN_FD) < 0)
		goto fail;
	if (dup3(report, RUN_FD + 1, O_CLOEXEC) < 0)
		goto fail;
	report = RUN_FD + 1;
	close_range(RUN_FD + 2, ~0U, 0);
	environ = env;
	execvp(argv[0], (char *const *)argv);
fail:
	e = errno;
	if (write(report, &e, sizeof(e)) < 0)
		_exit(126);
	_exit(127);
}

int run_detached_with(const char *const *argv, const char *cwd, int fd, struct err *err)
{
	char **env = env_make(NULL, true);
	int rd = -1, wr = -1, e = 0;
	ssize_t k;
	pid_t pid;

	if (make_pipe(&rd, &wr) < 0 || fcntl(rd, F_SETFL, 0) < 0 || (pid = fork()) < 0) {
		e = errno;
		goto out;
	}
	if (pid == 0) {
		/* A session of its own: the end of an ssh session or a ^C does not reach it. Forked twice: nobody has to wait for it. */
		if (setsid() >= 0 && (pid = fork()) == 0)
			become(argv, env, cwd, fd, wr);
		e = errno;
		if (pid < 0 && write(wr, &e, sizeof(e)) < 0)
			_exit(126);
		_exit(0);
	}
	close_fd(&wr);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	do {
		k = read(rd, &e, sizeof(e));
	} while (k < 0 && errno == EINTR);
	if (k != (ssize_t)sizeof(e))
		e = 0;
out:
	close_fd(&rd);
	close_fd(&wr);
	free(env);
	if (!e)
		return 0;
	errno = e;
	return err_errno(err, "cannot start '%s'", argv[0]);
}

int run_detached(const char *const *argv, const char *cwd, struct err *err)
{
	return run_detached_with(argv, cwd, -1, err);
}

int run_check_git(struct err *err)
{
	const char *const argv[] = { "git", "--version", NULL };
	struct bytes out = { 0 };
	struct err why;
	int major = 0, minor = 0, rc = 0;

	if (run_git(NULL, argv, &out, &why) < 0)
		rc = err_set(err, ERR_ENV, "git does not run: %s", why.msg);
	else if (sscanf(out.buf ? out.buf : "", "git version %d.%d", &major, &minor) != 2)
		rc = err_set(err, ERR_ENV, "git says no version that can be read");
	else if (major < GIT_MIN_MAJOR || (major == GIT_MIN_MAJOR && minor < GIT_MIN_MINOR))
		rc = err_set(err, ERR_ENV, "git %d.%d is too old: %d.%d or newer is needed", major, minor, GIT_MIN_MAJOR, GIT_MIN_MINOR);
	bytes_release(&out);
	return rc;
}
