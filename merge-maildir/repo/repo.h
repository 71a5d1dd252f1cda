/*
 * repo.h -- a member's repository: where it is, its configuration, its lock, its head.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef REPO_H
#define REPO_H

#include <git2.h>
#include <stdbool.h>
#include <stdint.h>

#include "../core/err.h"
#include "../core/mem.h"
#include "../core/oid.h"

struct repo {
	git_repository *git;
	git_odb *odb;
	char *gitdir;	/* absolute, no trailing '/' */
	char *worktree; /* absolute, no trailing '/'; NULL in a bare repository. The directory can be missing: a store that is not mounted */
	char *branch;	/* what HEAD names: "refs/heads/main"; just "HEAD" when it is detached, as during a rebase */
	int lockfd;	/* -1: not locked */
	uint64_t written; /* bytes of objects that were asked to be written, before compression: for upkeep */

	/* maildir.* of git config; see gitmaildir(7) */
	char *name;		/* maildir.name: what this member is called; NULL if unset (then it is no member yet) */
	bool flag_beats_delete; /* maildir.deleteVsFlag = keep */
	bool auto_push;		/* maildir.autoPush, default true: record and git commit push by themselves */
	int max_delete_percent; /* maildir.maxDelete: "50%" (default: 50) or a plain number of messages (then percent is -1) */
	long max_delete_count;	/* default 20: fewer are never held back */
	int peer_timeout;	/* maildir.peerTimeout, seconds without any progress after which a peer is given up; default 60 */
	int lock_wait;		/* maildir.lockWait, seconds; default 30 */
	int64_t keep_history;	/* maildir.keepHistory, seconds; default 0 */
	int64_t peer_max_age;	/* maildir.peerMaxAge, seconds; 0: never, the default */
};

/*
 * repo_open: finds the repository as git does from the directory start (NULL: the current one, and GIT_DIR and GIT_WORK_TREE count), and reads the configuration.
 * ERR_NOTMEMBER: there is none; ERR_ENV: it belongs to someone else (safe.directory), uses SHA-256 or an extension that libgit2 does not know.
 * r need not be initialised. On failure nothing is left to close. Calls git_libgit2_init().
 */
int repo_open(struct repo *r, const char *start, struct err *err);
/* repo_close: frees, gives back the lock; fine on a zeroed struct with lockfd = -1. */
void repo_close(struct repo *r);

/*
 * repo_lock: the member's lock (flock(2) on <gitdir>/maildir/lock, so that a killed process gives it back): held for record, merge and apply; never
 * while talking to a peer, because two members that push to each other must not wait for each other. Waits at most wait seconds. ERR_BUSY.
 */
int repo_lock(struct repo *r, int wait, struct err *err);
void repo_unlock(struct repo *r);

/* repo_head: the commit that HEAD's branch is at. ERR_NOTFOUND when there is none so far. */
int repo_head(const struct repo *r, struct oid *commit, struct err *err);
/* repo_set_head: moves the branch from old (NULL: it must not exist) to commit, durable, with a reflog line; takes the lock if it is not held. ERR_AGAIN if it was not at old. */
int repo_set_head(struct repo *r, const struct oid *commit, const struct oid *old, const char *why, struct err *err);

/* repo_config_get: value of a key, malloc'ed, or NULL. repo_config_set: writes it to the repository's own config (value NULL: removes it). */
char *repo_config_get(const struct repo *r, const char *key);
int repo_config_set(struct repo *r, const char *key, const char *value, struct err *err);

/* repo_parse_age: "90s", "30m", "12h", "7d" or "2w" in seconds; a plain number is seconds, too. False if it is none of that. */
bool repo_parse_age(const char *s, int64_t *seconds);

/* repo_state_path: the path of a file of ours in <gitdir>/maildir/, malloc'ed; makes that directory. */
char *repo_state_path(const struct repo *r, const char *name);

/* repo_has_file: whether there is a file of git's of this name in the git directory. */
bool repo_has_file(const struct repo *r, const char *name);

/* repo_git_err: puts libgit2's last error behind what failed. */
int repo_git_err(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
