/*
 * member.h -- a member as the commands work on it: its repository and its live Maildir.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MEMBER_H
#define MEMBER_H

#include <time.h>

#include "../disk/disk.h"
#include "../repo/repo.h"

struct member {
	struct repo repo;
	struct disk disk;
	time_t now; /* of commits that this command makes */
};

/*
 * member_open: the member that the current directory (or GIT_DIR) belongs to. ERR_NOTMEMBER if there is no repository, or one that "git maildir init" has not
 * been run on, or if its work tree is gone; ERR_BUSY when no branch is checked out: somebody is in the middle of a rebase or looks at an old state, and
 * what is on disk is not the store. member_close() frees; fine on a zeroed struct.
 */
int member_open(struct member *m, struct err *err);
/* member_open_any: the same for a repository of any state, for what git itself calls: hooks and the merge strategy. */
int member_open_any(struct member *m, struct err *err);
/* member_branch: the branch without "refs/heads/", or NULL when none is checked out. */
const char *member_branch(const struct member *m);
void member_close(struct member *m);

/* member_lock: takes the member's lock within maildir.lockWait seconds. */
int member_lock(struct member *m, struct err *err);

/* member_spawn: starts "git-maildir <args...>" for this member in the background; args ends in NULL. Failure is only a
 * warning: whatever was to be done is done by the next command. */
void member_spawn(struct member *m, const char *const *args);

#endif
