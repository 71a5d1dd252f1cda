/*
 * gitdir.h -- finds the repository of a Maildir, without libgit2.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GITDIR_H
#define GITDIR_H

#include "../core/err.h"

/*
 * gitdir_of: the repository of the member whose Maildir has its root at dir, an absolute path, as git finds it: the directory <dir>/.git, or what the file <dir>/.git names.
 * malloc'ed. NULL with ERR_NOTMEMBER when there is none, or one that no "git maildir init" was run on.
 */
char *gitdir_of(const char *dir, struct err *err);

/* gitdir_above: the Maildir of a member that the directory dir, an absolute path, is the root of or is below. malloc'ed; NULL if it is in none. */
char *gitdir_above(const char *dir);

#endif
