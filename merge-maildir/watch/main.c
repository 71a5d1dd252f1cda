/*
 * main.c -- git-maildir-watch: what changes in Maildirs is recorded and pushed at once, and what peers push is applied at once.
 *
 * One process looks after any number of members. It only waits and decides; each piece of work is done by a child.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../cmd/exit.h"
#include "../repo/watcher.h"
#include "duty.h"
#include "plan.h"

#define SECOND INT64_C(1000)
#define FIND_EVERY (60 * SECOND)
#define FIND_SHARE 1000
#define LOOK_EVERY SECOND
#define EVENTS_AT_ONCE 20000
#define CHECK_EVERY (3600 * SECOND)
/* Work that was begun comes to its end before we do, within reason. */
#define STOP_WITHIN (20 * SECOND)

static struct crew crew = { .settle = 50, .check = CHECK_EVERY };
static const char *all_below; /* --all */
static int64_t find_at, look_at = PACE_NEVER, stop_at = PACE_NEVER;

/* The clock that goes on while the machine sleeps, and that nobody sets. */
static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void everything_may_have_changed(void)
{
	for (size_t i = 0; i < crew.wards.n; i++)
		crew.wards.v[i]->walk = crew.wards.v[i]->renew = crew.wards.v[i]->full = true;
}

static void open_notify(int64_t now)
{
	struct err err;

	if (notify_fd() < 0 && notify_open(&err) < 0)
		journal_warn(&crew.journal, now, NULL, "%s; until then all directories are looked at once a second", err.msg);
}

/* True: there are more. Who changes mail without a pause must not keep us from everything else. */
static bool read_events(int64_t now)
{
	struct notify_event e;
	struct ward *w;
	struct err err;
	int ret = 0, left = EVENTS_AT_ONCE;

	while (left-- && (ret = notify_next(&e, &err)) > 0) {
		if (!e.dir) {
			journal_warn(&crew.journal, now, NULL, "changes came faster than they were read: everything is looked at again; "
				     "if that happens often, raise 'sysctl fs.inotify.max_queued_events'");
			everything_may_have_changed();
		} else if ((w = wards_of(&crew.wards, e.dir))) {
			ward_changed(w, &e, now);
		}
	}
	if (ret < 0) {
		journal_warn(&crew.journal, now, NULL, "%s: everything is looked at again", err.msg);
		notify_close();
		open_notify(now);
		for (size_t i = 0; i < crew.wards.n; i++)
			ward_lost(crew.wards.v[i]);
		everything_may_have_changed();
	}
	return ret > 0;
}

static void found(void *ctx, char *root, char *gitdir)
{
	struct ward *w = wards_add(&crew.wards, root, gitdir);

	(void)ctx;
	if (w)
		journal_say(w->root, "is watched from now on");
}

/* New members below the directory of --all, and those that are gone; and whether there is room for more watches now. */
static void find(int64_t now)
{
	int64_t took;

	for (size_t i = 0; i < crew.wards.n; i++)
		if (crew.wards.v[i]->unwatched) {
			open_notify(now);
			crew.wards.v[i]->walk = crew.wards.v[i]->now = true;
		}
	find_at = now + FIND_EVERY;
	if (!all_below)
		return;
	for (size_t i = 0; i < crew.wards.n; i++)
		crew.wards.v[i]->listed = false;
	wards_find(all_below, found, NULL);
	/* A large tree is looked through less often, so that this takes no more than a small share of the time. */
	took = now_ms() - now;
	find_at = now + (took * FIND_SHARE > FIND_EVERY ? took * FIND_SHARE : FIND_EVERY);
	for (size_t i = crew.wards.n; i-- > 0;) {
		struct ward *w = crew.wards.v[i];
		bool busy = w->job != NULL || w->given;

		for (size_t k = 0; k < w->nlinks; k++)
			busy |= w->links[k]->job != NULL;
		if (!w->listed && !busy) {
			journal_say(w->root, "is gone, and no longer watched");
			wards_remove(&crew.wards, w);
		}
	}
}

/* What there are no inotify watches for. */
static void look(int64_t now)
{
	bool any = false;

	for (size_t i = 0; i < crew.wards.n; i++) {
		struct ward *w = crew.wards.v[i];

		any |= w->unwatched != 0;
		if (w->unwatched && ward_look(w)) {
			pace_touch(&w->pace, now);
			w->now = true;
		}
	}
	look_at = any ? now + LOOK_EVERY : PACE_NEVER;
}

static void reap(int64_t now)
{
	pid_t pid;
	int ws;

	while ((pid = waitpid(-1, &ws, WNOHANG)) > 0)
		for (size_t i = 0; i < crew.njobs; i++)
			if (crew.jobs[i]->pid == pid) {
				plan_ended(&crew, crew.jobs[i], WIFEXITED(ws) ? WEXITSTATUS(ws) : 128 + WTERMSIG(ws), now);
				break;
			}
}

static void stop(int64_t now)
{
	if (crew.stopping) {
		stop_at = now;
		return;
	}
	journal_notify("STOPPING=1");
	crew.stopping = true;
	stop_at = now + STOP_WITHIN;
	for (size_t i = 0; i < crew.wards.n; i++)
		crew.wards.v[i]->last = true;
	/* A push that is cut off is done again; its git ends by itself. */
	for (size_t i = 0; i < crew.njobs; i++)
		if (crew.jobs[i]->kind != JOB_WORK)
			kill(crew.jobs[i]->pid, SIGTERM);
}

