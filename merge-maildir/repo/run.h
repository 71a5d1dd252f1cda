/*
 * run.h -- runs the git command line, alone or several at a time, with time limits.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RUN_H
#define RUN_H

#include <stddef.h>
#include <stdbool.h>

#include "../core/err.h"
#include "../core/mem.h"

/* One command. argv ends in NULL; argv[0] is "git" or another program of PATH. */
struct run {
	const char *const *argv;
	const char *const *env; /* "NAME=value" to add, ends in NULL; may be NULL */
	bool clean_env;	  /* drop GIT_DIR, GIT_WORK_TREE, GIT_INDEX_FILE, GIT_OBJECT_DIRECTORY, GIT_QUARANTINE_PATH and the like: we run inside a hook and mean another repository, or our own by --git-dir */
	const char *cwd;  /* may be NULL */
	const void *in;	  /* standard input; NULL: /dev/null */
	size_t inlen;
	int timeout;	  /* seconds without a byte on standard output or error and without an end; 0: none. Then the process group is killed */
	bool pass_err;	  /* standard error is ours (progress for a person, who can also press ^C: no process group of its own, no timeout) */
	struct bytes out, err; /* filled; the caller releases them. Of a very long err only the end is kept */
	int status;	  /* exit status; 128 + signal; -1: could not be started (err says why); -2: timed out */
};

/* run_all: starts all n, waits for all; one that hangs delays no other. 0 even when commands fail: see status. ERR_FAIL only when nothing could be started. */
int run_all(struct run *runs, size_t n, struct err *err);

/* run_end: sends this signal to all that run_all() has started and that has not ended yet, with what they started. For signal handlers. */
void run_end(int sig);

/*
 * run_reason: why a command that was run failed, as the one line of its standard error that says most to a person: without progress, advice, git's closing phrases and the
 * prefixes "fatal:" and "error:". Unprintable bytes become '?'. Always writes something. Returns out.
 */
char *run_reason(char *out, size_t size, const struct run *run);

/*
 * run_git: runs one git command to its end, in a clean environment. argv is as in struct run; --git-dir=<gitdir> is put behind argv[0] if gitdir is not NULL. 0 with exit status 0; ERR_FAIL with
 * run_reason() in err otherwise. out, if not NULL, gets its standard output (appended).
 */
int run_git(const char *gitdir, const char *const *argv, struct bytes *out, struct err *err);

/*
 * run_detached: starts a command in a session of its own with standard streams on /dev/null, in a clean environment (see clean_env: what it works on must be in argv or cwd), and returns at once; it
 * outlives us and holds no pipe or lock of ours.
 */
int run_detached(const char *const *argv, const char *cwd, struct err *err);
/* run_detached_with: the same, and the command has one more descriptor, RUN_FD: what fd is here (-1: none). */
#define RUN_FD 3
int run_detached_with(const char *const *argv, const char *cwd, int fd, struct err *err);

/* run_check_git: ERR_ENV when there is no git, or one older than 2.30. */
int run_check_git(struct err *err);

#endif