static void read_signals(int fd, int64_t now)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) == sizeof(si))
		switch (si.ssi_signo) {
		case SIGCHLD: break;
		case SIGHUP: find_at = 0; break;
		default: stop(now);
		}
	reap(now);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* One that whoever started us ignores, as nohup does, would not be seen. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int timeout(int64_t now)
{
	int64_t next = plan_next(&crew, now);

	if (crew.stopping && !crew.njobs)
		return 0;
	if (look_at < next)
		next = look_at;
	if (find_at < next)
		next = find_at;
	if (stop_at < next)
		next = stop_at;
	if (next <= now)
		return 0;
	return next - now > 60 * SECOND ? (int)(60 * SECOND) : (int)(next - now);
}

static void wait_for_events(int signals, int ms)
{
	static struct pollfd *fds;
	static size_t cap;
	size_t n = 0;

	if (cap < 2 + 2 * crew.njobs) {
		cap = 16 + 4 * crew.njobs;
		fds = mem_realloc(fds, cap * sizeof(*fds));
	}
	fds[n++] = (struct pollfd){ .fd = signals, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = notify_fd(), .events = POLLIN };
	for (size_t i = 0; i < crew.njobs; i++) {
		fds[n++] = (struct pollfd){ .fd = crew.jobs[i]->out, .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = crew.jobs[i]->report, .events = POLLIN };
	}
	poll(fds, n, ms);
}

static int run(int signals)
{
	bool ready = false, more;
	int64_t now;

	for (;;) {
		now = now_ms();
		more = read_events(now);
		read_signals(signals, now);
		if (crew.stopping && (now >= stop_at || !(crew.njobs || plan_next(&crew, 0) == 0)))
			break;
		for (size_t i = 0; i < crew.njobs; i++)
			job_read(crew.jobs[i], false, plan_line);
		if (!crew.stopping && now >= find_at)
			find(now);
		plan_start(&crew, now);
		if (now >= look_at || look_at == PACE_NEVER)
			look(now);
		if (!ready && !crew.stopping) {
			/* Whatever happens from here on is noticed: watches stand, or stand before the first look. */
			journal_say(NULL, "ready: %zu Maildir%s", crew.wards.n, crew.wards.n == 1 ? "" : "s");
			journal_notify("READY=1");
			ready = true;
		}
		wait_for_events(signals, more ? 0 : timeout(now));
	}
	/* They can be killed anywhere, like everything else. */
	for (size_t i = 0; i < crew.njobs; i++)
		kill(crew.jobs[i]->pid, SIGTERM);
	return EXIT_DONE;
}

/* A member that was named: it must be one. */
static int add_named(const char *path, struct err *err)
{
	char *root = realpath(path, NULL), *gitdir = root ? ward_gitdir(root) : NULL;
	struct ward *w;

	if (!root)
		return err_errno(err, "cannot find '%s'", path);
	if (!gitdir) {
		free(root);
		return err_set(err, ERR_NOTMEMBER, "'%s' is not a member yet: run 'git maildir init' on it", path);
	}
	if ((w = wards_add(&crew.wards, root, gitdir)))
		w->given = true;
	return 0;
}

static int usage(bool help)
{
	return exit_usage("git maildir watch [--settle=<ms>] [--check=<s>] [--verbose] [--no-wait] [--all=<dir>] [<maildir>...]", help);
}

/* --no-wait: what another process watches is left to it. */
static void leave_watched(void)
{
	for (size_t i = crew.wards.n; i-- > 0;)
		if (watcher_is_there(crew.wards.v[i]->gitdir))
			wards_remove(&crew.wards, crew.wards.v[i]);
}

static bool number(const char *s, int64_t most, int64_t *out)
{
	char *end;
	long long v = strtoll(s, &end, 10);

	if (end == s || *end || v < 0 || v > most)
		return false;
	*out = v;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = { { "settle", required_argument, NULL, 's' }, { "check", required_argument, NULL, 'c' },
						  { "verbose", no_argument, NULL, 'v' },      { "all", required_argument, NULL, 'a' },
						  { "no-wait", no_argument, NULL, 'n' },
						  { "help", no_argument, NULL, 'h' },	      { NULL, 0, NULL, 0 } };
	struct rlimit files;
	bool no_wait = false;
	struct err err;
	int c, signals;

	while ((c = getopt_long(argc, argv, "hv", longopts, NULL)) != -1)
		switch (c) {
		case 's':
			if (!number(optarg, 60 * SECOND, &crew.settle))
				return usage(false);
			break;
		case 'c':
			if (!number(optarg, 30 * 24 * 3600, &crew.check) || !crew.check)
				return usage(false);
			crew.check *= SECOND;
			break;
		case 'n': no_wait = true; break;
		case 'v': crew.verbose = true; break;
		case 'a': all_below = optarg; break;
		default: return usage(c == 'h');
		}
	/* Nothing that we open is to be taken for a standard stream. */
	do {
		c = open("/dev/null", O_RDWR);
	} while (c >= 0 && c <= STDERR_FILENO);
	close(c);
	/* What is named by the environment of whoever starts us is not what we are told to watch. */
	unsetenv("GIT_DIR");
	unsetenv("GIT_WORK_TREE");
	open_notify(now_ms());
	signals = open_signals();
	for (int i = optind; i < argc; i++)
		if (add_named(argv[i], &err) < 0)
			return exit_error(&err);
	if (optind == argc && !all_below && add_named(".", &err) < 0)
		return exit_error(&err);
	if (no_wait)
		leave_watched();
	if (!crew.wards.n && !all_below)
		return EXIT_BUSY;
	if (all_below && access(all_below, R_OK | X_OK) < 0) {
		err_errno(&err, "cannot read '%s'", all_below);
		return exit_error(&err);
	}
	/* A descriptor for the lock of each member. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	crew.work_most = (size_t)sysconf(_SC_NPROCESSORS_ONLN) * 2;
	duty_warm();
	return run(signals);
}
